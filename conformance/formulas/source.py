"""A formula as source for NumPy, PyTorch, TensorFlow and JAX: a short function in the framework's own operations.

It does the steps of the formula in the dtype of the tensors that it is given, one after the other, and what is used
twice is computed once, under a name.  So a cast to the dtype of the inputs or of the steps does nothing.  Constants are
numbers of that dtype; whole numbers that every format holds stand as they are, since a framework gives them the dtype
of the other operand.
"""

from __future__ import annotations

import keyword
from collections.abc import Iterable
from types import MappingProxyType

from conformance.formulas.evaluate import number
from conformance.formulas.expression import ARITY, OF_ARITHMETIC, Expression, inputs
from conformance.formulas.text import ATOM, OPERATORS, Form, Names, Notation, Piece, body, called, text

#: Longer parts get a name, so that a line, which has two, fits in the 120 characters of most projects.
_LONGEST = 50
#: Whole numbers up to 2^8 are exact in every format: bfloat16 has 8 bits.
_EXACT = 2**8
#: Prediction, label, weight and weight of positives, in the order in which losses take them; others come after.
_ORDER = ("z", "p", "y", "w", "c")


def _calls(module: str, **others: str) -> dict[str, Form]:
    """Forms of operations that are functions: of one name with the operation in `module`, or as `others` says."""
    names = {op: module + op for op in ("abs", "sign", "exp", "log", "log1p", "expm1", "sqrt", "tanh")} | others
    return {op: called(f"{name}({', '.join(['{}'] * ARITY[op])})", ARITY[op]) for op, name in names.items()}


class Dialect(Notation):
    """How a framework spells operations, constants and casts.

    `like` makes a constant of the dtype of a tensor, `epsilon` says what 1 is away from its next number there, and
    `to` casts; `{0}` is what is made or cast, `{1}` a tensor of the dtype that the formula has, `{2}` another dtype.
    """

    name: str
    imports: str
    like: str
    epsilon: str
    to: Form

    def __init__(self, tensor: str) -> None:
        """Constants get the dtype of `tensor`, a parameter."""
        self.tensor = tensor

    def constant(self, text: str) -> Piece:
        """A constant as a tensor."""
        if text == "eps":
            return Piece(self.like.format(self.epsilon.format(self.tensor), self.tensor), ATOM)
        return Piece(self.like.format(_literal(number(text)), self.tensor), ATOM)

    def cast(self, dtype: str, x: Piece) -> Piece:
        """There and back, so that the steps after it are in the dtype that they had; inputs and steps have one here."""
        if dtype in OF_ARITHMETIC:
            return x
        inner = self.group.format(x.text) if x.level < self.to.needs[0] else x.text
        return Piece(self.to.template.format(inner, self.tensor, dtype), self.to.level)

    def operation(self, node: Expression, args: list[Piece]) -> Piece:
        """An operation, in which a whole number beside a tensor stands as it is."""
        return super().operation(node, self.literals(node, args))

    def literals(self, node: Expression, args: list[Piece]) -> list[Piece]:
        """The arguments with whole numbers as they are, where one of the arguments is a tensor."""
        operands = node.args[1:] if node.op == "where" else node.args
        if all(one.op == "const" for one in operands):
            return args
        return [
            super(Dialect, self).constant(str(one.name)) if _whole(one) else piece
            for one, piece in zip(node.args, args, strict=True)
        ]

    def has_name(self, node: Expression, piece: Piece, uses: int) -> bool:
        """What is computed is computed once, and what is long is cut."""
        if piece.text.isidentifier() or _whole(node):
            return False
        if node.op == "neg" and node.args[0].op == "var":
            return False
        return uses > 1 or len(piece.text) > _LONGEST


def _whole(x: Expression) -> bool:
    if x.op != "const" or x.name == "eps":
        return False
    value = number(str(x.name))
    return abs(value) <= _EXACT and value == int(value)


def _literal(x: float) -> str:
    return f'float("{x!r}")' if x != x or abs(x) == float("inf") else repr(x)


class NumPy(Dialect):
    """NumPy; bfloat16 is that of ml_dtypes."""

    name = "numpy"
    imports = "import numpy as np"
    forms = MappingProxyType(
        {**OPERATORS, **_calls("np.", max="np.maximum", min="np.minimum", pow="np.power", where="np.where")}
    )
    like = "np.asarray({0}, {1}.dtype)"
    epsilon = "np.spacing(np.asarray(1, {0}.dtype))"
    to = called('np.asarray({0}).astype("{2}").astype({1}.dtype)', 1)


