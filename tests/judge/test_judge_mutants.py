"""A judge with a mistake is noticed: each mutant of it changes what a few canaries look like, or refuses to judge.

The canaries are miniatures that run once.  What was observed of them is then judged again and again, each time by a
judge that one mutation made wrong.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from conformance.judge import agreement, behaviour, judge, numeric, probe, related, summation, verdicts
from conformance.known import match
from conformance.known.record import Record
from conformance.numbers import measurement
from conformance.numbers.formats import FORMATS
from conformance.numbers.measurement import CODE, Limits, Measured
from conformance.plan import cases, domain
from conformance.plan.filters import Filters
from conformance.plan.plan import Plan
from conformance.plan.requests import Request
from conformance.pool.backend import Backend, Opened
from conformance.pool.observation import Observation, Observed
from conformance.run import run as runs
from reference import FUNCTIONS, Reference
from tests.miniatures import kills

pytestmark = pytest.mark.slow

#: Miniatures, right and wrong ones, of which each stands for something that a judge must see.
CANARIES = (
    "natural_terms_logits",  # right, in every dtype, with reductions
    "documented_clip",  # right by its contract
    "documented_check",  # rejects as documented
    "lost_tail",
    "hole_at_one",
    "last_element",
    "loss_at_most_hundred",
    "nan_is_zero",
    "infinite_logit_is_nan",
    "flushes",
    "sum_is_mean",
    "gradient_in_float64",
    "gradient_of_sum_is_summed",
    "gradient_mutates_label",
    "accepts_labels",
    "checks_strictly",
    "clip_not_done",
    "exits_on_nan",
    "raises_for_one_element",
    "raises_at_infinite_loss",
    "returns_float64",
    "adds_axis",
    "mutates_label",
    "sign_at_label_one",
    "last_bit_flickers",
    "compiled_without_check",
    "accumulates_in_float16",
    "compiled_loses_tail",
)

#: What they are judged on: enough for each of them.
CASES = (
    *("hard-labels", "soft-labels", "extreme-predictions", "special-values", "out-of-range-labels", "contracts"),
    *("reductions/mean-three", "reductions/sum-*-logits", "reductions/mean-masked", "relations/affine*"),
)


@dataclass
class Replay:
    """In place of a pool: hands out what a pool has seen."""

    opened: dict[str, Opened]
    observed: dict[int, dict[str, Observed]]
    restarts: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    here: bool = False

    def run(
        self,
        backends: Sequence[Backend],
        requests: Sequence[Request],
        on_opened: Callable[[Backend, Opened], None],
        on_observed: Callable[[int, dict[str, Observed]], None],
    ) -> None:
        """Tell everything again."""
        for backend in backends:
            if backend.name in self.opened:
                on_opened(backend, self.opened[backend.name])
        for index, what in self.observed.items():
            on_observed(index, what)

    def stop(self) -> None:
        """Nothing runs."""


#: Findings by miniature, verdict and outcome of each check, and the exit code.
Said = tuple[kills.Outcomes, dict[str, tuple[str, str]], int]


@dataclass
class Canaries:
    """The plan of the canaries and what was observed of them."""

    backends: Sequence[Backend]
    plan: Plan
    replay: Replay

    def judged(self) -> Said:
        """What a run says of them."""
        done = runs.execute(self.replay, self.backends, self.plan, Record(), runs.Options())  # type: ignore[arg-type]
        assert done.record.footer is not None
        checks = {one.id: (one.verdict, one.outcome) for one in done.record.checks}
        return kills.outcomes(done.record), checks, done.record.footer.exit


@pytest.fixture(scope="module")
def canaries() -> Canaries:
    """The canaries, run once."""
    filters = Filters(backend=("mini-*",), implementation=tuple(f"mini-*/{name}/*" for name in CANARIES), case=CASES)
    options = runs.Options(filters=filters, adapters=(kills.ADAPTER,))
    opened: dict[str, Opened] = {}
    observed: dict[int, dict[str, Observed]] = {}
    with runs.open_pool(options) as pool:
        backends = runs.discover(pool, options)
        plan = kills.without_large(runs.planned(backends, cases.load_suite(kills.ROOT / "cases"), options))
        pool.run(
            backends,
            plan.requests,
            lambda backend, what: opened.update({backend.name: what}),
            lambda index, what: observed.update({index: what}),
        )
    return Canaries(backends, plan, Replay(opened, observed))


@pytest.fixture(scope="module")
def sound(canaries: Canaries) -> Said:
    """What the judge says as it is."""
    return canaries.judged()


def test_the_canaries_are_judged_as_in_the_kill_matrix(sound: Said) -> None:
    """Wrong ones have findings and right ones have none, also when they run by themselves."""
    assert {name for name, found in sound[0].items() if not found} == set(CANARIES[:3])
    assert set(sound[0]) == set(CANARIES)
    assert sound[2] == 1


def everywhere(patch: pytest.MonkeyPatch, original: Any, mutant: Any) -> None:
    """Replace a function in every module of the suite that has imported it."""
    found = 0
    for name, module in list(sys.modules.items()):
        if name.startswith("conformance"):
            for attribute, value in list(vars(module).items()):
                if value is original:
                    patch.setattr(module, attribute, mutant)
                    found += 1
    assert found, "what should be mutated is not there"


# -- mutations of the measure ----------------------------------------------------------------------------------------


def measured(change: Callable[[Any, Reference, Measured], Any]) -> Callable[[pytest.MonkeyPatch], None]:
    """Points for which `change` says so are measured as right."""

    def mutate(patch: pytest.MonkeyPatch) -> None:
        original = measurement.measure

        def mutant(got: Any, exact: Reference, *rest: Any) -> Measured:
            found = original(got, exact, *rest)
            with np.errstate(all="ignore"):
                excused = change(np.asarray(got), exact, found)
            return Measured(
                np.where(excused, np.int8(0), found.code),
                np.where(excused, 0.0, found.scaled),
                np.where(excused, 0.0, found.plain),
            )

        everywhere(patch, original, mutant)

    return mutate


def excused(*classes: str) -> Callable[[pytest.MonkeyPatch], None]:
    """Points of some classes are measured as right."""
    return measured(lambda got, exact, found: np.isin(found.code, [CODE[name] for name in classes]))


def itself(patch: pytest.MonkeyPatch) -> None:
    """A result is compared with itself."""
    original = measurement.measure

    def mutant(got: Any, exact: Reference, *rest: Any) -> Measured:
        got = np.asarray(got, dtype=np.float64)
        return original(got, exact._replace(hi=got, lo=np.zeros_like(got)), *rest)

    everywhere(patch, original, mutant)


def exchanged(patch: pytest.MonkeyPatch) -> None:
    """The result is taken for the ideal and the ideal for the result."""
    original = measurement.measure

    def mutant(got: Any, exact: Reference, *rest: Any) -> Measured:
        got = np.asarray(got, dtype=np.float64)
        return original(exact.hi, exact._replace(hi=got, lo=np.zeros_like(got)), *rest)

    everywhere(patch, original, mutant)


def one_format(patch: pytest.MonkeyPatch) -> None:
    """Every dtype is measured in ULP of float32."""
    original = Limits.of
    patch.setattr(Limits, "of", lambda formats, counts: original([FORMATS["float32"]] * len(formats), counts))


def budget(value: float) -> Callable[[pytest.MonkeyPatch], None]:
    """The budget is something else."""
    return lambda patch: patch.setattr(numeric, "BUDGET", value)


# -- mutations of the expected values --------------------------------------------------------------------------------


def reference(
    change: Callable[[Reference], Reference], quantity: str = "value"
) -> Callable[[pytest.MonkeyPatch], None]:
    """The reference of a quantity is another one."""

    def mutate(patch: pytest.MonkeyPatch) -> None:
        original = FUNCTIONS[quantity]
        patch.setitem(FUNCTIONS, quantity, lambda *all_, **named: change(original(*all_, **named)))

    return mutate


def off(exact: Reference) -> Reference:
    """A reference with a relative error of 1e-5."""
    with np.errstate(all="ignore"):
        return exact._replace(hi=exact.hi * (1 + 1e-5))


def in_float32(exact: Reference) -> Reference:
    """A reference that has no more digits than float32, as another framework's result would have."""
    with np.errstate(over="ignore"):
        return exact._replace(hi=exact.hi.astype(np.float32).astype(np.float64), lo=np.zeros_like(exact.lo))


