"""docs/accuracy.md, its details and the corpus of worst cases from certificates: `python -m docs.renew_accuracy`.

`tests/test_accuracy_page.py` compares the pages with what is generated.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from conformance.render.certificate import share
from conformance.render.markdown import cell, row
from conformance.render.scoreboard import error_text
from conformance.sweep import certificate, corpus
from conformance.sweep.certificate import Certificate, Result

ROOT = Path(__file__).resolve().parent.parent

CERTIFICATES = ROOT / "results" / "certificates"

PAGE = ROOT / "docs" / "accuracy.md"
DETAILS = ROOT / "docs" / "accuracy-details.md"

HEAD = """# Accuracy, proved

How wrong can a loss get?
A cell that says *proved* has the largest error that there is, in units in the last place (ULP) of the dtype:
every bit pattern of the prediction went through the implementation,
and every result was judged against exact mathematics.
The maximum was found by the screen of `bce-conformance sweep` and confirmed by interval arithmetic ([how](sweeps.md)).
It holds for the versions and the processor at the end of this page.

- **float32**: all 4,278,190,080 finite logits, or all 1,065,353,217 probabilities in [0, 1], with that label.
- **float16, bfloat16**: all of them, each with every label in [0, 1].
- `<=0.5`: every result is the correctly rounded one, or as near.
- Gradients: first the error relative to the natural terms ([why](reference.md)), which cancellation does not inflate;
  in brackets the plain one where it differs.
- What has no error in ULP is counted behind it:
  NaN, the wrong sign, an infinity for a number (infinite), a number for an infinity (finite).

[Details](accuracy-details.md): shares of correctly rounded results, where the maxima are, with flushing accepted,
against the documentation, and single labels of 16-bit types.
The certificates are in `results/certificates`; `bce-conformance report --html` draws them.

"""

DETAILS_HEAD = """# Accuracy, in detail

Each row is one implementation with one label, or with all;
[the overview](accuracy.md) tells what it means that these are proofs.

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

#: Columns of the overview: title, dtype, label (None: all labels in [0, 1]).
CELLS: tuple[tuple[str, str, float | None], ...] = (
    ("float32, y = 0", "float32", 0.0),
    ("y = 1", "float32", 1.0),
    ("y = 0.5", "float32", 0.5),
    ("y = 0.3", "float32", float(np.float32(0.3))),
    ("float16", "float16", None),
    ("bfloat16", "bfloat16", None),
)

COLUMNS = ["implementation", "label", "results", "exact", "max ULP", "at", "flush", "scaled", "contract", "other"]


def certificates() -> list[Certificate]:
    """The certificates of the repository, in the order of the page."""
    found = [certificate.read(file) for file in sorted(CERTIFICATES.glob("*.json"))]
    return sorted(found, key=_place)


def _place(one: Certificate) -> tuple[int, int, str]:
    return list(TITLES).index((one.form, one.quantity)), DTYPES.index(one.dtype), one.command


def page(found: Sequence[Certificate]) -> str:
    """The overview."""
    return HEAD + "\n".join([*_overview(found), *_environments(found)]) + "\n"


def details(found: Sequence[Certificate]) -> str:
    """The page with a row for every result."""
    return DETAILS_HEAD + "\n".join(_tables(found)) + "\n"


def _overview(found: Sequence[Certificate]) -> Iterator[str]:
    for key, title in TITLES.items():
        chosen = [one for one in found if (one.form, one.quantity) == key]
        results = {
            (result.implementation, one.dtype, result.label_value, _labels(one)): (one, result)
            for one in chosen
            for result in one.results
        }
        rows = sorted({name for name, *_ in results})
        if not rows:
            continue
        yield f"## {title}\n"
        yield row(["implementation", *(name for name, _, _ in CELLS)])
        yield row(["---"] * (1 + len(CELLS)))
        commands: dict[str, None] = {}
        for name in rows:
            made = [results.get((name, dtype, label, "[0, 1]")) for _, dtype, label in CELLS]
            yield row([cell(name.removesuffix("/cpu")), *(cell(_told(one) if one else "not swept") for one in made)])
            commands |= dict.fromkeys(one[0].command for one in made if one)
        yield ""
        yield "Each by one of these commands:\n"
        yield from ("```bash", *commands, "```", "")


def _labels(one: Certificate) -> str:
    """Which labels a certificate of pairs has; those of single labels are all in [0, 1]."""
    return "finite" if one.covered["pairs"] and one.covered["labels"][1].startswith("f") else "[0, 1]"


def _told(found: tuple[Certificate, Result]) -> str:
    """A cell of the overview."""
    one, result = found
    names = ("scaled", "ideal") if one.quantity.startswith("gradient") else ("ideal",)
    errors = [error_text(result.worst[name].ulp) if name in result.worst else "<=0.5" for name in names]
    text = errors[0] + (f" ({errors[1]})" if errors[0] != errors[-1] else "")
    others = "".join(f", {count:,} {name}" for name, count in result.classes.items())
    return f"{'proved' if one.kind == 'proof' else 'at least'} {text}{others}"


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
            yield from ("", "```bash", *(one.command for one in chosen), "```", "")


def _cells(one: Certificate, result: Result) -> list[str]:
    ideal = result.worst.get("ideal")
    label = "all in [0, 1]" if result.label_value is None else f"{result.label_value:g}"
    if result.label_value is None and _labels(one) == "finite":
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


def main() -> None:
    """Write the pages, and add to the corpus."""
    found = certificates()
    PAGE.write_text(page(found), encoding="utf-8")
    DETAILS.write_text(details(found), encoding="utf-8")
    corpus.renew(ROOT / "cases" / "worst", found)


if __name__ == "__main__":
    main()
