"""Derivatives of a formula as a framework takes them: backwards, step by step, by its own rules.

What a framework does at a clip, a maximum, an absolute value or a quotient is its own choice, and rounds differently:
`Rules` has the plainest choices, and each framework's class says where it differs and where that is written.
A cotangent of one is not multiplied, and signs are moved freely: neither rounds.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterator
from functools import reduce
from operator import add
from typing import ClassVar

from conformance.formulas.expression import (
    COMPARISONS,
    Expression,
    Function,
    as_expression,
    eq,
    ge,
    le,
    ordered,
    sign,
    substitute,
    var,
    where,
)

#: Constant but for their jumps: every framework gives them the derivative 0.
_STEPWISE = COMPARISONS | {"sign"}
_ONE, _ZERO = as_expression(1), as_expression(0)

Cotangents = Iterator[tuple[Expression, Expression]]


def _reciprocal_grad(g: Expression, args: tuple[Expression, ...], result: Expression) -> tuple[Expression | None, ...]:
    """-g*(r*r), 0 where g is: TensorFlow's ReciprocalGrad, scalar_inverse_gradient_op in its cwise_ops.h."""
    return (where(eq(g, 0), 0, negated(times(g, result * result))),)


#: 1/x by its own kernel, which errs as elementary functions do: Eigen's is Newton's step from an estimate of the
#: processor (Eigen/src/Core/arch/AVX/PacketMath.h, preciprocal).
RECIPROCAL = Function("reciprocal", ("x",), var("x") ** -1, _reciprocal_grad)


def times(x: Expression, y: Expression) -> Expression:
    """x*y, where a factor of one and signs are not multiplied."""
    if x.op == "neg":
        return negated(times(x.args[0], y))
    if y.op == "neg":
        return negated(times(x, y.args[0]))
    if x is _ONE:
        return y
    return x if y is _ONE else x * y


def negated(x: Expression) -> Expression:
    """-x; two signs cancel."""
    return x.args[0] if x.op == "neg" else -x


def over(x: Expression, y: Expression) -> Expression:
    """x/y, the sign outside."""
    return negated(over(x.args[0], y)) if x.op == "neg" else x / y


class Rules:
    """How the cotangent of each operation's result becomes those of its arguments, and in which order they are summed.

    The same rules give tangents: what an argument's tangent adds to that of the result is what the cotangent of the
    result would add to that of the argument.
    """

    name = "plain"
    #: Whether derivatives are taken forwards, by tangents; the gradient of which a second derivative is one, is by the
    #: rules of the name `gradient` then.
    forward = False
    gradient = ""
    #: Whether an argument that does not depend on the input has a tangent, of zeros.
    zeros = False

    def backwards(self, x: Expression, depends: set[Expression]) -> Iterator[Expression]:
        """The nodes below `x` that are among `depends`, each after all that use it: against the order of evaluation."""
        return (node for node in reversed(list(ordered(x))) if node in depends)

    def summed(self, terms: list[tuple[Expression, Expression]]) -> Expression:
        """The sum of the cotangents of one node, each beside the node it comes from: as they arrive, left to right."""
        return reduce(add, (term for _, term in terms))

    def add(self, g: Expression, x: Expression, y: Expression, result: Expression) -> Cotangents:
        """g, g."""
        yield x, g
        yield y, g

    def sub(self, g: Expression, x: Expression, y: Expression, result: Expression) -> Cotangents:
        """g, -g."""
        yield x, g
        yield y, negated(g)

    def mul(self, g: Expression, x: Expression, y: Expression, result: Expression) -> Cotangents:
        """g*y, g*x."""
        yield x, times(g, y)
        yield y, times(g, x)

    def div(self, g: Expression, x: Expression, y: Expression, result: Expression) -> Cotangents:
        """g/y, -(g*x)/(y*y)."""
        yield x, over(g, y)
        yield y, negated(over(times(g, x), y * y))

    def neg(self, g: Expression, x: Expression, result: Expression) -> Cotangents:
        """-g."""
        yield x, negated(g)

    def abs(self, g: Expression, x: Expression, result: Expression) -> Cotangents:
        """g*sign(x)."""
        yield x, times(g, sign(x))

    def exp(self, g: Expression, x: Expression, result: Expression) -> Cotangents:
        """g*exp(x)."""
        yield x, times(g, result)

    def log(self, g: Expression, x: Expression, result: Expression) -> Cotangents:
        """g/x."""
        yield x, over(g, x)

    def log1p(self, g: Expression, x: Expression, result: Expression) -> Cotangents:
        """g/(x + 1)."""
        yield x, over(g, x + 1)

    def expm1(self, g: Expression, x: Expression, result: Expression) -> Cotangents:
        """g*(expm1(x) + 1)."""
        yield x, times(g, result + 1)

    def sqrt(self, g: Expression, x: Expression, result: Expression) -> Cotangents:
        """g/(2*sqrt(x))."""
        yield x, over(g, 2 * result)

    def tanh(self, g: Expression, x: Expression, result: Expression) -> Cotangents:
        """By the result t: g*(1 - t*t)."""
        yield x, times(g, 1 - result * result)

    def pow(self, g: Expression, x: Expression, y: Expression, result: Expression) -> Cotangents:
        """g*(y*x**(y - 1)), 0 where y is 0; by the exponent no formula here is differentiated."""
        yield x, where(eq(y, 0), 0, times(g, y * x ** (y - 1)))

    def max(self, g: Expression, x: Expression, y: Expression, result: Expression) -> Cotangents:
        """To the first of two equal arguments."""
        yield x, where(ge(x, y), g, 0)
        yield y, where(ge(x, y), 0, g)

    def min(self, g: Expression, x: Expression, y: Expression, result: Expression) -> Cotangents:
        """To the first of two equal arguments."""
        yield x, where(le(x, y), g, 0)
        yield y, where(le(x, y), 0, g)

    def where(
        self, g: Expression, condition: Expression, x: Expression, y: Expression, result: Expression
    ) -> Cotangents:
        """To the argument that was taken."""
        yield x, where(condition, g, 0)
        yield y, where(condition, 0, g)


