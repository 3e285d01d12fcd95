"""The focal loss: (1 - p_t)**gamma times the cross-entropy, p_t = y*p + (1 - y)*(1 - p)."""

from __future__ import annotations

from collections.abc import Callable

from conformance.formulas.catalogue import sources
from conformance.formulas.catalogue.logits import tensorflow_plain
from conformance.formulas.catalogue.loss import Build, Given, Loss, Plain
from conformance.formulas.catalogue.probabilities import keras, keras_torch, tf_keras, tf_keras_folded
from conformance.formulas.expression import (
    Expression,
    Function,
    absolute,
    cast,
    const,
    eq,
    exp,
    log,
    lt,
    maximum,
    where,
)
from conformance.formulas.library import (
    LOGISTIC,
    LOGISTIC_TF,
    SIGMOID,
    SIGMOID_BACK_BY_STEPS,
    SIGMOID_OF_INPUTS,
    SOFTPLUS_STEPS,
    STOP_GRADIENT,
)


def _same(p: Expression) -> Expression:
    return p


def _of_inputs(x: Expression) -> Expression:
    return cast("inputs", x)


def _by_power(
    probability: Callable[[Expression], Expression],
    bce: Plain,
    of_probability: bool = True,
    step: Callable[[Expression], Expression] = _same,
    base: Callable[[Expression], Expression] = _same,
) -> Build:
    """As Keras writes it; `bce` is of the probability, or of the prediction itself.

    `step` rounds each step to p_t, `base` rounds 1 - p_t.
    """

    def built(given: Given) -> Expression | None:
        if given.pos_weight is not None:
            return None
        y = given.smoothed
        p = probability(given.prediction)
        p_t = step(step(y * p) + step(step(1 - y) * step(1 - p)))
        factor = base(1 - p_t) ** const(given.gamma or "0.0")
        loss = factor * bce(p if of_probability else given.prediction, y)
        if given.alpha is not None:
            loss = (y * const(given.alpha) + (1 - y) * const(f"1 - {given.alpha}")) * loss
        return given.weighted(loss)

    return built


def _logsumexp(terms: tuple[tuple[Expression, Expression], ...]) -> Expression:
    """log(sum(b*exp(a))) of pairs a, b, as jax.scipy.special.logsumexp computes it: jax/_src/ops/special.py."""
    exponents = [where(eq(b, 0), const("-inf"), a) for a, b in terms]
    top = maximum(*exponents)
    top = STOP_GRADIENT(where(lt(absolute(top), const("inf")), top, 0))
    first, second = (exp(a - top) * b for a, (_, b) in zip(exponents, terms, strict=True))
    total = first + second
    return where(lt(total, 0), const("nan"), log(absolute(total)) + top)


def _optax(given: Given) -> Expression | None:
    """The focal factor as exp(gamma*log(1 - p_t)), by logsumexp of the two logarithms with the labels as factors."""
    if given.pos_weight is not None:
        return None
    z, y = given.prediction, given.smoothed
    # log_sigmoid(-z) goes straight to z: JAX negates it anew in the loss and in the factor, and sums at z.
    log_p, log_q = -SOFTPLUS_STEPS(-z), -SOFTPLUS_STEPS(z)
    rest = _logsumexp(((log_p, 1 - y), (log_q, y)))
    loss = ((-y) * log_p - (1 - y) * log_q) * exp(const(given.gamma or "0.0") * rest)
    if given.alpha is not None:
        loss = (const(given.alpha) * y + const(f"1 - {given.alpha}") * (1 - y)) * loss
    return given.weighted(loss)


def _of_logits(name: str, sigmoid: Function, bce: Plain, source: str, rules: tuple[str, ...]) -> Loss:
    return Loss(name=name, form="logits", build=_by_power(sigmoid, bce), source=source, rules=rules)


def _of_probabilities(name: str, bce: Plain, source: str) -> Loss:
    return Loss(name=name, form="probabilities", build=_by_power(_same, bce), source=source)


FOCAL: tuple[Loss, ...] = (
    _of_logits("focal: pow(1 - p_t, gamma) * clipped", LOGISTIC, keras, sources.KERAS_LOSSES, ("tensorflow", "jax")),
    Loss(
        name="focal: pow(1 - p_t, gamma) * clipped, p_t in the dtype of the inputs",
        form="logits",
        build=_by_power(SIGMOID_OF_INPUTS, keras, step=_of_inputs),
        source=sources.KERAS_LOSSES,
        rules=("jax",),
    ),
    Loss(
        name="focal: pow(1 - p_t, gamma) * clipped, 1 - p_t in the dtype of the inputs",
        form="probabilities",
        build=_by_power(_same, keras, step=_of_inputs, base=_of_inputs),
        source=sources.KERAS_LOSSES,
        rules=("jax",),
    ),
    _of_logits(
        "focal: pow(1 - p_t, gamma) * torch's bce of clipped",
        SIGMOID,
        keras_torch,
        sources.KERAS_LOSSES,
        ("torch",),
    ),
    _of_logits(
        "focal: pow(1 - p_t, gamma) * torch's bce of clipped, sigmoid's derivative step by step",
        SIGMOID_BACK_BY_STEPS,
        keras_torch,
        sources.KERAS_LOSSES,
        ("torch",),
    ),
    Loss(
        name="focal: pow(1 - p_t, gamma) * max(z, 0) - z*y + log1p(exp(-|z|))",
        form="logits",
        build=_by_power(LOGISTIC_TF, tensorflow_plain, of_probability=False),
        source=sources.TF_KERAS,
        rules=("tensorflow", "tensorflow, sums in the order of names"),
    ),
    Loss(name="focal: exp(gamma*log(1 - p_t))", form="logits", build=_optax, source=sources.OPTAX, rules=("jax",)),
    _of_probabilities("focal: pow(1 - p_t, gamma) * clipped", keras, sources.KERAS_LOSSES),
    _of_probabilities("focal: pow(1 - p_t, gamma) * torch's bce of clipped", keras_torch, sources.KERAS_LOSSES),
    _of_probabilities("focal: pow(1 - p_t, gamma) * tf_keras' clipped twice", tf_keras, sources.TF_KERAS),
    Loss(
        name="focal: pow(1 - p_t, gamma) * tf_keras' clipped twice, (1 + 1e-7) - q",
        form="probabilities",
        build=_by_power(_same, tf_keras_folded),
        source=sources.TF_FOLDING,
        rules=("tensorflow",),
    ),
)
