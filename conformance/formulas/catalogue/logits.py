"""Formulas for the loss of a logit z and a label y."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from conformance.formulas.catalogue import sources
from conformance.formulas.catalogue.loss import Build, Given, Loss, Plain, plain, promoted
from conformance.formulas.catalogue.probabilities import keras, saturated, textbook, textbook_log1p
from conformance.formulas.expression import (
    Expression,
    Function,
    absolute,
    cast,
    const,
    exp,
    ge,
    log,
    log1p,
    maximum,
    minimum,
    where,
)
from conformance.formulas.library import (
    LOG_SIGMOID,
    LOGISTIC,
    RELU,
    SIGMOID,
    SIGMOID_BACK_BY_STEPS,
    SIGMOID_OF_INPUTS,
    SIGMOID_STABLE,
    SOFTPLUS,
    SOFTPLUS_BOUNDED,
    SOFTPLUS_LOG,
    SOFTPLUS_LOG1P,
    SOFTPLUS_NAIVE,
    SOFTPLUS_STEPS,
    log_sigmoid_by,
)


def tensorflow_plain(z: Expression, y: Expression) -> Expression:
    """The formula of sigmoid_cross_entropy_with_logits, by its two selections."""
    positive = ge(z, 0)
    return (where(positive, z, 0) - z * y) + log1p(exp(where(positive, -z, z)))


def _tensorflow_weighted(given: Given) -> Expression | None:
    """weighted_cross_entropy_with_logits, whose pos_weight is 1 where a case has none."""
    if given.focal:
        return None
    z, y = given.prediction, given.smoothed
    factor = 1 + ((1 if given.pos_weight is None else given.pos_weight) - const("1")) * y
    return given.weighted((1 - y) * z + factor * (log1p(exp(-absolute(z))) + RELU(-z)))


def _cast_before_the_weight(given: Given) -> Expression | None:
    """compute_weighted_loss: loss and weight are cast to float32 before they are multiplied."""
    if given.pos_weight is not None or given.focal:
        return None
    loss = cast("float32", tensorflow_plain(given.prediction, given.smoothed))
    return replace(given, weight=None if given.weight is None else cast("float32", given.weight)).weighted(loss)


def torch_logits(given: Given) -> Expression | None:
    """binary_cross_entropy_with_logits."""
    if given.focal:
        return None
    z, y = given.prediction, given.smoothed
    loss = (1 - y) * z
    if given.pos_weight is None:
        loss = loss - LOG_SIGMOID(z)
    else:
        loss = loss - ((given.pos_weight - 1) * y + 1) * LOG_SIGMOID(z)
    return given.weighted(loss)


def _torch_logits_gradient(sigmoid: Function) -> Build:
    def built(given: Given) -> Expression | None:
        if given.focal:
            return None
        z, y = given.prediction, given.smoothed
        if given.pos_weight is None:
            gradient = sigmoid(z) - y
        else:
            t = given.pos_weight * y
            gradient = ((t + 1) - y) * sigmoid(z) - t
        return given.weighted(gradient)

    return built


def _torch_logits_gradient_by_label(given: Given) -> Expression | None:
    """binary_cross_entropy_with_logits_target_backward."""
    if given.focal:
        return None
    z = given.prediction
    if given.pos_weight is None:
        return given.weighted(-z)
    return given.weighted(LOG_SIGMOID(-z) - given.pos_weight * LOG_SIGMOID(z))


def _torch_transformed(given: Given) -> Expression | None:
    """The formula of binary_cross_entropy_with_logits under torch.func.

    Its sums are written down in the order in which the cotangents of z arrive, m being computed first.
    """
    if given.focal:
        return None
    z, y = given.prediction, given.smoothed
    m = -minimum(z, 0)
    rest = log(exp(-m) + exp(-z - m))
    if given.pos_weight is None:
        return given.weighted((m + (1 - y) * z) + rest)
    return given.weighted(((given.pos_weight - 1) * y + 1) * (m + rest) + (1 - y) * z)


def by_log_sigmoids(softplus: Function) -> Plain:
    """Optax' formula with log_sigmoid(x) = -softplus(-x)."""

    def built(z: Expression, y: Expression) -> Expression:
        return (-y) * log_sigmoid_by(softplus, z) - (1 - y) * log_sigmoid_by(softplus, -z)

    return built


