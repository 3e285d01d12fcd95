"""Calls that write themselves down: arguments that become Python text as an adapter's call uses them.

An adapter's call is run on an `Expression` for each tensor, with its framework's modules replaced by their names, and
returns the Python expression that it computes.  So a reproducer holds what is called, and nothing is written twice.

Worker-side code: standard library and NumPy only, Python 3.7 on.
"""

from __future__ import annotations

import contextlib
import importlib.machinery
import sys
from typing import Any, Callable, Dict, Iterator, Mapping, Optional, Sequence

import numpy as np

#: How tightly the outermost operator of a text binds; operands that bind less are put into parentheses.
COMPARISON, SUM, PRODUCT, SIGN, ATOM = range(5)

#: The operators of NumPy's functions that an array of it and an expression make between them.
INFIX = {"add": ("+", SUM), "subtract": ("-", SUM), "multiply": ("*", PRODUCT), "true_divide": ("/", PRODUCT)}
INFIX["divide"] = INFIX["true_divide"]  # as NumPy 2 calls it


class NotWritable(TypeError):
    """The way of a call depends on what is not known before it runs, so that it is no expression."""


class Expression:
    """Python text of a value.  Attributes, calls, operators and NumPy's functions make longer ones.

    `known` are attributes whose values are known, such as the shape of a tensor.
    """

    def __init__(self, text: str, rank: int = ATOM, known: Optional[Mapping[str, Any]] = None) -> None:
        self.__dict__.update(known or {})
        self._text = text
        self._rank = rank

    def __repr__(self) -> str:
        return self._text

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return Expression("%s.%s" % (operand(self, ATOM), name))

    def __call__(self, *arguments: Any, **named: Any) -> Expression:
        words = [written(one) for one in arguments] + ["%s=%s" % (key, written(one)) for key, one in named.items()]
        return Expression("%s(%s)" % (operand(self, ATOM), ", ".join(words)))

    def __getitem__(self, index: Any) -> Expression:
        return Expression("%s[%s]" % (operand(self, ATOM), written(index)))

    def __add__(self, other: Any) -> Expression:
        return infix(self, "+", other, SUM)

    def __radd__(self, other: Any) -> Expression:
        return infix(other, "+", self, SUM)

    def __sub__(self, other: Any) -> Expression:
        return infix(self, "-", other, SUM)

    def __rsub__(self, other: Any) -> Expression:
        return infix(other, "-", self, SUM)

    def __mul__(self, other: Any) -> Expression:
        return infix(self, "*", other, PRODUCT)

    def __rmul__(self, other: Any) -> Expression:
        return infix(other, "*", self, PRODUCT)

    def __truediv__(self, other: Any) -> Expression:
        return infix(self, "/", other, PRODUCT)

    def __rtruediv__(self, other: Any) -> Expression:
        return infix(other, "/", self, PRODUCT)

    def __neg__(self) -> Expression:
        return Expression("-%s" % operand(self, SIGN), SIGN, dtype_of(self))

    def __eq__(self, other: Any) -> Any:
        return infix(self, "==", other, COMPARISON)

    def __hash__(self) -> int:
        return hash(self._text)

    def __bool__(self) -> bool:
        left, equal, right = self._text.partition(" == ")
        if equal and all(word.replace(".", "").replace("_", "").isalnum() for word in (left, right)):
            return left == right  # of two names, such as those of dtypes
        raise NotWritable("what follows depends on %s" % self)

    def __iter__(self) -> Iterator[Any]:
        raise NotWritable("how many elements %s has is not known" % self)

    def __array_ufunc__(self, function: Any, method: str, *inputs: Any, **named: Any) -> Expression:
        name = function.__name__
        if name in INFIX:
            return infix(inputs[0], INFIX[name][0], inputs[1], INFIX[name][1])
        return Expression(repr(Expression("np.%s" % name)(*inputs, **named)), known=dtype_of(*inputs))

    def __array_function__(self, function: Any, types: Any, arguments: Any, named: Any) -> Expression:
        module = function.__module__.replace("numpy", "np", 1)
        return Expression("%s.%s" % (module, function.__name__))(*arguments, **named)


def infix(left: Any, operator: str, right: Any, rank: int) -> Expression:
    """Two operands and the operator between them; operators of one rank are taken from the left."""
    text = "%s %s %s" % (operand(left, rank), operator, operand(right, rank + 1))
    return Expression(text, rank, dtype_of(left, right))


def dtype_of(*operands: Any) -> Dict[str, Any]:
    """The dtype of what an operator makes of its operands, where one of them has a known one."""
    known = [one.__dict__["dtype"] for one in operands if isinstance(one, Expression) and "dtype" in one.__dict__]
    return {"dtype": known[0]} if known else {}


def operand(value: Any, rank: int) -> str:
    """The text of an operand of an operator of that rank."""
    return "(%s)" % value if isinstance(value, Expression) and value._rank < rank else written(value)


def written(value: Any) -> str:
    """The text of an argument; of NumPy's arrays there are only single numbers."""
    if isinstance(value, np.dtype):
        module = "np" if value.type.__module__ == "numpy" else value.type.__module__
        return "%s.%s" % (module, value.type.__name__)
    if isinstance(value, (np.ndarray, np.generic)):
        if value.size != 1:
            raise NotWritable("an array of %d numbers" % value.size)
        return "%s(%r)" % (written(value.dtype), float(value.item()))
    if isinstance(value, type):
        module = {"numpy": "np.", "builtins": ""}.get(value.__module__, value.__module__ + ".")
        return module + value.__name__
    return repr(value)


class Names:
    """Finds for every module of some packages an Expression of its name, and notes which were asked for."""

    def __init__(self, packages: Sequence[str], aliases: Mapping[str, str]) -> None:
        self.packages = packages
        self.aliases = aliases

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """A module of its packages, or None."""
        loader: Any = self
        return importlib.machinery.ModuleSpec(name, loader) if name.split(".")[0] in self.packages else None

    def create_module(self, spec: Any) -> Any:
        """An Expression in place of the module."""
        return Expression(self.aliases.get(spec.name, spec.name), known={"__path__": []})

    def exec_module(self, module: Any) -> None:
        """Nothing is executed."""


@contextlib.contextmanager
def named_modules(packages: Sequence[str], aliases: Mapping[str, str]) -> Iterator[None]:
    """Within it `packages` and all their modules are Expressions; `aliases` are the names under which they go."""
    kept: Dict[str, Any] = {name: module for name, module in sys.modules.items() if name.split(".")[0] in packages}
    for name in kept:
        del sys.modules[name]
    finder: Any = Names(packages, aliases)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in [name for name in sys.modules if name.split(".")[0] in packages]:
            del sys.modules[name]
        sys.modules.update(kept)


def traced(call: Callable[..., Any], arguments: Mapping[str, Any]) -> str:
    """The Python expression that `call` computes of `arguments`.  Raises what the call raises, or NotWritable."""
    rest = dict(arguments)
    result = call(rest.pop("prediction"), rest.pop("label"), **rest)
    if not isinstance(result, Expression):
        raise NotWritable("the call returns %s whatever its tensors are" % type(result).__name__)
    return repr(result)
