"""Formulas that are right for real numbers and lose something when each step is rounded to float32."""

from __future__ import annotations

from typing import Any

import numpy as np

from conformance.diagnosis.vocabulary import Mechanism
from tests.miniatures.base import Logits, Probabilities, single
from tests.miniatures.registry import wrong

#: What a formula does at infinities where nothing is checked.
AT_INFINITIES = (Mechanism.ZERO_TIMES_INFINITY, Mechanism.INFINITY_MINUS_INFINITY, Mechanism.MISSING_CHECK)


class FormOfLogits(Logits):
    """The value alone, by a formula, for infinities too."""

    quantities = ("value",)

    def value(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        return self.formula(x, y)

    def formula(self, z: Any, y: Any) -> Any:
        """The formula, step by step."""
        raise NotImplementedError


class FormOfProbabilities(Probabilities):
    """The value alone, by a formula, for all predictions."""

    quantities = ("value",)

    def value(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        return self.formula(x, y)

    def formula(self, p: Any, y: Any) -> Any:
        """The formula, step by step."""
        raise NotImplementedError


def entropy(y: Any, log_p: Any, log_q: Any) -> Any:
    """-(y log p + (1 - y) log q), each step in float32."""
    return -single(single(y * log_p) + single(single(1.0 - y) * log_q))


def tail(z: Any) -> Any:
    """log1p(exp(-|z|)), both steps in float32."""
    return single(np.log1p(single(np.exp(-np.abs(z)))))


@wrong()
class HalfOfTanh(FormOfLogits):
    """(1 + tanh(z/2)) / 2 is the probability: both of its ends are reached at |z| = 17."""

    mechanism = (Mechanism.SATURATED, Mechanism.ABSORBED, Mechanism.CANCELLED, *AT_INFINITIES)

    def formula(self, z: Any, y: Any) -> Any:
        s = single(0.5 * single(1.0 + single(np.tanh(z / 2))))
        return entropy(y, single(np.log(s)), single(np.log(single(1.0 - s))))


@wrong()
class ReciprocalPower(FormOfLogits):
    """(1 + exp(-z))**-1 is the probability: exp overflows on one side, and on the other the sum is 1."""

    mechanism = (Mechanism.SATURATED, Mechanism.ABSORBED, Mechanism.OVERFLOW, *AT_INFINITIES)

    def formula(self, z: Any, y: Any) -> Any:
        s = single(single(1.0 + single(np.exp(-z))) ** -1)
        return entropy(y, single(np.log(s)), single(np.log1p(-s)))


@wrong()
class StableSigmoidFirst(FormOfLogits):
    """The probability by exp(-|z|), which does not overflow, but its logarithm next to 1 has lost the tail."""

    mechanism = (Mechanism.SATURATED, Mechanism.ABSORBED, *AT_INFINITIES)

    def formula(self, z: Any, y: Any) -> Any:
        e = single(np.exp(-np.abs(z)))
        near, far = single(1.0 / single(1.0 + e)), single(e / single(1.0 + e))
        log_near, log_far = single(np.log(near)), single(np.log(far))
        positive = z >= 0
        return entropy(y, np.where(positive, log_near, log_far), np.where(positive, log_far, log_near))


@wrong()
class PowersOfTwo(FormOfLogits):
    """log2(1 + exp2(-|z| log2 e)) ln 2, as where a processor has only these: the tail is lost."""

    mechanism = (Mechanism.ABSORBED, *AT_INFINITIES)

    def formula(self, z: Any, y: Any) -> Any:
        e = single(np.exp2(single(-np.abs(z) * single(np.log2(np.e)))))
        rest = single(single(np.log2(single(1.0 + e))) * single(np.log(2.0)))
        positive, negative = single(np.maximum(-z, 0.0) + rest), single(np.maximum(z, 0.0) + rest)
        return -entropy(y, positive, negative)


@wrong()
class ExpOfEither(FormOfLogits):
    """y log(1 + exp(-z)) + (1 - y) log(1 + exp(z)): overflows on both sides, and loses both tails."""

    mechanism = (Mechanism.OVERFLOW, Mechanism.ABSORBED, *AT_INFINITIES)

    def formula(self, z: Any, y: Any) -> Any:
        positive, negative = (single(np.log(single(1.0 + single(np.exp(one))))) for one in (-z, z))
        return -entropy(y, positive, negative)


@wrong()
class SoftmaxWithoutMaximum(FormOfLogits):
    """exp(z) / (exp(z) + exp(0)) without the maximum taken out: a quotient of infinities."""

    mechanism = (Mechanism.OVERFLOW, Mechanism.SATURATED, Mechanism.ABSORBED, *AT_INFINITIES)

    def formula(self, z: Any, y: Any) -> Any:
        e = single(np.exp(z))
        below = single(e + 1.0)
        return entropy(y, single(np.log(single(e / below))), single(np.log(single(1.0 / below))))


@wrong()
class TailFirst(FormOfLogits):
    """(log1p(exp(-|z|)) - z y) + max(z, 0): the tail is added to what cancels afterwards."""

    mechanism = (Mechanism.ABSORBED, Mechanism.REORDERED, Mechanism.CANCELLED, *AT_INFINITIES)

    def formula(self, z: Any, y: Any) -> Any:
        return single(single(tail(z) - single(z * y)) + np.maximum(z, 0.0))


@wrong()
class LogOfCosh(FormOfLogits):
    """z/2 + log(2 cosh(z/2)) for log(1 + exp(z)): cancels for negative logits and overflows at 178."""

    mechanism = (Mechanism.CANCELLED, Mechanism.OVERFLOW, Mechanism.ABSORBED, *AT_INFINITIES)

    def formula(self, z: Any, y: Any) -> Any:
        even = single(np.log(single(2.0 * single(np.cosh(z / 2)))))
        return -entropy(y, single(even - z / 2), single(even + z / 2))


@wrong()
class LogitBeforeLoss(FormOfProbabilities):
    """The probability becomes the logit log(p / (1 - p)), and that goes into the formula of logits."""

    mechanism = (Mechanism.ABSORBED, Mechanism.CANCELLED, Mechanism.OVERFLOW, *AT_INFINITIES)

    def formula(self, p: Any, y: Any) -> Any:
        z = single(np.log(single(p / single(1.0 - p))))
        return single(single(np.maximum(z, 0.0) - single(z * y)) + tail(z))


@wrong()
class LikelihoodByPowers(FormOfProbabilities):
    """-log(p**y (1 - p)**(1 - y)): the likelihood is formed first, and its ends are lost."""

    mechanism = (Mechanism.ABSORBED, Mechanism.SATURATED, Mechanism.OVERFLOW, *AT_INFINITIES)

    def formula(self, p: Any, y: Any) -> Any:
        likelihood = single(single(p**y) * single(single(1.0 - p) ** single(1.0 - y)))
        return -single(np.log(likelihood))


@wrong()
class TermsExpanded(FormOfProbabilities):
    """-(y (log p - log(1 - p)) + log(1 - p)): at the label 1 the logarithm of 1 - p is added and taken away."""

    mechanism = (Mechanism.CANCELLED, Mechanism.ABSORBED, Mechanism.REORDERED, *AT_INFINITIES)

    def formula(self, p: Any, y: Any) -> Any:
        log_p, log_q = single(np.log(p)), single(np.log1p(-p))
        return -single(single(y * single(log_p - log_q)) + log_q)