# -- mutations of the verdicts ---------------------------------------------------------------------------------------


def verdict(change: Callable[..., tuple[Any, ...]]) -> Callable[[pytest.MonkeyPatch], None]:
    """The table of expectation and observation gets other arguments."""

    def mutate(patch: pytest.MonkeyPatch) -> None:
        original = verdicts.verdict_of
        everywhere(patch, original, lambda *arguments: original(*change(*arguments)))

    return mutate


def as_rejection(expect: str, seen: Observation, *rest: Any) -> tuple[Any, ...]:
    """A crash counts as an exception whose control passed."""
    return (
        ("either", replace(seen, kind="raised", control=True), *rest)
        if seen.kind == "crashed"
        else (expect, seen, *rest)
    )


def expectation(change: dict[str, str]) -> Callable[[pytest.MonkeyPatch], None]:
    """Words of expectation become other words."""

    def mutate(patch: pytest.MonkeyPatch) -> None:
        original = domain.expectations
        everywhere(patch, original, lambda *all_: tuple(change.get(word, word) for word in original(*all_)))

    return mutate


def behaves(quantity: str) -> Callable[[pytest.MonkeyPatch], None]:
    """One quantity of how a result came back is not looked at."""

    def mutate(patch: pytest.MonkeyPatch) -> None:
        patch.setitem(behaviour.JUDGES, quantity, lambda *all_: ("conforms", "", ""))

    return mutate


