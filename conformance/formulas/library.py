"""Functions that formulas are made of, as frameworks compute them, with the backward formulas that they have.

Each is one kernel unless it says otherwise: a framework rounds what it returns, and may compute in a wider format
inside.  A backward kernel is a function too, so that a second derivative goes by the formula that its framework has.
"""

from __future__ import annotations

from conformance.formulas.derivative import negated, over, times
from conformance.formulas.expression import (
    Expression,
    Function,
    absolute,
    as_expression,
    cast,
    const,
    eq,
    exp,
    ge,
    gt,
    log,
    log1p,
    lt,
    maximum,
    minimum,
    var,
    where,
)

Args = tuple[Expression, ...]
Cotangents = tuple["Expression | None", ...]

_g, _x, _s, _p, _y, _z = map(var, ("g", "x", "s", "p", "y", "z"))
_e = exp(-absolute(_x))


# --------------------------------------------------------------------------------------------------------- sigmoid


def _sigmoid_backward_kernel(single: bool) -> Function:
    """PyTorch's sigmoid_backward, g*(1 - s)*s."""

    def double_backward(u: Expression, args: Args, result: Expression) -> Cotangents:
        """By g: sigmoid_backward(u, s); by s: u*g*(-2*s + 1), from left to right: derivatives.yaml."""
        g, s = args
        return kernel(u, s), times(times(u, g), -2 * s + 1)

    kernel = Function("sigmoid_backward", ("g", "s"), _g * (1 - _s) * _s, double_backward, single=single)
    return kernel


#: In float32 inside for bfloat16, step by step for float16: measured in PyTorch 2.13.
SIGMOID_BACKWARD, _SIGMOID_BACKWARD_STEPS = map(_sigmoid_backward_kernel, (True, False))


def _sigmoid_backward(g: Expression, args: Args, s: Expression) -> Cotangents:
    return (SIGMOID_BACKWARD(g, s),)


def _sigmoid_backward_steps(g: Expression, args: Args, s: Expression) -> Cotangents:
    return (_SIGMOID_BACKWARD_STEPS(g, s),)


def _logistic_backward(g: Expression, args: Args, s: Expression) -> Cotangents:
    """g*(s*(1 - s)): JAX's logistic."""
    return (times(g, s * (1 - s)),)


def _sigmoid_grad_grad(u: Expression, args: Args, result: Expression) -> Cotangents:
    """By s: u*g - 2*(u*g)*s, by g: sigmoid_grad(s, u): TensorFlow's _SigmoidGradGrad."""
    s, g = args
    product = times(u, g)
    return product - (2 * product) * s, SIGMOID_GRAD(s, u)


#: TensorFlow's SigmoidGrad: g*(s*(1 - s)).
SIGMOID_GRAD = Function("sigmoid_grad", ("s", "g"), _g * (_s * (1 - _s)), _sigmoid_grad_grad)


def _tensorflow_sigmoid_backward(g: Expression, args: Args, s: Expression) -> Cotangents:
    return (SIGMOID_GRAD(s, g),)


_naive = 1 / (1 + exp(-_x))
_stable = where(ge(_x, 0), 1 / (1 + _e), _e / (1 + _e))
#: 1/(1 + exp(-x)), with the backward formulas of PyTorch, JAX and TensorFlow.
SIGMOID = Function("sigmoid", ("x",), _naive, _sigmoid_backward)
SIGMOID_BACK_BY_STEPS = Function("sigmoid", ("x",), _naive, _sigmoid_backward_steps)
LOGISTIC = Function("sigmoid", ("x",), _naive, _logistic_backward)
LOGISTIC_TF = Function("sigmoid", ("x",), _naive, _tensorflow_sigmoid_backward)
#: The same where exp does not overflow.
SIGMOID_STABLE = Function("sigmoid", ("x",), _stable, _sigmoid_backward)
#: 1/(1 + exp(-x)) with each step in the dtype of the inputs, whatever follows.
SIGMOID_OF_INPUTS = Function(
    "sigmoid", ("x",), cast("inputs", 1 / cast("inputs", 1 + cast("inputs", exp(-_x)))), single=False
)


