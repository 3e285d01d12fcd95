"""Search over options, parameters, shapes and reductions by Hypothesis, which is told how bad each call is (`target`).

The extra `hunt` brings Hypothesis.  The same seed and number of calls give the same answer.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from conformance.adapters.declaration import Declaration
from conformance.errors import InputError
from conformance.numbers.formats import FORMATS
from conformance.plan.cases import Case, Element

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

#: Shapes and layouts that a call may have: a scalar, lengths beside a vector register full and beside a page, two axes,
#: and each way to lie in memory.  "" is a plain tensor of the elements.
PRESENTATIONS = (
    "", "scalar", "1", "7", "17", "1000", "4097", "3x5", "64x65", "3x5 transposed", "17 strided", "17 reversed",
    "17 offset", "17 broadcast",
)  # fmt: skip

#: Values of the numbers that hold for a whole call: the ends of their ranges and what people use.
PARAMETERS = {"label_smoothing": ("0", "0.1", "0.5", "1"), "gamma": ("0", "1", "2", "5"), "alpha": ("0.25", "0.75")}

#: Calls after which Hypothesis begins anew: its climbing takes ever longer, and may sit on a hill that is low.
ROUND = 100

#: More rounds than any search has, so that two seeds share none.
ROUNDS = 1_000_000

#: Most elements of one call; a presentation repeats them.
ELEMENTS = 4


@dataclass(frozen=True)
class Call:
    """One call: its elements as (prediction, label, options in order), and what else it sets."""

    elements: tuple[tuple[float, ...], ...]
    options: tuple[str, ...] = ()
    parameters: dict[str, str] = field(default_factory=dict)
    presentation: str = ""
    reduction: str = "none"

    def case(self, form: str, dtype: str, quantity: str) -> Case:
        """The call as a case that expects nothing."""
        elements = []
        for index, (prediction, label, *rest) in enumerate(self.elements):
            options = {name: value.hex() for name, value in zip(self.options, rest, strict=True)}
            elements.append(Element(id=f"e{index}", prediction=prediction.hex(), label=label.hex(), **options))  # type: ignore[arg-type]
        return Case(
            id="hunted/call",
            why="the worst call that a search found",
            form=form,  # type: ignore[arg-type]  # one of Form
            flags=(),
            elements=tuple(elements),
            dtypes=(dtype,),  # type: ignore[arg-type]  # one of ALL_DTYPES
            expect="observe",
            reduction=self.reduction,  # type: ignore[arg-type]  # one of Reduction
            quantities=(quantity,),  # type: ignore[arg-type]  # one of NUMERIC
            present=(self.presentation,) if self.presentation else (),
            parameters=self.parameters,
        )


@dataclass(frozen=True)
class Worst:
    """The worst call, and its error in units of its budget."""

    call: Call
    budgets: float


def hunt_calls(judge: Callable[[Call], float], one: Declaration, dtype: str, seed: int, calls: int) -> Worst | None:
    """The call of `one` with the largest error, in units of its budget, that about `calls` tries show.

    `judge` gives that number, NaN where a call has none.  Raises InputError where Hypothesis is not installed.
    """
    try:
        import hypothesis
    except ImportError:
        raise InputError("--options needs Hypothesis", "pip install 'bce-conformance[hunt]'") from None
    best: list[Worst] = []

    def look(call: Call) -> None:
        error = judge(call)
        if error == error:
            hypothesis.target(math.log2(error + 2.0**-20))
            if not best or error > best[-1].budgets:
                best.append(Worst(call, error))

    for start in range(0, calls, ROUND):
        settings = hypothesis.settings(
            max_examples=min(ROUND, calls - start),
            database=None,
            deadline=None,
            phases=(hypothesis.Phase.generate, hypothesis.Phase.target),
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        # Not as decorators: one function, searched anew with another seed in each round.
        hypothesis.seed(seed * ROUNDS + start // ROUND)(settings(hypothesis.given(_calls(one, dtype))(look)))()
    return best[-1] if best else None


def _calls(one: Declaration, dtype: str) -> SearchStrategy[Call]:
    from hypothesis import strategies

    optional = strategies.lists(strategies.sampled_from(one.options or ("",)), unique=True, max_size=2)

    def with_options(names: list[str]) -> SearchStrategy[Call]:
        options = tuple(name for name in sorted(names) if name)
        columns = [
            _predictions(one.form, dtype),
            _numbers(dtype, 0.0, 1.0),
            *(_numbers(dtype, 0.0, 8.0) for _ in options),
        ]
        return strategies.builds(
            Call,
            elements=strategies.lists(strategies.tuples(*columns), min_size=1, max_size=ELEMENTS).map(tuple),
            options=strategies.just(options),
            parameters=strategies.fixed_dictionaries(
                {}, optional={name: strategies.sampled_from(PARAMETERS[name]) for name in one.parameters}
            ).map(_together),
            presentation=strategies.sampled_from([text for text in PRESENTATIONS if _fits(text, one)]),
            reduction=strategies.sampled_from(one.reductions),
        )

    return optional.flatmap(with_options)


def _together(parameters: dict[str, str]) -> dict[str, str]:
    """Without alpha where there is no gamma: it exists with that only."""
    return {name: value for name, value in parameters.items() if name != "alpha" or "gamma" in parameters}


def _fits(presentation: str, one: Declaration) -> bool:
    words = presentation.split()
    return len(words) < 2 or words[1] in one.layouts


def _predictions(form: str, dtype: str) -> SearchStrategy[float]:
    largest = float(FORMATS[dtype].largest)
    return _numbers(dtype, 0.0, 1.0) if form == "probabilities" else _numbers(dtype, -largest, largest)


def _numbers(dtype: str, low: float, high: float) -> SearchStrategy[float]:
    """Numbers of a dtype; those of bfloat16 are float32 ones cut off."""
    from hypothesis import strategies

    width: Any = {"float64": 64, "float16": 16}.get(dtype, 32)
    numbers = strategies.floats(low, high, width=width, allow_nan=False, allow_infinity=False)
    return numbers.map(_cut) if dtype == "bfloat16" else numbers


def _cut(value: float) -> float:
    bits = np.float32(value).view(np.uint32) & np.uint32(0xFFFF0000)
    return float(np.uint32(bits).view(np.float32))
