"""The loss as the cross-entropy of two classes, with the logits 0 and z and the labels 1 - y and y."""

from __future__ import annotations

from dataclasses import replace

from conformance.formulas.catalogue import sources
from conformance.formulas.catalogue.loss import Build, Given, Loss, plain
from conformance.formulas.expression import Expression, Function, eq, exp, log, maximum, var, where
from conformance.formulas.library import STOP_GRADIENT

_z = var("z")
_top = maximum(_z, 0)
_total = exp(-_top) + exp(_z - _top)
#: log_softmax of both classes, one kernel: PyTorch's subtracts twice, aten/src/ATen/native/cpu/SoftMaxKernel.cpp.
_LOG_Q = Function("log_softmax_0", ("z",), (0 - _top) - log(_total))
_LOG_P = Function("log_softmax_1", ("z",), (_z - _top) - log(_total))
_a, _b, _o = var("a"), var("b"), var("o")
#: Of the cotangents a and b of both classes, the gradient by the logit of the second: b - exp(o)*(a + b).
_LOG_SOFTMAX_BACKWARD = Function("log_softmax_backward", ("a", "b", "o"), _b - exp(_o) * (_a + _b))
#: Softmax of the second class: TensorFlow's divides in XentOp, and multiplies with the inverse in Softmax
#: (tensorflow/core/kernels/softmax_op_functor.h).
_SOFTMAX_DIVIDED = Function("softmax", ("z",), exp(_z - _top) / _total)
_SOFTMAX = Function("softmax", ("z",), exp(_z - _top) * (1 / _total))


def _jax(z: Expression, y: Expression) -> Expression:
    """jax.nn.log_softmax, step by step, and the sum of its products with the labels."""
    top = STOP_GRADIENT(maximum(z, 0))
    low, high = 0 - top, z - top
    total = log(exp(low) + exp(high))
    return -((1 - y) * (low - total) + y * (high - total))


def _torch_labels(given: Given) -> Expression | None:
    """The label smoothed as PyTorch does: y*(1 - s) + s/2."""
    return None if given.pos_weight is not None or given.focal else given.smoothed


def _torch(given: Given) -> Expression | None:
    y = _torch_labels(given)
    if y is None:
        return None
    z = given.prediction
    return given.weighted(-(_LOG_Q(z) * (1 - y) + _LOG_P(z) * y))


def _torch_gradient(given: Given) -> Expression | None:
    y = _torch_labels(given)
    if y is None:
        return None
    return given.weighted(_LOG_SOFTMAX_BACKWARD(-(1 - y), -y, _LOG_P(given.prediction)))


def _torch_second(given: Given) -> Expression | None:
    """The cotangent of log_softmax is -(a + b)*exp(o), and goes through its backward kernel."""
    y = _torch_labels(given)
    if y is None:
        return None
    o = _LOG_P(given.prediction)
    cotangent = -(-(1 - y) + -y) * exp(o)
    return given.weighted(_LOG_SOFTMAX_BACKWARD(0, cotangent, o))


def _of_index(build: Build) -> Build:
    """The class is an index: a label of 1 or 0, and no loss where the weight is 0."""

    def built(given: Given) -> Expression | None:
        if given.pos_weight is not None or given.focal or given.label_smoothing is not None:
            return None
        loss = build(given)
        if loss is None:
            return None
        kept = loss if given.weight is None else where(eq(given.weight, 0), 0, loss)
        return replace(given, weight=None).weighted(kept)

    return built


def _index_value(given: Given) -> Expression | None:
    z = given.prediction
    return where(eq(given.label, 1), -_LOG_P(z), -_LOG_Q(z))


def _index_gradient(given: Given) -> Expression | None:
    y = given.label
    return _LOG_SOFTMAX_BACKWARD(-(1 - y), -y, _LOG_P(given.prediction))


def _index_second(given: Given) -> Expression | None:
    o = _LOG_P(given.prediction)
    return _LOG_SOFTMAX_BACKWARD(0, exp(o), o)


def _tensorflow(z: Expression, y: Expression) -> Expression:
    """The kernel's sum of labels*(log(sum) - (logit - max))."""
    top = maximum(z, 0)
    total = log(exp(-top) + exp(z - top))
    return (1 - y) * (total - (-top)) + y * (total - (z - top))


def _tensorflow_second(z: Expression, y: Expression) -> Expression:
    """(g - g*softmax)*softmax: _SoftmaxCrossEntropyWithLogitsGrad."""
    s = _SOFTMAX(z)
    return (1 - s) * s


def _softmax(
    name: str,
    build: Build,
    source: str,
    rules: tuple[str, ...],
    gradient: tuple[Build, ...] = (),
    second: tuple[Build, ...] = (),
) -> Loss:
    own = {"gradient-prediction": gradient, "second-derivative": second} if gradient else {}
    return Loss(name=name, form="logits", build=build, source=source, rules=rules, own=own)


SOFTMAX: tuple[Loss, ...] = (
    _softmax("softmax of (0, z): log_softmax times labels", plain(_jax), sources.OPTAX, ("torch", "tensorflow", "jax")),
    _softmax(
        "softmax of (0, z): log_softmax, one kernel, times labels",
        _torch,
        sources.TORCH_SOFTMAX,
        ("torch",),
        (_torch_gradient,),
        (_torch_second,),
    ),
    _softmax(
        "softmax of (0, z): log_softmax of the class",
        _of_index(_index_value),
        sources.TORCH_SOFTMAX,
        (),
        (_of_index(_index_gradient),),
        (_of_index(_index_second),),
    ),
    _softmax(
        "softmax of (0, z): labels times (log(sum) - (logit - max))",
        plain(_tensorflow),
        sources.TF_SOFTMAX,
        ("tensorflow",),
        (plain(lambda z, y: _SOFTMAX_DIVIDED(z) - y),),
        (plain(_tensorflow_second),),
    ),
)
