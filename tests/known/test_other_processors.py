"""The record is one of mistakes, not of one processor's last digits."""

from __future__ import annotations

from pathlib import Path

from conformance.known.record import default_place, load
from conformance.record import record
from conformance.run.held import held

ROOT = Path(__file__).resolve().parents[2]

#: What a complete default run of the pinned versions found on an AMD EPYC with AVX2 and without AVX-512, where
#: TensorFlow does not use oneDNN by itself: all checks with a finding or a record, without what only readers show.
AVX2 = ROOT / "tests" / "data" / "findings-avx2.jsonl.gz"


def test_the_findings_of_a_processor_without_avx512_are_as_recorded() -> None:
    """The record promises to hold on any x86-64 processor: nothing is new there, and nothing fixed."""
    run = record.read(AVX2)
    assert "avx512f" not in run.header.machine["instruction-set"]
    known = load((default_place(),))
    strange = [
        f"{match.outcome} {line.id}#{match.element}: {match.what} {match.note}"
        for line, matches in held(run, known)
        for match in matches
        if match.outcome != "recorded"
    ]
    assert strange == []
    assert sum(bool(line.findings) for line in run.checks) > 10_000


def test_the_record_was_made_on_processors_with_and_without_avx512() -> None:
    """One of each kind at least, so that what differs between them is recorded as such."""
    known = load((default_place(),)).instruction_sets
    assert any("avx512f" in one for one in known)
    assert any("avx2" in one and "avx512f" not in one for one in known)
