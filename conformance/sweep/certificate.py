"""The certificate of a sweep: what was covered, where, by which code, and the largest errors, confirmed by Arb.

It holds no time and no name of a machine, so that the same sweep gives the same bytes, however it was scheduled.
"""

from __future__ import annotations

import decimal
import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from conformance import regular
from conformance.contracts import Contract
from conformance.errors import InputError
from conformance.ids import ImplementationId
from conformance.numbers.formats import FORMATS
from conformance.numbers.literals import float_of
from conformance.record.files import write_lines
from conformance.sweep import confirm
from conformance.sweep.basis import Basis
from conformance.sweep.covered import COVERED, covered, hexadecimal, must_be_bits, must_be_covered
from conformance.sweep.spec import Spec
from conformance.worker.sweep import kernel, space, statistics
from conformance.worker.sweep.shard import Shard
from conformance.worker.sweep.statistics import COLUMNS, Statistics
from conformance.yamlfile import CONTROL

#: Version of this file's structures.
SCHEMA = 1

#: How a binade is called (`space.binade`).
BINADE = re.compile(r"[+-](s|-?\d{1,4})")


class Worst(Struct, frozen=True):
    """A largest error in ULP of the returned dtype, confirmed by Arb: inputs and result as bit patterns.

    `exact` is the exact value rounded to float64, in hexadecimal.
    """

    ulp: float
    prediction: str
    label: str
    got: str
    exact: str


