"""Models that are tried on a group: every formula that there is under all of its options, with every arithmetic."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from conformance.diagnosis.results import Group, Part
from conformance.formulas.arithmetic import Arithmetic, arithmetics, rounded
from conformance.formulas.catalogue import Candidate, Options, candidates
from conformance.formulas.evaluate import fused, number
from conformance.formulas.expression import Function, ordered
from conformance.numbers.formats import FORMATS

if TYPE_CHECKING:
    from conformance.formulas.expression import Expression


#: Models that survive of elements: the name of a formula, and what its steps are rounded to where nothing is flushed.
Elements = frozenset[tuple[str, Arithmetic]]


@dataclass(frozen=True)
class Model:
    """A formula, all names that the catalogue has for it, under each part's options, with an arithmetic."""

    names: tuple[str, ...]
    candidates: tuple[Candidate, ...]
    arithmetic: Arithmetic

    def parts(self, group: Group) -> Iterator[tuple[Part, Expression]]:
        """Each part of a group with the formula of its options."""
        for part, candidate in zip(group.parts, self.candidates, strict=True):
            yield part, candidate.expression


def models_of(group: Group, among: Elements | None, mistaken: bool) -> tuple[Model, ...]:
    """Formulas that there are under all options of `group`, of a reduction those `among` these of elements.

    They are those of the loss, or if `mistaken` those that are not.
    """
    options = tuple(part.table.options for part in group.parts)
    return _with_options(group.form, group.quantity, group.dtype, group.result_dtype, options, among, mistaken)


@cache
def _with_options(
    form: str,
    quantity: str,
    dtype: str,
    result: str,
    options: tuple[Options, ...],
    among: Elements | None,
    mistaken: bool,
) -> tuple[Model, ...]:
    """Formulas that there are under all of the options, with every arithmetic; equal ones are one."""
    narrower = any(one.narrower for one in options)
    of = None if among is None else frozenset(name for name, _ in among)
    alike_of = {
        promotes: _alike(form, quantity, options, promotes, of, mistaken) for promotes in (False, True)[: 1 + narrower]
    }
    found: dict[tuple[object, ...], Model] = {}
    for arithmetic in arithmetics(dtype, result, narrower):
        for expressions, (alike, of_parts) in alike_of[narrower and arithmetic.promotes].items():
            if among is not None and (of_parts[0].of, arithmetic.unflushed.steps) not in among:
                continue
            steps = arithmetic.steps
            if steps.inside != steps.step and not any(_has_kernel(one, steps.step) for one in expressions):
                steps = replace(steps, inside=steps.step)
            if steps.fused and not any(map(_has_fusible, expressions)):
                steps = replace(steps, fused=False)
            model = Model(tuple(alike), of_parts, arithmetic)
            found.setdefault((expressions, steps, arithmetic.result), model)
    return tuple(found.values())


def _alike(
    form: str,
    quantity: str,
    options: tuple[Options, ...],
    promotes: bool,
    of: frozenset[str] | None,
    mistaken: bool,
) -> dict[tuple[Expression, ...], tuple[list[str], tuple[Candidate, ...]]]:
    """Formulas that there are under all of the options, by their expressions: their names, and the first of them."""
    by_name: dict[str, list[Candidate]] = defaultdict(list)
    for one in options:
        for candidate in candidates(form, quantity, one, promotes, of, mistaken):
            by_name[candidate.name].append(candidate)
    found: dict[tuple[Expression, ...], tuple[list[str], tuple[Candidate, ...]]] = {}
    for name, of_parts in by_name.items():
        if len(of_parts) == len(options):
            found.setdefault(tuple(one.expression for one in of_parts), ([], tuple(of_parts)))[0].append(name)
    return found


@cache
def _has_kernel(x: Expression, step: str) -> bool:
    """Whether what `x` gives can depend on what is inside of kernels.

    It calls one, or has a constant that is no number of `step`: constants are rounded as what is inside of kernels is.
    """
    for node in ordered(x):
        if node.op == "const" and node.name != "eps":
            value = np.array(number(str(node.name)))
            if not np.array_equal(rounded(value, FORMATS[step]), value, equal_nan=True):
                return True
        elif isinstance(node.name, Function) and (node.name.single or _has_kernel(node.name.body, step)):
            return True
    return False


@cache
def _has_fusible(x: Expression) -> bool:
    """Whether a product goes into a sum or a difference somewhere."""
    return any(
        _has_fusible(node.name.body) if isinstance(node.name, Function) else fused(node)[0] == "fma"
        for node in ordered(x)
    )
