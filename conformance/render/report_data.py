"""What the page of a report draws, as plain data: columns of numbers into tables of names, so that it stays small."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from conformance.judge.harm import Harm
from conformance.numbers.arrays import Floats, Mask
from conformance.numbers.formats import FORMATS, Tensor, decode, decode_hexadecimal
from conformance.plan import sample
from conformance.quantities import NUMERIC
from conformance.record.harms import Harms
from conformance.record.record import CheckLine, InputsLine, RunRecord, SampleLine
from conformance.record.spelled import Asked, explain
from conformance.render.coloured import key

#: Steps of log2 of an error that the page tells apart: a twelfth of an octave is less than a pixel of a plot.
STEPS = 12

#: Errors below this many ULP are drawn as this: half of it is a correctly rounded result's.
LEAST = 2.0**-6

#: A sample's result is sent where it is farther than this from the ideal, relatively; otherwise the eye sees the ideal.
VISIBLE = 1e-3

#: What is told as an index into a table of names.
TABLES = (
    "implementation", "case", "family", "dtype", "quantity", "verdict", "outcome", "what", "text", "cause", "problem",
    "command",
)  # fmt: skip

#: The columns of findings.
FINDING = (
    "check", "element", "problem", "harm", "cause", "what", "verdict", "outcome", "got", "as", "ulp", "contract",
    "ideal", "detail", "command",
)  # fmt: skip


class Names(dict[str, int]):
    """A table of names in their order; `names[text]` is the index of a name, which is added where it is new."""

    def __missing__(self, name: str) -> int:
        self[name] = index = len(self)
        return index


def page_data(record: RunRecord | None, weighed: Harms) -> dict[str, Any]:
    """Everything that the page needs of a record, or nothing; `weighed` is the harm of its findings."""
    if record is None:
        return {}
    names = {key: Names() for key in TABLES}
    for one in record.header.implementations:
        names["implementation"][one.id]
    flags = Names()
    checks, findings = _checks(record, names, weighed)
    inputs, cases = _inputs(record, names, flags, set(zip(findings["check"], findings["element"], strict=True)), checks)
    samples = [_sample(line, record, names) for line in record.samples]
    return {
        "names": {name: list(table) for name, table in names.items()} | {"flag": list(flags)},
        "implementations": {
            one.id: {"form": one.form, "link": one.link, "contract": [_field(field) for field in one.contract]}
            for one in record.header.implementations
        },
        "cases": cases,
        "checks": checks,
        "findings": findings,
        "inputs": inputs,
        "harms": [key(harm) for harm in sorted(Harm)],
        "titles": [
            record.problems_by_id[one].title if one in record.problems_by_id else "" for one in names["problem"]
        ],
        "sampleInputs": {
            f"{line.case}/{line.dtype}": _sample_inputs(line)
            for line in record.inputs
            if line.case.startswith("sample/")
        },
        "samples": samples,
        "steps": STEPS,
    }


def _field(field: dict[str, Any]) -> dict[str, str]:
    """A contract's field in words, with what the framework says and where."""
    source = field.get("source") or {}
    rest = {key: value for key, value in field.items() if key not in ("name", "source") and value not in (None, "")}
    text = f"{field.get('name', '')}({', '.join(f'{key}={value}' for key, value in rest.items())})"
    return {"text": text, "quote": source.get("quote", ""), "link": source.get("link", "")}


def _checks(
    record: RunRecord, names: dict[str, Names], weighed: Harms
) -> tuple[dict[str, list[Any]], dict[str, list[Any]]]:
    """Columns of all checks, and of all findings with the index of their check."""
    checks: dict[str, list[Any]] = {name: [] for name in ("i", "c", "f", "d", "q", "v", "o")}
    findings: dict[str, list[Any]] = {name: [] for name in FINDING}
    for number, check in enumerate(record.checks):
        for name, column in (
            ("i", names["implementation"][check.implementation]),
            ("c", names["case"][check.case]),
            ("f", names["family"][check.family]),
            ("d", names["dtype"][check.dtype]),
            ("q", names["quantity"][check.quantity]),
            ("v", names["verdict"][check.verdict]),
            ("o", names["outcome"][check.outcome]),
        ):
            checks[name].append(column)
        if check.findings:
            _findings(number, check, findings, names, weighed, record.header.asked)
    return checks, findings


def _findings(
    number: int, check: CheckLine, findings: dict[str, list[Any]], names: dict[str, Names], weighed: Harms, asked: Asked
) -> None:
    places = {element: index for index, element in enumerate(check.elements)}
    again = names["command"][explain(check.case, check.implementation, check.dtype, asked)]
    for one in check.findings:
        place = places.get(one.element, len(check.elements))
        detail = one.detail or (check.details[0] if check.details else "")
        harm = weighed.get((check.id, one.element))  # what is fixed does none
        for name, value in (
            ("check", number),
            ("element", one.element),
            ("problem", names["problem"][one.problem or one.cause]),
            ("harm", None if harm is None else int(harm)),
            ("cause", names["cause"][one.cause]),
            ("what", names["what"][one.what]),
            ("verdict", names["verdict"][one.verdict]),
            ("outcome", names["outcome"][one.outcome]),
            ("got", check.bits[place] if place < len(check.bits) else ""),
            ("as", names["dtype"][check.result_dtype] if check.result_dtype else -1),
            ("ulp", check.ulp[place] if place < len(check.ulp) else None),
            ("contract", _number(float.fromhex(one.contract)) if one.contract else None),
            ("ideal", _number(float.fromhex(one.ideal)) if one.ideal else None),
            ("detail", names["text"]["; ".join(text for text in (one.note, detail) if text)]),
            ("command", again),
        ):
            findings[name].append(value)


