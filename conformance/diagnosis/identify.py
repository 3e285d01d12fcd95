"""Which formula, and which arithmetic, gives the results of an implementation.

Every result votes, right ones too.  A model explains a result that lies in its reach; it survives if it explains all of
them, and survivors are ranked by how many bits the emulation, with correctly rounded operations, gets right.  Where
none survives the group is unidentified, and the nearest model is no diagnosis.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from conformance.diagnosis.results import Group, Part, Table
from conformance.formulas.arithmetic import Arithmetic, arithmetics
from conformance.formulas.catalogue import Candidate, candidates
from conformance.formulas.evaluate import Reach, emulated, reach

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Fit:
    """How a model does on a group: of `total` results `explained` lie in its reach and `equal` are its emulation."""

    name: str
    arithmetic: Arithmetic
    candidates: tuple[Candidate, ...]
    total: int
    equal: int
    explained: int
    wrong: int
    wrong_equal: int
    wrong_explained: int
    #: Per part, where the results are explained.
    where: tuple[Mask, ...]


class Models:
    """Evaluations of formulas on tables, each made once."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], tuple[NDArray[np.float64], Reach]] = {}

    def of(self, table: Table, candidate: Candidate, arithmetic: Arithmetic) -> tuple[NDArray[np.float64], Reach]:
        """Emulation and reach of `candidate` for every row of `table`."""
        key = (id(table), candidate.expression, arithmetic)
        found = self._known.get(key)
        if found is None:
            n = len(table.names)
            point = np.broadcast_to(emulated(candidate.expression, table.inputs, arithmetic), n)
            sets = reach(candidate.expression, table.inputs, arithmetic)
            found = self._known[key] = point, Reach(*(np.broadcast_to(one, n) for one in sets))
        return found


def fits(group: Group, models: Models) -> list[Fit]:
    """Every model on `group`, the best first."""
    found = []
    for arithmetic in arithmetics(group.dtype, group.result_dtype):
        names: dict[str, list[Candidate]] = {}
        for part in group.parts:
            for one in candidates(group.form, group.quantity, part.table.options):
                names.setdefault(one.name, []).append(one)
        for name, of_parts in names.items():
            if len(of_parts) == len(group.parts):
                found.append(_fit(group, name, tuple(of_parts), arithmetic, models))
    return sorted(found, key=lambda one: (-one.explained, -one.equal))


def _fit(group: Group, name: str, of_parts: tuple[Candidate, ...], arithmetic: Arithmetic, models: Models) -> Fit:
    compared = [
        _compared(part, *models.of(part.table, candidate, arithmetic))
        for part, candidate in zip(group.parts, of_parts, strict=True)
    ]
    same, inside = (np.concatenate(masks) for masks in zip(*compared, strict=True))
    wrong = np.concatenate([part.wrong for part in group.parts])
    return Fit(
        name=name,
        arithmetic=arithmetic,
        candidates=of_parts,
        total=wrong.size,
        equal=int(same.sum()),
        explained=int(inside.sum()),
        wrong=int(wrong.sum()),
        wrong_equal=int((wrong & same).sum()),
        wrong_explained=int((wrong & inside).sum()),
        where=tuple(mask for _, mask in compared),
    )


def _compared(part: Part, point: NDArray[np.float64], sets: Reach) -> tuple[Mask, Mask]:
    point, sets = point[part.rows], Reach(*(one[part.rows] for one in sets))
    same = (point == part.got) | (np.isnan(point) & np.isnan(part.got))
    return same, same | sets.holds(part.got)