def derivatives(patch: pytest.MonkeyPatch) -> None:
    """How derivatives come back is not looked at."""
    patch.setattr(behaviour, "_of_derivatives", lambda *all_: None)


def assembled(change: Callable[[Any], None]) -> Callable[[pytest.MonkeyPatch], None]:
    """The errors of a check are changed before they become verdicts."""

    def mutate(patch: pytest.MonkeyPatch) -> None:
        original = numeric._verdicts

        def mutant(check: Any, errors: Any, *rest: Any) -> Any:
            change(errors)
            return original(check, errors, *rest)

        patch.setattr(numeric, "_verdicts", mutant)

    return mutate


def without_last(errors: Any) -> None:
    """The last element of a check is right."""
    errors.code[-1:] = 0


def first_alone(errors: Any) -> None:
    """All elements but the first are right."""
    errors.code[1:] = 0


def best_verdict(patch: pytest.MonkeyPatch) -> None:
    """A check has the verdict of its first element, and findings that nobody reads."""
    for name in verdicts.SEVERITY:
        patch.setitem(verdicts.SEVERITY, name, 0)


def every_verdict_expected(patch: pytest.MonkeyPatch) -> None:
    """No verdict needs a record."""
    everywhere(patch, verdicts.EXPECTED, frozenset(verdicts.VERDICTS))


def probes_show(patch: pytest.MonkeyPatch) -> None:
    """A contract's field shows whatever the result is."""
    patch.setattr(probe, "verdicts", lambda check, *rest: [("by-contract", "")] * check.count)


def no_difference(mode: Any, plain: Any, ideal: Reference) -> Any:
    """No point of two modes differs."""
    return np.full(mode.got.shape, "", dtype="U12")


def not_looked_at(module: Any, name: str, answer: Any) -> Callable[[pytest.MonkeyPatch], None]:
    """A function of the judge always gives the same answer."""
    return lambda patch: patch.setattr(module, name, lambda *all_: answer)


def all_hold(patch: pytest.MonkeyPatch) -> None:
    """Every relation holds."""
    patch.setattr(related, "broken", lambda check, *rest: [("", "")] * len(check.request.inputs.groups))


