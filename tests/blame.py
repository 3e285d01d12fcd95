"""Formulas whose mistakes are known, and who is to blame for one of their results."""

from __future__ import annotations

from conformance.diagnosis.guilty import Guilt, guilty
from conformance.formulas.arithmetic import Arithmetic, arithmetics
from conformance.formulas.exact import PartlyExact, Steps
from conformance.formulas.expression import Expression, clip, const, log, var
from conformance.formulas.library import LOG_SIGMOID

Z, P, Y = var("z"), var("p"), var("y")
TORCH = (1 - Y) * Z - LOG_SIGMOID(Z)
KERAS_Q = clip(P, const("1e-7"), const("1 - 1e-7"))
KERAS = -(Y * log(KERAS_Q) + (1 - Y) * log(1 - KERAS_Q))
#: log(1 + exp(-20)) by Arb.
TAIL_20 = 2.061153620314381e-09
BUDGET = 4.0


def blamed(
    formula: Expression, dtype: str, ideal: float, arithmetic: Arithmetic | None = None, **inputs: float
) -> Guilt:
    """Who is to blame, with every step in the dtype where no arithmetic is given."""
    arithmetic = arithmetic or arithmetics(dtype, dtype)[0]
    return guilty(PartlyExact(Steps(formula, arithmetic), inputs), ideal, BUDGET)
