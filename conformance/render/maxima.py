"""Certificates as tables of proved maxima, in one order and with the same cells wherever they are shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

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


#: Columns of the overview, which has proofs alone: title, dtype, label (None: all labels in [0, 1]).
OVERVIEW: tuple[tuple[str, str, float | None], ...] = (
    ("float32, y = 0", "float32", 0.0),
    ("y = 1", "float32", 1.0),
    ("y = 0.5", "float32", 0.5),
    ("y = 0.3", "float32", float(np.float32(0.3))),
    ("float16", "float16", None),
    ("bfloat16", "bfloat16", None),
)


#: Columns of the table of samples: title, dtype, quantity.
SAMPLED = (
    ("float64, loss", "float64", "value"),
    ("float64, gradient", "float64", "gradient-prediction"),
    ("float32 pairs, loss", "float32", "value"),
    ("float32 pairs, gradient", "float32", "gradient-prediction"),
)


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


def overview(found: Sequence[Certificate]) -> Iterator[str]:
    """Lines of Markdown: for each form and quantity a table with a cell for each proof, and the commands."""
    for key, title in TITLES.items():
        results = {
            (result.implementation, one.dtype, result.label_value): (one, result)
            for one in found
            if (one.form, one.quantity) == key and one.kind == "proof" and not _of_any_finite_label(one)
            for result in one.results
        }
        names = sorted({name for name, *_ in results})
        if not names:
            continue
        yield f"## {title}\n"
        yield row(["implementation", *(head for head, *_ in OVERVIEW)])
        yield row(["---"] * (1 + len(OVERVIEW)))
        commands: dict[str, None] = {}
        for name in names:
            made = [results.get((name, dtype, label)) for _, dtype, label in OVERVIEW]
            yield row([cell(name.removesuffix("/cpu")), *(cell(_told(*one) if one else "not swept") for one in made)])
            commands |= dict.fromkeys(one.command for one, _ in filter(None, made))
        yield from _by(commands)


def sampled(found: Sequence[Certificate]) -> Iterator[str]:
    """Lines of Markdown: a table of what samples have found, which are lower bounds, and the commands."""
    chosen = [one for one in found if one.covered["samples"]]
    results = {
        (result.implementation, one.dtype, one.quantity): (one, result) for one in chosen for result in one.results
    }
    if not results:
        return
    yield "## Sampled\n"
    yield row(["implementation", *(head for head, *_ in SAMPLED)])
    yield row(["---"] * (1 + len(SAMPLED)))
    for name in sorted({name for name, *_ in results}):
        made = [results.get((name, dtype, quantity)) for _, dtype, quantity in SAMPLED]
        told = (f"at least {_errors(*one)}" if one else "not sampled" for one in made)
        yield row([cell(name.removesuffix("/cpu")), *(cell(text) for text in told)])
    yield from _by(dict.fromkeys(one.command for one in chosen))


def _by(commands: Iterable[str]) -> list[str]:
    """Lines of Markdown that say how a table was made."""
    return ["", "By these commands:\n", "```bash", *commands, "```", ""]


def _told(one: Certificate, result: Result) -> str:
    """A cell of the overview."""
    text = f"proved {_errors(one, result)}"
    return text + (f"; {classes_text(result)}" if result.classes else "")


def _errors(one: Certificate, result: Result) -> str:
    """The largest error, of gradients that relative to the natural terms, and in brackets those that differ."""
    errors = {name: error_text(worst.ulp) for name, worst in result.worst.items()}
    plain, flushed = (errors.get(name, "<=0.5") for name in ("ideal", "flushed"))
    first = errors.get("scaled", "<=0.5") if one.quantity.startswith("gradient") else plain
    others = [f"plain {plain}"] * (plain != first) + [f"flush {flushed}"] * (flushed != plain)
    return first + (f" ({', '.join(others)})" if others else "")


def _of_any_finite_label(one: Certificate) -> bool:
    return bool(one.covered["pairs"]) and one.covered["labels"][1].startswith("f")


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
            yield from ("", "```bash", *(one.command for one in chosen), "```", "")


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
    return "all finite" if _of_any_finite_label(one) else "all in [0, 1]"


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
    """Certificates in any order as a document of Markdown: the tables, and where the sweeps ran."""
    given = ordered(found)
    return "\n".join(["# Proved maxima\n", *tables(given), "## Where\n", *environments(given)]) + "\n"