# ------------------------------------------------------------------------------------------ log_sigmoid and softplus


def _log_sigmoid_double_backward(u: Expression, args: Args, result: Expression) -> Cotangents:
    """By g: log_sigmoid_backward(u, x); by x: u*g*(s - 1)*s with s = sigmoid(x), log_sigmoid_double_backward."""
    g, x = args
    s = SIGMOID(x)
    return LOG_SIGMOID_BACKWARD(u, x), times(times(times(u, g), s - 1), s)


_ratio = over(_e, 1 + _e)
#: PyTorch's log_sigmoid_backward, with the e = exp(-|x|) that the forward pass kept.
LOG_SIGMOID_BACKWARD = Function(
    "log_sigmoid_backward", ("g", "x"), _g * where(lt(_x, 0), 1 - _ratio, _ratio), _log_sigmoid_double_backward
)


def _log_sigmoid_backward(g: Expression, args: Args, result: Expression) -> Cotangents:
    return (LOG_SIGMOID_BACKWARD(g, *args),)


def _finite(x: Expression) -> Expression:
    return where(eq(x, const("inf")), 0, x)


def _logaddexp_backward(g: Expression, args: Args, result: Expression) -> Cotangents:
    """g*exp(x - logaddexp(x, 0)) with 0 for infinity in both: jax/_src/lax/other.py, _logaddexp_jvp."""
    (x,) = args
    return (times(g, exp(_finite(x) - _finite(result))),)


def _softplus_grad(g: Expression, args: Args, result: Expression) -> Cotangents:
    """TensorFlow's SoftplusGrad, g/(exp(-x) + 1)."""
    (x,) = args
    return (over(g, exp(negated(x)) + 1),)


#: min(x, 0) - log1p(exp(-|x|)).
LOG_SIGMOID = Function("log_sigmoid", ("x",), minimum(_x, 0) - log1p(_e), _log_sigmoid_backward)
#: max(x, 0) + log1p(exp(-|x|)), as JAX computes logaddexp(x, 0): several operations.
SOFTPLUS_STEPS = Function("softplus", ("x",), maximum(_x, 0) + log1p(_e), _logaddexp_backward, single=False)
SOFTPLUS = Function("softplus", ("x",), maximum(_x, 0) + log1p(_e), _softplus_grad)
#: The same with log(1 + e) in place of log1p(e).
SOFTPLUS_LOG = Function("softplus", ("x",), maximum(_x, 0) + log(1 + _e), _logaddexp_backward, single=False)
#: log(1 + exp(x)), which overflows, and the same where it does not.
SOFTPLUS_NAIVE = Function("softplus", ("x",), log(1 + exp(_x)), _softplus_grad)
SOFTPLUS_LOG1P = Function("softplus", ("x",), log1p(exp(_x)), _softplus_grad)
SOFTPLUS_BOUNDED = Function("softplus", ("x",), where(gt(_x, 88), _x, log(1 + exp(_x))), _softplus_grad)


def log_sigmoid_by(softplus: Function, x: Expression) -> Expression:
    """-softplus(-x)."""
    return -softplus(-as_expression(x))


# ----------------------------------------------------------------------------------------------- small building blocks


def _relu_grad(g: Expression, args: Args, result: Expression) -> Cotangents:
    """g where the result is above 0: TensorFlow's ReluGrad and PyTorch's threshold_backward."""
    return (where(gt(result, 0), g, 0),)


RELU = Function("relu", ("x",), maximum(_x, 0), _relu_grad, single=False)


def _nothing(g: Expression, args: Args, result: Expression) -> Cotangents:
    return (None,)


#: x, of which no derivative is taken.
STOP_GRADIENT = Function("stop_gradient", ("x",), _x, _nothing, single=False)


