"""Text and LaTeX of a formula: what is printed is read back by Python's own parser, and is the formula again."""

from __future__ import annotations

import ast
import random
import re
from collections.abc import Iterator, Mapping
from itertools import product

import pytest

from conformance.formulas import expression as ex
from conformance.formulas.catalogue import Options, candidates
from conformance.formulas.evaluate import number
from conformance.formulas.expression import Expression, Function, as_expression, const, make, ordered, substitute, var
from conformance.formulas.library import LOG_SIGMOID, SIGMOID, SIGMOID_STABLE, SOFTPLUS
from conformance.formulas.text import decimal, latex, text, written

BINARY = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div", ast.Pow: "pow"}
COMPARED = {ast.GtE: "ge", ast.Gt: "gt", ast.LtE: "le", ast.Lt: "lt", ast.Eq: "eq"}
CASTS = {"float32": "float32", "float16": "float16", "input_dtype": "inputs", "step_dtype": "step"}
QUANTITIES = ("value", "gradient-prediction", "second-derivative")
OPTIONS = (Options(), Options(weight=True, gamma="2.0", alpha="0.25"), Options(pos_weight=True, label_smoothing="0.1"))


def bars(formula: str) -> str:
    """|x| as abs(x): bars do not stand inside of bars, so that they open and close in turn."""
    pieces = formula.split("|")
    assert len(pieces) % 2 == 1
    return "".join(one + ("abs(" if n % 2 == 0 else ")") for n, one in enumerate(pieces[:-1])) + pieces[-1]


class Reader:
    """Text as an expression, by Python's parser; `known` are the names of parts and functions."""

    def __init__(self, known: Mapping[str, Expression | Function]) -> None:
        self.known = dict(known)

    def read(self, formula: str) -> Expression:
        """The expression that a formula denotes."""
        return self.node(ast.parse(bars(formula), mode="eval").body)

    def node(self, node: ast.AST) -> Expression:
        """One node of Python's syntax."""
        if isinstance(node, ast.BinOp):
            return make(BINARY[type(node.op)], self.node(node.left), self.node(node.right))
        if isinstance(node, ast.UnaryOp):
            return make("neg", self.node(node.operand))
        if isinstance(node, ast.Compare):
            return make(COMPARED[type(node.ops[0])], self.node(node.left), self.node(node.comparators[0]))
        if isinstance(node, ast.Constant):
            return const(repr(float(str(node.value))))
        if isinstance(node, ast.Name):
            known = self.known.get(node.id, var(node.id))
            assert isinstance(known, Expression)
            return known
        assert isinstance(node, ast.Call)
        assert isinstance(node.func, ast.Name)
        args = [self.node(one) for one in node.args]
        function = self.known.get(node.func.id)
        if isinstance(function, Function):
            return function(*args)
        dtype = CASTS.get(node.func.id)
        return make(node.func.id, *args) if dtype is None else ex.cast(dtype, args[0])


def plain(x: Expression) -> Expression:
    """`x` with constants by their value, so that 1, 1.0 and a folded 2 - 1 are one."""
    values: dict[Expression, Expression] = {}
    for node in ordered(x):
        if node.op == "const" and str(node.name).removeprefix("-") in ("eps", "inf", "nan"):
            name = var(str(node.name).removeprefix("-"))
            values[node] = -name if str(node.name).startswith("-") else name
        elif node.op == "const":
            value = number(str(node.name))
            values[node] = -const(repr(-value)) if value < 0 else const(repr(value))
    return substitute(x, values)


def read_back(x: Expression) -> Expression:
    """`x` from its text: parts and functions by what the lines below the formula say of them."""
    made = written(x)
    reader = Reader({one.name.name: one.name for one in ordered(x) if isinstance(one.name, Function)})
    for name, formula in made.parts:
        reader.known[name] = reader.read(formula)
    return reader.read(made.formula)


def everything() -> list[Expression]:
    """Every formula of the catalogue, and derivatives, with three sets of options."""
    of = product(("logits", "probabilities"), QUANTITIES, OPTIONS)
    return [one.expression for form, quantity, options in of for one in candidates(form, quantity, options)]


def random_expressions(seed: int, count: int) -> Iterator[Expression]:
    """Expressions of a few steps, of all operations but conditions."""
    draw = random.Random(seed)
    steps = [op for op in ex.ARITY if op not in ex.COMPARISONS | {"where"}]
    for _ in range(count):
        known = [var("z"), var("y"), as_expression(2), const("1e-7"), const("0.5")]
        for _ in range(draw.randint(1, 6)):
            op = draw.choice(steps)
            known.append(make(op, *(draw.choice(known[-4:] + known[:2]) for _ in range(ex.ARITY[op]))))
        yield known[-1]


@pytest.mark.slow
def test_the_text_of_every_formula_of_the_catalogue_is_read_back_as_the_formula() -> None:
    """Parentheses lost or misplaced would give another order of the steps, and so other bits."""
    wrong = [text(one) for one in everything() if read_back(one) is not plain(one)]
    assert wrong == []


def test_the_text_of_random_formulas_is_read_back_as_the_formula() -> None:
    """Operations nested in ways that no formula of the catalogue has."""
    wrong = [text(one) for one in random_expressions(seed=15, count=500) if read_back(one) is not plain(one)]
    assert wrong == []


def without_pairs(formula: str) -> Iterator[str]:
    """`formula` without one pair of parentheses that groups, for each of them but those around a sign."""
    opened = []
    for place, letter in enumerate(formula):
        if letter == "(":
            opened.append(place)
        elif letter == ")":
            start = opened.pop()
            if not re.match(r"\w", formula[start - 1 : start]) and formula[start + 1] != "-":
                yield (formula[:start] + " " + formula[start + 1 : place] + " " + formula[place + 1 :]).strip()


