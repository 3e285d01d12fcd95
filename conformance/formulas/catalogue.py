"""Formulas that frameworks, libraries and people use for this loss and its derivatives, each with its source.

A `Loss` says how the value is computed from a prediction, a label and the options of a case; its derivatives follow by
a framework's rules (`derivative`), unless the framework has a formula of its own.  `candidates` lists, for a quantity,
every different formula.  What the sources say are facts about the frameworks' code; which one an implementation
evaluates is decided by its results (`conformance.diagnosis`), never by its name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache

from conformance.formulas.derivative import RULES, derivative
from conformance.formulas.expression import (
    Expression,
    Function,
    absolute,
    as_expression,
    clip,
    const,
    eq,
    exp,
    ge,
    log,
    log1p,
    maximum,
    var,
    where,
)
from conformance.formulas.library import (
    LOG_SIGMOID,
    LOGISTIC,
    LOGISTIC_STABLE,
    SIGMOID,
    SIGMOID_STABLE,
    SOFTPLUS,
    SOFTPLUS_LOG,
    SOFTPLUS_LOG1P,
    SOFTPLUS_NAIVE,
    SOFTPLUS_STEPS,
    log_sigmoid_by,
)


@dataclass(frozen=True, kw_only=True)
class Given:
    """What a formula is made from: a prediction, a label, and the options that a case sets.

    `weight` and `pos_weight` are inputs; the parameters are numbers, which a framework folds in float64.
    """

    prediction: Expression
    label: Expression
    weight: Expression | None = None
    pos_weight: Expression | None = None
    gamma: str | None = None
    alpha: str | None = None
    label_smoothing: str | None = None


Build = Callable[[Given], "Expression | None"]


@dataclass(frozen=True)
class Loss:
    """A formula for the loss; `build` returns None for options that it does not have.

    `rules` are the frameworks that differentiate it; `own` are formulas for derivatives that a framework wrote by hand,
    before the weight is applied.
    """

    name: str
    form: str
    build: Build
    source: str
    rules: tuple[str, ...] = ("torch", "tensorflow", "jax")
    own: Mapping[str, tuple[Build, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Candidate:
    """A formula for one quantity under one set of options."""

    name: str
    expression: Expression
    source: str


_z, _p, _y = var("z"), var("p"), var("y")
#: The epsilon of Keras, keras.config.epsilon().
_EPS = const("1e-7")
_ONE_LESS_EPS = const("1 - 1e-7")


def _plain(given: Given) -> bool:
    return given.pos_weight is None and given.gamma is None and given.alpha is None


def _label(given: Given) -> Expression:
    """The label, smoothed as Keras does: y*(1 - s) + 0.5*s, both factors folded."""
    if given.label_smoothing is None:
        return given.label
    s = given.label_smoothing
    return given.label * const(f"1.0 - {s}") + const(f"0.5 * {s}")


def _unweighted(build: Callable[[Expression, Expression], Expression]) -> Build:
    """A formula in prediction and label; a weight multiplies what it gives."""

    def built(given: Given) -> Expression | None:
        if not _plain(given):
            return None
        return _times_weight(build(given.prediction, _label(given)), given)

    return built


def _times_weight(x: Expression, given: Given) -> Expression:
    return x if given.weight is None else x * given.weight


# ---------------------------------------------------------------------------------------------------------- logits


def _tensorflow_logits(given: Given) -> Expression | None:
    if given.gamma is not None or given.alpha is not None:
        return None
    z, y = given.prediction, _label(given)
    if given.pos_weight is None:
        positive = ge(z, 0)
        loss = (where(positive, z, 0) - z * y) + log1p(exp(where(positive, -z, z)))
    else:
        factor = 1 + (given.pos_weight - 1) * y
        loss = (1 - y) * z + factor * (log1p(exp(-absolute(z))) + maximum(-z, 0))
    return _times_weight(loss, given)


def _torch_logits(log_sigmoid: Callable[[Expression], Expression]) -> Build:
    def built(given: Given) -> Expression | None:
        if given.gamma is not None or given.alpha is not None:
            return None
        z, y = given.prediction, _label(given)
        loss = (1 - y) * z
        if given.pos_weight is None:
            loss = loss - log_sigmoid(z)
        else:
            loss = loss - ((given.pos_weight - 1) * y + 1) * log_sigmoid(z)
        return _times_weight(loss, given)

    return built


def _torch_logits_gradient(sigmoid: Function) -> Build:
    def built(given: Given) -> Expression | None:
        if given.gamma is not None or given.alpha is not None:
            return None
        z, y = given.prediction, _label(given)
        if given.pos_weight is None:
            gradient = sigmoid(z) - y
        else:
            t = given.pos_weight * y
            gradient = ((t + 1) - y) * sigmoid(z) - t
        return _times_weight(gradient, given)

    return built


def _torch_gradient_of_difference(given: Given) -> Expression | None:
    """Both branches in one: (1 - y) - y*... is no formula of anybody, sigmoid(z) - y by the label's complement is."""
    if not _plain(given):
        return None
    z, y = given.prediction, _label(given)
    return _times_weight((1 - y) - SIGMOID_STABLE(-z), given)