class Result(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One implementation and label, or all labels together ("pairs").

    `ordinals` counts results 0, 1, 2, and 3 or more bit patterns from the correctly rounded one.  `classes` counts
    those without an error in ULP: nan, infinite, sign and so on, and calls that raised, of which `raised` is the first.
    `worst` has the columns ideal (gradual underflow), flushed (flushing subnormal numbers is accepted), scaled
    (relative to the natural terms) and contract; a column in which every result is correctly rounded is left out.
    `binades` has the largest error in each binade of the prediction, rounded up to three digits.
    `firsts` has the first inputs, from 0 outwards, that are more than 4 ULP off, of those that are more than 0.1 % and
    10 % off, and where the result is 0 although the exact one does not round to it.
    """

    implementation: str
    label: str
    label_value: float | None
    dtype: str
    points: int
    ordinals: tuple[int, int, int, int]
    worst: dict[str, Worst]
    binades: dict[str, dict[str, float]]
    classes: dict[str, int] = {}
    firsts: dict[str, dict[str, str]] = {}
    raised: str | None = None


class Certificate(Struct, frozen=True, kw_only=True):
    """A finished sweep.

    `kind` is "proof" where every prediction was tried with every label named, and "lower bound" otherwise; no result
    exceeds a maximum of a proof by more than 2^-14 of it, the accuracy of the screen.  `covered` tells positions and
    labels, `code` is the SHA-256 of the hashes of all files that the shard function imports, `command` repeats it.
    """

    schema: int
    kind: str
    suite: str
    command: str
    backend: str
    versions: dict[str, str]
    environment: dict[str, Any]
    machine: dict[str, Any]
    form: str
    quantity: str
    dtype: str
    covered: dict[str, Any]
    chunk: int
    kernel: str
    code: str
    results: tuple[Result, ...]


_DECODER = msgspec.json.Decoder(Certificate)


def certificate(
    spec: Spec,
    basis: Basis,
    contracts: dict[str, Contract],
    found: Iterable[dict[str, dict[str, Any]]],
    command: str,
) -> Certificate:
    """The certificate of all shards of a sweep, in any order; `contracts` by key of the implementation."""
    whole = spec.whole
    merged: dict[tuple[str, str], Statistics] = {}
    for shard in found:
        for key, of in shard.items():
            for label, item in of.items():
                one = statistics.from_wire(item)
                merged[key, label] = statistics.merged(merged[key, label], one) if (key, label) in merged else one
    return Certificate(
        schema=SCHEMA,
        kind="proof" if spec.proof else "lower bound",
        suite=basis.suite,
        command=command,
        backend=spec.backend,
        versions=basis.versions,
        environment=basis.environment,
        machine=basis.machine,
        form=whole.form,
        quantity=whole.quantity,
        dtype=whole.dtype,
        covered=covered(spec),
        chunk=whole.chunk,
        kernel=basis.code["kernel"],
        code=basis.digest,
        results=tuple(
            _result(f"{spec.backend}/{key}", whole, contracts[key], name, merged[key, name])
            for key in whole.implementations
            for name in whole.labels.names
        ),
    )


def _result(implementation: str, whole: Shard, contract: Contract, label: str, one: Statistics) -> Result:
    dtype = max(one.dtypes, key=one.dtypes.__getitem__, default=whole.dtype)
    question = confirm.Question(whole.form, whole.quantity, FORMATS[whole.dtype], FORMATS[dtype], contract)
    worst: dict[str, Worst] = {}
    binades: dict[str, dict[str, float]] = {}
    for column in COLUMNS:
        confirmed = {binade: _confirmed(question, column, item) for binade, item in one.worst[column].items()}
        if not confirmed:
            continue
        worst[column] = max(confirmed.values(), key=lambda each: each.ulp)
        by_binade = {binade: rounded_up(each.ulp) for binade, each in confirmed.items()}
        if by_binade != binades.get("ideal"):
            binades[column] = dict(sorted(by_binade.items(), key=lambda item: _binade_order(item[0])))
    return Result(
        implementation=implementation,
        label=label if label == "pairs" else hexadecimal(int(label, 16), whole.dtype),
        label_value=None if label == "pairs" else float_of(int(label, 16), FORMATS[whole.dtype]),
        dtype=dtype,
        points=one.points,
        ordinals=(one.ordinals[0], one.ordinals[1], one.ordinals[2], one.ordinals[3]),
        worst=worst,
        binades=binades,
        classes=dict(sorted(one.classes.items())),
        firsts={name: _input(place, whole.dtype) for name, place in sorted(one.firsts.items())},
        raised=None if one.raised is None else CONTROL.sub("\N{REPLACEMENT CHARACTER}", str(one.raised[2])),
    )


def _confirmed(question: confirm.Question, column: str, item: list[Any]) -> Worst:
    found, position, label, got = item
    prediction = space.prediction_bits(position, question.inputs.name)
    one = confirm.confirm(question, column, prediction, label, got, found)
    return Worst(
        one.error,
        hexadecimal(prediction, question.inputs.name),
        hexadecimal(label, question.inputs.name),
        hexadecimal(got, question.results.name),
        one.hi.hex(),
    )


def maxima(one: Result, column: str) -> dict[str, float]:
    """The largest error in each binade, of a column, which `binades` leaves out where it is that of `ideal`."""
    if column not in one.worst:
        return {}
    return one.binades.get(column, one.binades.get("ideal", {}))


#: Three digits, and how much larger than an error they may be, as a factor: 1.01 of 1.00.
THREE_DIGITS = decimal.Context(prec=3, rounding=decimal.ROUND_CEILING)
ROUNDING = 1.01


def rounded_up(error: float) -> float:
    """An error with three digits, not less than it and at most ROUNDING times as large."""
    return float(THREE_DIGITS.create_decimal_from_float(error))


def _binade_order(name: str) -> tuple[str, int]:
    return name[0], -(1 << 20) if name[1:] == "s" else int(name[1:])


def _input(place: list[int], dtype: str) -> dict[str, str]:
    return {
        "prediction": hexadecimal(space.prediction_bits(place[0], dtype), dtype),
        "label": hexadecimal(place[1], dtype),
    }


def write(one: Certificate, file: Path) -> None:
    """Write a certificate as JSON, by way of a temporary file."""
    write_lines([msgspec.json.format(msgspec.json.encode(one), indent=1)], file)


def read(file: Path) -> Certificate:
    """Read a certificate.  Raises InputError where the file is none, or of a newer schema."""
    return decoded(bytes_of(file), str(file))


def bytes_of(file: Path) -> bytes:
    """What a file of certificates holds.  Raises InputError where it cannot be read."""
    data = regular.content(file, "make one by `bce-conformance sweep`")
    regular.must_be_utf8(file, data)
    return data


def decoded(data: bytes | msgspec.Raw, where: str) -> Certificate:
    """The certificate that JSON is.  Raises InputError, which says `where` it stands, as `read` does."""
    try:
        one = regular.decoded(_DECODER, data)
    except ValueError as error:
        raise InputError(f"{where}: is not a certificate: {error}") from None
    if one.schema > SCHEMA:
        raise InputError(
            f"{where}: schema version {one.schema} is newer than this suite reads (it reads {SCHEMA})",
            "upgrade bce-conformance",
        )
    try:
        _must_be_sound(one)
    except ValueError as error:
        raise InputError(f"{where}: {error}") from None
    return one


def _must_be_sound(one: Certificate) -> None:
    """Raises ValueError with field, requirement and value for what no sweep certifies."""
    _plain(msgspec.to_builtins(one), "")
    _one_of("dtype", one.dtype, FORMATS)
    _one_of("form", one.form, ("logits", "probabilities"))
    _one_of("quantity", one.quantity, kernel.QUANTITIES)
    _one_of("kind", one.kind, ("proof", "lower bound"))
    for name, missing in (("covered", COVERED - one.covered.keys()), ("machine", {"processor"} - one.machine.keys())):
        if missing:
            raise ValueError(f"{name} must have {', '.join(sorted(missing))}")
    if one.chunk < 1 or not one.results:
        raise ValueError(f"chunk must be at least 1, and there must be results (got {one.chunk}, {len(one.results)})")
    must_be_covered(one.covered, one.dtype)
    for number, result in enumerate(one.results):
        try:
            _must_be_result(one, result)
        except ValueError as error:
            raise ValueError(f"results[{number}]: {error}") from None


def _must_be_result(one: Certificate, result: Result) -> None:
    if ImplementationId.parse(result.implementation).backend != one.backend:
        raise ValueError(f"implementation must be one of {one.backend} (got {result.implementation!r})")
    _one_of("dtype", result.dtype, FORMATS)
    if result.label != "pairs":
        must_be_bits("label", result.label, one.dtype)
    if result.points < 1 or min(result.ordinals) < 0 or min(result.classes.values(), default=0) < 0:
        raise ValueError(f"points and counts must not be negative (got {result.points}, {result.ordinals})")
    for column, worst in result.worst.items():
        _one_of("worst", column, COLUMNS)
        must_be_bits(f"worst.{column}.prediction", worst.prediction, one.dtype)
        must_be_bits(f"worst.{column}.label", worst.label, one.dtype)
        must_be_bits(f"worst.{column}.got", worst.got, result.dtype)
        if not math.isfinite(float.fromhex(worst.exact)) or worst.ulp < 0:
            raise ValueError(f"worst.{column} must be a finite error (got {worst.ulp} from {worst.exact!r})")
    for column, errors in result.binades.items():
        _one_of("binades", column, COLUMNS)
        for binade in errors:
            if BINADE.fullmatch(binade) is None:
                raise ValueError(f"binades.{column} must be told as +3, -4 or +s (got {binade!r})")
    for name, place in result.firsts.items():
        for end in ("prediction", "label"):
            must_be_bits(f"firsts.{name}.{end}", place.get(end), one.dtype)


def _one_of(name: str, found: str, known: Iterable[str]) -> None:
    if found not in known:
        raise ValueError(f"{name} must be one of {', '.join(known)} (got {found!r})")


def _plain(found: Any, path: str) -> None:
    """Whether no text of it holds what a terminal would obey: it is printed in many forms."""
    if isinstance(found, str) and (control := CONTROL.search(found)):
        raise ValueError(f"{path} must hold no control characters (got {control[0]!r})")
    if isinstance(found, dict):
        for key, value in found.items():
            _plain(key, path or "a key")
            _plain(value, f"{path}.{key}".lstrip("."))
    elif isinstance(found, list | tuple):
        for index, value in enumerate(found):
            _plain(value, f"{path}[{index}]")


def schema() -> dict[str, Any]:
    """JSON Schema of a certificate."""
    return msgspec.json.schema(Certificate)
