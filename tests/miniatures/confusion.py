"""What a diagnosis says of each miniature, beside what is true of it: `python -m tests.miniatures.confusion`."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import groupby

from conformance.diagnosis.diagnosis import Diagnosis, diagnosed
from conformance.diagnosis.identify import Models, identify
from conformance.diagnosis.results import Group, groups
from conformance.diagnosis.vocabulary import Mechanism
from conformance.plan import cases
from conformance.quantities import NUMERIC
from conformance.record.record import RunRecord
from tests.miniatures import kills
from tests.miniatures.registry import CATALOGUE

#: Cases that ask for one number of each element, in the dtype of the prediction.
FAMILIES = (
    "hard-labels",
    "soft-labels",
    "out-of-range-labels",
    "extreme-predictions",
    "special-values",
    "gradients",
    "options",
)

#: Of miniatures, by name: what is diagnosed of their wrong results.
Said = dict[str, list[Diagnosis]]


def said(record: RunRecord) -> Said:
    """The diagnoses of every group of results of a run with a wrong one among them."""
    found: Said = defaultdict(list)
    for one in _diagnoses(record):
        found[one.group.implementation.split("/")[1]].append(one)
    return dict(found)


def _diagnoses(record: RunRecord) -> Iterator[Diagnosis]:
    def key(group: Group) -> tuple[str, ...]:
        return group.form, group.dtype, group.quantity

    wrong = [
        one for one in groups(record, cases.load_suite(kills.ROOT / "cases")) if any(p.wrong.any() for p in one.parts)
    ]
    for _, alike in groupby(sorted(wrong, key=key), key):
        models = Models()
        yield from (diagnosed(identify(one, models)) for one in alike)


def declared(name: str) -> tuple[Mechanism, ...]:
    """What is true of a miniature, the mistake itself first; nothing of a right one."""
    return CATALOGUE[name].cls.mechanism if name in CATALOGUE else ()


def claims(diagnoses: list[Diagnosis]) -> Counter[Mechanism]:
    """How many examples have each mechanism as their first."""
    return Counter(example.mechanism for one in diagnoses for example in one.examples)


def text(found: Said) -> str:
    """The matrix: a line for what miniatures declare first, with how many of them are told which mechanism first."""
    rows: dict[str, Counter[str]] = defaultdict(Counter)
    for name, diagnoses in sorted(found.items()):
        true, claimed = declared(name), claims(diagnoses)
        first = claimed.most_common(1)[0][0].value if claimed else Mechanism.UNIDENTIFIED.value
        rows[true[0].value if true else "no formula or arithmetic"][first] += 1
    width = max(map(len, rows))
    return "\n".join(
        f"{true:{width}}  " + ", ".join(f"{one}: {count}" for one, count in counts.most_common())
        for true, counts in sorted(rows.items())
    )


def run() -> RunRecord:
    """Run all miniatures on the cases whose results formulas tell."""
    return kills.run(families=FAMILIES, quantities=NUMERIC)


if __name__ == "__main__":
    print(text(said(run())))
