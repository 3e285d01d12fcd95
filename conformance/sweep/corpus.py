"""The corpus of worst cases: inputs of the largest errors that sweeps have found, for tests to replay.

One YAML file for each backend, `cases/worst/BACKEND.yaml`.  An id names implementation, quantity, dtype, label and
prediction, so it never means something else; an entry that a newer certificate does not have stays.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec
from msgspec import Struct

from conformance import yamlfile
from conformance.adapters import Implementation, Runtime
from conformance.formats import FORMATS, infinity_bits
from conformance.record import write_lines
from conformance.sweep import kernel, space
from conformance.sweep.certificate import Certificate

#: Predictions of the call in which a worst case is replayed: enough that it goes through the vectorized loop.
WINDOW = 64

HEAD = "# The largest errors that sweeps have found: `python -m docs.renew_accuracy` adds to it from certificates."


class Case(Struct, frozen=True, forbid_unknown_fields=True):
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

    @property
    def position(self) -> int:
        """The position of the prediction."""
        fmt = FORMATS[self.dtype]
        bits = int(self.prediction, 16)
        sign = space.sign_bit(fmt)
        return bits if bits < sign else infinity_bits(fmt) + (bits - sign)


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
            key = result.implementation.partition("/")[2]
            name = f"{key}:{one.quantity}:{one.dtype}:{worst.label}:{worst.prediction}"
            found.append(
                Case(
                    name,
                    key,
                    one.form,
                    one.quantity,
                    one.dtype,
                    worst.prediction,
                    worst.label,
                    worst.got,
                    worst.exact,
                    f"{worst.ulp:.6g}",
                )
            )
    return found


def read(file: Path) -> Corpus:
    """Read a corpus.  Raises InputError with file and line."""
    return yamlfile.load(file, Corpus)[0]


def renew(folder: Path, certificates: Iterable[Certificate]) -> None:
    """Add the worst cases of certificates to the corpus files of a folder."""
    by_backend: dict[str, list[Certificate]] = {}
    for one in certificates:
        by_backend.setdefault(one.backend, []).append(one)
    for backend, of in by_backend.items():
        file = folder / f"{backend}.yaml"
        known = {case.id: case for case in read(file).worst} if file.exists() else {}
        known |= {case.id: case for case in cases_of(of)}
        write_lines([_text(Corpus(backend, tuple(known[name] for name in sorted(known)))).encode()], file)


def _text(corpus: Corpus) -> str:
    lines = [HEAD, f"backend: {corpus.backend}", "worst:"]
    for case in corpus.worst:
        pairs = [f'{name}: "{value}"' for name, value in msgspec.structs.asdict(case).items()]
        lines += [f"  - {pairs[0]}", *(f"    {pair}" for pair in pairs[1:])]
    return "\n".join(lines)


def replayed(runtime: Runtime, implementations: dict[str, Implementation], case: Case) -> float:
    """The largest error in ULP among the predictions around a worst case, itself among them."""
    start = case.position // WINDOW * WINDOW
    stop = min(start + WINDOW, space.size(case.form, case.dtype))
    shard = kernel.Shard(
        (case.implementation,),
        case.form,
        case.quantity,
        case.dtype,
        start,
        stop,
        (int(case.label, 16),),
        False,
        WINDOW,
    )
    (found,) = kernel.run(runtime, implementations, shard).values()
    (one,) = found.values()
    return max((float(item[0]) for item in one["worst"].get("ideal", {}).values()), default=0.0)
