"""A formula as a person writes it: text with the fewest parentheses, and LaTeX.

A part that is used more than once and is long stands beside the formula, under a name of its own, and so do the
functions that the formula calls.  What is marked, a guilty step, stands between `[[` and `]]`.

How an operation is written is a `Notation`; `source` has those of the frameworks.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from conformance.formulas.evaluate import number
from conformance.formulas.expression import Expression, Function, inputs, ordered

#: How tightly a piece of text binds, the loosest first: Python's order.
ANY, COMPARISON, SUM, PRODUCT, SIGN, POWER, ATOM = range(7)


#: What the dtypes that an arithmetic gives, `expression.OF_ARITHMETIC`, are called.
_OF_ARITHMETIC = {"inputs": "input_dtype", "step": "step_dtype"}


class Piece(NamedTuple):
    """Text, and how tightly it binds."""

    text: str
    level: int


class Form(NamedTuple):
    """How an operation is written, how tightly that binds, and how tightly each argument must."""

    template: str
    level: int
    needs: tuple[int, ...]


class Line(NamedTuple):
    """A name and what it stands for: a part of a formula, or `log_sigmoid(x)` and its body."""

    name: str
    formula: str


@dataclass(frozen=True)
class Written:
    """A formula, and what its names stand for: each part and each function after those that it is made of."""

    formula: str
    parts: tuple[Line, ...]
    functions: tuple[Line, ...]

    def __str__(self) -> str:
        """The formula, and a line for each name."""
        return "\n".join([self.formula, *(f"{name} = {formula}" for name, formula in (*self.parts, *self.functions))])


def called(template: str, arguments: int) -> Form:
    """The form of a function: its arguments stand between commas."""
    return Form(template, ATOM, (ANY,) * arguments)


#: Of sums, products and signs; the right side of a difference or a quotient must bind tighter.
OPERATORS = {
    "add": Form("{} + {}", SUM, (SUM, PRODUCT)),
    "sub": Form("{} - {}", SUM, (SUM, PRODUCT)),
    "mul": Form("{} * {}", PRODUCT, (PRODUCT, SIGN)),
    "div": Form("{} / {}", PRODUCT, (PRODUCT, SIGN)),
    "neg": Form("-{}", SIGN, (POWER,)),
    "ge": Form("{} >= {}", COMPARISON, (SUM, SUM)),
    "gt": Form("{} > {}", COMPARISON, (SUM, SUM)),
    "le": Form("{} <= {}", COMPARISON, (SUM, SUM)),
    "lt": Form("{} < {}", COMPARISON, (SUM, SUM)),
    "eq": Form("{} == {}", COMPARISON, (SUM, SUM)),
}


class Notation:
    """How a person writes operations: `y*log(p)`, `|z|`, `max(z, 0)`."""

    group = "({})"
    mark = "[[{}]]"
    #: A part that is used more than once gets a name if it is longer than this: about `log1p(exp(-|z|))`.
    short = 16
    forms: Mapping[str, Form] = MappingProxyType(
        {
            **OPERATORS,
            "mul": Form("{}*{}", PRODUCT, (PRODUCT, SIGN)),
            "div": Form("{}/{}", PRODUCT, (PRODUCT, SIGN)),
            "pow": Form("{}**{}", POWER, (ATOM, POWER)),
            **{op: called(op + "({})", 1) for op in ("sign", "exp", "log", "log1p", "expm1", "sqrt", "tanh")},
            **{op: called(op + "({}, {})", 2) for op in ("max", "min")},
            "abs": called("|{}|", 1),
            "where": called("where({}, {}, {})", 3),
        }
    )

    def variable(self, name: str) -> str:
        """An input, or the name of a part."""
        return name

    def function(self, name: str) -> str:
        """The name of a function."""
        return name

    def constant(self, text: str) -> Piece:
        """The number that a constant is: a folded `1 - 1e-7` is 0.9999999; "eps" stays a name."""
        if text == "eps":
            return Piece(text, ATOM)
        written = decimal(number(text))
        return Piece(written, SIGN if written.startswith("-") else ATOM)

    def cast(self, dtype: str, x: Piece) -> Piece:
        """`x` rounded to `dtype`, or to that of the inputs or of the steps."""
        name = _OF_ARITHMETIC.get(dtype, dtype)
        return Piece(f"{self.function(name)}{self.group.format(x.text)}", ATOM)

    def operation(self, node: Expression, args: list[Piece]) -> Piece:
        """An operation of its arguments, with the parentheses that they need."""
        form = self.forms[node.op]
        if node.op == "abs" and "|" in args[0].text:
            form = called("abs({})", 1)
        inner = []
        for place, (piece, need) in enumerate(zip(args, form.needs, strict=True)):
            signed = place > 0 and need > ANY and piece.text.startswith("-")
            inner.append(self.group.format(piece.text) if piece.level < need or signed else piece.text)
        return Piece(form.template.format(*inner), form.level)

    def marked(self, piece: Piece) -> Piece:
        """A piece that is told apart; the marks are parentheses enough."""
        return Piece(self.mark.format(piece.text), ATOM)

    def has_name(self, node: Expression, piece: Piece, uses: int) -> bool:
        """Whether a part of a formula gets a name."""
        return uses > 1 and len(piece.text) > self.short


class LaTeX(Notation):
    """How a formula is set in LaTeX, with amsmath."""

    group = r"\left({}\right)"
    mark = r"\boxed{{{}}}"
    short = 40
    forms = MappingProxyType(
        {
            **OPERATORS,
            "mul": Form(r"{} \cdot {}", PRODUCT, (PRODUCT, SIGN)),
            "div": called(r"\frac{{{}}}{{{}}}", 2),
            "pow": Form("{}^{{{}}}", POWER, (ATOM, ANY)),
            **{op: called(rf"\{op}\left({{}}\right)", 1) for op in ("exp", "log", "tanh")},
            **{op: called(rf"\operatorname{{{{{op}}}}}\left({{}}\right)", 1) for op in ("sign", "log1p", "expm1")},
            **{op: called(rf"\{op}\left({{}}, {{}}\right)", 2) for op in ("max", "min")},
            "sqrt": called(r"\sqrt{{{}}}", 1),
            "abs": called(r"\left|{}\right|", 1),
            "where": Form(
                r"\begin{{cases}} {1} & {0} \\ {2} & \text{{otherwise}} \end{{cases}}", COMPARISON, (ANY, ANY, ANY)
            ),
            "ge": Form(r"{} \ge {}", COMPARISON, (SUM, SUM)),
            "le": Form(r"{} \le {}", COMPARISON, (SUM, SUM)),
            "eq": Form("{} = {}", COMPARISON, (SUM, SUM)),
        }
    )

    def variable(self, name: str) -> str:
        """A letter, with its number as an index; a word is upright."""
        letters, digits = re.fullmatch(r"(\w*?)_?(\d*)", name).groups()  # type: ignore[union-attr]
        escaped = letters.replace("_", r"\_")
        word = escaped if len(letters) == 1 else rf"\mathrm{{{escaped}}}"
        return f"{word}_{{{digits}}}" if digits else word

    def function(self, name: str) -> str:
        """An operator's name."""
        return r"\operatorname{" + name.replace("_", r"\_") + "}"

    def constant(self, text: str) -> Piece:
        """A number; one with an exponent as a power of ten."""
        piece = super().constant(text)
        if text == "eps":
            return Piece(r"\varepsilon", ATOM)
        if "inf" in piece.text:
            return Piece(piece.text.replace("inf", r"\infty"), piece.level)
        digits, e, exponent = piece.text.partition("e")
        if not e:
            return piece
        power = f"10^{{{int(exponent)}}}"
        if digits in ("1", "-1"):
            return Piece(digits[:-1] + power, min(piece.level, POWER))
        return Piece(rf"{digits} \cdot {power}", min(piece.level, PRODUCT))

    def operation(self, node: Expression, args: list[Piece]) -> Piece:
        """As text, but for what is a quotient at the base of a power."""
        if node.op == "pow" and node.args[0].op == "div":
            args = [Piece(args[0].text, PRODUCT), args[1]]
        return super().operation(node, args)


