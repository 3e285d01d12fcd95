"""Run records of which tests of renderers are made: every outcome, and text that is meant to break a format."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec

from conformance.record.record import (
    SCHEMA,
    BackendLine,
    CheckLine,
    FindingLine,
    Footer,
    Header,
    ImplementationLine,
    InputsLine,
    LinkLine,
    ProblemLine,
    RunRecord,
)
from conformance.record.tally import tallies

#: What a framework might say: markup, ends of cells, attributes and commands, and characters that XML cannot hold.
HOSTILE = '</td><script>alert(1)</script> | `x` & "q" \']]> %0A\r\n::error::no\t\x00\x1b[31m\ufffe \U0001f600 {{ 7*7 }}'

CAUSE = "torch/nn.loss[a|b]/value/ordinary/inaccurate"
KNOWN_CAUSE, GONE_CAUSE = "torch/nn.loss/value/saturated/non-finite", "numpy/textbook/value/ordinary/inaccurate"
KNOWN = ProblemLine(
    problem="loss-overflows",
    title="infinite where it is finite",
    kind="bug",
    advice="comment",
    why="exp overflows",
    links=(LinkLine("https://example.org/1", "open", "2026-01-31"),),
    mechanism=("overflow of an intermediate",),
)
GONE = ProblemLine(
    problem="formula-cancels",
    title="the formula cancels",
    kind="by-design",
    advice="noise",
    why="it is a textbook's",
)

#: Two implementations of one backend, of which one is called what only brackets can say, and one of another backend.
STRANGE, PLAIN, OTHER = "torch/nn.loss[a|b]/eager/cpu", "torch/nn.loss/eager/cpu", "numpy/textbook/eager/cpu"


def check(
    implementation: str, verdict: str, outcome: Any = "as expected", quantity: str = "value", **fields: Any
) -> CheckLine:
    """A check of the case `small/one`, whose elements are a and b, in float32."""
    given: dict[str, Any] = {
        "elements": ("a", "b"),
        "bits": ("3f317218", "3f7fffff"),
        "ulp": (0.25, 1e9),
        "result_dtype": "float32",
    } | fields
    id_ = f"small/one::{implementation}::float32::{quantity}"
    return CheckLine(
        id=id_,
        case="small/one",
        family="small",
        implementation=implementation,
        dtype="float32",
        quantity=quantity,
        verdict=verdict,
        outcome=outcome,
        **given,
    )


def finding(outcome: Any, cause: str, **fields: Any) -> FindingLine:
    """A finding about element b."""
    return FindingLine(element="b", outcome=outcome, verdict="deviates", what="inaccurate", cause=cause, **fields)


CHECKS = (
    check(STRANGE, "deviates", "new", findings=(finding("new", CAUSE, detail=HOSTILE),), bits=(), ulp=()),
    check(STRANGE, "by-contract", quantity="gradient-prediction"),
    check(PLAIN, "deviates", "recorded", findings=(finding("recorded", KNOWN_CAUSE, problem=KNOWN.problem),)),
    check(PLAIN, "rejects", quantity="acceptance", bits=(), ulp=()),
    check(OTHER, "conforms", "fixed", findings=(finding("fixed", GONE_CAUSE, problem=GONE.problem),)),
    check(OTHER, "conforms", quantity="result-dtype", bits=(), ulp=()),
)


def run(checks: tuple[CheckLine, ...] = CHECKS, exit_code: int = 1, **header: Any) -> RunRecord:
    """A complete record of `checks`; `header` replaces fields of the header."""
    inputs = InputsLine(
        case="small/one",
        family="small",
        flags=("plain",),
        form="probabilities",
        reduction="none",
        dtype="float32",
        elements=("a", "b"),
        inputs={"prediction": ("3f000000", "3e800000"), "label": ("3f800000", "3f000000")},
        ideal={"value": ("0x1.62e42fefa39efp-1", "0x1.ac89b834770d4p-1")},
    )
    names = dict.fromkeys(one.implementation for one in checks)
    given: dict[str, Any] = {
        "schema": SCHEMA,
        "suite": "0.1.0",
        "cases": "d" * 64,
        "started": "2026-02-03T04:05:06+00:00",
        "machine": {"architecture": "x86_64", "processor": HOSTILE},
        "filters": {"mode": ["eager"]},
        "backends": (
            BackendLine(
                name="torch", versions={"torch": "2.13.0", "numpy": "2.4.6"}, environment={"threads": 1}, pinned=True
            ),
            BackendLine(name="numpy", versions={"numpy": "2.4.6"}, environment={"says": HOSTILE}, pinned=True),
            BackendLine(name="jax", absent=f"ModuleNotFoundError {HOSTILE}"),
        ),
        "implementations": tuple(
            ImplementationLine(id=name, family=name.rsplit("/", 2)[0], form="probabilities") for name in names
        ),
        "planned": len(checks),
        "not_offered": {"reduction": 2},
        "skipped": 7,
    } | header
    verdicts = {one.verdict: sum(other.verdict == one.verdict for other in checks) for one in checks}
    outcomes = {one.outcome: sum(other.outcome == one.outcome for other in checks) for one in checks}
    footer = Footer(
        finished="2026-02-03T04:06:07+00:00",
        seconds=61.5,
        verdicts=verdicts,
        outcomes=dict(outcomes),
        not_run=0,
        restarts=(),
        exit=exit_code,
    )
    record = RunRecord(
        header=Header(**given),
        inputs=(inputs,),
        checks=checks,
        problems=(KNOWN, GONE),
        tolerances=(),
        footer=footer,
    )
    return replace(record, tallies=tallies(record))


def with_header(record: RunRecord, **fields: Any) -> RunRecord:
    """`record` with other fields of its header."""
    return replace(record, header=msgspec.structs.replace(record.header, **fields))


def interrupted(record: RunRecord) -> RunRecord:
    """`record` as it is where nobody wrote its end."""
    return replace(record, footer=None)
