"""What the page of a report shows of certificates: groups in a stable order, and the plain data of their plots."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from conformance.numbers.formats import FORMATS, infinity_bits
from conformance.numbers.literals import text_of
from conformance.numbers.measurement import BUDGET
from conformance.render.maxima import DTYPES, classes_text, environment_text, label_text
from conformance.sweep.certificate import Certificate, Result, Worst
from conformance.worker.sweep import space
from conformance.worker.sweep.kernel import QUANTITIES
from conformance.worker.sweep.statistics import COLUMNS, FIRSTS


@dataclass(frozen=True)
class Group:
    """The results of one implementation in one certificate; `name` is what a link to it says."""

    name: str
    certificate: Certificate
    implementation: str
    results: tuple[Result, ...]


def groups(found: Iterable[Certificate]) -> list[Group]:
    """Groups by backend, entry, mode and device, then by form, quantity and dtype, however the files were named."""
    parts = [
        (one, name, tuple(result for result in one.results if result.implementation == name))
        for one in found
        for name in dict.fromkeys(result.implementation for result in one.results)
    ]
    made: list[Group] = []
    names: dict[str, int] = {}
    for one, implementation, results in sorted(parts, key=lambda part: _order(part[0], part[1])):
        words = [implementation, one.quantity, one.dtype, *_space_of(one)]
        name = " ".join(words)
        names[name] = names.get(name, 0) + 1
        again = f" {names[name]}" if names[name] > 1 else ""  # the same sweep on another processor, for one
        made.append(Group(name + again, one, implementation, results))
    return made


def _order(one: Certificate, implementation: str) -> tuple[Any, ...]:
    return (
        implementation.split("/"),
        one.form,
        QUANTITIES.index(one.quantity),
        DTYPES.index(one.dtype),
        _space_of(one),
        one.command,
        environment_text(one),
    )


def _space_of(one: Certificate) -> list[str]:
    """What a name says of labels that are not named one by one, and of a part of the predictions."""
    if one.covered["samples"]:
        return ["samples"]
    part = [] if one.kind == "proof" else [f"{one.covered['first']}:{one.covered['last']}"]
    return [*(["pairs", label_text(one, one.results[0])] if one.covered["pairs"] else []), *part]


def covered_text(one: Certificate) -> str:
    """What a certificate proves, or that it does not, in one sentence."""
    covered = one.covered
    what = "logits" if one.form == "logits" else "probabilities in [0, 1]"
    if covered["samples"]:
        return (
            f"{covered['samples']:,} random pairs of {one.dtype} {what} and labels in [0, 1], and a search around the "
            "worst; a larger error may exist."
        )
    labels = f"each of {len(covered['labels'])} labels" if not covered["pairs"] else label_text(one, one.results[0])
    labels = labels.replace("all ", "every label ").replace("label finite", "finite label")
    if one.kind == "proof":
        finite = "finite " if one.form == "logits" else ""
        return f"every one of the {covered['of']:,} {finite}{one.dtype} {what}, with {labels}; no larger error exists."
    return (
        f"{covered['predictions']:,} of {covered['of']:,} {one.dtype} {what}, from 0x{covered['first']} to "
        f"0x{covered['last']}, with {labels}; elsewhere a larger error may exist."
    )


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table of maxima: texts of a result, and the numbers that it is sorted by."""

    group: Group
    label: str
    result: Result
    at: str
    got: str
    exact: str
    other: str

    @property
    def errors(self) -> tuple[float | None, ...]:
        """The largest error of each of COLUMNS; None where no result with an error in ULP is not correctly rounded."""
        found = (self.result.worst.get(column) for column in COLUMNS)
        return tuple(worst.ulp if worst else None for worst in found)


def rows(found: Sequence[Group]) -> list[Row]:
    """The table of maxima, in the order of the groups and of their labels."""
    return [_row(group, result) for group in found for result in group.results]


def _row(group: Group, result: Result) -> Row:
    one, worst = group.certificate, result.worst.get("ideal")
    at = got = exact = ""
    if worst is not None:
        at = told(worst.prediction, one.dtype)
        at += f", label {told(worst.label, one.dtype)}" if result.label_value is None else ""
        got, exact = told(worst.got, result.dtype), f"{float.fromhex(worst.exact):.9g}"
    return Row(
        group=group,
        label=label_text(one, result),
        result=result,
        at=at,
        got=got,
        exact=exact,
        other=classes_text(result),
    )


def told(bits: str, dtype: str) -> str:
    """A bit pattern as the shortest decimal that means it, and in hexadecimal."""
    return f"{text_of(int(bits, 16), FORMATS[dtype])} (0x{bits})"


def sweep_data(found: Sequence[Group]) -> dict[str, Any]:
    """Everything that the page needs of groups."""
    return {"budget": BUDGET, "firsts": FIRSTS, "groups": [_group(one) for one in found]}


def _group(group: Group) -> dict[str, Any]:
    one = group.certificate
    return {
        "name": group.name,
        "implementation": group.implementation,
        "form": one.form,
        "quantity": one.quantity,
        "dtype": one.dtype,
        "kind": one.kind,
        "covered": covered_text(one),
        "command": one.command,
        "where": environment_text(one),
        "code": f"bce-conformance {one.suite}, code {one.code[:12]}",
        "results": [_result(one, result) for result in group.results],
    }


def _result(one: Certificate, result: Result) -> dict[str, Any]:
    return {
        "label": label_text(one, result),
        "dtype": result.dtype,
        "points": result.points,
        "ordinals": result.ordinals,
        "classes": result.classes,
        "raised": result.raised or "",
        "worst": {column: _worst(worst) for column, worst in result.worst.items()},
        "firsts": {name: [place["prediction"], place["label"]] for name, place in result.firsts.items()},
        "binades": {
            "ideal": binades(one, result.binades.get("ideal", {})),
            **{column: binades(one, errors) for column, errors in result.binades.items()},
        },
    }


def _worst(worst: Worst) -> list[Any]:
    return [float(f"{worst.ulp:.9g}"), worst.prediction, worst.label, worst.got, float.fromhex(worst.exact)]


def binades(one: Certificate, errors: dict[str, float]) -> list[float | None]:
    """The largest error in each binade of the prediction, from the most negative one to the most positive one.

    0 where a binade has no result that is not the correctly rounded one, and None where nothing was tried.
    """
    fmt = FORMATS[one.dtype]
    half, length = infinity_bits(fmt), 1 << fmt.fraction_bits
    size = space.size(one.form, one.dtype)
    starts = [half + start for start in reversed(range(0, size - half, length))] + list(
        range(0, min(half, size), length)
    )
    first, last = (_position(one.covered[end], one.dtype) for end in ("first", "last"))
    return [
        errors.get(space.binade(start, one.dtype), 0) if start <= last and first < start + length else None
        for start in starts
    ]


def _position(bits: str, dtype: str) -> int:
    """The inverse of `space.prediction_bits`."""
    fmt = FORMATS[dtype]
    pattern, sign = int(bits, 16), space.sign_bit(fmt)
    return pattern if pattern < sign else infinity_bits(fmt) + (pattern - sign)
