"""Judge a loss of your own, in your own tests: `from conformance import assert_conforms, measure`.

The callable is called in this process, and everything else is as in `bce-conformance run`: the same cases, budgets,
judge and words.  No file is written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack, get_args

from conformance import adapters
from conformance.contracts import Contract
from conformance.errors import Exit, HarnessError, InputError, did_you_mean
from conformance.known.record import load, place
from conformance.numbers.formats import FORMATS
from conformance.own_loss import text
from conformance.own_loss.allowed import Allowed, checked
from conformance.own_loss.arguments import Arguments
from conformance.own_loss.ideals import Ideal, Own
from conformance.own_loss.text import Report
from conformance.plan import cases as case_files
from conformance.plan.cases import Form, Suite
from conformance.plan.filters import Filters, matches
from conformance.plan.plan import Plan
from conformance.pool.inprocess import InProcess
from conformance.quantities import NUMERIC, QUANTITIES
from conformance.run import run

#: (prediction, label, **options) -> loss, in the framework's own tensors.
Loss = Callable[..., Any]

#: Quantities without a word of the user: all but the derivatives that training by gradient descent does without.
TRAINED = tuple(one for one in QUANTITIES if one == "gradient-prediction" or one not in NUMERIC[1:])

__all__ = ["Allowed", "Report", "assert_conforms", "measure"]


class Declared(TypedDict, total=False):
    """What a loss takes besides prediction and label, and what it promises: arguments of `adapters.Implementation`.

    They are named once more for type checkers, which then know the arguments of `measure` and `assert_conforms`.
    """

    options: Sequence[str]
    parameters: Sequence[str]
    reductions: Sequence[str]
    contract: Contract
    derivatives: Mapping[str, Loss]
    labels: Literal["any", "hard"]
    masks: bool
    mode: str


def measure(
    loss: Loss,
    *,
    form: Form,
    backend: str | adapters.Runtime,
    name: str = "",
    cases: Sequence[str] = (),
    flags: Sequence[str] = (),
    without_flags: Sequence[str] = (),
    dtypes: Sequence[str] = (),
    quantities: Sequence[str] = (),
    known: Sequence[str | Path] = (),
    ideal: Ideal | None = None,
    **declared: Unpack[Declared],
) -> Report:
    """Judge `loss` on every case that fits it; whatever is found, nothing is raised for it.

    `loss` takes (prediction, label), and what it declares by keyword, in the tensors of `backend`: the name of a
    built-in backend, or a Runtime.  `form` tells what the prediction is.  The gradient comes from the framework, or
    where it has none from `derivatives`.  Globs in `cases`, `flags`, `dtypes` and `quantities` choose what is run, as
    the options of the command do; cases with one of `without_flags` are left out, and so are, unless they are asked for
    or declared, the derivatives that training does without (TRAINED).  `known` are folders with records
    of it, and `name` is what the loss is called in reports, if not by its own name.  `ideal` is what it should be where
    that is no binary cross-entropy (`ideals`).

    Raises InputError where the arguments leave nothing to judge or ask for what there is not, HarnessError where the
    suite itself cannot judge in this process.
    """
    filters = Filters(
        case=_words("cases", cases),
        flag=_words("flags", flags),
        dtype=_among("dtypes", dtypes, tuple(FORMATS)),
        quantity=_among("quantities", quantities, tuple(QUANTITIES)) or (*TRAINED, *declared.get("derivatives", ())),
        without_flag=_words("without_flags", without_flags),
    )
    if form not in get_args(Form):
        raise InputError(f"form must be one of {', '.join(get_args(Form))} (got {form!r})")
    suite = shipped_suite()
    _must_be_found(suite, form, filters)
    executor = InProcess(_adapter(loss, form, backend, name or _name(loss), declared))
    options = run.Options(filters=filters, strict=True)
    if ideal is not None:
        own = _own(ideal, declared)
        suite, options = own.fitting(suite, form, filters), replace(options, ideal=own)
    plan = run.planned([executor.backend], suite, options)
    _must_be_planned(plan, dtypes, quantities)
    record = load([place(Path(one)) for one in _words("known", known)])
    done = run.execute(executor, [executor.backend], plan, record, options)
    if done.record.interrupted:
        raise KeyboardInterrupt
    if done.exit == Exit.HARNESS_FAILED:
        failed = "; ".join(one.failed for one in done.opened.values() if one.failed)
        raise HarnessError(f"backend {executor.backend.name} cannot be used in this process: {failed}")
    arguments = Arguments(
        loss=_variable(loss),
        form=form,
        backend=backend,
        declared={**declared, **_given(known=[str(one) for one in known], ideal=ideal)},
        tensor=executor.runtime.written.tensor,
        gradient=executor.runtime.written.gradient,
    )
    return Report(done.record, {one.case.id: one.case for one in suite.cases}, arguments)


def assert_conforms(
    loss: Loss,
    *,
    form: Form,
    backend: str | adapters.Runtime,
    allow: Sequence[Allowed] = (),
    name: str = "",
    cases: Sequence[str] = (),
    flags: Sequence[str] = (),
    without_flags: Sequence[str] = (),
    dtypes: Sequence[str] = (),
    quantities: Sequence[str] = (),
    known: Sequence[str | Path] = (),
    ideal: Ideal | None = None,
    **declared: Unpack[Declared],
) -> None:
    """Raise AssertionError where `measure`, which takes the same arguments, finds what is not as expected.

    `allow` holds problems that are accepted, each with its reason.  What looks like one of them but is in another case
    or does more harm is none, and what is allowed and does not show fails, too.
    """
    __tracebackhide__ = True
    allowed = checked(allow)
    report = measure(
        loss,
        form=form,
        backend=backend,
        name=name,
        cases=cases,
        flags=flags,
        without_flags=without_flags,
        dtypes=dtypes,
        quantities=quantities,
        known=known,
        ideal=ideal,
        **declared,
    )
    left, unused = report.without(allowed)
    if not left.conforms or unused:
        raise AssertionError(text.failure(left, unused))


def _adapter(
    loss: Loss, form: Form, backend: str | adapters.Runtime, name: str, declared: Declared
) -> adapters.Adapter:
    """The callable as an adapter with one implementation.  Raises InputError for what that does not take."""
    if not callable(loss):
        raise InputError(f"the loss must be callable (got {type(loss).__name__})")
    given: dict[str, Any] = {"singly": "none" not in declared.get("reductions", ("none",)), **declared}
    try:
        runtime = adapters.runtime(backend) if isinstance(backend, str) else backend
        return adapters.Adapter(
            backend if isinstance(backend, str) else "own",
            [adapters.Implementation(name, form, loss, **given)],
            backend=runtime,
        )
    except ValueError as error:
        raise InputError(str(error)) from None


def _own(ideal: Ideal, declared: Declared) -> Own:
    """The ideal of one's own.  Raises InputError for a contract, which is about binary cross-entropy."""
    if not callable(ideal):
        raise InputError(f"the ideal must be callable (got {type(ideal).__name__})")
    if declared.get("contract"):
        raise InputError("ideal and contract exclude each other", "write what the loss documents into the ideal")
    return Own(ideal, declared.get("options", ()), declared.get("parameters", ()))


