"""Certificates as tables of proved maxima, in one order and with the same cells wherever they are shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from conformance.render.certificate import share
from conformance.render.markdown import cell, row
from conformance.render.scoreboard import error_text
from conformance.sweep.certificate import Certificate, Result

#: Titles of tables by form and quantity, in their order.
TITLES = {
    ("logits", "value"): "Losses of logits",
    ("logits", "gradient-prediction"): "Gradients by the logit",
    ("probabilities", "value"): "Losses of probabilities",
    ("probabilities", "gradient-prediction"): "Gradients by the probability",
}

#: dtypes in the order of tables.
DTYPES = ("float32", "float16", "bfloat16", "float64")

COLUMNS = ("implementation", "label", "results", "exact", "max ULP", "at", "flush", "scaled", "contract", "other")


def ordered(found: Iterable[Certificate]) -> list[Certificate]:
    """Certificates by title, dtype, backend and implementation, whatever order they were read in."""
    return sorted(
        found,
        key=lambda one: (
            list(TITLES).index((one.form, one.quantity)),
            DTYPES.index(one.dtype),
            one.backend,
            [result.implementation for result in one.results],
            not one.covered["pairs"],
            one.command,
            sorted(one.versions.items()),
            str(sorted(one.environment.items())),
        ),
    )


def tables(found: Sequence[Certificate]) -> Iterator[str]:
    """Lines of Markdown: a heading and a table for each form, quantity and dtype of ordered certificates."""
    for key, title in TITLES.items():
        for dtype in DTYPES:
            chosen = [one for one in found if (one.form, one.quantity) == key and one.dtype == dtype]
            if not chosen:
                continue
            yield f"## {title}, {dtype}\n"
            yield row(list(COLUMNS))
            yield row(["---"] * len(COLUMNS))
            for one in chosen:
                for result in one.results:
                    yield row([cell(text) for text in cells(one, result)])
            yield ""


def cells(one: Certificate, result: Result) -> list[str]:
    """What COLUMNS say of a result."""
    ideal = result.worst.get("ideal")
    return [
        result.implementation + ("" if one.kind == "proof" else " (lower bound)"),
        label_text(one, result),
        f"{result.points:,}",
        share(result.ordinals[0], result.points),
        error_text(ideal.ulp) if ideal else "<=0.5",
        ideal.prediction if ideal else "",
        *(_of(result, name) for name in ("flushed", "scaled", "contract")),
        classes_text(result),
    ]


def label_text(one: Certificate, result: Result) -> str:
    """The label of a result in decimal, or which labels all are."""
    if result.label_value is not None:
        return f"{result.label_value:g}"
    return "all finite" if one.covered["labels"][1].startswith("f") else "all in [0, 1]"


def classes_text(result: Result) -> str:
    """Counts of results without an error in ULP, by class."""
    return ", ".join(f"{count:,} {name}" for name, count in result.classes.items())


def _of(result: Result, name: str) -> str:
    worst = result.worst.get(name)
    return error_text(worst.ulp) if worst else ""


def environments(found: Iterable[Certificate]) -> list[str]:
    """Items of Markdown: versions, switches and processor of each backend, once for each that differ."""
    return sorted({f"- **{one.backend}**: {environment_text(one)}" for one in found})


def environment_text(one: Certificate) -> str:
    """Versions, switches and processor of a certificate."""
    versions = ", ".join(f"{name} {version}" for name, version in sorted(one.versions.items()))
    switches = ", ".join(f"{name} {value}" for name, value in sorted(one.environment.items()) if value != "")
    return f"{versions}; {switches}; {one.machine['processor']}"


def document(found: Iterable[Certificate]) -> str:
    """Certificates in any order as a document of Markdown."""
    return "# Proved maxima\n\n" + "\n".join(markdown(ordered(found))) + "\n"


def markdown(found: Sequence[Certificate]) -> Iterator[str]:
    """Lines of Markdown: the tables, where the sweeps ran, and the command that repeats each."""
    yield from tables(found)
    yield "## Where\n"
    yield from environments(found)
    yield ""
    yield "## The command that makes each certificate\n"
    yield "```bash"
    yield from (one.command for one in found)
    yield "```"