def _by_log_sigmoids(softplus: Function) -> Callable[[Expression, Expression], Expression]:
    def built(z: Expression, y: Expression) -> Expression:
        return (-y) * log_sigmoid_by(softplus, z) - (1 - y) * log_sigmoid_by(softplus, -z)

    return built


def _textbook(p: Expression, y: Expression, other: Callable[[Expression], Expression]) -> Expression:
    return -(y * log(p) + (1 - y) * other(p))


def _log_of_rest(p: Expression) -> Expression:
    return log(1 - p)


def _log1p_of_rest(p: Expression) -> Expression:
    return log1p(-p)


def _keras(p: Expression, y: Expression) -> Expression:
    return _textbook(clip(p, _EPS, _ONE_LESS_EPS), y, _log_of_rest)


def _tf_keras(p: Expression, y: Expression) -> Expression:
    q = clip(p, _EPS, 1 - _EPS)
    return -(y * log(q + _EPS) + (1 - y) * log((1 - q) + _EPS))


def _torch_probabilities(p: Expression, y: Expression) -> Expression:
    return BCE(p, y)


def _bce_backward(g: Expression, args: tuple[Expression, ...], result: Expression) -> tuple[Expression | None, ...]:
    """grad*(p - y)/max((1 - p)*p, 1e-12), and grad*(log(1 - p) - log p) by the label."""
    p, y = args
    gradient = (p - y) / maximum((1 - p) * p, const("1e-12"))
    by_label = log(1 - p) - log(p)
    return (gradient if g is as_expression(1) else g * gradient, by_label if g is as_expression(1) else g * by_label)


BCE = Function(
    "bce",
    ("p", "y"),
    (_y - 1) * maximum(log1p(-_p), -100) - _y * maximum(log(_p), -100),
    _bce_backward,
)


def _xlogy(y: Expression, log_p: Expression) -> Expression:
    return where(eq(y, 0), 0, y * log_p)


def _two_class_softmax(z: Expression, y: Expression) -> Expression:
    top = maximum(z, 0)
    total = log(exp(-top) + exp(z - top))
    return -((1 - y) * (-top - total) + y * ((z - top) - total))


def _softmax_sum(z: Expression, y: Expression) -> Expression:
    """TensorFlow's kernel: sum of labels*(log(sum) - (logit - max))."""
    top = maximum(z, 0)
    total = log(exp(-top) + exp(z - top))
    return (1 - y) * (total - (-top)) + y * (total - (z - top))


def _soft_margin(z: Expression, y: Expression) -> Expression:
    return log1p(exp((-(2 * y - 1)) * z))


def _soft_margin_gradient(z: Expression, y: Expression) -> Expression:
    t = 2 * y - 1
    e = exp((-t) * z)
    return (-t) * e / (e + 1)


def _bernoulli_probabilities(given: Given) -> Expression | None:
    """PyTorch's Bernoulli: probabilities clamped by the dtype's epsilon, turned into logits, their cross-entropy."""
    if not _plain(given):
        return None
    p = clip(given.prediction, const("eps"), 1 - const("eps"))
    z = log(p) - log1p(-p)
    return _torch_logits(LOG_SIGMOID)(Given(prediction=z, label=_label(given), weight=given.weight))


# ----------------------------------------------------------------------------------------------------------- focal


def _focal(bce: Callable[[Expression, Expression], Expression], sigmoid: Function | None, whole: bool) -> Build:
    """factor*bce with factor = (1 - p_t)**gamma, p_t = y*p + (1 - y)*(1 - p); `whole`: bce of the prediction itself."""

    def built(given: Given) -> Expression | None:
        if given.pos_weight is not None:
            return None
        y = _label(given)
        p = given.prediction if sigmoid is None else sigmoid(given.prediction)
        p_t = y * p + (1 - y) * (1 - p)
        factor = (1 - p_t) ** const(given.gamma or "0.0")
        loss = factor * bce(given.prediction if whole else p, y)
        if given.alpha is not None:
            loss = (y * const(given.alpha) + (1 - y) * const(f"1 - {given.alpha}")) * loss
        return _times_weight(loss, given)

    return built


