"""Formulas for the loss of a probability p and a label y."""

from __future__ import annotations

from collections.abc import Callable

from conformance.formulas.catalogue import sources
from conformance.formulas.catalogue.loss import Build, Loss, Plain, plain
from conformance.formulas.expression import (
    Expression,
    cast,
    clip,
    const,
    log,
    log1p,
    maximum,
    minimum,
)
from conformance.formulas.library import BCE, BCE_WITH_LOGITS, ENTROPY, RELATIVE_ENTROPY, XLOG1PY, XLOGY

#: The epsilon of Keras, keras.config.epsilon(), and one less it as Python computes it.
EPSILON, ONE_LESS_EPSILON = const("1e-7"), const("1 - 1e-7")
LARGEST_FLOAT32 = const("3.4028234663852886e38")


def _by_logarithms(of_rest: Callable[[Expression], Expression]) -> Plain:
    def built(p: Expression, y: Expression) -> Expression:
        return -(y * log(p) + (1 - y) * of_rest(p))

    return built


textbook = _by_logarithms(lambda p: log(1 - p))
textbook_log1p = _by_logarithms(lambda p: log1p(-p))


def _textbook_gradient(p: Expression, y: Expression) -> Expression:
    return (p - y) / (p * (1 - p))


def keras(p: Expression, y: Expression) -> Expression:
    """Clipped to [1e-7, 1 - 1e-7] first."""
    return textbook(clip(p, EPSILON, ONE_LESS_EPSILON), y)


def tf_keras(p: Expression, y: Expression) -> Expression:
    """Clipped, and the epsilon added once more in both logarithms."""
    q = clip(p, EPSILON, 1 - EPSILON)
    return -(y * log(q + EPSILON) + (1 - y) * log((1 - q) + EPSILON))


def tf_keras_folded(p: Expression, y: Expression) -> Expression:
    """The same by TensorFlow's constant folding, which moves both constants together: (1 + 1e-7) - q."""
    q = clip(p, EPSILON, 1 - EPSILON)
    return -(y * log(q + EPSILON) + (1 - y) * log((1 + EPSILON) - q))


def keras_torch(p: Expression, y: Expression) -> Expression:
    """PyTorch's kernel of the probability, clipped by bounds that are made numbers of its dtype."""
    return BCE(clip(p, cast("step", EPSILON), cast("step", ONE_LESS_EPSILON)), y)


def sklearn(p: Expression, y: Expression) -> Expression:
    """Clipped by the epsilon of the dtype."""
    eps = const("eps")
    q = clip(p, eps, 1 - eps)
    return -(XLOGY(y, q) + XLOGY(1 - y, 1 - q))


def saturated(formula: Plain) -> Plain:
    """The inputs not beyond the largest number of float32, as OpenVINO's Convert leaves them."""

    def built(x: Expression, y: Expression) -> Expression:
        return formula(*(maximum(minimum(one, LARGEST_FLOAT32), -LARGEST_FLOAT32) for one in (x, y)))

    return built


def _log_loss(p: Expression, y: Expression) -> Expression:
    return (-y * log(p + EPSILON)) - (1 - y) * log((1 - p) + EPSILON)


def _log_loss_folded(p: Expression, y: Expression) -> Expression:
    return (-y * log(p + EPSILON)) - (1 - y) * log((1 + EPSILON) - p)


def _rest(x: Expression) -> Expression:
    """1 - x in the dtype of the inputs, before a function of a wider one."""
    return cast("inputs", 1 - x)


def _by_entropies(p: Expression, y: Expression) -> Expression:
    entropy = ENTROPY(y) + ENTROPY(_rest(y))
    return (entropy + RELATIVE_ENTROPY(y, p)) + RELATIVE_ENTROPY(_rest(y), _rest(p))


def _bernoulli(p: Expression, y: Expression) -> Expression:
    """PyTorch's Bernoulli: probabilities clamped by the dtype's epsilon, turned into logits, their cross-entropy."""
    q = clip(p, const("eps"), 1 - const("eps"))
    return BCE_WITH_LOGITS(log(q) - log1p(-q), y)


def _probabilities(
    name: str,
    formula: Plain,
    source: str,
    rules: tuple[str, ...] = ("torch", "tensorflow", "jax"),
    gradient: tuple[Build, ...] = (),
) -> Loss:
    own = {"gradient-prediction": gradient} if gradient else {}
    return Loss(name=name, form="probabilities", build=plain(formula), source=source, rules=rules, own=own)


PROBABILITIES: tuple[Loss, ...] = (
    _probabilities("log and log(1 - p)", textbook, sources.TEXTBOOK, gradient=(plain(_textbook_gradient),)),
    _probabilities("log and log1p(-p)", textbook_log1p, sources.TEXTBOOK),
    _probabilities("clip by 1e-7, log and log(1 - q)", keras, sources.KERAS_TF),
    _probabilities(
        "clip by 1e-7, log and log(1 - q), inputs not above the largest float32",
        saturated(keras),
        sources.KERAS_OPENVINO,
        rules=(),
    ),
    _probabilities("clip by 1e-7, log(q + 1e-7) and log(1 - q + 1e-7)", tf_keras, sources.TF_KERAS),
    _probabilities(
        "clip by 1e-7, log(q + 1e-7) and log((1 + 1e-7) - q)",
        tf_keras_folded,
        sources.TF_FOLDING,
        rules=("tensorflow",),
    ),
    _probabilities("log(p + 1e-7) and log(1 - p + 1e-7)", _log_loss, sources.TF_LOG_LOSS),
    _probabilities(
        "log(p + 1e-7) and log((1 + 1e-7) - p)", _log_loss_folded, sources.TF_FOLDING, rules=("tensorflow",)
    ),
    _probabilities("logarithms not below -100", BCE, sources.TORCH_LOSS),
    _probabilities("clip by 1e-7, logarithms not below -100", keras_torch, sources.KERAS_TORCH),
    _probabilities("clip by eps, xlogy(y, q) and xlogy(1 - y, 1 - q)", sklearn, sources.SKLEARN, rules=()),
    _probabilities(
        "xlogy(y, p) and xlog1py(1 - y, -p)",
        lambda p, y: -(XLOGY(y, p) + XLOG1PY(_rest(y), -p)),
        sources.XLOGY,
        rules=(),
    ),
    _probabilities(
        "xlogy(y, p) and xlogy(1 - y, 1 - p)",
        lambda p, y: -(XLOGY(y, p) + XLOGY(1 - y, 1 - p)),
        sources.XLOGY,
        rules=(),
    ),
    _probabilities("entropy of y plus its divergence from p", _by_entropies, sources.REL_ENTR, rules=()),
    _probabilities("logits of the clamped probabilities", _bernoulli, sources.TORCH_BERNOULLI),
    _probabilities("-log(p*y + (1 - p)*(1 - y))", lambda p, y: -log(p * y + (1 - p) * (1 - y)), sources.JAX_AUTODIFF),
)
