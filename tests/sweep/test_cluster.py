"""A sweep on a Dask cluster of two processes, one of which is killed, gives the certificate of a local one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import structs

from conformance.errors import InputError
from conformance.run import run as runs
from conformance.sweep import cluster as cluster_module
from conformance.sweep.basis import Basis, basis_of
from conformance.worker.sweep.shard import Shard, Single

ROOT = Path(__file__).parents[2]
ADAPTER = ROOT / "tests" / "data" / "adapters" / "sweepable.py"

pytest.importorskip("distributed")

pytestmark = pytest.mark.slow

WORDS = (
    *("--adapter", str(ADAPTER), "--implementation", "sweepable/no_tail"),
    *("--dtype", "float16", "--pairs", "unit", "--chunk", "1024", "--positions", "15000:15400"),
)


def process(folder: Path, *words: str) -> subprocess.Popen[str]:
    """A Python process in an empty folder."""
    return subprocess.Popen(
        [sys.executable, *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[str, list[subprocess.Popen[str]]]]:
    """The address of a scheduler, and two processes of its cluster."""
    scheduler = process(
        tmp_path, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"
    )
    started = [scheduler]
    try:
        assert scheduler.stderr is not None
        address = next(found[0] for line in scheduler.stderr if (found := re.search(r"tcp://127\.0\.0\.1:\d+", line)))
        workers = [
            process(
                tmp_path,
                "-m",
                "distributed.cli.dask_worker",
                address,
                "--nthreads",
                "1",
                "--no-nanny",
                "--no-dashboard",
                "--name",
                str(number),
            )
            for number in range(2)
        ]
        started += workers
        for one in workers:
            assert one.stderr is not None
            next(line for line in one.stderr if "Registered to" in line)
        yield address, workers
    finally:
        for one in started:
            one.kill()
            one.communicate()


def sweep(folder: Path, output: str, *words: str) -> subprocess.Popen[str]:
    """The command, with many small shards."""
    code = f"from conformance.sweep import spec; spec.SHARD = {1 << 16}; from conformance.cli import main; main()"
    return process(folder, "-c", code, "sweep", *WORDS, "--output", output, *words)


def test_a_cluster_gives_the_same_certificate_although_a_process_is_killed(
    cluster: tuple[str, list[subprocess.Popen[str]]], tmp_path: Path
) -> None:
    """Byte for byte that of local workers: nothing is lost, and nothing counts twice."""
    address, workers = cluster
    running = sweep(tmp_path, "cluster", "--scheduler", address)
    killed = False
    while running.poll() is None and not killed:
        for file in (tmp_path / "cluster").glob("*.partial.jsonl"):
            if file.read_bytes().count(b"\n") > 2:
                workers[0].kill()
                killed = True
    _, errors = running.communicate(timeout=300)
    assert (running.returncode, killed) == (0, True), errors
    local = sweep(tmp_path, "local")
    _, errors = local.communicate(timeout=300)
    assert local.returncode == 0, errors
    (one,), (other,) = (tmp_path / "cluster").iterdir(), (tmp_path / "local").iterdir()
    assert one.read_bytes() == other.read_bytes()


def test_an_address_that_is_none_is_bad_input(tmp_path: Path) -> None:
    """Told with its address."""
    running = sweep(tmp_path, "cluster", "--scheduler", "nonsense://nowhere")
    _, errors = running.communicate(timeout=300)
    assert running.returncode == 2, errors
    assert "--scheduler must be an address" in errors
    assert "Traceback" not in errors


def test_a_process_that_differs_from_the_client_is_refused() -> None:
    """In versions, switches, processor or files: before anything is swept."""
    with runs.open_pool(runs.Options()) as pool:
        (backend,) = (one for one in pool.discover([ADAPTER]) if one.name == "sweepable")
        with pool.worker(backend.interpreter, backend.source) as worker:
            expected, _ = basis_of(worker, backend)
    shard = Shard(
        implementations=("right/eager/cpu",),
        form="logits",
        quantity="value",
        dtype="float16",
        start=0,
        stop=64,
        labels=Single((0,)),
        chunk=64,
    )
    for name in Basis.__struct_fields__:
        with pytest.raises(InputError, match=f"a process of the cluster has other {name} than this one"):
            cluster_module.done(0, backend, structs.replace(expected, **{name: {"another": "one"}}), shard, 60.0)
