"""Which findings of a group a report is shown by: what a maintainer would run first.

In this order: the finding that the problem names; the project that is told; a plain call before a mode; the most public
entry point; one number before tensors and several calls; float32; everyday inputs; the worst harm; the loss before its
derivatives; short inputs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from conformance.adapters.declaration import BASE_MODE
from conformance.ids import CauseId, ImplementationId
from conformance.judge.harm import USED, Harm
from conformance.numbers.formats import FORMATS, decode_hexadecimal
from conformance.quantities import BEHAVIOUR, NUMERIC, PROBE, REDUCTION, RELATION
from conformance.record.harms import Harms
from conformance.record.record import InputsLine
from conformance.repro.groups import Found, Group
from conformance.repro.projects import project_of

#: Findings of a group that are tried before it is left without a script.
TRIED = 6

#: The dtypes that people train in, the commonest first; others come last.
DTYPES = ("float32", "float16", "bfloat16", "float64")

#: The smallest number of float16 (IEEE 754-2019, table 3.5).
LEAST = float(2.0 ** (FORMATS["float16"].emin - FORMATS["float16"].precision + 1))

#: What a script shows by one number comes before what needs a shape, a dtype, or several calls.
_RANK = {name: rank for rank, name in enumerate((*NUMERIC, *BEHAVIOUR, PROBE, REDUCTION, RELATION))}

#: Inputs by case and dtype, as `RunRecord.inputs_by_case` has them.
Inputs = Mapping[tuple[str, str], InputsLine]


def representatives(group: Group, harms: Harms, inputs: Inputs) -> list[Found]:
    """The findings that are tried, in this order: of each backend, mode and dtype the first of what is alike."""
    chosen: dict[tuple[str, ...], Found] = {}
    for one in ranked(group, harms, inputs):
        own = ImplementationId.parse(one.check.implementation)
        cause = CauseId.parse(one.finding.cause)
        named = one.name if group.problem is not None and one.name == group.problem.shown_by else ""
        chosen.setdefault((named, own.backend, own.mode, *cause[2:], one.check.dtype), one)
        if len(chosen) == TRIED:
            break
    return list(chosen.values())


def ranked(group: Group, harms: Harms, inputs: Inputs) -> Iterator[Found]:
    """All findings of a group, the one that shows it best first."""
    shown_by = group.problem.shown_by if group.problem is not None else None

    def rank(one: Found) -> tuple[Any, ...]:
        project = project_of(one.check.implementation)
        inherited = group.project != "" and (project is None or project.name.partition(" (")[0] != group.project)
        return one.name != shown_by, inherited, *_rank(one, harms, inputs)

    yield from sorted(group.found, key=rank)


def worst(group: Group, harms: Harms) -> Harm:
    """The worst harm of a group's findings."""
    return max(harms[one.check.id, one.finding.element] for one in group.found)


def _rank(one: Found, harms: Harms, inputs: Inputs) -> tuple[Any, ...]:
    check = one.check
    own = ImplementationId.parse(check.implementation)
    line = inputs[check.case, check.dtype]
    rank = _RANK.get(check.quantity, len(_RANK))
    number = check.quantity in NUMERIC and one.finding.element in line.elements and line.reduction == "none"
    return (
        own.mode != BASE_MODE,
        _hidden(own.entry),
        not number,
        DTYPES.index(check.dtype) if check.dtype in DTYPES else len(DTYPES),
        harms[check.id, one.finding.element] == Harm.REFUSES,
        CauseId.parse(one.finding.cause).region != "ordinary",
        not _is_everyday(line, one.finding.element),
        -harms[check.id, one.finding.element],
        rank,
        plainness(line, one.finding.element),
        one.name,
    )


def _hidden(entry: str) -> tuple[int, int]:
    """How deep an entry point lies in the modules of its framework, and how long a name its variant has."""
    name, _, variant = entry.partition("[")
    return name.count("."), len(variant)


def _is_everyday(line: InputsLine, element: str) -> bool:
    """Whether float16, in which networks are trained, holds numbers of the size of all inputs of an element."""
    place = line.elements.index(element) if element in line.elements else slice(None)
    for name, bits in line.inputs.items():
        values = np.abs(
            decode_hexadecimal(np.atleast_1d(np.array(bits)[place]).tolist(), line.dtypes.get(name, line.dtype))
        )
        if not ((values == 0) | ((values >= LEAST) & (values <= USED))).all():
            return False
    return True


def plainness(line: InputsLine, element: str) -> tuple[int, int]:
    """How many inputs an element has, and how many of their bits are set beyond what a short number needs."""
    if element not in line.elements:
        return len(line.inputs), 64
    place = line.elements.index(element)
    return len(line.inputs), sum(len(bits[place].rstrip("0")) for bits in line.inputs.values())
