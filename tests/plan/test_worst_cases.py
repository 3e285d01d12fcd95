"""The worst cases that sweeps have found, replayed as a run does: by other calls and another judge than a sweep's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.errors import InputError
from conformance.judge.judge import Judge
from conformance.pool.backend import Backend
from conformance.pool.pool import Pool
from conformance.run import run as runs
from conformance.run.machine import machine
from conformance.sweep import corpus, named

ROOT = Path(__file__).parents[2]

FILES = sorted((ROOT / "cases" / "worst").glob("*.yaml"))

#: How far an error may be from that of the certificate, as a factor: another instruction set gives other bits.
FACTOR = 1.5

#: The instruction sets of the processors that certificates were made on, and that of this one.
SWEPT = {one.certificate.machine.get("instruction-set") for one in named.of_folder(ROOT / "results" / "certificates")}
HERE = machine()["instruction-set"]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pool() -> Iterator[tuple[Pool, dict[str, Backend]]]:
    """A pool, and the backends by name."""
    with runs.open_pool(runs.Options()) as made:
        yield made, {backend.name: backend for backend in made.discover()}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_worst_cases_of_a_backend_are_what_they_were(file: Path, pool: tuple[Pool, dict[str, Backend]]) -> None:
    """No error has grown, and where the sweeps ran none has gone: that would be news, and the sweep worth doing again.

    On a processor of another instruction set a kernel may have other arithmetic, native float16 for one.
    """
    kept = corpus.read(file)
    backend = pool[1][kept.backend]
    found: dict[str, float] = {}
    try:
        with pool[0].session(backend) as observe:
            for request in corpus.requests(kept, backend):
                (check,) = Judge([request]).judge([observe(request)])
                found |= corpus.errors(check, kept)
    except InputError as absent:
        pytest.skip(absent.message)
    assert set(found) == {one.id for one in kept.worst}
    other = {
        one.id: (one.ulp, found[one.id])
        for one in kept.worst
        if not (float(one.ulp) / FACTOR if HERE in SWEPT else 0) <= found[one.id] <= float(one.ulp) * FACTOR
    }
    assert other == {}
