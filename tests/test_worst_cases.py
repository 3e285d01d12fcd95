"""The worst cases that sweeps have found, replayed."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from conformance.sweep import corpus

ROOT = Path(__file__).parent.parent

FILES = sorted((ROOT / "cases" / "worst").glob("*.yaml"))

#: How far an error may be from that of the certificate, as a factor: another instruction set gives other bits.
FACTOR = 1.5

#: Prints the errors of all cases of a corpus: in a process of its own, since it imports the framework.
REPLAY = """
import json, sys
from pathlib import Path
from conformance import worker
from conformance.sweep import corpus
kept = corpus.read(Path(sys.argv[1]))
session = worker.Session(worker.load(sys.argv[2]))
assert "versions" in session.open(kept.backend)
replayed = {one.id: corpus.replayed(session.runtime, session.implementations, one) for one in kept.worst}
print(json.dumps(replayed))
"""


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_worst_cases_of_a_backend_are_what_they_were(file: Path) -> None:
    """No error has grown, and none has gone: that would be news, and the sweep worth doing again."""
    kept = corpus.read(file)
    module = kept.backend.partition("-")[0]
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed")
    done = subprocess.run(
        [sys.executable, "-c", REPLAY, str(file), module],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    errors = json.loads(done.stdout.splitlines()[-1])
    other = {
        case.id: (case.ulp, errors[case.id])
        for case in kept.worst
        if not float(case.ulp) / FACTOR <= errors[case.id] <= float(case.ulp) * FACTOR
    }
    assert other == {}
