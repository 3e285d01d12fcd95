"""A finding in one sentence: where, which step, what happened there, and what is left of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Context, Decimal

from conformance.diagnosis.guilty import Guilt
from conformance.diagnosis.mechanism import Found
from conformance.diagnosis.vocabulary import Mechanism
from conformance.formulas.expression import Expression, Function, substitute, var
from conformance.formulas.real import WHOLE

#: How an expression is written.
Text = Callable[[Expression], str]


def sentence(guilt: Guilt, found: Sequence[Found], text: Text) -> str:
    """The first of the mechanisms `found`, and the first that followed from it; `text` writes an expression."""
    where = ", ".join(f"{name} = {_number(Decimal(value))}" for name, value in guilt.evaluation.inputs.items())
    said = f"at {where}: {_SAYS[found[0].mechanism](found[0], text)}"
    followed = next((one for one in found[1:] if not one.cause and one.lost >= found[0].lost), None)
    return said if followed is None else f"{said} and {_SAYS[followed.mechanism](followed, text)}"


#: Digits that are shown, more only where two numbers would look alike; next to 1 the distance from it is shown, which
#: may have exponents as small as those of float64.
_DIGITS = 3
_NEXT_TO_ONE = Decimal("0.001")
#: Digits with which two numbers of float64 that differ look different.
_MOST = 17


def _apart(found: Found) -> str:
    """What came out, and what should have, with as many digits as tell them apart."""
    digits = _DIGITS
    while digits < _MOST and _number(found.rounded, digits) == _number(found.exact, digits):
        digits += 1
    return f"{_number(found.rounded, digits)}, not {_number(found.exact, digits)}"


def _number(x: Decimal, digits: int = _DIGITS) -> str:
    if not x.is_finite():
        return {"Infinity": "inf", "-Infinity": "-inf"}.get(str(x), "NaN")
    distance = WHOLE.subtract(x.copy_abs(), Decimal(1))
    if 0 < distance.copy_abs() < _NEXT_TO_ONE:
        beside = f"1 {'+' if distance > 0 else '-'} {_number(distance.copy_abs(), digits)}"
        return f"-({beside})" if x < 0 else beside
    if not x:
        return "-0" if x.is_signed() else "0"
    mantissa, _, exponent = f"{Context(prec=digits).create_decimal(x):g}".partition("e")
    if "." in mantissa:
        mantissa = mantissa.rstrip("0").rstrip(".")
    return f"{mantissa}e{exponent}" if exponent else mantissa


def _subject(found: Found, text: Text) -> str:
    """The step, with the function that it belongs to: as its definition if it is the last step there."""
    step = found.step
    if step is None:
        return "the formula" if found.part is None else text(found.part)
    if step.op == "result":
        return "the result"
    if step.op == "call" or step.call is None:
        return text(step.shown)
    call = text(step.call)
    return f"{call} = {text(step.shown)}" if step.shown is _opened(step.call) else f"{text(step.shown)} in {call}"


def _opened(call: Expression) -> Expression:
    """The body of a call."""
    assert isinstance(call.name, Function)
    return substitute(call.name.body, dict(zip(map(var, call.name.parameters), call.args, strict=True)))


def _absorbed(found: Found, text: Text) -> str:
    smaller, larger = sorted(found.args, key=Decimal.copy_abs)
    part = "" if found.rounded.copy_abs() == larger.copy_abs() else "a part of "
    return f"{_subject(found, text)} absorbs {part}{_number(smaller.copy_abs())} into {_number(larger)}"


def _cancelled(found: Found, text: Text) -> str:
    step = found.step
    assert step is not None
    word = "subtraction" if step.op == "sub" else "addition"
    return f"the {word} in {_subject(found, text)} leaves {_apart(found)}"


def _is(found: Found, text: Text) -> str:
    return f"{_subject(found, text)} is {_apart(found)}"


def _rounds(found: Found, text: Text) -> str:
    return f"the clip has no effect: {_subject(found, text)} rounds to {_number(found.rounded)}"


def _folded(found: Found, text: Text) -> str:
    error = WHOLE.subtract(found.rounded, found.exact).copy_abs()
    return f"the constant {_subject(found, text)} is off by {_number(error)}"


def _overflows(found: Found, text: Text) -> str:
    size = f": it is {_number(found.exact)}" if found.exact.is_finite() else ""
    return f"{_subject(found, text)} overflows {_format(found)}{size}"


def _flushed(found: Found, text: Text) -> str:
    size = f"{_number(found.exact)}, below the smallest normal {_format(found)}"
    return f"{_subject(found, text)} is {size}, and flushed to 0"


def _narrower(found: Found, text: Text) -> str:
    return f"{_subject(found, text)} is rounded to {_format(found)}, narrower than the result"


def _not_a_number(found: Found, text: Text) -> str:
    return f"{_subject(found, text)} combines {' and '.join(map(_number, found.args))}, which is NaN"


def _annihilates(found: Found, text: Text) -> str:
    return f"{_subject(found, text)} multiplies 0 by infinity, which is NaN"


def _divides(found: Found, text: Text) -> str:
    return f"{_subject(found, text)} divides by zero"


def _ordered(found: Found, text: Text) -> str:
    return f"{_subject(found, text)} loses what it keeps when its terms are added in another order, or not fused"


def _formula(found: Found, text: Text) -> str:
    if found.mended:
        return f"{_subject(found, text)} is wrong even if exact: the formula is right {found.mended}"
    return f"the formula is wrong even if exact: it gives {_apart(found)}"


def _unidentified(found: Found, text: Text) -> str:
    return "the mechanism is unidentified"


def _format(found: Found) -> str:
    return "its format" if found.step is None or found.step.fmt is None else found.step.fmt.name


_SAYS: dict[Mechanism, Callable[[Found, Text], str]] = {
    Mechanism.NARROWER_INTERMEDIATE: _narrower,
    Mechanism.FLUSHED: _flushed,
    Mechanism.CLIP_WITHOUT_EFFECT: _rounds,
    Mechanism.OVERFLOW: _overflows,
    Mechanism.ZERO_TIMES_INFINITY: lambda found, text: (_annihilates if found.mended else _not_a_number)(found, text),
    Mechanism.INFINITY_MINUS_INFINITY: _not_a_number,
    Mechanism.DIVISION_BY_ZERO: _divides,
    Mechanism.SATURATED: _is,
    Mechanism.ABSORBED: _absorbed,
    Mechanism.CANCELLED: _cancelled,
    Mechanism.FOLDED_CONSTANT: _folded,
    Mechanism.REORDERED: _ordered,
    Mechanism.REDUCTION_ORDER: _ordered,
    Mechanism.DERIVATIVE_OF_BRANCH: _formula,
    Mechanism.UNDOCUMENTED_CLAMP: _formula,
    Mechanism.MISSING_CHECK: _formula,
    Mechanism.WRONG_TERM: _formula,
    Mechanism.UNIDENTIFIED: _unidentified,
}
