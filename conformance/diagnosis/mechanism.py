"""What happened at the guilty steps: mechanisms of the `vocabulary`, each decided by a condition on numbers.

A result can have several, sorted by what they lose, in ULP of the result; those that lose the same stand in the order
of `Mechanism`, causes before what follows from them.  Where no condition holds the mechanism is UNIDENTIFIED.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal, localcontext
from typing import Any

import numpy as np

from conformance.diagnosis.guilty import Guilt, GuiltyStep, Kind, guilty
from conformance.diagnosis.orders import sums_in_other_orders
from conformance.diagnosis.vocabulary import Mechanism
from conformance.formulas.exact import PartlyExact, Step, Steps
from conformance.formulas.expression import COMPARISONS, Expression, inlined, inputs, ordered, substitute
from conformance.formulas.real import WHOLE, error_in_ulp, nearest
from conformance.numbers.formats import FORMATS, ulp

_ORDER = {one: place for place, one in enumerate(Mechanism)}


@dataclass(frozen=True, kw_only=True)
class Found:
    """A mechanism, the step at which it happened and what that does: of `args`, `exact` and as `rounded`.

    `step` is None where it is no step of the formula; `part` is the part of the inlined formula that is to blame, and
    `mended` says with what change the exact formula is right.
    `lost` is in ULP of the result.  A `cause` makes the result right when it is taken away, with the rest of its set;
    the others are what followed.
    """

    mechanism: Mechanism
    lost: float
    cause: bool = True
    step: Step | None = None
    part: Expression | None = None
    mended: str = ""
    args: tuple[Any, ...] = ()
    exact: Any = None
    rounded: Any = None


def mechanisms_of(guilt: Guilt, *, derivative: bool) -> tuple[Found, ...]:
    """What happened, the largest loss first, each mechanism once; `derivative`: of a quantity that is one."""
    found: list[Found] = []
    with localcontext(WHOLE):
        if guilt.by_formula:
            found += _of_formula(guilt, derivative)
        found += [*_of_sets(guilt), *_of_class(guilt)]
    best: dict[Mechanism, Found] = {}
    for one in sorted(found, key=lambda one: (-one.lost, not one.cause, _ORDER[one.mechanism])):
        best.setdefault(one.mechanism, one)
    return tuple(best.values()) or (Found(mechanism=Mechanism.UNIDENTIFIED, lost=guilt.error),)


# ------------------------------------------------------------------------------------------------- at guilty steps


class _Scene:
    """The values around one guilty step: with its set exact, with all of the set but it, and as rounded."""

    def __init__(self, guilt: Guilt, one: GuiltyStep) -> None:
        places = [each.place for each in guilt.sets[0]]
        self.guilt = guilt
        self.one = one
        self.steps = guilt.evaluation.steps
        self.exact = guilt.evaluation.values(places)
        self.rounded = guilt.evaluation.values([place for place in places if place != one.place])
        self.plain = guilt.evaluation.values()
        self.args = tuple(self.rounded[place] for place in one.step.args)
        self.bit = 1 << one.place

    def after(self) -> Iterator[tuple[int, Step]]:
        """Steps that depend on the guilty one."""
        for place, step in enumerate(self.steps.steps):
            if place != self.one.place and self.steps.below[place] & self.bit:
                yield place, step

    def counts(self, lost: Decimal, of: Decimal) -> bool:
        """Whether `lost` is more than the budget in ULP of the number `of`, in the format of the result."""
        return lost > Decimal(self.guilt.budget) * Decimal(float(ulp(np.abs(float(of)), self.steps.result)))

    def is_constant(self, place: int) -> bool:
        """Whether no input enters it."""
        return not inputs(self.steps.steps[place].shown)


def _flushed(scene: _Scene) -> bool:
    one = scene.one
    fmt = one.step.fmt
    return one.step.flush and fmt is not None and one.rounded == 0 and nearest(one.exact, fmt) != 0


def _overflowed(scene: _Scene) -> bool:
    return scene.one.exact.is_finite() and scene.one.rounded.is_infinite()


#: What a function with a limit at 0 or 1 ends with.
_LIMITED = frozenset({"exp", "expm1", "tanh", "pow", "div", "call", "result"})


def _at_limit(scene: _Scene) -> bool:
    return scene.one.rounded in (0, 1, -1) and scene.one.exact != scene.one.rounded


def _clip_without_effect(scene: _Scene) -> bool:
    if not scene.is_constant(scene.one.place) or not _at_limit(scene):
        return False
    bounds = [step for _, step in scene.after() if step.op in COMPARISONS | {"max", "min"}]
    return any(
        scene.is_constant(arg) and not scene.is_constant(other)
        for step in bounds
        for arg, other in (step.args, step.args[::-1])
        if arg == scene.one.place or scene.steps.below[arg] & scene.bit
    )


def _folded(scene: _Scene) -> bool:
    return scene.is_constant(scene.one.place) and not _clip_without_effect(scene)


def _saturated(scene: _Scene) -> bool:
    one = scene.one
    if scene.is_constant(one.place) or not one.exact.is_finite() or not one.rounded.is_finite() or _flushed(scene):
        return False
    if one.step.op == "mul":
        return _at_limit(scene) and one.rounded == 0
    distance = abs(1 - abs(one.exact))
    near = distance <= Decimal("0.25") and scene.counts(abs(one.exact - one.rounded), distance)
    return one.step.op in _LIMITED and (_at_limit(scene) or near)


def _absorbed(scene: _Scene) -> bool:
    one = scene.one
    if one.step.op not in ("add", "sub") or not all(x.is_finite() for x in (*scene.args, one.rounded)):
        return False
    smaller = min(map(abs, scene.args))
    return smaller > 0 and scene.counts(abs(one.exact - one.rounded), smaller)


_AT_STEPS: tuple[tuple[Mechanism, Callable[[_Scene], bool]], ...] = (
    (Mechanism.FLUSHED, _flushed),
    (Mechanism.CLIP_WITHOUT_EFFECT, _clip_without_effect),
    (Mechanism.OVERFLOW, _overflowed),
    (Mechanism.SATURATED, _saturated),
    (Mechanism.ABSORBED, _absorbed),
    (Mechanism.FOLDED_CONSTANT, _folded),
)


def _of_sets(guilt: Guilt) -> Iterator[Found]:
    if not guilt.sets:
        return
    narrower = _narrower(guilt)
    if narrower is not None:
        # What its steps lose is lost to that format; what they would lose in that of the result comes after it.
        found, rest = narrower
        yield found
        if rest is not None:
            yield from _of_sets(rest)
        return
    for one in guilt.sets[0]:
        scene = _Scene(guilt, one)
        at = Found(
            mechanism=Mechanism.UNIDENTIFIED,
            lost=one.effect,
            step=one.step,
            args=scene.args,
            exact=one.exact,
            rounded=one.rounded,
        )
        yield from (replace(at, mechanism=mechanism) for mechanism, holds in _AT_STEPS if holds(scene))
        yield from _cancelled(scene)
    yield from _in_other_orders(guilt)


def _cancelled(scene: _Scene) -> Iterator[Found]:
    for place, step in scene.after():
        args = [scene.exact[arg] for arg in step.args]
        changed = all(any(scene.plain[one] != scene.exact[one] for one in places) for places in (step.args, (place,)))
        if step.op not in ("add", "sub") or not changed or not all(arg.is_finite() for arg in args):
            continue
        if max(map(abs, args)) > 2 * Decimal(scene.guilt.budget) * abs(scene.exact[place]):
            yield Found(
                mechanism=Mechanism.CANCELLED,
                cause=False,
                lost=scene.one.effect,
                step=step,
                args=tuple(scene.plain[arg] for arg in step.args),
                exact=scene.exact[place],
                rounded=scene.plain[place],
            )


def _narrower(guilt: Guilt) -> tuple[Found, Guilt | None] | None:
    """If the larger part of the error is that of a narrower format, that, and who is to blame for the rest."""
    result = guilt.evaluation.steps.result
    narrow = [one for one in guilt.sets[0] if one.step.fmt is not None and one.step.fmt.precision < result.precision]
    if not narrow:
        return None
    wide = PartlyExact(_widened(guilt), guilt.evaluation.inputs)
    error = error_in_ulp(wide.result(), guilt.ideal, result)
    if not error <= guilt.error / 2:
        return None
    one = max(narrow, key=lambda one: one.effect)
    found = Found(
        mechanism=Mechanism.NARROWER_INTERMEDIATE,
        lost=guilt.error,
        step=one.step,
        exact=one.exact,
        rounded=one.rounded,
    )
    return found, guilty(wide, float(guilt.ideal), guilt.budget, guilt.condition) if error > guilt.allowed else None


def _widened(guilt: Guilt) -> Steps:
    """The formula with every step in the format of the result, and no casts."""
    steps = guilt.evaluation.steps
    name = steps.result.name
    wide = replace(steps.arithmetic, inputs=name, step=name, inside=name, result=name)
    x = inlined(steps.expression)
    narrow = [node for node in ordered(x) if node.op == "cast" and _precision(node) < steps.result.precision]
    for node in reversed(narrow):
        x = substitute(x, {node: node.args[0]})
    return steps.of(x, wide)


def _precision(node: Expression) -> float:
    """Of what a cast rounds to; a cast to a format of the arithmetic follows it."""
    return FORMATS[str(node.name)].precision if node.name in FORMATS else math.inf


def _in_other_orders(guilt: Guilt) -> Iterator[Found]:
    steps = guilt.evaluation.steps
    lost = max(one.effect for one in guilt.sets[0])
    blamed = {one.step.shown for one in guilt.sets[0]}
    if (
        steps.arithmetic.fused
        and _error(guilt, steps.of(steps.expression, replace(steps.arithmetic, fused=False))) <= guilt.allowed
    ):
        yield Found(mechanism=Mechanism.REORDERED, lost=lost)
    for one in sums_in_other_orders(steps.expression):
        if blamed & one.sums and _error(guilt, steps.of(one.expression)) <= guilt.allowed:
            mechanism = Mechanism.REDUCTION_ORDER if one.alike else Mechanism.REORDERED
            yield Found(mechanism=mechanism, lost=lost, part=one.whole)
            return


def _error(guilt: Guilt, steps: Steps) -> float:
    return error_in_ulp(PartlyExact(steps, guilt.evaluation.inputs).result(), guilt.ideal, steps.result)


# -------------------------------------------------------------------------------------------- of NaN and infinities


def _of_class(guilt: Guilt) -> Iterator[Found]:
    """Where a NaN or an infinity starts that the result should not be, and the infinity that made the NaN."""
    if guilt.got.is_finite():
        return
    evaluation = guilt.evaluation
    plain, exact = evaluation.values(), evaluation.values(evaluation.rounding)
    place: int | None = len(plain) - 1
    while place is not None:
        step = evaluation.steps.steps[place]
        args = [plain[one] for one in step.args]
        taken = [one for one in step.args if isinstance(plain[one], Decimal) and not plain[one].is_finite()]
        if step.op == "where":
            taken = [step.args[1] if args[0] else step.args[2]]
        mechanism = None if step.op == "where" else _started(step, args, plain[place])
        if mechanism is not None:
            # 0 times anything is what a check would give, and 0/0 has no such answer.
            mended = (
                evaluation.result_with(place, Decimal(0)) if mechanism is Mechanism.ZERO_TIMES_INFINITY else guilt.got
            )
            yield Found(
                mechanism=mechanism,
                cause=error_in_ulp(mended, guilt.ideal, evaluation.steps.result) <= guilt.allowed,
                lost=guilt.error,
                step=step,
                args=tuple(args),
                exact=exact[place],
                rounded=plain[place],
            )
        nans = [one for one in taken if plain[one].is_nan()]
        place = next(iter(nans or taken), None)


def _started(step: Step, args: list[Any], value: Decimal) -> Mechanism | None:
    """What makes a step a NaN whose arguments are none, or an infinity of numbers."""
    if any(isinstance(arg, Decimal) and arg.is_nan() for arg in args) or step.op in ("var", "const"):
        return None
    if value.is_nan():
        if step.op == "div":
            return Mechanism.ZERO_TIMES_INFINITY if args[0].is_infinite() else Mechanism.DIVISION_BY_ZERO
        return {"mul": Mechanism.ZERO_TIMES_INFINITY}.get(step.op, _SUMS.get(step.op))
    if any(isinstance(arg, Decimal) and arg.is_infinite() for arg in args):
        return None
    if (step.op == "div" and args[1] == 0) or (step.op == "pow" and args[0] == 0):
        return Mechanism.DIVISION_BY_ZERO
    # The exact result of every other operation on numbers is a number, but for a logarithm's pole.
    return None if step.op in ("log", "log1p") else Mechanism.OVERFLOW


_SUMS = dict.fromkeys(("add", "sub"), Mechanism.INFINITY_MINUS_INFINITY)


# -------------------------------------------------------------------------------------------------- of the formula


def _of_formula(guilt: Guilt, derivative: bool) -> Iterator[Found]:
    result = guilt.evaluation.result(guilt.evaluation.rounding)
    wrong = Found(mechanism=Mechanism.WRONG_TERM, lost=guilt.exact_error, exact=guilt.ideal, rounded=result)
    if len({_of_change(one.kinds[0], derivative) for one in guilt.changes}) > 1:
        # At 0 a bound and an epsilon hide each other: the formula is right without either.
        yield replace(wrong, mechanism=Mechanism.UNIDENTIFIED)
        return
    for change in guilt.changes:
        mended = replace(wrong, part=change.parts[0], mended=" and ".join(kind.value for kind in change.kinds))
        for kind in change.kinds:
            unchecked = kind is Kind.BRANCH and guilt.ideal.is_nan()
            yield replace(mended, mechanism=Mechanism.MISSING_CHECK if unchecked else _of_change(kind, derivative))
        if Kind.ZERO in change.kinds:
            yield replace(mended, mechanism=Mechanism.ZERO_TIMES_INFINITY)
    if guilt.changes:
        return
    if guilt.ideal.is_nan():
        yield replace(wrong, mechanism=Mechanism.MISSING_CHECK)
    elif not result.is_nan():
        yield wrong


def _of_change(kind: Kind, derivative: bool) -> Mechanism:
    if kind in (Kind.MASK, Kind.BRANCH, Kind.SLOPE):
        return Mechanism.DERIVATIVE_OF_BRANCH if derivative else Mechanism.WRONG_TERM
    return {
        Kind.CLAMP: Mechanism.UNDOCUMENTED_CLAMP,
        Kind.EPSILON: Mechanism.WRONG_TERM,
        Kind.ZERO: Mechanism.MISSING_CHECK,
    }[kind]