class Torch(Rules):
    """PyTorch: tools/autograd/derivatives.yaml and torch/csrc/autograd/FunctionsManual.cpp, 2.13.

    A `max` or `min` with a number is its clamp, which passes the cotangent on where the number is met.
    """

    name = "torch"

    def div(self, g: Expression, x: Expression, y: Expression, result: Expression) -> Cotangents:
        """grad / other, -grad * ((self / other) / other): `div_tensor_other_grad`."""
        yield x, over(g, y)
        yield y, negated(times(g, over(over(x, y), y)))


class TensorFlow(Rules):
    """TensorFlow: tensorflow/python/ops/math_grad.py, 2.21.

    Its tape takes operations as they become ready, the first one first, and AddN sums in that order
    (tensorflow/c/eager/tape.h, tensorflow/core/kernels/aggregate_ops.h).
    """

    name = "tensorflow"

    def backwards(self, x: Expression, depends: set[Expression]) -> Iterator[Expression]:
        """Breadth first."""
        uses = Counter(one for node in ordered(x) if node in depends for one in set(node.args))
        ready = deque([x])
        while ready:
            node = ready.popleft()
            yield node
            for argument in dict.fromkeys(node.args):
                uses[argument] -= 1
                if argument in depends and not uses[argument]:
                    ready.append(argument)

    def div(self, g: Expression, x: Expression, y: Expression, result: Expression) -> Cotangents:
        """grad / y, grad * ((-x / y) / y): `_RealDivGrad`."""
        yield x, over(g, y)
        yield y, negated(times(g, over(over(x, y), y)))

    def log(self, g: Expression, x: Expression, result: Expression) -> Cotangents:
        """grad * reciprocal(x): `_LogGrad`."""
        yield x, times(g, RECIPROCAL(x))

    def log1p(self, g: Expression, x: Expression, result: Expression) -> Cotangents:
        """grad * reciprocal(1 + x): `_Log1pGrad`."""
        yield x, times(g, RECIPROCAL(1 + x))

    def pow(self, g: Expression, x: Expression, y: Expression, result: Expression) -> Cotangents:
        """From left to right, `_PowGrad`: grad * y * x**(y - 1)."""
        yield x, times(g, y) * x ** (y - 1)


class TensorFlowGraph(TensorFlow):
    """TensorFlow in a tf.function, whose optimizer sorts what is added by the names of the operations.

    CanonicalizeNode of tensorflow/core/grappler/utils/canonicalizer.cc, 2.21, sorts the inputs of operations that
    commute, AddN among them, as strings.  The name of an operation is its type, after the scope of the Python function
    that made it (`mul/Mul`): capital letters come first.
    """

    name = "tensorflow, sums in the order of names"
    #: Names of what each operation's gradient returns, where it is not of its own type.
    _NAMES: ClassVar = {"where": "Select", "neg": "Neg", "mul": "mul/Mul", "sub": "sub/Neg", "div": "truediv/RealDiv"}

    def summed(self, terms: list[tuple[Expression, Expression]]) -> Expression:
        """Sorted by name; those of one name are numbered as they arrive."""
        return super().summed(sorted(terms, key=lambda pair: self._NAMES.get(pair[0].op, "mul")))


