"""Verdicts: observations against expectation, ideal and contract.

The whole run is judged at once: first every point against the ideal, then the points that miss it against each
reading of their implementation's contract, then each check gets the worst verdict of its elements.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

import numpy as np

from conformance import contracts, expected
from conformance.cases import NUMERIC
from conformance.domain import expectations, regions
from conformance.formats import FORMATS, Format, decode
from conformance.measure import BUDGET, CLASSES, CODE, Limits, Measured, concatenate, measure
from conformance.observation import Observation, Observed
from conformance.plan import PROBE, Inputs, Request
from reference import Reference

#: Verdicts from best to worst; a check has the worst of its elements.  `recorded` is what `expect: observe` gives.
VERDICTS = (
    "conforms",
    "recorded",
    "by-contract",
    "rejects",
    "unsupported",
    "undecided",
    "deviates",
    "timed-out",
    "crashed",
)
SEVERITY = {name: rank for rank, name in enumerate(VERDICTS)}

#: Verdicts that need no record.
EXPECTED = frozenset({"conforms", "recorded", "by-contract", "rejects"})


@dataclass(frozen=True, slots=True)
class Finding:
    """An element of a check that is neither conforming nor rejecting as expected.

    `what` is a class of `measure.CLASSES` or one of: raised, accepted, unsupported, crashed, timed-out, result-dtype,
    result-shape, changed, field (a contract's field does not show).  `cause` groups findings over elements, dtypes,
    modes and versions.  `detail` is the exception or the observed dtype, shape or inputs.
    """

    element: str
    verdict: str
    what: str
    cause: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Judged:
    """One check with its verdict.

    `elements` are the ids, `bits` the patterns that came back (hexadecimal, "" where nothing came), `scaled` and
    `plain` the errors against the ideal in ULP of `result_dtype`, `contract` the error against the nearest reading of
    the contract and `contract_values` that reading's value (None where it was not needed); NaN where no number
    applies.  `verdicts` has one entry for each element; `formula` names the
    elements that are by-contract only because the counted error of a documented formula allows it.
    """

    request: Request
    quantity: str
    verdict: str
    elements: tuple[str, ...]
    verdicts: tuple[str, ...]
    bits: tuple[str, ...] = ()
    scaled: tuple[float, ...] = ()
    plain: tuple[float, ...] = ()
    contract: tuple[float, ...] = ()
    contract_values: tuple[float | None, ...] = ()
    budget: tuple[float, ...] = ()
    result_dtype: str = ""
    formula: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    details: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The check's id."""
        return self.request.check_id(self.quantity)


@dataclass
class Points:
    """A numeric check while it is judged: one entry for each result element."""

    request: Request
    quantity: str
    numeric: str
    observations: Observed
    count: int
    got: Any = field(init=False)
    present: Any = field(init=False)
    fmt: Format = field(init=False)
    dtype: str = field(init=False, default="")
    problem: str = field(init=False, default="")

    def __post_init__(self) -> None:
        self.got = np.full(self.count, np.nan)
        self.present = np.zeros(self.count, dtype=bool)
        self.fmt = FORMATS[self.request.dtype]
        tensors = [one.tensor for one in self.observations]
        returned = [tensor for tensor in tensors if tensor is not None]
        if not returned:
            return
        self.dtype = returned[0].dtype
        if self.dtype not in FORMATS:
            self.problem = "result-dtype"
            return
        self.fmt = FORMATS[self.dtype]
        if len(tensors) == 1:
            if returned[0].bits.size != self.count:
                self.problem = "result-shape"
                return
            self.got = decode(returned[0]).ravel()
            self.present[:] = True
            return
        for index, tensor in enumerate(tensors):
            if tensor is not None and tensor.bits.size == 1 and tensor.dtype == self.dtype:
                self.got[index] = decode(tensor).ravel()[0]
                self.present[index] = True

    def observation(self, index: int) -> Observation:
        """The observation that covers result element `index`."""
        return self.observations[index if len(self.observations) > 1 else 0]

    def trouble(self, index: int) -> str:
        """Why result element `index` has no value although something came back; "" where it has one."""
        if self.problem or self.present[index] or self.observation(index).tensor is None:
            return self.problem
        return "result-shape"

    @cached_property
    def bits(self) -> tuple[str, ...]:
        """Patterns that came back, in hexadecimal."""
        if len(self.observations) == 1:
            tensor = self.observations[0].tensor
            if tensor is None or tensor.dtype not in FORMATS or tensor.bits.size != self.count:
                return ("",) * self.count
            width = FORMATS[tensor.dtype].width // 4
            return tuple([f"{one:0{width}x}" for one in tensor.bits.ravel().tolist()])
        return tuple(
            f"{int(one.tensor.bits.ravel()[0]):0{FORMATS[one.tensor.dtype].width // 4}x}"
            if one.tensor is not None and self.present[index]
            else ""
            for index, one in enumerate(self.observations)
        )


#: Signature of a finding in its cause: what distinguishes one mistake from another, not how far it went.
SIGNATURE = {
    "nan": "non-finite",
    "infinite": "non-finite",
    "zero": "inaccurate",
    "raised": "raises",
    "accepted": "accepts",
}


def cause(request: Request, quantity: str, region: str, what: str) -> str:
    """backend/entry/quantity/region/signature: the same for every version, CPU, dtype, mode, case and element.

    An exception, or the lack of one, is about acceptance, whichever quantity met it; so is the end of a process, which,
    like dtype, shape and changed inputs, does not depend on where the inputs lie.
    """
    if what in ("raised", "accepted", "unsupported"):
        quantity = "acceptance"
    if what in ("crashed", "timed-out"):
        quantity, region = "acceptance", "any"
    if what in ("result-dtype", "result-shape", "changed"):
        quantity, region = ("inputs-unchanged" if what == "changed" else what), "any"
    return f"{request.implementation.family}/{quantity}/{region}/{SIGNATURE.get(what, what)}"


#: How a point meets a contract: within the counted error of a documented formula, or within the budget of a reading.
FORMULA, CONTRACT = 1, 2


@dataclass(frozen=True)
class Errors:
    """What is known of each point: arrays of equal length, views of which `part` gives.

    `code`, `scaled` and `plain` are those of `measure` against the ideal.  `contract` is the error against the nearer
    of the ideal and all readings of the contract, `reading` that reading's value, `read` whether there was one, and
    `by_contract` how a point that misses the ideal meets one: not (0), by FORMULA or by CONTRACT.
    """

    code: Any
    scaled: Any
    plain: Any
    budget: Any
    contract: Any
    reading: Any
    read: Any
    by_contract: Any

    @classmethod
    def against_ideal(cls, found: Measured, budget: Any) -> Errors:
        """Before any contract was looked at."""
        size = found.code.shape
        return cls(
            found.code,
            found.scaled,
            found.plain,
            budget,
            found.scaled.copy(),
            np.full(size, np.nan),
            np.zeros(size, dtype=bool),
            np.zeros(size, dtype=np.int8),
        )

    def part(self, here: slice) -> Errors:
        """The points of one check."""
        return Errors(*(getattr(self, one.name)[here] for one in fields(self)))

    def take_in(self, meets: Any, ulps: Any, values: Any) -> None:
        """Another reading of the contract: which points meet it, their errors, its values."""
        nearer = ~(self.contract <= ulps) | ~self.read
        self.reading[nearer] = values[nearer]
        self.read[:] = True
        self.by_contract[:] = np.maximum(self.by_contract, meets)
        self.contract[:] = np.fmin(self.contract, ulps)

    def contract_values(self) -> tuple[float | None, ...]:
        """The nearest reading's value at each point, None where there was no reading."""
        pairs = zip(self.reading.tolist(), self.read.tolist(), strict=True)
        return tuple(value if known else None for value, known in pairs)


class Judge:
    """Judges one run.  Ideal references are computed when the judge is made, while the workers still run."""

    def __init__(self, requests: Sequence[Request]) -> None:
        self.requests = requests
        self._expectations: dict[Any, tuple[str, ...]] = {}
        self._regions: dict[Any, tuple[str, ...]] = {}
        keys: dict[tuple[str, str, str], tuple[Inputs, str]] = {}
        for request in requests:
            for quantity in request.numeric:
                keys[request.case.id, request.dtype, quantity] = (request.inputs, quantity)
        points = list(expected.ideal_points(keys.values()))
        self.ideal = dict(zip(keys, expected.compute(points), strict=True))

    def judge(self, observed: Sequence[dict[str, Observed] | None]) -> list[Judged]:
        """Verdicts of all checks whose request was observed, in the order of the plan."""
        numeric = [
            Points(request, quantity, name, outcome[name], len(self.ideal[request.case.id, request.dtype, name].hi))
            for request, outcome in zip(self.requests, observed, strict=True)
            if outcome is not None
            for quantity in request.quantities
            if (name := "value" if quantity == PROBE else quantity) in NUMERIC and name in outcome
        ]
        judged = dict(zip([(id(one.request), one.quantity) for one in numeric], self._numeric(numeric), strict=True))
        results = []
        for request, outcome in zip(self.requests, observed, strict=True):
            for quantity in request.quantities if outcome is not None else ():
                done = judged.get((id(request), quantity))
                if done is None and outcome is not None and "value" in outcome:
                    done = self._behaviour(request, quantity, outcome)
                if done is not None:
                    results.append(done)
        return results

    def expectation(self, request: Request) -> tuple[str, ...]:
        """`expectations` of a request, computed once for each case, dtype and contract."""
        key = (request.case.id, request.dtype, request.implementation.contract)
        if key not in self._expectations:
            self._expectations[key] = expectations(request.inputs, request.implementation.contract)
        return self._expectations[key]

    def region(self, request: Request) -> tuple[str, ...]:
        """`regions` of a request, computed once for each case and dtype."""
        key = (request.case.id, request.dtype)
        if key not in self._regions:
            self._regions[key] = regions(request.inputs)
        return self._regions[key]

    def reference(self, request: Request, quantity: str) -> Reference:
        """The ideal of a numeric quantity of a request."""
        return self.ideal[request.case.id, request.dtype, quantity]

    # -- numeric quantities --------------------------------------------------------------------------------------

    def _numeric(self, checks: Sequence[Points]) -> list[Judged]:
        if not checks:
            return []
        counts = [check.count for check in checks]
        limits = Limits.of([check.fmt for check in checks], counts)
        ideal = concatenate([self.reference(check.request, check.numeric) for check in checks])
        budget = np.concatenate([self._budget(check) for check in checks])
        got = np.concatenate([check.got for check in checks])
        present = np.concatenate([check.present for check in checks])
        starts = np.concatenate([[0], np.cumsum(counts)])
        found = measure(got, ideal, limits, budget)
        errors = Errors.against_ideal(found, budget)
        missing = present & ~found.ok
        for index, ok, ulps, values in self._contracts(checks, starts, missing, got, limits, budget):
            here = slice(starts[index], starts[index + 1])
            errors.part(here).take_in(np.where(missing[here], ok, 0), ulps, values)
        self._flushed_by_contract(checks, starts, missing & (found.code == CODE["flushed"]), errors)
        agrees = self._without_field(checks, starts, got, limits, budget, found.ok)
        columns = [np.where(present, one, np.nan).tolist() for one in (errors.scaled, errors.plain, errors.contract)]
        columns.append(budget.tolist())
        results = []
        for index, check in enumerate(checks):
            here = slice(int(starts[index]), int(starts[index + 1]))
            numbers = [tuple(column[here]) for column in columns]
            results.append(self._assemble(check, errors.part(here), numbers, agrees.get(index)))
        return results

    def _budget(self, check: Points) -> Any:
        """BUDGET; a reduced value may add the bound of its summation, (ceil(log2 n) + 8) u_acc sum|x| + 0.5 ULP.

        u_acc is that of float32 for the 16-bit types.
        """
        count = len(check.request.inputs.elements)
        budget = np.full(check.count, BUDGET)
        if check.request.case.reduction != "none" and check.numeric == "value":
            precision = max(check.fmt.precision, 24)
            budget += (np.ceil(np.log2(max(count, 1))) + 8) * 2.0 ** (check.fmt.precision - precision) + 0.5
        return budget

    def _contracts(
        self, checks: Sequence[Points], starts: Any, missing: Any, got: Any, limits: Limits, budget: Any
    ) -> Iterator[tuple[int, Any, Any, Any]]:
        """Every reading of the contracts of checks with points that miss the ideal, as `_agreements` gives them."""
        selected = [
            (index, check, None)
            for index, check in enumerate(checks)
            if check.request.implementation.contract and missing[starts[index] : starts[index + 1]].any()
        ]
        return _agreements(self._readings(selected), checks, starts, got, limits, budget)

    def _flushed_by_contract(self, checks: Sequence[Points], starts: Any, flushed: Any, errors: Errors) -> None:
        for index, check in enumerate(checks):
            if contracts.find(check.request.implementation.contract, "ftz"):
                here = slice(starts[index], starts[index + 1])
                errors.by_contract[here] = np.maximum(errors.by_contract[here], CONTRACT * flushed[here])

    def _without_field(
        self, checks: Sequence[Points], starts: Any, got: Any, limits: Limits, budget: Any, ideal_ok: Any
    ) -> dict[int, Any]:
        """For each probe, the points where the result also agrees with the contract minus the probed field."""
        probes = [(i, check, _probed(check.request)) for i, check in enumerate(checks) if check.quantity == PROBE]
        agrees = {}
        for index, check, probed in probes:
            here = slice(starts[index], starts[index + 1])
            rest = [one for one in check.request.implementation.contract if one != probed]
            alone = not rest and probed.name != "reduction"
            agrees[index] = ideal_ok[here].copy() if alone else np.zeros(check.count, dtype=bool)
        for index, ok, _, _ in _agreements(self._readings(probes), checks, starts, got, limits, budget):
            agrees[index] |= ok > 0
        return agrees

    def _readings(self, selected: Sequence[tuple[int, Points, Any]]) -> list[tuple[int, expected.Alternative]]:
        """(index, reading) of the contracts of `selected` (index, check, a field to leave out or None), in bulk."""
        wanted: dict[tuple[Any, ...], tuple[Inputs, str, contracts.Contract]] = {}
        users: dict[tuple[Any, ...], list[int]] = {}
        for index, check, left_out in selected:
            contract = tuple(one for one in check.request.implementation.contract if one != left_out)
            # A mean without the field that says "divided by the number of elements" is a sum.
            without_mean = left_out is not None and left_out.name == "reduction"
            reduction = "sum" if without_mean else check.request.case.reduction
            key = (check.request.case.id, check.request.dtype, check.numeric, contract, reduction)
            wanted[key] = (check.request.inputs, check.numeric, contract)
            users.setdefault(key, []).append(index)
        flat = [
            (key, arguments, point, factor)
            for key, arguments in wanted.items()
            for point, factor in expected.contract_points(*arguments, key[-1])
        ]
        computed = expected.compute([point for _, _, point, _ in flat])
        readings: list[tuple[int, expected.Alternative]] = []
        for (key, arguments, _, factor), result in zip(flat, computed, strict=True):
            one = expected.alternative(*arguments, result, factor)
            readings.extend((index, one) for index in users[key])
        return readings

    def _assemble(
        self, check: Points, errors: Errors, numbers: Sequence[tuple[float, ...]], agrees_without: Any
    ) -> Judged:
        request = check.request
        names = _element_names(check)
        expect = _for_results(self.expectation(request), check.count)
        if request.case.reduction != "none" and len(check.observations) == 1 and check.observations[0].kind == "raised":
            expect = _for_results(self.expectation(request), 1) * check.count  # one call over all elements was rejected
        code = errors.code
        if check.quantity == PROBE:
            verdicts, whats = _probe(check, code, errors.by_contract, expect, agrees_without)
        elif (code == 0).all() and check.present.all() and "reject" not in expect and "observe" not in expect:
            verdicts, whats = ["conforms"] * check.count, [""] * check.count
        else:
            pairs = [
                _verdict(
                    expect[i], check.observation(i), check.trouble(i), CLASSES[code[i]], bool(errors.by_contract[i])
                )
                for i in range(check.count)
            ]
            verdicts, whats = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        findings = []
        for index, verdict in enumerate(verdicts):
            if verdict not in EXPECTED:
                what = whats[index]
                region = _for_results(self.region(request), check.count)[index]
                origin = cause(request, check.quantity, region, what)
                findings.append(Finding(names[index], verdict, what, origin, _detail(check.observation(index))))
        return Judged(
            request,
            check.quantity,
            max(verdicts, key=SEVERITY.__getitem__),
            names,
            tuple(verdicts),
            check.bits,
            numbers[0],
            numbers[1],
            numbers[2],
            errors.contract_values() if findings else (),
            numbers[3],
            check.dtype,
            _by_formula(names, verdicts, errors),
            tuple(findings),
            tuple(dict.fromkeys(text for one in check.observations if (text := _detail(one)))),
            tuple(sorted({text for one in check.observations for text in one.warnings})),
        )

    # -- quantities about how the value came back ----------------------------------------------------------------

    def _behaviour(self, request: Request, quantity: str, outcome: dict[str, Observed]) -> Judged:
        judge_one = _BEHAVIOUR[quantity]
        observations = outcome["value"]
        expect = _for_results(self.expectation(request), len(observations))
        names = request.inputs.names if len(observations) == len(request.inputs.names) else ("all",)
        verdicts, findings, details = [], [], []
        for index, observation in enumerate(observations):
            if observation.kind == "returned":
                verdict, what, detail = judge_one(request, expect[index], observation, len(observations) > 1)
                if index == 0 and verdict in EXPECTED:
                    verdict, what, detail = _of_derivatives(request, quantity, outcome) or (verdict, what, detail)
            else:
                verdict, what = _verdict(expect[index], observation, "", "ok", False)
                detail = _detail(observation)
            verdicts.append(verdict)
            if detail:
                details.append(detail)
            if verdict not in EXPECTED:
                region = _for_results(self.region(request), len(observations))[index]
                findings.append(Finding(names[index], verdict, what, cause(request, quantity, region, what), detail))
        return Judged(
            request,
            quantity,
            max(verdicts, key=SEVERITY.__getitem__),
            names,
            tuple(verdicts),
            findings=tuple(findings),
            details=tuple(dict.fromkeys(details)),
        )


def _by_formula(names: Sequence[str], verdicts: Sequence[str], errors: Errors) -> tuple[str, ...]:
    """Elements that are by-contract only by the counted error of a documented formula."""
    how = zip(names, verdicts, errors.by_contract.tolist(), strict=True)
    return tuple(name for name, verdict, by in how if verdict == "by-contract" and by == FORMULA)


def _element_names(check: Points) -> tuple[str, ...]:
    names = check.request.inputs.names
    return names if len(names) == check.count else ("all",)


#: From the least to the most demanding: what a reduced check expects is the first that any of its elements allows.
_LENIENCE = ("reject", "observe", "either", "value")


def _for_results(words: tuple[str, ...], count: int) -> tuple[str, ...]:
    """Words about elements as words about `count` results: one result over all elements takes the strongest word."""
    if len(words) == count:
        return words
    for word in (*_LENIENCE, "nan", "infinite", "outside", "saturated", "ordinary"):
        if word in words:
            return (word,) * count
    return ("ordinary",) * count


def _verdict(expect: str, seen: Observation, problem: str, what: str, by_contract: bool) -> tuple[str, str]:
    """The table of expectation × observation: (verdict, class)."""
    if seen.kind in ("crashed", "timed-out"):
        return seen.kind, seen.kind
    if expect == "observe":
        return "recorded", ""
    if seen.kind == "raised":
        if not seen.control:
            return "unsupported", "unsupported"
        return ("deviates", "raised") if expect == "value" else ("rejects", "")
    if expect == "reject":
        return "deviates", "accepted"
    if problem:
        return "deviates", problem
    if what == "ok":
        return "conforms", ""
    if by_contract:
        return "by-contract", ""
    return ("undecided" if what == "undecided" else "deviates"), what


def _probed(request: Request) -> Any:
    """The field of the contract that a probe case is about."""
    return contracts.probed(request.implementation.contract, request.case.probe or "")


def _probe(
    check: Points, code: Any, contract_ok: Any, expect: Sequence[str], agrees_without: Any
) -> tuple[list[str], list[str]]:
    """A contract's field shows where the result agrees with the contract and not with the contract without it."""
    verdicts, whats = [], []
    probed = _probed(check.request)
    for index in range(check.count):
        seen = check.observation(index)
        verdict, what = _verdict("value", seen, check.trouble(index), CLASSES[code[index]], bool(contract_ok[index]))
        if verdict in ("crashed", "timed-out"):
            pass  # whatever the field says, the process did not survive
        elif probed.name == "domain_check":
            shown = seen.kind == "raised" and seen.control and seen.type == probed.raises
            inside = expect[index] == "value"
            ok = seen.kind == "returned" if inside else shown
            verdict, what = ("by-contract", "") if ok else ("deviates", "field")
        elif verdict in ("conforms", "by-contract"):
            verdict, what = ("deviates", "field") if agrees_without[index] else ("by-contract", "")
        verdicts.append(verdict)
        whats.append(what)
    return verdicts, whats


def _agreements(
    readings: Sequence[tuple[int, expected.Alternative]],
    checks: Sequence[Points],
    starts: Any,
    got: Any,
    limits: Limits,
    budget: Any,
) -> Iterator[tuple[int, Any, Any, Any]]:
    """(index of the check, how each point agrees with the reading, its error in ULP, the reading), in bulk."""
    if not readings:
        return
    index = np.concatenate([np.arange(starts[i], starts[i + 1]) for i, _ in readings])
    joined = concatenate([one.reference for _, one in readings])
    counts = [checks[i].count for i, _ in readings]
    # A gradient passes through a documented cast: it is as coarse as the cast, whatever dtype it comes back in.
    formats = [_coarser(checks[i].fmt, checks[i].request.implementation.contract) for i, _ in readings]
    limits = Limits.of(formats, counts)
    values, allowed = got[index], budget[index]
    found = measure(values, joined, limits, allowed)
    slack = np.concatenate([one.slack for _, one in readings])
    hull = np.concatenate([one.hull for _, one in readings])
    with np.errstate(all="ignore"):
        within = np.isfinite(values) & (np.abs(values - joined.hi) <= slack) & (slack > 0) & ~found.ok
        # A formula's rounding errors explain neither another sign nor a flushed result nor an uncertain reference.
        within &= ~np.isin(found.code, (CODE["sign"], CODE["flushed"], CODE["undecided"]))
        span = np.abs(joined.hi) * (1 + allowed * 2.0 ** (1 - limits.precision))
        between = hull & (values * np.sign(joined.hi) >= 0) & (np.abs(values) <= span)
    ok = np.where(found.ok | between, CONTRACT, np.where(within, FORMULA, 0))
    ulps = np.where((between | within) & ~found.ok, 0.0, found.scaled)
    stops = np.cumsum(counts)
    for (i, _), stop, count in zip(readings, stops, counts, strict=True):
        here = slice(stop - count, stop)
        yield i, ok[here], ulps[here], joined.hi[here]


def _coarser(fmt: Format, contract: contracts.Contract) -> Format:
    cast = contracts.find(contract, "casts_to")
    return FORMATS[cast.dtype] if cast and FORMATS[cast.dtype].precision < fmt.precision else fmt


def _detail(seen: Observation) -> str:
    if seen.kind == "raised":
        return f"{seen.type}: {seen.message}"
    return seen.message


BehaviourVerdict = tuple[str, str, str]


def _acceptance(request: Request, expect: str, seen: Observation, single: bool) -> BehaviourVerdict:
    verdict, what = _verdict(expect, seen, "", "ok", False)
    return verdict, what, ""


def _result_dtype(request: Request, expect: str, seen: Observation, single: bool) -> BehaviourVerdict:
    assert seen.tensor is not None
    cast = contracts.find(request.implementation.contract, "casts_to")
    if cast is not None and seen.tensor.dtype == cast.dtype:
        return ("conforms" if cast.dtype == request.dtype else "by-contract"), "", ""
    if seen.tensor.dtype == request.dtype and cast is None:
        return "conforms", "", ""
    return "deviates", "result-dtype", f"returned {seen.tensor.dtype} for {request.dtype}"


def _result_shape(request: Request, expect: str, seen: Observation, single: bool) -> BehaviourVerdict:
    assert seen.tensor is not None
    wanted: tuple[int, ...] = ()
    if request.case.reduction == "none":
        wanted = (1,) if single else request.inputs.tensors["prediction"].shape
    if seen.tensor.shape == wanted:
        return "conforms", "", ""
    return "deviates", "result-shape", f"returned shape {seen.tensor.shape}, expected {wanted}"


def _inputs_unchanged(request: Request, expect: str, seen: Observation, single: bool) -> BehaviourVerdict:
    if not seen.changed:
        return "conforms", "", ""
    return "deviates", "changed", f"changed its input {', '.join(seen.changed)}"


def _of_derivatives(request: Request, quantity: str, outcome: dict[str, Observed]) -> BehaviourVerdict | None:
    """What is wrong with how a derivative came back: its dtype, its shape, or inputs that its call changed."""
    cast = contracts.find(request.implementation.contract, "casts_to")
    dtypes = {request.dtype, cast.dtype if cast else request.dtype}
    for name, observations in outcome.items():
        shapes = {(1,)} if len(observations) > 1 else {request.inputs.tensors["prediction"].shape}
        for seen in observations if name != "value" else ():
            if seen.tensor is None:
                continue
            if quantity == "result-dtype" and seen.tensor.dtype not in dtypes:
                return "deviates", "result-dtype", f"{name} returned {seen.tensor.dtype} for {request.dtype}"
            if quantity == "result-shape" and seen.tensor.shape not in shapes:
                return "deviates", "result-shape", f"{name} returned shape {seen.tensor.shape}"
            if quantity == "inputs-unchanged" and seen.changed:
                return "deviates", "changed", f"{name} changed its input {', '.join(seen.changed)}"
    return None


_BEHAVIOUR: dict[str, Callable[[Request, str, Observation, bool], BehaviourVerdict]] = {
    "acceptance": _acceptance,
    "result-dtype": _result_dtype,
    "result-shape": _result_shape,
    "inputs-unchanged": _inputs_unchanged,
}
