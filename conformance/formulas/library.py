"""Functions that formulas are made of, as frameworks compute them, with the backward formulas that they have.

Each is one kernel: a framework rounds what it returns, and may compute in a wider format inside.
"""

from __future__ import annotations

from conformance.formulas.derivative import negated, over, times
from conformance.formulas.expression import (
    Expression,
    Function,
    absolute,
    as_expression,
    exp,
    ge,
    log,
    log1p,
    lt,
    maximum,
    minimum,
    var,
    where,
)

_x = var("x")
_e = exp(-absolute(_x))


def _sigmoid_backward(g: Expression, args: tuple[Expression, ...], s: Expression) -> tuple[Expression | None, ...]:
    """g*(1 - s)*s, from left to right: PyTorch's sigmoid_backward."""
    return (times(g, 1 - s) * s,)


def _logistic_backward(g: Expression, args: tuple[Expression, ...], s: Expression) -> tuple[Expression | None, ...]:
    """g*(s*(1 - s)): JAX's logistic and TensorFlow's SigmoidGrad."""
    return (times(g, s * (1 - s)),)


def _log_sigmoid_backward(
    g: Expression, args: tuple[Expression, ...], result: Expression
) -> tuple[Expression | None, ...]:
    """PyTorch's log_sigmoid_backward, with the e = exp(-|x|) that the forward pass kept."""
    (x,) = args
    e = exp(-absolute(x))
    ratio = over(e, 1 + e)
    return (times(g, where(lt(x, 0), 1 - ratio, ratio)),)


def _softplus_backward(
    g: Expression, args: tuple[Expression, ...], result: Expression
) -> tuple[Expression | None, ...]:
    """g*exp(x - softplus(x)): the derivative that JAX gives logaddexp(x, 0)."""
    (x,) = args
    return (times(g, exp(x - result)),)


def _softplus_backward_sigmoid(
    g: Expression, args: tuple[Expression, ...], result: Expression
) -> tuple[Expression | None, ...]:
    """g*sigmoid(x): TensorFlow's SoftplusGrad, g/(exp(-x) + 1)."""
    (x,) = args
    return (over(g, exp(negated(x)) + 1),)


def _sigmoid(name: str, body: Expression) -> tuple[Function, Function]:
    return Function(name, ("x",), body, _sigmoid_backward), Function(name, ("x",), body, _logistic_backward)


#: 1/(1 + exp(-x)), with PyTorch's backward formula and with the others'.
SIGMOID, LOGISTIC = _sigmoid("sigmoid", 1 / (1 + exp(-_x)))
#: The same where exp does not overflow.
SIGMOID_STABLE, LOGISTIC_STABLE = _sigmoid("sigmoid", where(ge(_x, 0), 1 / (1 + _e), _e / (1 + _e)))

#: min(x, 0) - log1p(exp(-|x|)).
LOG_SIGMOID = Function("log_sigmoid", ("x",), minimum(_x, 0) - log1p(_e), _log_sigmoid_backward)
#: max(x, 0) + log1p(exp(-|x|)), as JAX and NumPy compute logaddexp(x, 0): several operations in JAX.
SOFTPLUS_STEPS = Function("softplus", ("x",), maximum(_x, 0) + log1p(_e), _softplus_backward, single=False)
SOFTPLUS = Function("softplus", ("x",), maximum(_x, 0) + log1p(_e), _softplus_backward_sigmoid)
#: The same with log(1 + e) in place of log1p(e).
SOFTPLUS_LOG = Function("softplus", ("x",), maximum(_x, 0) + log(1 + _e), _softplus_backward, single=False)
#: log(1 + exp(x)), which overflows.
SOFTPLUS_NAIVE = Function("softplus", ("x",), log(1 + exp(_x)), _softplus_backward_sigmoid)
SOFTPLUS_LOG1P = Function("softplus", ("x",), log1p(exp(_x)), _softplus_backward_sigmoid)


def log_sigmoid_by(softplus: Function, x: Expression) -> Expression:
    """-softplus(-x)."""
    return -softplus(negated(as_expression(x)))