class Torch(Dialect):
    """PyTorch: an extremum with a constant is a clamp, whose derivative at a tie is 1, as `derivative.Torch` has it."""

    name = "torch"
    imports = "import torch"
    forms = MappingProxyType(
        {
            **OPERATORS,
            **_calls("torch.", max="torch.maximum", min="torch.minimum", pow="torch.pow", where="torch.where"),
        }
    )
    like = "{1}.new_tensor({0})"
    epsilon = "torch.finfo({0}.dtype).eps"
    to = Form("{0}.to(torch.{2}).to({1}.dtype)", ATOM, (ATOM,))
    _clamps = MappingProxyType({"max": "torch.clamp({}, min={})", "min": "torch.clamp({}, max={})"})

    def operation(self, node: Expression, args: list[Piece]) -> Piece:
        """`torch.maximum` takes tensors only, `torch.clamp` a number too."""
        if node.op not in self._clamps:
            return super().operation(node, args)
        if node.args[1].op != "const" or node.args[0].op == "const":
            return Notation.operation(self, node, args)
        return Piece(self._clamps[node.op].format(*(one.text for one in self.literals(node, args))), ATOM)


class TensorFlow(Dialect):
    """TensorFlow 2; NumPy's finfo does not know its bfloat16, whose scalars have a spacing."""

    name = "tensorflow"
    imports = "import tensorflow as tf"
    forms = MappingProxyType(
        {**OPERATORS, **_calls("tf.math.", max="tf.maximum", min="tf.minimum", pow="tf.pow", where="tf.where")}
    )
    like = "tf.constant({0}, {1}.dtype)"
    epsilon = "np.spacing({0}.dtype.as_numpy_dtype(1))"
    to = called("tf.cast(tf.cast({0}, tf.{2}), {1}.dtype)", 1)


class Jax(Dialect):
    """JAX."""

    name = "jax"
    imports = "import jax.numpy as jnp"
    forms = MappingProxyType(
        {**OPERATORS, **_calls("jnp.", max="jnp.maximum", min="jnp.minimum", pow="jnp.power", where="jnp.where")}
    )
    like = "jnp.asarray({0}, {1}.dtype)"
    epsilon = "jnp.finfo({0}.dtype).eps"
    to = Form('{0}.astype("{2}").astype({1}.dtype)', ATOM, (ATOM,))


DIALECTS: dict[str, type[Dialect]] = {one.name: one for one in (NumPy, Torch, TensorFlow, Jax)}


def parameters(x: Expression) -> tuple[str, ...]:
    """The inputs of `x` in the order in which a loss takes them."""
    found = inputs(x)
    return (*(one for one in _ORDER if one in found), *sorted(found.difference(_ORDER)))


def source(x: Expression, framework: str, name: str = "loss", takes: Iterable[str] = ()) -> str:
    """A module for one of DIALECTS that defines `name`, a function of the inputs of `x`, and what it calls.

    `takes` are its parameters, by default the inputs of `x`, prediction first; the first of them has the dtype of the
    steps.  Raises ValueError where there is none.
    """
    arguments = tuple(takes) or parameters(x)
    if not arguments:
        raise ValueError("a formula without an input has no dtype; name its parameters")
    dialect = DIALECTS[framework]
    names = Names.of(x, {name, *arguments, *_RESERVED})
    functions = [_function(dialect, label, one.parameters, one.body, names) for label, one in names.definitions()]
    functions.append(_function(dialect, name, arguments, x, names))
    code = "\n\n\n".join(functions)
    imports = {dialect.imports, NumPy.imports} if "np.spacing" in code else {dialect.imports}
    return "\n".join([*sorted(imports), "", "", code, ""])


#: Names that the source uses otherwise.
_RESERVED = frozenset({"np", "torch", "tf", "jnp", *keyword.kwlist})


def _function(dialect: type[Dialect], name: str, takes: tuple[str, ...], x: Expression, names: Names) -> str:
    parts, formula = body(x, dialect(takes[0]), names)
    lines = [f"def {name}({', '.join(takes)}):", *_docstring(text(x))]
    lines += [f"    {part.name} = {part.formula}" for part in parts]
    return "\n".join([*lines, f"    return {formula}"])


def _docstring(formula: str) -> list[str]:
    return [f'    """{formula}."""'] if len(formula) <= 2 * _LONGEST else []