def _optax_focal(given: Given) -> Expression | None:
    """The focal factor as exp(gamma*log(1 - p_t)), by logsumexp of the two logarithms with the labels as factors."""
    if given.pos_weight is not None:
        return None
    z, y = given.prediction, _label(given)
    log_p, log_q = log_sigmoid_by(SOFTPLUS_STEPS, z), log_sigmoid_by(SOFTPLUS_STEPS, -z)
    loss = _by_log_sigmoids(SOFTPLUS_STEPS)(z, y)
    top = maximum(log_p, log_q)
    rest = log((1 - y) * exp(log_p - top) + y * exp(log_q - top)) + top
    loss = loss * exp(const(given.gamma or "0.0") * rest)
    if given.alpha is not None:
        loss = (const(given.alpha) * y + const(f"1 - {given.alpha}") * (1 - y)) * loss
    return _times_weight(loss, given)


TORCH = "https://github.com/pytorch/pytorch/blob/v2.13.0/aten/src/ATen/native/Loss.cpp"
TF = "https://github.com/tensorflow/tensorflow/blob/v2.21.0/tensorflow/python/ops/nn_impl.py"
KERAS = "https://github.com/keras-team/keras/blob/v3.15.1/keras/src/backend"
OPTAX = "https://github.com/google-deepmind/optax/blob/v0.2.8/optax/losses/_classification.py"