def _given(**arguments: Any) -> dict[str, Any]:
    """The arguments that say something."""
    return {name: value for name, value in arguments.items() if value}


def _name(loss: Loss) -> str:
    """What a callable is called: a function by its name, an object by its class."""
    inner = getattr(loss, "func", loss)  # of functools.partial
    return str(getattr(inner, "__name__", type(inner).__name__))


def _variable(loss: Loss) -> str:
    """How a call of it can be written: by the name of a function, which a lambda or an object does not have."""
    name = str(getattr(loss, "__name__", ""))
    return name if name.isidentifier() else "loss"


@cache
def shipped_suite() -> Suite:
    """The cases that ship, read once."""
    return case_files.load_suite(case_files.default_folder())


def _words(argument: str, words: Sequence[Any]) -> tuple[Any, ...]:
    """A sequence as a tuple; one word is a mistake, since it would be taken for a sequence of letters."""
    if isinstance(words, str | bytes):
        raise InputError(f"{argument} must be a list of words (got {words!r})", f"write {argument}=[{words!r}]")
    return tuple(words)


def _among(argument: str, words: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    for word in _words(argument, words):
        if not any(matches((word,), one) for one in known):
            raise InputError(f"{argument}: {word!r} is not one of {', '.join(known)}")
    return tuple(words)


def _must_be_found(suite: Suite, form: Form, filters: Filters) -> None:
    """Raises InputError for a pattern that no case of this form matches: a slip of the pen would pass unnoticed."""
    here = [one for one in suite.cases if one.case.form == form]
    for pattern in filters.case:
        if not any(matches((pattern,), name) for one in here for name in (one.case.id, one.family)):
            names = [name for one in here for name in (one.family, one.case.id)]
            raise InputError(f"cases: {pattern!r} matches no case of form {form}", did_you_mean(pattern, names))
    flags = sorted({flag for one in here for flag in one.case.flags})
    for pattern in (*filters.flag, *filters.without_flag):
        if not any(matches((pattern,), flag) for flag in flags):
            near = did_you_mean(pattern, flags)
            raise InputError(f"flags: {pattern!r} matches no flag of a case of form {form}", near)


def _must_be_planned(plan: Plan, dtypes: Sequence[str], quantities: Sequence[str]) -> None:
    """Raises InputError for a dtype or quantity that was asked for and is in no check."""
    planned = {quantity for request in plan.requests for quantity in request.quantities}
    asked = (("dtypes", dtypes, {request.dtype for request in plan.requests}), ("quantities", quantities, planned))
    for argument, words, found in asked:
        for word in words:
            if not any(matches((word,), one) for one in found):
                raise InputError(
                    f"{argument}: {word!r} was asked for, but no check of these cases has it",
                    "leave it out, or declare what it needs: `derivatives`, `reductions`, `options`, `contract`",
                )