# ------------------------------------------------------------------------------------------------------------ SciPy


def _unless_nan(x: Expression, result: Expression) -> Expression:
    return where(eq(x, x), result, x)


def _relative_entropy() -> Expression:
    """x*log(x/y) by log1p where x and y are near, by two logarithms where the quotient is no normal number."""
    quotient = _x / _y
    near, far = _x * log1p((_x - _y) / _y), _x * (log(_x) - log(_y))
    normal = where(gt(quotient, const("2.2250738585072014e-308")), where(lt(quotient, _infinity), 1, 0), 0)
    by_quotient = where(gt(normal, 0), _x * log(quotient), far)
    positive = where(gt(quotient, const("0.5")), where(lt(quotient, 2), near, by_quotient), by_quotient)
    of_zero = where(eq(_x, 0), where(ge(_y, 0), 0, _infinity), _infinity)
    result = where(gt(_x, 0), where(gt(_y, 0), positive, _infinity), of_zero)
    return _unless_nan(_x, _unless_nan(_y, result))


_infinity = const("inf")
#: Loops of float32 compute in float64: scipy/special/_convex_analysis.pxd, scipy/special/_xlogy.pxd.
XLOGY = Function("xlogy", ("y", "x"), where(eq(_y, 0), _unless_nan(_x, as_expression(0)), _y * log(_x)))
XLOG1PY = Function("xlog1py", ("y", "x"), where(eq(_y, 0), _unless_nan(_x, as_expression(0)), _y * log1p(_x)))
ENTROPY = Function("entr", ("x",), _unless_nan(_x, where(gt(_x, 0), -_x * log(_x), where(eq(_x, 0), 0, const("-inf")))))
RELATIVE_ENTROPY = Function("rel_entr", ("x", "y"), _relative_entropy())

# ------------------------------------------------------------------------------------- PyTorch's binary cross-entropy

#: A float32 that is made a number of the tensor's dtype: aten/src/ATen/native/Loss.cpp.
_KERNEL_EPSILON = cast("step", cast("float32", const("1e-12")))


def _bce_double_backward(u: Expression, args: Args, result: Expression) -> Cotangents:
    """binary_cross_entropy_double_backward of torch/csrc/autograd/FunctionsManual.cpp, with its own epsilon."""
    g, p, y = args
    low, high = p + const("1e-12"), 1 - p + const("1e-12")
    by_p = (p * p - 2 * p * y + y) / ((low * low) * (high * high))
    return times(u, (p - y) / (low * high)), times(times(u, g), by_p), None


#: g*(p - y)/max((1 - p)*p, 1e-12).
BCE_BACKWARD = Function(
    "bce_backward",
    ("g", "p", "y"),
    _g * (_p - _y) / maximum((1 - _p) * _p, _KERNEL_EPSILON),
    _bce_double_backward,
    single=False,
)


def _bce_backward(g: Expression, args: Args, result: Expression) -> Cotangents:
    """By the label g*(log(1 - p) - log p): binary_cross_entropy_target_backward."""
    p, y = args
    return BCE_BACKWARD(g, p, y), times(g, log(1 - p) - log(p))


#: Logarithms not below -100.  Its kernels round each step to the dtype, in 16 bits too.
BCE = Function(
    "bce",
    ("p", "y"),
    (_y - 1) * maximum(log1p(-_p), -100) - _y * maximum(log(_p), -100),
    _bce_backward,
    single=False,
)


def _bce_with_logits_backward(g: Expression, args: Args, result: Expression) -> Cotangents:
    """g*(sigmoid(z) - y) and g*(-z)."""
    z, y = args
    return times(g, SIGMOID(z) - y), times(g, negated(z))


#: binary_cross_entropy_with_logits: several operations with a backward formula of their own.
BCE_WITH_LOGITS = Function(
    "bce_with_logits", ("z", "y"), (1 - _y) * _z - LOG_SIGMOID(_z), _bce_with_logits_backward, single=False
)
