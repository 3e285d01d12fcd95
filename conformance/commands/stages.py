"""Which stage of a compiled mode changes results: what commands say of a mode that differs from the plain call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from conformance.adapters.declaration import BASE_MODE, Declaration
from conformance.diagnosis.changed import in_one_run
from conformance.diagnosis.stages import Change, changes, told
from conformance.plan.cases import Suite
from conformance.plan.filters import QUICK_FAMILIES, Filters
from conformance.pool.backend import Backend
from conformance.pool.pool import Pool
from conformance.quantities import AGREEMENT, NUMERIC
from conformance.run import asked as words
from conformance.run import run as runs

#: What stands before a sentence.
WORD = "stage: "


def stages(
    pool: Pool, backends: Sequence[Backend], one: Declaration, suite: Suite, options: runs.Options
) -> Iterator[str]:
    """A line for each stage of a mode at which results change, and one for each quantity and dtype in which they do.

    The plain call, the mode and its stages are called with the cases, dtypes and quantities of `options`; what is found
    to differ from the plain call is looked for in the stages.  Where a formula or an arithmetic is identified on both
    sides, by the cases of a quick run as well, it is told what became of it.
    """
    if not one.stages:
        return
    modes = tuple(stage.mode for stage in one.stages)
    staged = [backend.with_stages(modes) for backend in backends]
    plain = one._replace(mode=BASE_MODE).id
    asked = options.filters
    filters = Filters(
        backend=(one.adapter,),
        implementation=(plain, *(one._replace(mode=mode).id for mode in modes)),
        case=asked.case,
        dtype=asked.dtype,
        quantity=(*(asked.quantity or NUMERIC), AGREEMENT),
    )
    found = changes(runs.observed(pool, staged, suite, replace(options, filters=filters)).checks, one)
    if not found:
        return
    numbers = [each for each in found if each.nearer]
    became = _became(pool, backends, numbers, suite, options, plain) if numbers else {}
    said: dict[str, list[str]] = {}
    for each in told(found):
        shown = each.shown
        sentence = "; ".join(filter(None, (each.sentence, became.get((shown.dtype, shown.quantity), ""))))
        count = f", {len(each.changes)} elements" if len(each.changes) > 1 else ""
        said.setdefault(sentence, []).append(f"{shown.place}{count}")
    for sentence, places in said.items():
        yield f"{WORD}{sentence}"
        yield from (f"    {place}" for place in places)


def stages_of(implementation: str, suite: Suite, options: runs.Options) -> Iterator[str]:
    """The same of an implementation by its id, with workers of its own; it is also said where there is nothing.

    Raises InputError where there is no such implementation.
    """
    with runs.open_pool(options) as pool:
        backends = runs.discover(pool, options)
        one = words.implementation(implementation, [each for backend in backends for each in backend.implementations])
        said = list(stages(pool, backends, one, suite, options))
    if not said and one.mode != BASE_MODE:
        none = "no stage of it can be called" if not one.stages else "it gives what the plain call gives here"
        said = [f"{WORD}{one.id}: {none}"]
    yield from said


def _became(
    pool: Pool, backends: Sequence[Backend], found: Sequence[Change], suite: Suite, options: runs.Options, plain: str
) -> dict[tuple[str, str], str]:
    """What changed from the plain call to the mode in formula or arithmetic, by dtype and quantity."""
    mode = found[0].implementation
    filters = Filters(
        backend=tuple(dict.fromkeys(one.partition("/")[0] for one in (plain, mode))),
        implementation=(plain, mode),
        case=(*QUICK_FAMILIES, *dict.fromkeys(one.case for one in found)),
        dtype=tuple(dict.fromkeys(one.dtype for one in found)),
        quantity=tuple(dict.fromkeys(one.quantity for one in found)),
    )
    record = runs.observed(pool, backends, suite, replace(options, filters=filters)).record
    pairs = dict.fromkeys((one.dtype, one.quantity) for one in found)
    return {(dtype, of): in_one_run(record, suite, plain, mode, of, dtype) for dtype, of in pairs}
