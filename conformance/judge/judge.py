"""Verdicts: observations against expectation, ideal and contract.

The whole run is judged at once: first every point against the ideal, then the points that miss it against each
reading of their implementation's contract, then each check gets the worst verdict of its elements.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from conformance import contracts
from conformance.adapters import NUMERIC
from conformance.adapters.declaration import BASE_MODE
from conformance.judge import agreement, expected, related, summation
from conformance.judge.behaviour import behaviour
from conformance.judge.expected import Alternative
from conformance.judge.points import Points, coarser, points
from conformance.judge.verdicts import EXPECTED, SEVERITY, Finding, Judged, cause, detail_of, for_results, verdict_of
from conformance.numbers.formats import ulp
from conformance.numbers.measurement import BUDGET, CLASSES, CODE, Limits, Measured, concatenate, measure
from conformance.plan.domain import expectations, regions
from conformance.plan.plan import AGREEMENT, PROBE, REDUCTION, RELATION, REPEATABLE, Inputs, Request
from conformance.pool.observation import Observed
from reference import Reference

#: How a point meets a contract: within the counted error of a documented formula, or within the budget of a reading.
FORMULA, CONTRACT = 1, 2


@dataclass(frozen=True, kw_only=True)
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
            code=found.code,
            scaled=found.scaled,
            plain=found.plain,
            budget=budget,
            contract=found.scaled.copy(),
            reading=np.full(size, np.nan),
            read=np.zeros(size, dtype=bool),
            by_contract=np.zeros(size, dtype=np.int8),
        )

    def part(self, here: slice) -> Errors:
        """The points of one check."""
        return Errors(**{one.name: getattr(self, one.name)[here] for one in fields(self)})

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


Outcome = dict[str, Observed]


class Judge:
    """Judges one run.  Ideal references are computed when the judge is made, while the workers still run."""

    def __init__(self, requests: Sequence[Request]) -> None:
        self.requests = requests
        self._expectations: dict[Any, tuple[str, ...]] = {}
        self._regions: dict[Any, tuple[str, ...]] = {}
        self._apart: dict[int, list[agreement.Apart]] = {}
        keys: dict[tuple[str, str, str], tuple[Inputs, str]] = {}
        for request in requests:
            for quantity in request.numeric:
                keys[request.case.id, request.dtype, quantity] = (request.inputs, quantity)
        self.ideal = dict(zip(keys, expected.compute(list(expected.ideal_points(keys.values()))), strict=True))

    def judge(self, observed: Sequence[Outcome | None]) -> list[Judged]:
        """Verdicts of all checks whose request was observed, in the order of the plan."""
        pairs = [
            (request, outcome) for request, outcome in zip(self.requests, observed, strict=True) if outcome is not None
        ]
        numeric = [
            points(request, quantity, name, outcome[name])
            for request, outcome in pairs
            for quantity, name in _numeric_of(request)
            if set(request.calls if quantity == RELATION else (name,)) <= set(outcome)
        ]
        outcomes = {id(request): outcome for request, outcome in pairs}
        judged = {
            (id(one.request), one.quantity): done
            for one, done in zip(numeric, self._numeric(numeric, outcomes), strict=True)
        }
        self._apart = agreement.apart(
            (one, judged[id(one.request), one.quantity], self._ideal(one)) for one in numeric if one.quantity in NUMERIC
        )
        plain = {request.call: (request, outcome) for request, outcome in pairs if _is_plain(request)}
        results = []
        for request, outcome in pairs:
            for quantity in request.quantities:
                done = judged.get((id(request), quantity)) or self._other(request, quantity, outcome, plain)
                if done is not None:
                    results.append(done)
        return results

    def _other(
        self, request: Request, quantity: str, outcome: Outcome, plain: dict[Any, tuple[Request, Outcome]]
    ) -> Judged | None:
        """A check that is no numeric one; None where what it needs was not observed."""
        if "value" not in outcome or quantity in NUMERIC or quantity in (RELATION, PROBE):
            return None
        count = len(outcome["value"])
        regions = self._region(request, count)
        if quantity == AGREEMENT:
            base = plain.get(request.call)
            return agreement.judge(request, outcome, base, self.ideal, regions) if base is not None else None
        if quantity == REDUCTION:
            if "unreduced" not in outcome:
                return None
            value = points(request, quantity, "value", outcome["value"])
            divisor = contracts.divisor(request.implementation.contract)
            exact = value.spread(self._ideal(value), request.case.reduction, divisor)
            return summation.judge(value, outcome["unreduced"], exact, regions)
        found = behaviour(request, quantity, outcome, self._expectation(request, count), regions)
        apart = self._apart.get(id(request)) if quantity == REPEATABLE else None
        return agreement.with_those_apart(found, apart) if apart else found

    def expectation(self, request: Request) -> tuple[str, ...]:
        """`expectations` of a request, computed once for each case, dtype and contract."""
        key = (request.case.id, request.dtype, request.implementation.contract)
        if key not in self._expectations:
            self._expectations[key] = expectations(request.inputs, request.implementation.contract)
        return self._expectations[key]

    def _expectation(self, request: Request, count: int) -> tuple[str, ...]:
        """What is expected of each of `count` observations or elements."""
        words = self.expectation(request)
        if not request.presentations:
            return for_results(words, count)
        (word,) = for_results(words, 1)
        return tuple(word if request.inputs.fits(one) else "reject" for one in request.presentations)

    def _region(self, request: Request, count: int) -> tuple[str, ...]:
        """Where the inputs of each of `count` observations or elements lie."""
        key = (request.case.id, request.dtype)
        if key not in self._regions:
            self._regions[key] = regions(request.inputs)
        words = self._regions[key]
        if request.inputs.groups:
            words = tuple(words[group.legs[0]] for group in request.inputs.groups)
        if not request.presentations:
            return for_results(words, count)
        (word,) = for_results(words, 1)
        return tuple("shapes" if one.others else word for one in request.presentations)

    def _ideal(self, check: Points) -> Reference:
        """The unreduced ideal at the combinations of a check's inputs."""
        return self.ideal[check.request.case.id, check.request.dtype, check.numeric]

    # -- numeric quantities --------------------------------------------------------------------------------------

    def _numeric(self, checks: Sequence[Points], outcomes: dict[int, Outcome]) -> list[Judged]:
        if not checks:
            return []
        counts = [check.count for check in checks]
        limits = Limits.of([check.fmt for check in checks], counts)
        ideals = [
            check.spread(self._ideal(check), check.request.case.reduction, check.request.case.divisor)
            for check in checks
        ]
        ideal = concatenate(ideals)
        budget = np.concatenate([self._budget(check, one) for check, one in zip(checks, ideals, strict=True)])
        got = np.concatenate([check.got for check in checks])
        present = np.concatenate([check.present for check in checks])
        starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        found = measure(got, ideal, limits, budget)
        errors = Errors.against_ideal(found, budget)
        missing = present & ~found.ok
        for index, ok, ulps, values in self._contracts(checks, starts, missing, got, budget):
            here = slice(starts[index], starts[index + 1])
            errors.part(here).take_in(np.where(missing[here], ok, 0), ulps, values)
        self._flushed_by_contract(checks, starts, missing & (found.code == CODE["flushed"]), errors)
        agrees = self._without_field(checks, starts, got, budget, found.ok)
        columns = [np.where(present, one, np.nan).tolist() for one in (errors.scaled, errors.plain, errors.contract)]
        columns += [budget.tolist(), ideal.hi.tolist()]
        results = []
        for index, check in enumerate(checks):
            here = slice(int(starts[index]), int(starts[index + 1]))
            part = errors.part(here)
            if check.quantity == RELATION:
                results.append(self._related(check, part, ideals[index], outcomes[id(check.request)]))
                continue
            numbers = [tuple(column[here]) for column in columns]
            results.append(self._assemble(check, part, numbers, agrees.get(index)))
        return results

    def _budget(self, check: Points, ideal: Reference) -> Any:
        """BUDGET, and what summation and the rounding of a smoothed label may add, in ULP of the returned dtype."""
        budget = np.full(check.count, BUDGET)
        if check.scalar:
            budget += summation.budget(check)
        if "label_smoothing" in check.request.inputs.parameters:
            budget += self._rounding_of_label(check, ideal)
        return budget

    def _rounding_of_label(self, check: Points, ideal: Reference) -> Any:
        """|dL/dy| times two roundings of y' = y (1 - s) + s/2: the documented composition, each step rounded once."""
        inputs = check.request.inputs
        slope = np.abs(expected.slope_by_label(inputs, check.numeric))
        label = np.abs(inputs.arguments[1]) + inputs.parameters["label_smoothing"]
        fmt = coarser(check.fmt, check.request.implementation.contract)
        error = slope * label * 2 * fmt.unit_roundoff
        zeros = np.zeros_like(error)
        spread = check.spread(Reference(error, zeros, zeros, error), check.request.case.reduction, "elements").hi
        with np.errstate(all="ignore"):
            share = spread / ulp(ideal.scale, check.fmt)
        return np.where(np.isfinite(share), share, 0.0)

    def _contracts(
        self, checks: Sequence[Points], starts: Any, missing: Any, got: Any, budget: Any
    ) -> Iterator[tuple[int, Any, Any, Any]]:
        """Every reading of the contracts of checks with points that miss the ideal, as `_agreements` gives them."""
        selected = [
            (index, check, None)
            for index, check in enumerate(checks)
            if check.request.implementation.contract and missing[starts[index] : starts[index + 1]].any()
        ]
        return _agreements(self._readings(selected), checks, starts, got, budget)

    def _flushed_by_contract(self, checks: Sequence[Points], starts: Any, flushed: Any, errors: Errors) -> None:
        for index, check in enumerate(checks):
            if contracts.find(check.request.implementation.contract, "ftz"):
                here = slice(starts[index], starts[index + 1])
                errors.by_contract[here] = np.maximum(errors.by_contract[here], CONTRACT * flushed[here])

    def _without_field(
        self, checks: Sequence[Points], starts: Any, got: Any, budget: Any, ideal_ok: Any
    ) -> dict[int, Any]:
        """For each probe, the points where the result also agrees with the contract minus the probed field."""
        probes = [(i, check, _probed(check.request)) for i, check in enumerate(checks) if check.quantity == PROBE]
        agrees = {}
        for index, check, probed in probes:
            here = slice(starts[index], starts[index + 1])
            rest = [one for one in check.request.implementation.contract if one != probed]
            alone = not rest and probed.name != "reduction"
            agrees[index] = ideal_ok[here].copy() if alone else np.zeros(check.count, dtype=bool)
        for index, ok, _, _ in _agreements(self._readings(probes), checks, starts, got, budget):
            agrees[index] |= ok > 0
        return agrees

    def _readings(self, selected: Sequence[tuple[int, Points, Any]]) -> list[tuple[int, Alternative]]:
        """(index, reading) of the contracts of `selected` (index, check, a field to leave out or None), in bulk."""
        wanted: dict[tuple[Any, ...], tuple[Inputs, str, contracts.Contract]] = {}
        users: dict[tuple[Any, ...], list[tuple[int, Points, str, str]]] = {}
        for index, check, left_out in selected:
            contract = tuple(one for one in check.request.implementation.contract if one != left_out)
            # A mean without the field that says what it is divided by is a sum.
            without_mean = left_out is not None and left_out.name == "reduction"
            reduction = "sum" if without_mean else check.request.case.reduction
            divisor = contracts.divisor(contract)
            key = (check.request.case.id, check.request.dtype, check.numeric, contract)
            wanted[key] = (check.request.inputs, check.numeric, contract)
            users.setdefault(key, []).append((index, check, reduction, divisor))
        flat = [
            (key, arguments, point, factor)
            for key, arguments in wanted.items()
            for point, factor in expected.contract_points(*arguments)
        ]
        computed = expected.compute([point for _, _, point, _ in flat])
        readings: list[tuple[int, Alternative]] = []
        for (key, arguments, _, factor), result in zip(flat, computed, strict=True):
            one = expected.alternative(*arguments, result, factor)
            readings.extend(
                (index, check.spread_reading(one, reduction, divisor))
                for index, check, reduction, divisor in users[key]
            )
        return readings

    def _assemble(
        self, check: Points, errors: Errors, numbers: Sequence[tuple[float, ...]], agrees_without: Any
    ) -> Judged:
        """The verdict of a numeric check: that of each point, then of each element the worst of its points'."""
        request = check.request
        expect = self._expected_of(check)
        code = errors.code
        if check.quantity == PROBE:
            verdicts, whats = _probe(check, code, errors.by_contract, expect, agrees_without)
        elif (code == 0).all() and check.present.all() and not {"reject", "observe"} & set(expect):
            verdicts, whats = ["conforms"] * check.count, [""] * check.count
        else:
            owners = check.owner.tolist()
            pairs = [
                verdict_of(
                    expect[owner],
                    check.observation(owner),
                    check.trouble(owner),
                    CLASSES[code[i]],
                    bool(errors.by_contract[i]),
                )
                for i, owner in enumerate(owners)
            ]
            verdicts, whats = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        chosen = _worst_points(check, verdicts, numbers[0])
        bits = check.bits
        regions = self._region(request, len(check.names))
        findings, formula, words = [], [], []
        for index, point in enumerate(chosen):
            if point is None:  # no point of it came back, or an empty tensor did
                verdict, what = verdict_of(expect[index], check.observation(index), check.trouble(index), "ok", False)
            else:
                verdict, what = verdicts[point], whats[point]
            words.append(verdict)
            if verdict == "by-contract" and point is not None and errors.by_contract[point] == FORMULA:
                formula.append(check.names[index])
            if verdict not in EXPECTED:
                detail = detail_of(check.observation(index)) or (check.where(point) if point is not None else "")
                origin = cause(request, check.quantity, regions[index], what)
                findings.append(Finding(check.names[index], verdict, what, origin, detail))
        picked = [tuple(np.nan if i is None else column[i] for i in chosen) for column in numbers]
        values = errors.contract_values() if findings else ()
        return Judged(
            request=request,
            quantity=check.quantity,
            verdict=max(words, key=SEVERITY.__getitem__),
            elements=check.names,
            verdicts=tuple(words),
            bits=tuple("" if i is None else bits[i] for i in chosen),
            scaled=picked[0],
            plain=picked[1],
            contract=picked[2],
            contract_values=tuple(None if i is None else values[i] for i in chosen) if values else (),
            budget=tuple(BUDGET if i is None else numbers[3][i] for i in chosen),
            ideal=picked[4],
            result_dtype=check.dtype,
            formula=tuple(formula),
            findings=tuple(findings),
            details=tuple(dict.fromkeys(text for one in check.observations if (text := detail_of(one)))),
            warnings=tuple(sorted({text for one in check.observations for text in one.warnings})),
        )

    def _expected_of(self, check: Points) -> tuple[str, ...]:
        """What is expected of each of a check's names."""
        request = check.request
        whole = len(check.observations) == 1 and check.observations[0].kind == "raised"
        if request.case.reduction != "none" and whole and not request.presentations:
            return for_results(self.expectation(request), 1) * len(check.names)  # one call over all was rejected
        return self._expectation(request, len(check.names))

    def _related(self, check: Points, errors: Errors, ideal: Reference, outcome: Outcome) -> Judged:
        """A relation: where it does not hold, each result as its contract says explains it."""
        request, relation = check.request, check.request.relation
        assert relation is not None
        groups = request.inputs.groups
        found = related.broken(check, ideal, outcome)
        exact, contracted = errors.code == CODE["ok"], errors.by_contract > 0
        expect = self.expectation(request)
        regions = self._region(request, len(groups))
        verdicts, findings, details = [], [], []
        for index, (group, (what, detail)) in enumerate(zip(groups, found, strict=True)):
            lost = [leg for leg in group.legs if not check.present[leg]]
            seen = check.observation(lost[0] if lost else group.legs[0])
            legs = list(group.legs)
            # A contract explains what its results break, and where all are exact there is nothing to explain.
            explained = bool((exact | contracted)[legs].all() and (contracted & ~exact)[legs].any())
            word, trouble = expect[legs[0]], check.trouble(lost[0]) if lost else ""
            verdict, what = verdict_of(word, seen, trouble, what or "ok", explained and not relation.one_call)
            verdicts.append(verdict)
            if verdict not in EXPECTED:
                text = detail_of(seen) or detail
                details.append(f"{group.name}: {text}")
                origin = cause(request, RELATION, regions[index], what)
                findings.append(Finding(group.name, verdict, what, origin, text))
        return Judged(
            request=request,
            quantity=RELATION,
            verdict=max(verdicts, key=SEVERITY.__getitem__),
            elements=tuple(group.name for group in groups),
            verdicts=tuple(verdicts),
            result_dtype=check.dtype,
            findings=tuple(findings),
            details=tuple(details),
        )