def test_no_pair_of_parentheses_could_be_left_out() -> None:
    """Without any of them Python reads another formula; signs keep theirs: a*(-b)."""
    needless = []
    for one in random_expressions(seed=16, count=300):
        formula = written(one).formula
        reader = Reader({})
        needless += [formula for shorter in without_pairs(formula) if reader.read(shorter) is reader.read(formula)]
    assert needless == []


def test_a_formula_is_written_as_a_person_writes_it() -> None:
    """Products close, sums wide, magnitudes between bars; functions by name and below by what they compute."""
    z, y = var("z"), var("y")
    assert text((1 - y) * z - LOG_SIGMOID(z)) == "(1 - y)*z - log_sigmoid(z)"
    assert str(written(y - SIGMOID(z))) == "y - sigmoid(z)\nsigmoid(x) = 1/(1 + exp(-x))"
    assert str(written(LOG_SIGMOID(z))).splitlines()[1] == "log_sigmoid(x) = min(x, 0) - log1p(exp(-|x|))"
    assert text(z - (y - z)) == "z - (y - z)"
    assert text(-(z * y) + ex.absolute(-ex.absolute(z))) == "-(z*y) + abs(-|z|)"
    assert text(z / (y / z) ** 2) == "z/(y/z)**2"


def test_a_cast_is_written_with_the_dtype_that_it_is_to() -> None:
    """Of a fixed dtype its name; what the arithmetic decides is told as that."""
    p = var("p")
    assert text(ex.cast("float32", p)) == "float32(p)"
    assert text(ex.log(ex.cast("inputs", 1 - p))) == "log(input_dtype(1 - p))"
    assert text(ex.maximum(p, ex.cast("step", const("1e-7")))) == "max(p, step_dtype(1e-7))"
    assert latex(ex.cast("step", p)).formula == r"\operatorname{step\_dtype}\left(p\right)"


def test_a_long_part_that_is_used_twice_gets_a_name() -> None:
    """It is one step, and is read once."""
    p, y = var("p"), var("y")
    q = ex.clip(p, const("1e-7"), const("1 - 1e-7"))
    assert text(y * ex.log(q) + ex.log(1 - q)) == "y*log(q) + log(1 - q), q = min(max(p, 1e-7), 0.9999999)"


def test_the_name_of_a_part_is_not_that_of_an_input() -> None:
    """Else the formula would say something else."""
    q, y = var("q"), var("y")
    clipped = ex.clip(q, const("1e-7"), const("1 - 1e-7"))
    assert text(clipped + y / clipped) == "q2 + y/q2, q2 = min(max(q, 1e-7), 0.9999999)"


def test_functions_of_one_name_and_different_bodies_are_told_apart() -> None:
    """A sigmoid that overflows and one that does not are no one function."""
    z = var("z")
    made = written(SIGMOID(z) + SIGMOID_STABLE(z) + SOFTPLUS(z))
    assert made.formula == "sigmoid(z) + sigmoid_2(z) + softplus(z)"
    assert [one.name for one in made.functions if "(" in one.name] == ["sigmoid(x)", "sigmoid_2(x)", "softplus(x)"]


def test_a_marked_step_stands_in_brackets_wherever_it_is() -> None:
    """In the formula, in a part of it and inside of a function."""
    z, y = var("z"), var("y")
    assert text((1 - y) * z - LOG_SIGMOID(z), marked=[1 - y]) == "[[1 - y]]*z - log_sigmoid(z)"
    (step,) = (one for one in ordered(SIGMOID.body) if one.op == "add")
    assert str(written(SIGMOID(z) - y, marked=[step])).splitlines()[1] == "sigmoid(x) = 1/[[1 + exp(-x)]]"
    assert r"\boxed{1 - y} \cdot z" in latex((1 - y) * z, marked=[1 - y]).formula


def test_numbers_are_written_as_people_write_them() -> None:
    """1e-7, not 1e-07; what is folded is one number."""
    assert [decimal(one) for one in (1.0, -100.0, 0.5, 1e-7, 1e-12, 1 - 1e-7)] == [
        "1", "-100", "0.5", "1e-7", "1e-12", "0.9999999",
    ]  # fmt: skip


def test_latex_is_set_as_written_in_a_book() -> None:
    """Quotients as fractions, magnitudes between bars, powers of ten."""
    z, y = var("z"), var("y")
    assert latex(1 / (1 + ex.exp(-z))).formula == r"\frac{1}{1 + \exp\left(-z\right)}"
    assert latex(ex.maximum(z, const("1e-7")) ** 2).formula == r"\max\left(z, 10^{-7}\right)^{2}"
    assert latex(ex.absolute(z) * (1 - y)).formula == r"\left|z\right| \cdot \left(1 - y\right)"
    assert latex(LOG_SIGMOID(z)).functions[0].name == r"\operatorname{log\_sigmoid}\left(x\right)"
    assert latex(z + const("2.5e-9")).formula == r"z + 2.5 \cdot 10^{-9}"


@pytest.mark.slow
def test_latex_of_every_formula_is_balanced() -> None:
    """Braces, and what opens and closes a size or an environment: else it is no LaTeX."""
    for one in everything():
        made = latex(one)
        for line in (made.formula, *(formula for _, formula in (*made.parts, *made.functions))):
            depth = 0
            for letter in line:
                depth += {"{": 1, "}": -1}.get(letter, 0)
                assert depth >= 0, line
            assert depth == 0, line
            assert line.count(r"\left") == line.count(r"\right"), line
            assert line.count(r"\begin") == line.count(r"\end"), line