class Jax(Rules):
    """JAX: jax/_src/lax/lax.py, 0.10."""

    name = "jax"

    def div(self, g: Expression, x: Expression, y: Expression, result: Expression) -> Cotangents:
        """g/y, (-g*x)*y**-2: `div_p`."""
        yield x, over(g, y)
        yield y, negated(times(times(g, x), over(_ONE, y * y)))

    def pow(self, g: Expression, x: Expression, y: Expression, result: Expression) -> Cotangents:
        """g*(y*x**(y - 1)), `_pow_jvp_lhs`: an exponent that is no integer type is not asked whether it is 0."""
        yield x, times(g, y * x ** (y - 1))

    def max(self, g: Expression, x: Expression, y: Expression, result: Expression) -> Cotangents:
        """Half to each of two equal arguments, as a factor: `_balanced_eq`."""
        yield x, times(g, over(where(eq(x, result), 1, 0), where(eq(y, result), 2, 1)))
        yield y, times(g, over(where(eq(y, result), 1, 0), where(eq(x, result), 2, 1)))

    min = max


class TorchForward(Torch):
    """PyTorch's forward mode, torch.func.jvp."""

    name, forward, gradient = "torch forwards", True, "torch"


class TensorFlowForward(TensorFlow):
    """TensorFlow's tf.autodiff.ForwardAccumulator, which transposes what its tape records.

    A tensor that is not watched has a tangent of zeros (tensorflow/python/eager/forwardprop.py, 2.21), and an
    operation multiplies it: 0*inf is NaN.
    """

    name, forward, gradient, zeros = "tensorflow forwards", True, "tensorflow", True


RULES: dict[str, Rules] = {
    one.name: one
    for one in (
        Rules(),
        Torch(),
        TensorFlow(),
        Jax(),
        TensorFlowGraph(),
        TorchForward(),
        TensorFlowForward(),
    )
}


def derivative(x: Expression, name: str, rules: Rules) -> Expression:
    """The derivative of `x` by the input `name`; 0 where it does not depend on it."""
    wanted = var(name)
    depends = {wanted}
    for node in ordered(x):
        if node.op not in _STEPWISE and any(one in depends for one in node.args):
            depends.add(node)
    return (_forwards if rules.forward else _backwards)(x, wanted, depends, rules)


def _backwards(x: Expression, wanted: Expression, depends: set[Expression], rules: Rules) -> Expression:
    """By cotangents, from the result to the input."""
    terms: dict[Expression, list[tuple[Expression, Expression]]] = defaultdict(list)
    terms[x].append((x, _ONE))
    for node in rules.backwards(x, depends):
        if node is wanted or node not in terms:
            continue
        for argument, cotangent in _backward(node, rules.summed(terms[node]), rules):
            if argument in depends and cotangent is not _ZERO:
                terms[argument].append((node, cotangent))
    return rules.summed(terms[wanted]) if wanted in terms else _ZERO


def _forwards(x: Expression, wanted: Expression, depends: set[Expression], rules: Rules) -> Expression:
    """By tangents, from the input to the result."""
    tangents = {wanted: _ONE}
    for node in ordered(x):
        if node is wanted or node not in depends:
            continue
        known = tangents if not rules.zeros else dict.fromkeys(node.args, _ZERO) | tangents
        terms = [
            (argument, term)
            for argument in dict.fromkeys(node.args)
            if argument in known
            for one, term in _backward(node, known[argument], rules)
            if one is argument and term is not _ZERO
        ]
        if terms:
            tangents[node] = rules.summed(terms)
    return tangents.get(x, _ZERO)


def _backward(node: Expression, g: Expression, rules: Rules) -> Cotangents:
    if node.op == "cast":
        yield node.args[0], g
    elif isinstance(node.name, Function):
        yield from _through(node, node.name, g, rules)
    else:
        yield from getattr(rules, node.op)(g, *node.args, node)


def _through(node: Expression, function: Function, g: Expression, rules: Rules) -> Cotangents:
    if function.backward is not None:
        for argument, cotangent in zip(node.args, function.backward(g, node.args, node), strict=True):
            if cotangent is not None:
                yield argument, cotangent
        return
    values = dict(zip(map(var, function.parameters), node.args, strict=True))
    for parameter, argument in zip(function.parameters, node.args, strict=True):
        yield argument, times(g, substitute(derivative(function.body, parameter, rules), values))