LOSSES: tuple[Loss, ...] = (
    Loss("max(z, 0) - z*y + log1p(exp(-|z|))", "logits", _tensorflow_logits, TF),
    Loss(
        "max(z, 0) - z*y + log(1 + exp(-|z|))",
        "logits",
        _unweighted(lambda z, y: (maximum(z, 0) - z * y) + log(1 + exp(-absolute(z)))),
        "XLA's expansion of log1p in 16 bits",
    ),
    Loss(
        "max(z, 0) + log1p(exp(-|z|)) - z*y",
        "logits",
        _unweighted(lambda z, y: (maximum(z, 0) + log1p(exp(-absolute(z)))) - z * y),
        "a graph optimizer's order of the sum",
    ),
    Loss(
        "(1 - y)*z - log_sigmoid(z)",
        "logits",
        _torch_logits(LOG_SIGMOID),
        TORCH,
        own={
            "gradient-prediction": (
                _torch_logits_gradient(SIGMOID),
                _torch_logits_gradient(SIGMOID_STABLE),
                _torch_logits_gradient(LOGISTIC),
                _torch_logits_gradient(LOGISTIC_STABLE),
                _torch_gradient_of_difference,
            ),
        },
    ),
    Loss("-y*log_sigmoid(z) - (1 - y)*log_sigmoid(-z)", "logits", _unweighted(_by_log_sigmoids(SOFTPLUS_STEPS)), OPTAX),
    Loss(
        "-y*log_sigmoid(z) - (1 - y)*log_sigmoid(-z), log(1 + e)",
        "logits",
        _unweighted(_by_log_sigmoids(SOFTPLUS_LOG)),
        "XLA's expansion of log1p in 16 bits",
    ),
    Loss(
        "-(y*log_sigmoid(z) + (1 - y)*log_sigmoid(-z))",
        "logits",
        _unweighted(lambda z, y: -(y * LOG_SIGMOID(z) + (1 - y) * LOG_SIGMOID(-z))),
        "https://github.com/pytorch/pytorch/blob/v2.13.0/torch/nn/functional.py",
    ),
    Loss(
        "softplus(z) - z*y",
        "logits",
        _unweighted(lambda z, y: SOFTPLUS(z) - z * y),
        "https://docs.scipy.org/doc/scipy/reference/generated/scipy.special.softplus.html",
        own={"gradient-prediction": (_unweighted(lambda z, y: SIGMOID(z) - y),)},
    ),
    Loss(
        "log1p(exp(z)) - z*y",
        "logits",
        _unweighted(lambda z, y: SOFTPLUS_LOG1P(z) - z * y),
        "the textbook formula, simplified",
    ),
    Loss(
        "log(1 + exp(z)) - z*y",
        "logits",
        _unweighted(lambda z, y: SOFTPLUS_NAIVE(z) - z * y),
        "the textbook formula, simplified",
    ),
    Loss(
        "y*softplus(-z) + (1 - y)*softplus(z)",
        "logits",
        _unweighted(lambda z, y: y * SOFTPLUS(-z) + (1 - y) * SOFTPLUS(z)),
        KERAS + "/openvino/nn.py",
    ),
    Loss(
        "y*softplus(-z) + (1 - y)*softplus(z), log1p(exp)",
        "logits",
        _unweighted(lambda z, y: y * SOFTPLUS_LOG1P(-z) + (1 - y) * SOFTPLUS_LOG1P(z)),
        KERAS + "/openvino/nn.py",
    ),
    Loss(
        "sigmoid, log and log(1 - s)",
        "logits",
        _unweighted(lambda z, y: _textbook(LOGISTIC(z), y, _log_of_rest)),
        "the textbook formula",
    ),
    Loss(
        "sigmoid, log and log1p(-s)",
        "logits",
        _unweighted(lambda z, y: _textbook(LOGISTIC(z), y, _log1p_of_rest)),
        "the textbook formula",
    ),
    Loss(
        "sigmoid, clip, log and log(1 - q)",
        "logits",
        _unweighted(lambda z, y: _keras(LOGISTIC(z), y)),
        KERAS + "/numpy/nn.py",
    ),
    Loss(
        "softmax of (0, z): log_softmax times labels",
        "logits",
        _unweighted(_two_class_softmax),
        OPTAX,
    ),
    Loss(
        "softmax of (0, z): labels times (log(sum) - (logit - max))",
        "logits",
        _unweighted(_softmax_sum),
        "https://github.com/tensorflow/tensorflow/blob/v2.21.0/tensorflow/core/kernels/xent_op.h",
    ),
    Loss(
        "log1p(exp(-t*z)), t = 2*y - 1",
        "logits",
        _unweighted(_soft_margin),
        TORCH,
        own={"gradient-prediction": (_unweighted(_soft_margin_gradient),)},
    ),
    Loss("focal: pow(1 - p_t, gamma) * clipped", "logits", _focal(_keras, LOGISTIC, whole=False), "keras losses.py"),
    Loss(
        "focal: pow(1 - p_t, gamma) * torch's bce of clipped",
        "logits",
        _focal(lambda p, y: BCE(clip(p, _EPS, _ONE_LESS_EPS), y), SIGMOID, whole=False),
        "keras losses.py",
    ),
    Loss(
        "focal: pow(1 - p_t, gamma) * max(z, 0) - z*y + log1p(exp(-|z|))",
        "logits",
        _focal(lambda z, y: _tensorflow_logits(Given(prediction=z, label=y)) or z, LOGISTIC, whole=True),
        "tf_keras backend.py",
    ),
    Loss("focal: exp(gamma*log(1 - p_t))", "logits", _optax_focal, OPTAX),
    Loss(
        "log and log(1 - p)", "probabilities", _unweighted(lambda p, y: _textbook(p, y, _log_of_rest)), "the textbook"
    ),
    Loss(
        "log and log1p(-p)", "probabilities", _unweighted(lambda p, y: _textbook(p, y, _log1p_of_rest)), "the textbook"
    ),
    Loss("clip by 1e-7, log and log(1 - q)", "probabilities", _unweighted(_keras), KERAS + "/tensorflow/nn.py"),
    Loss(
        "clip by 1e-7, log(q + 1e-7) and log(1 - q + 1e-7)",
        "probabilities",
        _unweighted(_tf_keras),
        "https://github.com/keras-team/tf-keras/blob/v2.21.0/tf_keras/backend.py",
    ),
    Loss(
        "log(p + 1e-7) and log(1 - p + 1e-7)",
        "probabilities",
        _unweighted(lambda p, y: (-y * log(p + _EPS)) - (1 - y) * log((1 - p) + _EPS)),
        "https://github.com/tensorflow/tensorflow/blob/v2.21.0/tensorflow/python/ops/losses/losses_impl.py",
    ),
    Loss(
        "logarithms not below -100",
        "probabilities",
        _unweighted(_torch_probabilities),
        TORCH,
    ),
    Loss(
        "clip by 1e-7, logarithms not below -100",
        "probabilities",
        _unweighted(lambda p, y: BCE(clip(p, _EPS, _ONE_LESS_EPS), y)),
        KERAS + "/torch/nn.py",
    ),
    Loss(
        "xlogy(y, p) and xlog1py(1 - y, -p)",
        "probabilities",
        _unweighted(lambda p, y: -(_xlogy(y, log(p)) + _xlogy(1 - y, log1p(-p)))),
        "https://docs.scipy.org/doc/scipy/reference/generated/scipy.special.xlogy.html",
    ),
    Loss(
        "xlogy(y, p) and xlogy(1 - y, 1 - p)",
        "probabilities",
        _unweighted(lambda p, y: -(_xlogy(y, log(p)) + _xlogy(1 - y, log(1 - p)))),
        "https://docs.scipy.org/doc/scipy/reference/generated/scipy.special.xlogy.html",
    ),
    Loss("logits of the clamped probabilities", "probabilities", _bernoulli_probabilities, "torch Bernoulli"),
    Loss(
        "-log(p*y + (1 - p)*(1 - y))",
        "probabilities",
        _unweighted(lambda p, y: -log(p * y + (1 - p) * (1 - y))),
        "JAX's documentation of automatic differentiation",
    ),
    Loss("focal: pow(1 - p_t, gamma) * clipped", "probabilities", _focal(_keras, None, whole=False), "keras losses.py"),
    Loss(
        "focal: pow(1 - p_t, gamma) * torch's bce of clipped",
        "probabilities",
        _focal(lambda p, y: BCE(clip(p, _EPS, _ONE_LESS_EPS), y), None, whole=False),
        "keras losses.py",
    ),
    Loss(
        "focal: pow(1 - p_t, gamma) * tf_keras' clipped twice",
        "probabilities",
        _focal(_tf_keras, None, whole=False),
        "tf_keras backend.py",
    ),
)

