"""The certificates of the repository still hold: every largest error, and parts of a tenth of the sweeps."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.commands.verify import commit_of
from conformance.run import run as runs
from conformance.sweep import named, parts
from conformance.sweep.verify import Verified, verify

pytestmark = pytest.mark.slow

CERTIFICATES = named.by_name((Path(__file__).parents[2] / "results" / "certificates",))

#: Another tenth of the certificates, and other parts of them, by each commit.
COMMIT = commit_of(Path(__file__).parents[1])


@pytest.fixture(scope="module")
def verified() -> dict[str, Verified]:
    """What becomes of all certificates, by all backends at once."""
    with runs.open_pool(runs.Options(timeout=600)) as pool:
        return verify(pool, pool.discover(), CERTIFICATES, COMMIT, parts.tenth(list(CERTIFICATES), COMMIT))


@pytest.mark.parametrize("name", CERTIFICATES)
def test_a_certificate_of_the_repository_holds(verified: dict[str, Verified], name: str) -> None:
    """Bit for bit where versions, switches and instruction set are its own; elsewhere what differs is told."""
    one = verified[name]
    assert one.contradictions == ()
    if one.absent is not None:
        pytest.skip(one.absent)
    if one.elsewhere:
        print(*one.elsewhere, *one.differences, sep="\n")
        return
    assert one.differences == ()