def decimal(x: float) -> str:
    """A number as a person writes it: 1, 0.5, 1e-7."""
    if abs(x) < 1e15 and x == int(x):
        return str(int(x))
    return re.sub(r"e([+-])0*", lambda found: "e" + found[1].strip("+"), repr(x))


class Body(NamedTuple):
    """What an expression is written as: its parts, and the rest in one piece."""

    parts: tuple[Line, ...]
    formula: str


def body(x: Expression, notation: Notation, names: Names, marked: frozenset[Expression] = frozenset()) -> Body:
    """`x` in a notation; calls are written with the `names` of their functions."""
    uses = Counter(one for node in ordered(x) for one in node.args)
    names = names.inside(x)
    pieces: dict[Expression, Piece] = {}
    parts = []
    for node in ordered(x):
        piece = _piece(node, [pieces[one] for one in node.args], notation, names)
        if node in marked:
            piece = notation.marked(piece)
        if node is not x and notation.has_name(node, piece, uses[node]):
            name = notation.variable(names.part(node))
            parts.append(Line(name, piece.text))
            piece = Piece(name, ATOM)
        pieces[node] = piece
    return Body(tuple(parts), pieces[x].text)


def _piece(node: Expression, args: list[Piece], notation: Notation, names: Names) -> Piece:
    if isinstance(node.name, Function):
        inner = ", ".join(one.text for one in args)
        return Piece(notation.function(names.functions[node.name]) + notation.group.format(inner), ATOM)
    if node.op == "var":
        return Piece(notation.variable(node.name), ATOM)
    if node.op == "const":
        return notation.constant(node.name)
    if node.op == "cast":
        return notation.cast(node.name, args[0])
    return notation.operation(node, args)