def _by_two_log_sigmoids(rest: Callable[[Expression], Expression]) -> Plain:
    def built(z: Expression, y: Expression) -> Expression:
        return -(y * LOG_SIGMOID(z) + rest(y) * LOG_SIGMOID(-z))

    return built


def _by_two_softplus(softplus: Function) -> Plain:
    def built(z: Expression, y: Expression) -> Expression:
        return y * softplus(-z) + (1 - y) * softplus(z)

    return built


def _of_probability(sigmoid: Function, formula: Plain) -> Plain:
    def built(z: Expression, y: Expression) -> Expression:
        return formula(sigmoid(z), y)

    return built


def _keras_numpy(z: Expression, y: Expression) -> Expression:
    """The sigmoid is of the logits as float32, whatever they are, and so is what follows until the label comes in."""
    return promoted(keras(1 / (1 + exp(-cast("float32", z))), y), {"y": "step", "w": "step"}, "float32")


def _soft_margin(z: Expression, y: Expression) -> Expression:
    return log1p(exp((-(2 * y - 1)) * z))


def _soft_margin_gradient(z: Expression, y: Expression) -> Expression:
    t = 2 * y - 1
    e = exp((-t) * z)
    return (-t) * e / (e + 1)


def _soft_margin_second(z: Expression, y: Expression) -> Expression:
    """soft_margin_loss_double_backward of torch/csrc/autograd/FunctionsManual.cpp."""
    t = 2 * y - 1
    e = exp(z * -t)
    return t * t * e / ((e + 1) * (e + 1))


_SIGMOID_MINUS_LABEL = plain(lambda z, y: SIGMOID(z) - y)


def _logits(
    name: str,
    build: Build,
    source: str,
    rules: tuple[str, ...] = ("torch", "tensorflow", "jax"),
    **own: tuple[Build, ...],
) -> Loss:
    named = {
        {"gradient": "gradient-prediction", "by_label": "gradient-label", "second": "second-derivative"}[name]: built
        for name, built in own.items()
    }
    return Loss(name=name, form="logits", build=build, source=source, rules=rules, own=named)


