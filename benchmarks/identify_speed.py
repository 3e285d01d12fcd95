"""How much of a run is explained by formulas of the catalogue, how long that takes and how much memory.

    python -m benchmarks.identify_speed RUN.jsonl [--all]

Prints a table in Markdown of the numeric causes of the run, and of its wrong results, and what takes how long; under
`--all` each group with its best model follows, what is least explained first.  A cause is explained if all its results
lie in the reach of a model that survives.
"""

from __future__ import annotations

import resource
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

from conformance.diagnosis.identify import Identified, identify_record
from conformance.plan.cases import default_folder, load_suite
from conformance.quantities import NUMERIC
from conformance.record import record

#: Parts of a finding's cause: what makes it numeric is the verdict of an element, not how the value came back.
_SIGNATURES_OF_CALLS = ("/result-shape", "/accepts", "/result-dtype")


def main() -> None:
    """Print the table."""
    start = time.process_time()
    run = record.read(Path(sys.argv[1]))
    suite = load_suite(default_folder())
    read = time.process_time()
    found = list(identify_record(run, suite))
    done = time.process_time()
    _print_shares(run, found)
    print()
    print("| step | CPU seconds |")
    print("|---|---|")
    print(f"| reading {len(run.checks):,} checks | {read - start:.1f} |")
    print(f"| identifying {len(found):,} groups | {done - read:.1f} |")
    print()
    print(f"peak memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
    if "--all" in sys.argv:
        _print_groups(found)


def _print_shares(run: record.RunRecord, found: list[Identified]) -> None:
    causes = {
        finding.cause: check.quantity
        for check in run.checks
        if check.quantity in NUMERIC
        for finding in check.findings
        if finding.verdict == "deviates" and not finding.cause.endswith(_SIGNATURES_OF_CALLS)
    }
    explained: dict[str, list[bool]] = defaultdict(list)
    finite = Counter[bool]()
    for one in found:
        masks = one.survivors[0].where if one else tuple(np.zeros(part.wrong.shape, bool) for part in one.group.parts)
        for part, mask in zip(one.group.parts, masks, strict=True):
            for at in np.flatnonzero(part.wrong):
                explained[part.causes[at]].append(bool(mask[at]))
                if np.isfinite(part.got[at]) and part.got[at] != 0:
                    finite[bool(mask[at])] += 1
    print("| quantity | causes | of them with results as elements | explained completely | share of all |")
    print("|---|---|---|---|---|")
    for quantity in (*NUMERIC, "all"):
        of = [cause for cause, kind in causes.items() if quantity in (kind, "all")]
        seen = [cause for cause in of if cause in explained]
        whole = [cause for cause in seen if all(explained[cause])]
        if of:
            share = f"{100 * len(whole) / len(of):.1f} %"
            print(f"| {quantity} | {len(of):,} | {len(seen):,} | {len(whole):,} | {share} |")
    nearest = defaultdict[str, list[bool]](list)
    for one in found:
        if one.nearest is not None:
            for part, mask in zip(one.group.parts, one.nearest.where, strict=True):
                for at in np.flatnonzero(part.wrong):
                    nearest[part.causes[at]].append(bool(mask[at]))
    whole = [cause for cause in causes if all(nearest.get(cause, [False]))]
    print()
    print(f"causes explained completely by the nearest model, whether it survives or not: {len(whole):,}")
    total = finite.total()
    print()
    print(f"finite wrong results other than 0: {finite[True]:,} of {total:,} explained ({finite[True] / total:.1%})")
    wrong = [one for one in found if any(part.wrong.any() for part in one.group.parts)]
    print(f"groups identified: {sum(map(bool, found)):,} of {len(found):,}, with wrong results ", end="")
    print(f"{sum(map(bool, wrong)):,} of {len(wrong):,}")


def _print_groups(found: list[Identified]) -> None:
    print()
    for one in sorted(found, key=lambda one: _share(one)):
        group, best = one.group, one.nearest
        head = f"{group.implementation} {group.dtype}->{group.result_dtype} {group.quantity}"
        if best is None:
            print(f"{head}: no formula")
            continue
        counts = f"{best.wrong_explained}/{best.wrong} {best.explained}/{best.total} equal {best.equal}"
        verdict = f"{len(one.survivors)} survive" if one else "unidentified"
        print(f"{counts} {head} {verdict}, {best.cost:.0f} bits | {best.name} | {best.arithmetic.name}")


def _share(one: Identified) -> float:
    best = one.nearest
    return 0.0 if best is None else best.wrong_explained / best.wrong if best.wrong else 2.0


if __name__ == "__main__":
    main()
