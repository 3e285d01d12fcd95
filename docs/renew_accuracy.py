"""docs/accuracy.md and the corpus of worst cases from certificates: `python -m docs.renew_accuracy`.

`tests/test_accuracy_page.py` compares the page with what is generated.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from conformance.render.certificate import share
from conformance.render.markdown import cell, row
from conformance.render.scoreboard import error_text
from conformance.sweep import certificate, corpus
from conformance.sweep.certificate import Certificate, Result

ROOT = Path(__file__).resolve().parent.parent

CERTIFICATES = ROOT / "results" / "certificates"

PAGE = ROOT / "docs" / "accuracy.md"

HEAD = """# Accuracy, proved

Each row is a sweep: every bit pattern of the prediction, with one label, through one implementation.
Every result is judged against exact mathematics.
A maximum is therefore no estimate: it is the largest error that there is,
on the processor, with the versions and by the files that the certificate names.
It was found by the screen of `bce-conformance sweep` and confirmed by interval arithmetic;
[sweeps.md](sweeps.md) tells how.

| column | meaning |
|---|---|
| exact | share of the results that are the correctly rounded ones |
| max ULP | the largest error in ULP of the returned dtype; `<=0.5`: every result is correctly rounded |
| at | the prediction where it is, as a bit pattern |
| flush | the same where a subnormal number may be flushed to zero |
| scaled | the error relative to the natural terms ([reference.md](reference.md)), for gradients |
| contract | the largest error against what the implementation documents (clip, clamped logarithm, epsilon) |
| other | results without an error in ULP: the wrong sign, NaN, an infinity for a number or a number for one (finite) |

"""

#: Titles of sections by form and quantity.
TITLES = {
    ("logits", "value"): "Losses of logits",
    ("logits", "gradient-prediction"): "Gradients by the logit",
    ("probabilities", "value"): "Losses of probabilities",
    ("probabilities", "gradient-prediction"): "Gradients by the probability",
}

#: dtypes in the order of the page.
DTYPES = ("float32", "float16", "bfloat16", "float64")

COLUMNS = ["implementation", "label", "results", "exact", "max ULP", "at", "flush", "scaled", "contract", "other"]


def certificates() -> list[Certificate]:
    """The certificates of the repository, in the order of the page."""
    found = [certificate.read(file) for file in sorted(CERTIFICATES.glob("*.json"))]
    return sorted(found, key=lambda one: (list(TITLES).index((one.form, one.quantity)), DTYPES.index(one.dtype)))


def page(found: Sequence[Certificate]) -> str:
    """The whole page."""
    return HEAD + "\n".join([*_tables(found), *_environments(found), *_commands(found)]) + "\n"


def _tables(found: Sequence[Certificate]) -> Iterator[str]:
    for key, title in TITLES.items():
        for dtype in DTYPES:
            chosen = [one for one in found if (one.form, one.quantity) == key and one.dtype == dtype]
            if not chosen:
                continue
            yield f"## {title}, {dtype}\n"
            yield row(COLUMNS)
            yield row(["---"] * len(COLUMNS))
            for one in chosen:
                for result in one.results:
                    yield row([cell(text) for text in _cells(one, result)])
            yield ""


def _cells(one: Certificate, result: Result) -> list[str]:
    ideal = result.worst.get("ideal")
    label = "all in [0, 1]" if result.label_value is None else f"{result.label_value:g}"
    if result.label_value is None and one.covered["labels"][1].startswith("f"):
        label = "all finite"
    return [
        result.implementation + ("" if one.kind == "proof" else " (lower bound)"),
        label,
        f"{result.points:,}",
        share(result.ordinals[0], result.points),
        error_text(ideal.ulp) if ideal else "<=0.5",
        ideal.prediction if ideal else "",
        *(_of(result, name) for name in ("flushed", "scaled", "contract")),
        ", ".join(f"{count:,} {name}" for name, count in result.classes.items()),
    ]


def _of(result: Result, name: str) -> str:
    worst = result.worst.get(name)
    return error_text(worst.ulp) if worst else ""


def _environments(found: Sequence[Certificate]) -> Iterator[str]:
    yield "## Where\n"
    told = {}
    for one in found:
        versions = ", ".join(f"{name} {version}" for name, version in sorted(one.versions.items()))
        switches = ", ".join(f"{name} {value}" for name, value in sorted(one.environment.items()) if value != "")
        told[one.backend] = f"- **{one.backend}**: {versions}; {switches}; {one.machine['processor']}"
    yield from (told[name] for name in sorted(told))
    yield ""


def _commands(found: Sequence[Certificate]) -> Iterator[str]:
    yield "## The command that makes each certificate\n"
    yield "```bash"
    yield from (one.command for one in found)
    yield "```"


def main() -> None:
    """Write the page, and add to the corpus."""
    found = certificates()
    PAGE.write_text(page(found), encoding="utf-8")
    corpus.renew(ROOT / "cases" / "worst", found)


if __name__ == "__main__":
    main()
