"""The corpus of worst cases: inputs of the largest errors that sweeps have found, for tests to replay.

One YAML file for each backend, `cases/worst/BACKEND.yaml`.  An id names implementation, quantity, dtype, label and
prediction, so it never means something else; an entry that a newer certificate does not have stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from conformance import yamlfile
from conformance.adapters.declaration import Declaration
from conformance.ids import ImplementationId
from conformance.judge.verdicts import Judged
from conformance.numbers.formats import FORMATS, Format
from conformance.numbers.literals import float_of
from conformance.plan import cases
from conformance.plan.cases import WORST, Element
from conformance.plan.inputs import Inputs
from conformance.plan.requests import Request
from conformance.pool.backend import Backend
from conformance.sweep.certificate import Certificate

HEAD = "# The largest errors that sweeps have found: `make renew` adds to it from certificates."


class Case(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One worst case: inputs and result as bit patterns, the exact value in hexadecimal, the error in ULP."""

    id: str
    implementation: str
    form: str
    quantity: str
    dtype: str
    prediction: str
    label: str
    got: str
    exact: str
    ulp: str


class Corpus(Struct, frozen=True, forbid_unknown_fields=True):
    """The worst cases of one backend."""

    backend: str
    worst: tuple[Case, ...]


def cases_of(certificates: Iterable[Certificate]) -> list[Case]:
    """The worst cases of certificates that swept single labels or pairs of a format of at most 32 bits."""
    found = []
    for one in certificates:
        for result in one.results:
            worst = result.worst.get("ideal")
            if worst is None or one.covered["samples"]:
                continue
            key = ImplementationId.parse(result.implementation).key
            name = f"{key}:{one.quantity}:{one.dtype}:{worst.label}:{worst.prediction}"
            found.append(
                Case(
                    id=name,
                    implementation=key,
                    form=one.form,
                    quantity=one.quantity,
                    dtype=one.dtype,
                    prediction=worst.prediction,
                    label=worst.label,
                    got=worst.got,
                    exact=worst.exact,
                    ulp=f"{worst.ulp:.6g}",
                )
            )
    return found


def read(file: Path) -> Corpus:
    """Read a corpus.  Raises InputError with file and line."""
    return yamlfile.load(file, Corpus)[0]


def renewed(folder: Path, certificates: Iterable[Certificate]) -> dict[Path, str]:
    """The corpus files of a folder with the worst cases of certificates added, as they are written."""
    texts = {}
    by_backend: dict[str, list[Certificate]] = {}
    for one in certificates:
        by_backend.setdefault(one.backend, []).append(one)
    for backend, of in by_backend.items():
        file = folder / f"{backend}.yaml"
        known = {case.id: case for case in read(file).worst} if file.exists() else {}
        known |= {case.id: case for case in cases_of(of)}
        texts[file] = _text(Corpus(backend, tuple(known[name] for name in sorted(known))))
    return texts


def _text(corpus: Corpus) -> str:
    lines = [HEAD, f"backend: {corpus.backend}", "worst:"]
    for case in corpus.worst:
        pairs = [f'{name}: "{value}"' for name, value in msgspec.structs.asdict(case).items()]
        lines += [f"  - {pairs[0]}", *(f"    {pair}" for pair in pairs[1:])]
    return "\n".join(lines) + "\n"


#: Copies of a case in one call, so that they fill a register: the last elements of a tensor, which do not, may be
#: computed by other instructions.  A register of AVX-512 holds so many float32.
COPIES = 16


def requests(corpus: Corpus, backend: Backend) -> list[Request]:
    """What replays a corpus: one call for each implementation, quantity and dtype, with COPIES of each of their cases.

    Such a request travels to a worker and is judged as those of a run are.  An implementation that the backend does not
    have is left out.
    """
    known = {one.key: one for one in backend.implementations}
    groups: dict[tuple[str, str, str], list[Case]] = {}
    for one in corpus.worst:
        groups.setdefault((one.implementation, one.quantity, one.dtype), []).append(one)
    return [_request(known[key], of) for (key, _, _), of in groups.items() if key in known]


def errors(check: Judged, corpus: Corpus) -> dict[str, float]:
    """The largest error of the copies of each case, by its id, in the ULP that its error has."""
    known = {one.id: one for one in corpus.worst}
    results = FORMATS[check.result_dtype]
    found: dict[str, float] = {}
    for element, bits in zip(check.elements, check.bits, strict=True):
        one = known[element.rpartition("~")[0]]
        exact = float.fromhex(one.exact)
        off = abs(float_of(int(bits, 16), results) - exact) / abs(float_of(int(one.got, 16), results) - exact)
        found[one.id] = max(found.get(one.id, 0.0), float(one.ulp) * off)
    return found


def _request(implementation: Declaration, of: Sequence[Case]) -> Request:
    fmt = FORMATS[of[0].dtype]
    elements = tuple(
        Element(id=f"{one.id}~{copy}", prediction=_literal(one.prediction, fmt), label=_literal(one.label, fmt))
        for one in of
        for copy in range(COPIES)
    )
    case = cases.Case(
        id="worst/corpus",
        why="the largest errors that sweeps have found",
        form=implementation.form,  # type: ignore[arg-type]  # one of Form
        flags=(),
        elements=elements,
        dtypes=(of[0].dtype,),  # type: ignore[arg-type]  # one of ALL_DTYPES
        expect="observe",
        quantities=(of[0].quantity,),  # type: ignore[arg-type]  # one of NUMERIC
    )
    return Request(WORST, implementation, Inputs(case, of[0].dtype), (of[0].quantity,))


def _literal(bits: str, fmt: Format) -> str:
    return float_of(int(bits, 16), fmt).hex()