def _inputs(
    record: RunRecord,
    names: dict[str, Names],
    flags: Names,
    wanted: set[tuple[int, str]],
    checks: dict[str, list[Any]],
) -> tuple[dict[str, Any], list[dict[str, Any] | None]]:
    """Inputs and ideals of the elements that findings are about, by case and dtype; flags and form of each case."""
    elements: dict[tuple[int, int], set[str]] = {}
    for check, element in wanted:
        elements.setdefault((checks["c"][check], checks["d"][check]), set()).add(element)
    cases: dict[str, dict[str, Any]] = {}
    found: dict[str, Any] = {}
    for line in record.inputs:
        if line.family == sample.FAMILY:
            continue
        cases.setdefault(line.case, {"flags": [flags[flag] for flag in line.flags], "form": line.form})
        place = (names["case"][line.case], names["dtype"][line.dtype])
        if place in elements:
            found[f"{place[0]}/{place[1]}"] = _told(line, elements[place])
    return found, [cases.get(name) for name in names["case"]]


def _told(line: InputsLine, wanted: set[str]) -> dict[str, Any]:
    """Bits of the inputs of the wanted elements, of all of them where a wanted one is not a single element."""
    whole = any(element not in line.elements for element in wanted)
    kept = [index for index, element in enumerate(line.elements) if whole or element in wanted]
    return {
        "elements": [line.elements[index] for index in kept],
        "dtypes": {name: line.dtypes.get(name, line.dtype) for name in line.inputs},
        "inputs": {name: [bits[index] for index in kept] for name, bits in line.inputs.items()},
        "ideal": {
            name: [_number(float.fromhex(values[index])) if index < len(values) else None for index in kept]
            for name, values in line.ideal.items()
        },
    }


def _number(value: float) -> float | str:
    """A number for JSON: one that is not finite is a word."""
    return value if math.isfinite(value) else "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"


def _sample_inputs(line: InputsLine) -> dict[str, Any]:
    """Predictions, labels, ordinals and ideals of a sample."""
    fmt = FORMATS[line.dtype]
    bits = np.array([int(one, 16) for one in line.inputs["prediction"]], dtype=object)
    sign = 1 << (fmt.width - 1)
    ordinals = [-(one - sign) if one >= sign else one for one in bits.tolist()]
    values = decode(Tensor(line.dtype, bits.astype(fmt.storage)))
    return {
        "dtype": line.dtype,
        "parts": [name.rstrip("0123456789") for name in (element.partition("-")[0] for element in line.elements)],
        "labels": [element.partition("-y")[2] for element in line.elements],
        "predictions": values.tolist(),
        "ordinals": [float(one) for one in ordinals],
        "ideal": {
            quantity: [_number(float.fromhex(one)) for one in ideal]
            for quantity, ideal in line.ideal.items()
            if quantity in NUMERIC
        },
        "smallestNormal": 2.0**fmt.emin,
    }


def _sample(line: SampleLine, record: RunRecord, names: dict[str, Names]) -> dict[str, Any]:
    """Steps of log2 of the error at each point, and the results that the eye would tell from the ideal."""
    exact = record.inputs_by_case[line.case, line.dtype].ideal[line.quantity]
    ideal = np.array([float.fromhex(one) for one in exact])
    got = _decoded(line)
    errors = np.array([np.nan if error is None else error for error in line.ulp])
    steps = np.rint(STEPS * np.log2(np.maximum(errors, LEAST)))
    return {
        "i": names["implementation"][line.implementation],
        "q": names["quantity"][line.quantity],
        "in": f"{line.case}/{line.dtype}",
        "as": line.result_dtype,
        "steps": [None if one != one else int(one) for one in steps.tolist()],
        "got": {str(index): _number(float(got[index])) for index in np.flatnonzero(_visible(got, ideal)).tolist()},
        "failed": line.details[0][:200] if line.details else "",
    }


def _visible(got: Floats, ideal: Floats) -> Mask:
    """Which results the eye would tell from the ideal."""
    with np.errstate(invalid="ignore"):
        near: Mask = np.abs(got - ideal) <= VISIBLE * np.abs(ideal)
    finite = np.isfinite(got) & np.isfinite(ideal)
    return ~np.where(finite, near, (got == ideal) | (np.isnan(got) & np.isnan(ideal)))


def _decoded(line: SampleLine) -> Floats:
    """Results as float64; NaN where nothing came back."""
    if line.result_dtype not in FORMATS:
        return np.full(len(line.bits), np.nan)
    came = np.array([bool(bits) for bits in line.bits])
    return np.where(came, decode_hexadecimal([bits or "0" for bits in line.bits], line.result_dtype), np.nan)
