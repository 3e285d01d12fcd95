"""Small run records of which tests of readers are made: checks of one element, without a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from conformance.choose import needs
from conformance.choose.choose import Choice, Source, choose
from conformance.ids import ImplementationId
from conformance.record.record import (
    SCHEMA,
    BackendLine,
    CheckLine,
    Footer,
    Header,
    ImplementationLine,
    InputsLine,
    RunRecord,
    SpeedLine,
)

#: 1/2 in each dtype.
HALF = {"float64": "3fe0000000000000", "float32": "3f000000", "float16": "3800", "bfloat16": "3f00"}

#: Three implementations.
A, B, C = "stub/a/eager/cpu", "stub/b/eager/cpu", "stub/c/eager/cpu"


def inputs(case: str, family: str, dtype: str = "float32", form: str = "probabilities", flag: str = "") -> InputsLine:
    """Inputs of one element, whose label is 2 in the family of labels outside [0, 1]."""
    label = "40000000" if family == "out-of-range-labels" else "3f800000"
    bits = {"prediction": (HALF[dtype],), "label": (label,)}
    return InputsLine(
        case=case,
        family=family,
        flags=(flag,),
        form=form,
        reduction="none",
        dtype=dtype,
        elements=("e0",),
        inputs=bits,
        ideal={},
        dtypes={"label": "float32"},
    )


def check(
    case: str,
    name: str,
    verdict: str = "conforms",
    ulp: float | None = 0.5,
    quantity: str = "value",
    dtype: str = "float32",
    contract: float | None = None,
    verdicts: tuple[str, ...] = (),
) -> CheckLine:
    """A check of one element of a case, whose family is the first part of its id."""
    identity = f"{case}::{name}::{dtype}::{quantity}"
    family = case.partition("/")[0]
    return CheckLine(
        id=identity,
        case=case,
        family=family,
        implementation=name,
        dtype=dtype,
        quantity=quantity,
        verdict=verdict,
        outcome="as expected",
        elements=("e0", "e1")[: len(verdicts) or 1],
        verdicts=verdicts,
        bits=(HALF[dtype],) * (len(verdicts) or 1),
        ulp=(ulp,) * (len(verdicts) or 1),
        contract_ulp=() if contract is None else (contract,),
    )


def lines_of(names: Iterable[str], form: str) -> tuple[ImplementationLine, ...]:
    """Implementations of a form as a header has them."""
    return tuple(ImplementationLine(id=name, family=ImplementationId.parse(name).family, form=form) for name in names)


def run(
    checks: Sequence[CheckLine],
    form: str = "probabilities",
    speeds: Sequence[SpeedLine] = (),
    complete: bool = True,
    **header: object,
) -> RunRecord:
    """A record of some checks."""
    names = dict.fromkeys(one.implementation for one in checks)
    lines = {(one.case, one.dtype): inputs(one.case, one.family, one.dtype, form) for one in checks}
    fields: dict[str, object] = {
        "schema": SCHEMA, "suite": "0", "cases": "", "started": "2001-02-03T00:00:00+00:00",
        "machine": {}, "filters": {},
        "backends": (BackendLine(name="stub", versions={"stub": "1.0"}),),
        "implementations": lines_of(names, form),
        "planned": len(checks), "not_offered": {},
    }  # fmt: skip
    head = Header(**(fields | header))  # type: ignore[arg-type]
    verdicts = Counter(one.verdict for one in checks)
    footer = Footer(finished="2001", seconds=1.0, verdicts=verdicts, outcomes={}, not_run=0, restarts=(), exit=0)
    return RunRecord(
        header=head,
        inputs=tuple(lines.values()),
        checks=tuple(checks),
        footer=footer if complete else None,
        speeds=tuple(speeds),
    )


def chosen(words: str, *records: RunRecord, everything: bool = False) -> Choice:
    """The choice among the implementations of some records, which are called r0, r1, ..."""
    return choose([Source(f"r{index}", one) for index, one in enumerate(records)], needs.parse([words]), everything)