def _numeric_of(request: Request) -> Iterator[tuple[str, str]]:
    """(quantity, numeric quantity that it is judged by) of a request's numeric checks."""
    for quantity in request.quantities:
        if quantity in NUMERIC:
            yield quantity, quantity
        elif quantity == PROBE:
            yield quantity, "value"
        elif quantity == RELATION:
            yield quantity, request.calls[0]


def _is_plain(request: Request) -> bool:
    return request.implementation.mode == BASE_MODE and request.relation is None and request.case.probe is None


def _worst_points(check: Points, verdicts: Sequence[str], errors: Sequence[float]) -> list[int | None]:
    """For each element of a check its worst point, None where it has none."""
    if len(check.names) == check.count and not check.request.presentations:
        return list(range(check.count))
    chosen: list[int | None] = [None] * len(check.names)
    ranks: list[tuple[int, float]] = [(-1, 0.0)] * len(check.names)
    for point, owner in enumerate(check.owner.tolist()):
        error = errors[point]
        rank = (SEVERITY[verdicts[point]], error if error == error else -1.0)
        if rank > ranks[owner]:
            ranks[owner], chosen[owner] = rank, point
    return chosen


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
        verdict, what = verdict_of("value", seen, check.trouble(index), CLASSES[code[index]], bool(contract_ok[index]))
        if verdict in ("crashed", "timed-out"):
            pass  # whatever the field says, the process did not survive
        elif probed.name == "domain_check":
            shown = seen.kind == "raised" and seen.control and seen.type == probed.raises
            inside = expect[index] == "value"
            ok = seen.kind == "returned" if inside else shown
            verdict, what = ("by-contract", "") if ok else ("deviates", "field")
        elif verdict in ("conforms", "by-contract"):
            # Without a documented cast a result keeps the dtype of its inputs: another one shows the cast.
            cast = probed.name == "casts_to" and check.dtype != check.request.dtype
            verdict, what = ("deviates", "field") if agrees_without[index] and not cast else ("by-contract", "")
        verdicts.append(verdict)
        whats.append(what)
    return verdicts, whats


def _agreements(
    readings: Sequence[tuple[int, Alternative]],
    checks: Sequence[Points],
    starts: Any,
    got: Any,
    budget: Any,
) -> Iterator[tuple[int, Any, Any, Any]]:
    """(index of the check, how each point agrees with the reading, its error in ULP, the reading), in bulk."""
    if not readings:
        return
    index = np.concatenate([np.arange(starts[i], starts[i + 1]) for i, _ in readings])
    joined = concatenate([one.reference for _, one in readings])
    counts = [checks[i].count for i, _ in readings]
    # A gradient passes through a documented cast: it is as coarse as the cast, whatever dtype it comes back in.
    formats = [coarser(checks[i].fmt, checks[i].request.implementation.contract) for i, _ in readings]
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