def nothing_judged(patch: pytest.MonkeyPatch) -> None:
    """No check gets a verdict."""
    patch.setattr(judge.Judge, "judge", lambda self, observed: [])


def findings_ignored(patch: pytest.MonkeyPatch) -> None:
    """Whatever was found, a check is as expected."""
    everywhere(patch, match.outcome_of, lambda matches: "as expected")


MUTANTS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "a result is compared with itself": itself,
    "result and ideal are exchanged": exchanged,
    "NaN results are dropped": measured(lambda got, exact, found: np.isnan(got)),
    "points with a NaN ideal are dropped": measured(lambda got, exact, found: np.isnan(exact.hi)),
    "infinite results are dropped": measured(lambda got, exact, found: np.isinf(got)),
    "infinite ideals are dropped": measured(lambda got, exact, found: np.isinf(exact.hi)),
    "a result of 0 is right": excused("zero", "flushed"),
    "a flushed result is right": excused("flushed"),
    "the sign is ignored": excused("sign"),
    "what is inaccurate is right": excused("inaccurate"),
    "an absolute tolerance of 1e-6": measured(lambda got, exact, found: np.abs(got - exact.hi) < 1e-6),
    "a relative tolerance of 1e-4": measured(lambda got, exact, found: np.abs(got / exact.hi - 1) < 1e-4),
    "every dtype is measured as float32": one_format,
    "the budget is a thousand times too large": budget(4000.0),
    "the budget is too small": budget(0.1),
    "the reference is off by 1e-5": reference(off),
    "the reference has the digits of float32": reference(in_float32),
    "the reference of the gradient is off": reference(off, "gradient-prediction"),
    "the last element is dropped": assembled(without_last),
    "only the first element counts": assembled(first_alone),
    "every result is by contract": verdict(lambda e, s, p, w, by: (e, s, p, w, True)),
    "no result is by contract": verdict(lambda e, s, p, w, by: (e, s, p, w, False)),
    "a crash is a rejection": verdict(as_rejection),
    "the paired control is ignored": verdict(lambda e, s, *rest: (e, replace(s, control=True), *rest)),
    "a problem of dtype or shape is ignored": verdict(lambda e, s, p, *rest: (e, s, "", *rest)),
    "everything is only observed": expectation(dict.fromkeys(("value", "either", "reject"), "observe")),
    "a documented check need not reject": expectation({"reject": "either"}),
    "valid input may be rejected": expectation({"value": "either"}),
    "nothing may be rejected": expectation({"either": "value", "reject": "value"}),
    "the result's dtype is ignored": behaves("result-dtype"),
    "the result's shape is ignored": behaves("result-shape"),
    "changed inputs are ignored": behaves("inputs-unchanged"),
    "how derivatives come back is ignored": derivatives,
    "results that do not repeat are ignored": behaves("repeatable"),
    "modes that accept other inputs agree": not_looked_at(agreement, "_how", None),
    "modes with other values agree": lambda patch: patch.setattr(agreement, "_values", no_difference),
    "every reduction is that of its terms": not_looked_at(summation, "_compared", ("", "")),
    "every relation holds": all_hold,
    "the best element decides": best_verdict,
    "every verdict is expected": every_verdict_expected,
    "every contract's field shows": probes_show,
    "nothing is judged": nothing_judged,
    "findings are ignored": findings_ignored,
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_judge_with_a_mistake_is_noticed(
    name: str,
    canaries: Canaries,
    sound: Said,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The findings of some canary, the verdict on some check or the exit code differ from those of the sound judge."""
    MUTANTS[name](monkeypatch)
    assert canaries.judged() != sound


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 0.0, -4.0])
def test_a_budget_that_nothing_can_exceed_or_meet_is_refused(
    value: float, canaries: Canaries, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tolerance that became NaN let everything pass in another suite (KhronosGroup/OpenCL-CTS PR#1848)."""
    monkeypatch.setattr(numeric, "BUDGET", value)
    with pytest.raises(ValueError, match="budget must be a positive finite number"):
        canaries.judged()
