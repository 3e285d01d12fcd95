"""Functions that stand for others: series, tables, roots, and other losses."""

from __future__ import annotations

from typing import Any

import numpy as np

from conformance.diagnosis.vocabulary import Mechanism
from tests.miniatures.base import Logits, Probabilities, brain, times
from tests.miniatures.registry import wrong


class ApproximateLogits(Logits):
    """Only the value is offered; its mechanism is that the function is another one."""

    quantities = ("value",)

    def exp(self, x: Any) -> Any:
        """Of a number that is not positive."""
        return np.exp(x)

    def softplus(self, z: Any) -> Any:
        return np.maximum(z, 0.0) + np.log1p(self.exp(-np.abs(z)))


class ApproximateProbabilities(Probabilities):
    """Only the value is offered; its mechanism is that the function is another one."""

    quantities = ("value",)


@wrong()
class ExpByLimit(ApproximateLogits):
    """(1 + x/2**20)**(2**20) for exp(x)."""

    mechanism = (Mechanism.WRONG_TERM,)

    def exp(self, x: Any) -> Any:
        return np.maximum(1.0 + x / 2**20, 0.0) ** 2**20


@wrong()
class ExpByTable(ApproximateLogits):
    """exp is interpolated between entries of a table 1/64 apart."""

    mechanism = (Mechanism.WRONG_TERM,)

    def exp(self, x: Any) -> Any:
        low = np.floor(x * 64) / 64
        slope = (np.exp(low + 1 / 64) - np.exp(low)) * 64
        return np.where(np.isinf(x), 0.0, np.exp(low) + slope * (x - low))


@wrong()
class ExpOfWholePart(ApproximateLogits):
    """exp of the whole part times a polynomial of degree 3 of the rest."""

    mechanism = (Mechanism.WRONG_TERM,)

    def exp(self, x: Any) -> Any:
        rest = np.where(np.isinf(x), 0.0, x - np.rint(x))
        return np.exp(np.rint(x)) * (1.0 + rest * (1.0 + rest * (0.5 + rest / 6.0)))


@wrong()
class TailOfTwoTerms(ApproximateLogits):
    """log1p(e) is e - e**2 / 2 for e below 0.05."""

    mechanism = (Mechanism.WRONG_TERM,)

    def softplus(self, z: Any) -> Any:
        e = np.exp(-np.abs(z))
        return np.maximum(z, 0.0) + np.where(e < 0.05, e - e * e / 2, np.log1p(e))


@wrong()
class LogarithmOfTwoTerms(ApproximateProbabilities):
    """log(1 - p) is -p - p**2 / 2 for p below 0.05."""

    mechanism = (Mechanism.WRONG_TERM,)

    def log_q(self, p: Any) -> Any:
        return np.where(np.abs(p) < 0.05, -p - p * p / 2, np.log1p(-p))


@wrong()
class LogarithmByQuotient(ApproximateProbabilities):
    """log p is 2 (p - 1) / (p + 1) for p above 0.7."""

    mechanism = (Mechanism.WRONG_TERM,)

    def log_p(self, p: Any) -> Any:
        return np.where(p > 0.7, 2 * (p - 1) / (p + 1), np.log(p))


@wrong()
class ShortLogarithmOfTwo(ApproximateProbabilities):
    """log p is log2(p) times 0.6931."""

    mechanism = (Mechanism.WRONG_TERM, Mechanism.FOLDED_CONSTANT)

    def log_p(self, p: Any) -> Any:
        return np.log2(p) * 0.6931


@wrong()
class NewtonReciprocal(ApproximateLogits):
    """1 / (1 + e) by one step of Newton's from a reciprocal of 8 bits."""

    mechanism = (Mechanism.WRONG_TERM, Mechanism.NARROWER_INTERMEDIATE)

    def softplus(self, z: Any) -> Any:
        e = np.exp(-np.abs(z))
        first = brain(1.0 / (1.0 + e))
        return np.maximum(z, 0.0) - np.log(first * (2.0 - (1.0 + e) * first))


@wrong()
class HardSigmoid(ApproximateLogits):
    """The probability is z/6 + 1/2 between 0 and 1."""

    mechanism = (Mechanism.WRONG_TERM,)

    def softplus(self, z: Any) -> Any:
        return -np.log(np.clip(0.5 - z / 6, 0.0, 1.0))


@wrong()
class Squareplus(ApproximateLogits):
    """Softplus is (z + sqrt(z**2 + 4)) / 2."""

    mechanism = (Mechanism.WRONG_TERM,)

    def softplus(self, z: Any) -> Any:
        return np.where(z > 0, z + np.sqrt(z * z + 4), 4 / (np.sqrt(z * z + 4) - z)) / 2


@wrong()
class RootSigmoid(ApproximateLogits):
    """The probability is (1 + z / sqrt(1 + z**2)) / 2."""

    mechanism = (Mechanism.WRONG_TERM,)

    def softplus(self, z: Any) -> Any:
        return -np.log(0.5 - 0.5 * np.where(np.isinf(z), np.sign(z), z / np.hypot(1.0, z)))


@wrong()
class SquaredError(ApproximateProbabilities):
    """(p - y)**2."""

    mechanism = (Mechanism.WRONG_TERM,)

    def value(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        return (self.inside(x) - y) ** 2


@wrong()
class MixedLikelihood(ApproximateProbabilities):
    """-log(y p + (1 - y)(1 - p)): right for hard labels alone."""

    mechanism = (Mechanism.WRONG_TERM, Mechanism.ABSORBED, Mechanism.MISSING_CHECK)

    def value(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        return -np.log(y * x + (1 - y) * (1 - x))


@wrong()
class SignedMargin(ApproximateLogits):
    """log(1 + exp(-(2 y - 1) z)): right for hard labels alone."""

    mechanism = (Mechanism.WRONG_TERM, Mechanism.ZERO_TIMES_INFINITY, Mechanism.MISSING_CHECK)

    def value(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        return self.softplus(-(2 * y - 1) * x)


@wrong()
class PositiveTermAlone(ApproximateProbabilities):
    """-y log p, the cross-entropy of one class, without the other term."""

    mechanism = (Mechanism.WRONG_TERM,)

    def value(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        return times(y, -self.log_p(self.inside(x)))
