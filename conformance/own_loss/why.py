"""Why a loss of your own is wrong: `from conformance import diagnose`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Unpack

from conformance import adapters
from conformance.diagnosis.diagnosis import Diagnosis
from conformance.diagnosis.diagnosis import diagnose as diagnoses_of
from conformance.own_loss.api import Declared, Loss, measure, shipped_suite
from conformance.own_loss.text import Report
from conformance.plan.cases import Form
from conformance.render import diagnosis as render


@dataclass(frozen=True)
class Diagnoses:
    """What `diagnose` returns; `print` shows it.  `found` is a diagnosis of each quantity and dtype that is wrong."""

    report: Report
    found: tuple[Diagnosis, ...]

    def __bool__(self) -> bool:
        """Whether a number is wrong."""
        return bool(self.found)

    def __str__(self) -> str:
        if not self.found:
            return "no number is wrong"
        record = self.report.record
        return render.document(list(render.pages(self.found, record, shipped_suite()))).rstrip("\n")


def diagnose(
    loss: Loss,
    *,
    form: Form,
    backend: str | adapters.Runtime,
    name: str = "",
    dtypes: Sequence[str] = (),
    quantities: Sequence[str] = (),
    **declared: Unpack[Declared],
) -> Diagnoses:
    """The formula that `loss` evaluates where its results are wrong, the step to blame, and what helps.

    The arguments are those of `measure`, which is called; every result votes, so cases are not chosen.  Raises what
    `measure` raises.
    """
    given: dict[str, Any] = dict(declared)
    report = measure(loss, form=form, backend=backend, name=name, dtypes=dtypes, quantities=quantities, **given)
    suite = shipped_suite()
    ids = dict.fromkeys(check.implementation for check in report.record.checks)
    return Diagnoses(report, tuple(each for one in ids for each in diagnoses_of(report.record, suite, one)))