#: The input that a quantity is the derivative by.
BY = {
    "gradient-prediction": "prediction",
    "gradient-label": "label",
    "gradient-weight": "weight",
    "gradient-pos_weight": "pos_weight",
}


@dataclass(frozen=True, kw_only=True)
class Options:
    """Which options a set of points has: inputs by name, parameters by value."""

    weight: bool = False
    pos_weight: bool = False
    gamma: str | None = None
    alpha: str | None = None
    label_smoothing: str | None = None

    def given(self, form: str) -> Given:
        """The inputs as a formula sees them."""
        return Given(
            prediction=var("z" if form == "logits" else "p"),
            label=var("y"),
            weight=var("w") if self.weight else None,
            pos_weight=var("c") if self.pos_weight else None,
            gamma=self.gamma,
            alpha=self.alpha,
            label_smoothing=self.label_smoothing,
        )


@cache
def candidates(form: str, quantity: str, options: Options) -> tuple[Candidate, ...]:
    """Every formula for `quantity`, the plainest first; under some options two of them may be one expression."""
    given = options.given(form)
    return tuple(one for loss in LOSSES if loss.form == form for one in _of_loss(loss, quantity, given))


def _of_loss(loss: Loss, quantity: str, given: Given) -> Iterator[Candidate]:
    value = loss.build(given)
    if value is None:
        return
    if quantity == "value":
        yield Candidate(loss.name, value, loss.source)
        return
    first = "gradient-prediction" if quantity == "second-derivative" else quantity
    for rules in loss.rules:
        gradient = _derivative(value, first, given, rules)
        if gradient is None:
            return
        if quantity == "second-derivative":
            gradient = _derivative(gradient, first, given, rules)
        if gradient is not None:
            yield Candidate(f"{_NAMES[quantity]} {loss.name}, by {rules}", gradient, loss.source)
    for number, build in enumerate(loss.own.get(first, ()), 1):
        gradient = build(given)
        if gradient is None:
            continue
        if quantity == first:
            yield Candidate(f"{_NAMES[quantity]} {loss.name}, by its own formula {number}", gradient, loss.source)
            continue
        for rules in loss.rules:
            second = _derivative(gradient, first, given, rules)
            if second is not None:
                yield Candidate(
                    f"{_NAMES[quantity]} {loss.name}, by its own gradient {number} and {rules}", second, loss.source
                )


def _derivative(x: Expression, quantity: str, given: Given, rules: str) -> Expression | None:
    by = getattr(given, BY[quantity])
    return None if by is None else derivative(x, str(by.name), RULES[rules])


_NAMES = {
    "gradient-prediction": "dL/dx of",
    "gradient-label": "dL/dy of",
    "gradient-weight": "dL/dw of",
    "gradient-pos_weight": "dL/dc of",
    "second-derivative": "d2L/dx2 of",
}