class Names:
    """Names that are taken: of functions, which are different where their bodies are, and of parts."""

    def __init__(self, functions: dict[Function, str], taken: Iterable[str]) -> None:
        self.functions = functions
        self.taken = {*functions.values(), *taken}

    @classmethod
    def of(cls, x: Expression, taken: Iterable[str] = ()) -> Names:
        """Those of an expression; each function stands after those that it calls."""
        bodies: dict[tuple[str, Expression], str] = {}
        functions: dict[Function, str] = {}
        given = set(taken)
        for one in _functions(x):
            key = one.name, one.body
            if key not in bodies:
                bodies[key] = _free(one.name, given)
                given.add(bodies[key])
            functions[one] = bodies[key]
        return cls(functions, taken)

    def inside(self, x: Expression) -> Names:
        """Those of one body, where its inputs are taken and its parts are free."""
        return Names(self.functions, self.taken | inputs(x))

    def part(self, node: Expression) -> str:
        """A name for a part, a letter by what it is."""
        name = _free(_LETTERS.get(node.op, "t"), self.taken)
        self.taken.add(name)
        return name

    def definitions(self) -> list[tuple[str, Function]]:
        """Each name of a function once."""
        return list({name: (name, one) for one, name in self.functions.items()}.values())


_LETTERS = {"exp": "e", "max": "q", "min": "q", "call": "s", "const": "k"}


def _free(name: str, taken: set[str]) -> str:
    number = 2
    found = name
    while found in taken:
        found = f"{name}{'_' if len(name) > 1 else ''}{number}"
        number += 1
    return found


def _functions(x: Expression) -> list[Function]:
    found: dict[Function, None] = {}
    for node in ordered(x):
        if isinstance(node.name, Function) and node.name not in found:
            found.update(dict.fromkeys(_functions(node.name.body)))
            found[node.name] = None
    return list(found)


def written(x: Expression, marked: Iterable[Expression] = (), notation: Notation | None = None) -> Written:
    """`x` as text: `str` of it is the formula and a line for each name.

    `marked` are nodes of `x`, or of the bodies of its functions, that are told apart.
    """
    notation = notation or Notation()
    names, steps = Names.of(x), frozenset(marked)
    parts, formula = body(x, notation, names, steps)
    functions: list[Line] = []
    for name, one in names.definitions():
        inner = body(one.body, notation, names, steps)
        head = notation.function(name) + notation.group.format(", ".join(map(notation.variable, one.parameters)))
        functions += [*inner.parts, Line(head, inner.formula)]
    return Written(formula, parts, tuple(functions))


def text(x: Expression, marked: Iterable[Expression] = ()) -> str:
    """The formula alone, on one line: `(1 - y)*z - log_sigmoid(z)`, parts after it."""
    parts, formula = body(x, Notation(), Names.of(x), frozenset(marked))
    return ", ".join([formula, *(f"{name} = {one}" for name, one in parts)])


def latex(x: Expression, marked: Iterable[Expression] = ()) -> Written:
    """`x` in LaTeX, for amsmath; what is marked stands in a box."""
    return written(x, marked, LaTeX())