LOGITS: tuple[Loss, ...] = (
    _logits(
        "max(z, 0) - z*y + log1p(exp(-|z|))",
        plain(tensorflow_plain),
        sources.TF_LOGITS,
        rules=("torch", "tensorflow", "jax", "tensorflow, sums in the order of names", "tensorflow forwards"),
    ),
    _logits(
        "max(z, 0) - z*y + log1p(exp(-|z|)), cast to float32 before the weight",
        _cast_before_the_weight,
        sources.TF_LOG_LOSS,
        rules=("tensorflow",),
    ),
    _logits(
        "max(z, 0) - z*y + log(1 + exp(-|z|))",
        plain(lambda z, y: (maximum(z, 0) - z * y) + log(1 + exp(-absolute(z)))),
        sources.XLA_LOG1P,
    ),
    _logits(
        "max(z, 0) + log1p(exp(-|z|)) - z*y",
        plain(lambda z, y: (maximum(z, 0) + log1p(exp(-absolute(z)))) - z * y),
        sources.TEXTBOOK,
    ),
    _logits(
        "(1 - y)*z - log_sigmoid(z)",
        torch_logits,
        sources.TORCH_LOSS,
        gradient=tuple(map(_torch_logits_gradient, (SIGMOID, SIGMOID_BACK_BY_STEPS, SIGMOID_STABLE))),
        by_label=(_torch_logits_gradient_by_label,),
    ),
    _logits(
        "(1 - y)*z + (1 + (c - 1)*y)*(log1p(exp(-|z|)) + max(-z, 0))",
        _tensorflow_weighted,
        sources.TF_LOGITS,
        rules=("tensorflow", "tensorflow, sums in the order of names"),
    ),
    _logits(
        "(1 - y)*z + m + log(exp(-m) + exp(-z - m)), m = max(-z, 0)",
        _torch_transformed,
        sources.TORCH_FUNC,
        rules=("torch", "torch forwards"),
    ),
    _logits(
        "-y*log_sigmoid(z) - (1 - y)*log_sigmoid(-z)",
        plain(by_log_sigmoids(SOFTPLUS_STEPS)),
        sources.OPTAX,
    ),
    _logits(
        "-y*log_sigmoid(z) - (1 - y)*log_sigmoid(-z), log(1 + e)",
        plain(by_log_sigmoids(SOFTPLUS_LOG)),
        sources.XLA_LOG1P,
    ),
    _logits(
        "-(y*log_sigmoid(z) + (1 - y)*log_sigmoid(-z))",
        plain(_by_two_log_sigmoids(lambda y: 1 - y)),
        sources.TORCH_FUNCTIONAL,
    ),
    _logits(
        "-(y*log_sigmoid(z) + (1 - y)*log_sigmoid(-z)), 1 - y in the dtype of y",
        plain(_by_two_log_sigmoids(lambda y: cast("inputs", 1 - y))),
        sources.LOG_EXPIT,
        gradient=(_SIGMOID_MINUS_LABEL,),
    ),
    _logits(
        "softplus(z) - z*y",
        plain(lambda z, y: SOFTPLUS(z) - z * y),
        sources.SOFTPLUS,
        gradient=(_SIGMOID_MINUS_LABEL,),
    ),
    _logits("log1p(exp(z)) - z*y", plain(lambda z, y: SOFTPLUS_LOG1P(z) - z * y), sources.TEXTBOOK),
    _logits("log(1 + exp(z)) - z*y", plain(lambda z, y: SOFTPLUS_NAIVE(z) - z * y), sources.TEXTBOOK),
    _logits(
        "y*softplus(-z) + (1 - y)*softplus(z)",
        plain(_by_two_softplus(SOFTPLUS_BOUNDED)),
        sources.KERAS_OPENVINO,
    ),
    _logits(
        "y*softplus(-z) + (1 - y)*softplus(z), inputs not above the largest float32",
        plain(saturated(_by_two_softplus(SOFTPLUS_BOUNDED))),
        sources.KERAS_OPENVINO,
        rules=(),
    ),
    _logits(
        "y*softplus(-z) + (1 - y)*softplus(z), log1p(exp)",
        plain(_by_two_softplus(SOFTPLUS_LOG1P)),
        sources.TEXTBOOK,
    ),
    _logits("sigmoid, log and log(1 - s)", plain(_of_probability(LOGISTIC, textbook)), sources.TEXTBOOK),
    _logits("sigmoid, log and log1p(-s)", plain(_of_probability(LOGISTIC, textbook_log1p)), sources.TEXTBOOK),
    _logits("sigmoid, clip, log and log(1 - q)", plain(_of_probability(LOGISTIC, keras)), sources.KERAS_NUMPY),
    _logits(
        "sigmoid in the dtype of the inputs, clip, log and log(1 - q)",
        plain(_of_probability(SIGMOID_OF_INPUTS, keras)),
        sources.KERAS_NUMPY,
    ),
    _logits("sigmoid, clip, log and log(1 - q) in float32", plain(_keras_numpy), sources.KERAS_NUMPY, rules=()),
    _logits(
        "log1p(exp(-t*z)), t = 2*y - 1",
        plain(_soft_margin),
        sources.TORCH_LOSS,
        gradient=(plain(_soft_margin_gradient),),
        second=(plain(_soft_margin_second),),
    ),
)
