"""The script of a reproducer: the framework's own call, exact inputs, the expected value, and a comparison.

It imports the framework alone.  Whatever a framework said stands in it as a string, never as code.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from conformance import contracts
from conformance.adapters import NUMERIC
from conformance.adapters.writing import filled
from conformance.behaviour import dtypes_of_result, shape_of_result
from conformance.errors import InputError
from conformance.formats import FORMATS, ulp
from conformance.literals import float_of, text_of
from conformance.measurement import BUDGET, CLASSES
from conformance.plan import Inputs, Request
from conformance.repro.derivation import LETTERS, formula
from conformance.repro.shrink import Small, alone, element_at
from conformance.repro.sources import Source
from conformance.verdicts import Finding, Judged
from conformance.worker import repeated

#: Most numbers of one tensor that a script writes out.
LARGEST = 64

#: Where a value stops being short enough to be read, so that its bits are clearer: characters of its exact decimal.
READABLE = 14

TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)

#: Quantities in words.
WORDS = {
    "value": "the loss",
    "gradient-prediction": "the gradient by the prediction",
    "gradient-label": "the gradient by the label",
    "gradient-weight": "the gradient by the weight",
    "gradient-pos_weight": "the gradient by pos_weight",
    "second-derivative": "the second derivative by the prediction",
}


@dataclass(frozen=True)
class Script:
    """A reproducer: what it shows in a few words, and its text."""

    title: str
    text: str


def single(small: Small) -> Request:
    """The request that a script makes: of elements by themselves the one that it is about."""
    if not alone(small.request):
        return small.request
    case = msgspec.structs.replace(small.case, elements=(element_at(small),))
    located = replace(small.request.located, case=case)
    return replace(small.request, located=located, inputs=Inputs(case, small.request.dtype))


def numeric(small: Small) -> str:
    """The numeric quantity that a script computes."""
    quantity = small.request.quantities[0]
    if quantity in NUMERIC:
        return quantity
    finding = _finding(small)
    return next((one for one in NUMERIC[1:] if finding.detail.startswith(f"{one} ")), "value")


def compose(small: Small, source: Source) -> Script:
    """The script that shows `small`, whose call is `source`.  Raises InputError where there is no such script."""
    request, finding = single(small), _finding(small)
    if finding.what in CLASSES and not small.shown.ideal:
        raise InputError(f"{small.target.name}: there is no script for the quantity {request.quantities[0]}")
    title = f"{request.implementation.family.replace('/', ' ')}: {words(small)}"
    body = _body(small, request, source, finding)
    text = TEMPLATES.get_template("repro.py.j2").render(
        title=_ascii(title).replace("\\", "/").replace('"', "'"),
        source=source,
        tensors=list(_tensors(request, source)),
        body=[_ascii(line) for line in body],
    )
    return Script(title, text)


def _ascii(text: str) -> str:
    """`text` as every terminal shows it; it has no end of line."""
    return "".join(one if one.isprintable() and one.isascii() else "?" for one in text.replace("·", "*"))


def _finding(small: Small) -> Finding:
    assert small.shown is not None
    (found,) = [
        one
        for one in small.shown.findings
        if (one.element, one.cause, one.what) == (small.element, small.target.cause, small.target.what)
    ]
    return found


def words(small: Small) -> str:
    """What is wrong, in a few words."""
    check, what = small.shown, small.target.what
    assert check is not None
    subject = f"{WORDS[numeric(small)]} in {small.request.dtype}"
    if what not in CLASSES:
        return {
            "raised": f"valid inputs in {small.request.dtype} are rejected",
            "accepted": f"inputs in {small.request.dtype} are accepted that must be rejected",
            "result-dtype": f"{subject} comes back in another dtype",
            "result-shape": f"{subject} comes back in another shape",
        }.get(what, f"{subject}: {what}")
    ideal = _short(check.ideal[small.index])
    error = check.scaled[small.index]
    size = f"is off by {_size(error)} ULP" if error == error else "is wrong"
    return {
        "nan": f"{subject} is NaN where it is {ideal}",
        "number": f"{subject} is a number where it is NaN",
        "infinite": f"{subject} is infinite where it is {ideal}",
        "finite": f"{subject} is finite where it is {ideal}",
        "sign": f"{subject} has the wrong sign",
        "zero": f"{subject} is 0 where it is {ideal}",
        "flushed": f"{subject} is flushed to 0 where it is {ideal}",
    }.get(what, f"{subject} {size} where it is {ideal}")


def _short(value: float) -> str:
    return f"{value:.4g}"


def _size(error: float) -> str:
    return f"{error:.0f}" if error < 1e4 else f"{error:.1e}"


# -- tensors ---------------------------------------------------------------------------------------------------------


def _tensors(request: Request, source: Source) -> Iterator[str]:
    for name, tensor in request.inputs.tensors.items():
        bits, shape = tensor.bits, tensor.shape
        for presentation in request.presentations:
            shape = presentation.shape_of(name)
            if presentation.layout != "contiguous" or np.prod(shape) > LARGEST:
                raise InputError(f"{request.case.id}: a script has no tensor {presentation.name!r}")
            bits = repeated(tensor.bits, shape) if np.prod(shape) else np.zeros(shape, dtype=tensor.bits.dtype)
        if bits.size > LARGEST:
            raise InputError(f"{request.case.id}: a script has no tensor of {bits.size} numbers")
        numbers = [number(one, tensor.dtype) for one in bits.ravel().tolist()]
        text = filled(source.tensor, numbers=", ".join(numbers), dtype=tensor.dtype)
        if len(shape) != 1:
            text = filled(source.reshaped, tensor=text, shape=repr(tuple(shape)))
        yield f"{name} = {text}{_comment(bits.ravel().tolist(), tensor.dtype)}"


def number(bits: int, dtype: str) -> str:
    """A Python expression with exactly the value of a bit pattern: a decimal where a short one is exact."""
    if dtype not in FORMATS:
        return str(bool(bits)) if dtype == "bool" else str(bits)
    text = text_of(bits, FORMATS[dtype])
    if text.strip("-") in ("nan", "inf"):
        return f'float("{text}")'
    value = float_of(bits, FORMATS[dtype])
    return repr(value) if len(repr(value)) <= READABLE else f'float.fromhex("{_hexadecimal(value)}")'


def _hexadecimal(value: float) -> str:
    """`value.hex()` without zeros at the end of its digits."""
    digits, _, power = value.hex().partition("p")
    return f"{digits.rstrip('0').rstrip('.')}p{power}"


def _comment(bits: Sequence[int], dtype: str) -> str:
    """Decimal and bits of a tensor of few numbers."""
    fmt = FORMATS.get(dtype)
    if fmt is None or not 0 < len(bits) <= 2:
        return ""
    return "  # " + ", ".join(f"{text_of(one, fmt)} = 0x{one:0{fmt.width // 4}x}" for one in bits)


# -- what is compared ------------------------------------------------------------------------------------------------


def _body(small: Small, request: Request, source: Source, finding: Finding) -> list[str]:
    make = _BODIES.get(finding.what, _compare_numbers if finding.what in CLASSES else None)
    if make is None:
        raise InputError(f"{small.target.name}: there is no script for a finding {finding.what!r}")
    return make(small, request, source, finding)


def _compare_numbers(small: Small, request: Request, source: Source, finding: Finding) -> list[str]:
    check = small.shown
    assert check is not None
    ideal, budget = check.ideal[small.index], check.budget[small.index] if check.budget else BUDGET
    documented = check.contract_values[small.index] if check.contract_values else None
    if documented is not None and (documented == ideal or not math.isfinite(documented)):
        documented = None
    return [
        f"result = {source.result}",
        f"got = {_number(source, request, small)}",
        f"# Exactly, {_of_reduction(request)}{formula(request.inputs, numeric(small))}{_at(request)}.",
        f"expected = {_float(ideal)}",
        *([] if documented is None else [f"documented = {_float(documented)}"]),
        *_error(check, small.index, documented),
        "",
        *_versions(source),
        *_told(ideal),
        f"if {_wrong(ideal, budget, finding.what)}:",
        f'    print("MISMATCH: {_mismatch(small)}")',
        "    sys.exit(1)",
        'print("MATCH: the result is within rounding of the expected value")',
    ]


def _number(source: Source, request: Request, small: Small) -> str:
    text = filled(source.number, result="result")
    if len(request.inputs.elements) == 1 and not request.presentations:
        return text
    if numeric(small) == "value" and request.case.reduction != "none":
        return text
    return f"{filled(source.numbers, result='result')}[{small.index}]"


def _of_reduction(request: Request) -> str:
    return "" if request.case.reduction == "none" else f"the {request.case.reduction} of "


def _at(request: Request) -> str:
    """The inputs, under the names that the formula has for them."""
    if len(request.inputs.elements) != 1:
        return ""
    letters = LETTERS | {"prediction": LETTERS[request.case.form]}
    words = []
    for name, tensor in request.inputs.tensors.items():
        bits = int(tensor.bits[0])
        shown = text_of(bits, FORMATS[tensor.dtype]) if tensor.dtype in FORMATS else str(bits)
        words.append(f"{letters[name]} = {shown}")
    return ", at " + ", ".join(words)


def _float(value: float) -> str:
    if not math.isfinite(value):
        return f'float("{value}")'
    return f"{value!r}  # {_hexadecimal(value)}"


def _error(check: Judged, index: int, documented: float | None) -> list[str]:
    """Lines that compute the error in ULP, where the expected value is a number."""
    ideal, error = check.ideal[index], check.scaled[index]
    if not math.isfinite(ideal):
        return []
    fmt = FORMATS[check.result_dtype]
    unit = float(ulp(np.array(ideal), fmt))
    note = f"of {fmt.name} at the expected value"
    got = float_of(int(check.bits[index], 16), fmt) if error == error and error > 0 else math.nan
    if math.isfinite(got) and abs(got - ideal) > 0:
        # The error was measured at the size of the natural terms (docs/reference.md); a ULP is a power of two.
        scaled = 2.0 ** round(math.log2(abs(got - ideal) / error))
        if scaled != unit:
            unit, note = scaled, f"of {fmt.name} at the larger of the two terms of the formula"
    distance = "abs(got - expected)" if documented is None else "min(abs(got - expected), abs(got - documented))"
    return [f"ulp = 2.0**{round(math.log2(unit))}  # {note}", f"error = {distance} / ulp"]


def _wrong(ideal: float, budget: float, what: str) -> str:
    if ideal != ideal:
        return "got == got"
    if math.isinf(ideal):
        return "got != expected"
    limit = f"not error <= {math.ceil(budget)}"
    return f"{limit} or got == 0" if what == "flushed" else limit


def _versions(source: Source) -> list[str]:
    """A line that prints the versions of what is imported."""
    imported = {word for line in source.modules for word in line.replace(",", " ").replace(".", " ").split()}
    shown = [f'"{name}", {name}.__version__' for name in source.versions if name in imported]
    return [f"print({', '.join((*shown, repr('Python').replace(chr(39), chr(34)), 'sys.version.split()[0]'))})"]


def _told(ideal: float) -> list[str]:
    finite = math.isfinite(ideal)
    return ['print(f"got {got!r}, expected {expected!r}' + (', error {error:.3g} ULP")' if finite else '")')]


def _mismatch(small: Small) -> str:
    return words(small).replace('"', "'").replace("\\", "/")


def _rejected(small: Small, request: Request, source: Source, finding: Finding) -> list[str]:
    kind = finding.detail.partition(":")[0]
    return [
        *_versions(source),
        "try:",
        f"    result = {source.result}",
        "except Exception as error:",
        f"    if type(error).__name__ != {kind!r}:",
        "        raise",
        '    print(f"got {type(error).__name__}: {error}")',
        f'    print("MISMATCH: {_mismatch(small)}")',
        "    sys.exit(1)",
        'print(f"got {result!r}")',
        'print("MATCH: the inputs are accepted")',
    ]


def _accepted(small: Small, request: Request, source: Source, finding: Finding) -> list[str]:
    checks = [one.raises for one in request.implementation.contract if isinstance(one, contracts.DomainCheck)]
    documented = checks[0] if checks and not request.presentations else ""
    return [
        *_versions(source),
        "try:",
        f"    result = {source.result}",
        "except Exception as error:",
        *([f"    if type(error).__name__ != {documented!r}:", "        raise"] if documented else []),
        '    print(f"got {type(error).__name__}: {error}")',
        '    print("MATCH: the inputs are rejected")',
        "    sys.exit(0)",
        'print(f"got {result!r}")',
        f'print("MISMATCH: {_mismatch(small)}")',
        "sys.exit(1)",
    ]


def _another_dtype(small: Small, request: Request, source: Source, finding: Finding) -> list[str]:
    allowed = sorted(dtypes_of_result(request, numeric(small)))
    return [
        f"result = {source.result}",
        f'got = {filled(source.dtype, result="result")}.rpartition(".")[2]',
        f"expected = {allowed!r}".replace("'", '"'),
        *_as_expected(source, small, finding),
    ]


def _another_shape(small: Small, request: Request, source: Source, finding: Finding) -> list[str]:
    return [
        f"result = {source.result}",
        "got = tuple(result.shape)",
        f"expected = [{shape_of_result(request, numeric(small))!r}]",
        *_as_expected(source, small, finding),
    ]


def _as_expected(source: Source, small: Small, finding: Finding) -> list[str]:
    return [
        "",
        *_versions(source),
        'print(f"got {got!r}, expected {expected[0]!r}")',
        "if got not in expected:",
        f'    print("MISMATCH: {_mismatch(small)}")',
        "    sys.exit(1)",
        'print("MATCH: the result comes back as expected")',
    ]


_BODIES: dict[str, Callable[[Small, Request, Source, Finding], list[str]]] = {
    "raised": _rejected,
    "unsupported": _rejected,
    "accepted": _accepted,
    "result-dtype": _another_dtype,
    "result-shape": _another_shape,
}
