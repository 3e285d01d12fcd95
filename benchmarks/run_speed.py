"""What a run costs: CPU seconds, memory, its record, and how soon a command starts.

    python -m benchmarks.run_speed [--only PART]... [--backend BACKEND]... [--mode '*'] [--against COMMIT]

Run it from the root of the repository.  Commands are black boxes, started by this interpreter in a folder of their own,
on two cores at most.  Everything is measured in this one session, since machines differ from minute to minute: quote
the ratios.  Other work on the machine adds to wall seconds, and less to CPU seconds.

Exit code 1 where a demand is not met; the demands are those of the whole suite on two quiet cores, without --backend.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from benchmarks.processes import Cost, Failed, measure
from conformance.record import record
from conformance.run import kept as kept_runs

ROOT = Path(__file__).resolve().parent.parent

#: What can be measured alone; memory and the record are those of the run.
PARTS = ("run", "start-up")

#: The commit whose runs cost too much: all demands on a run were made when it was the newest.
SLOW = "601e6b0"

#: Options that choose short cases, of which every backend has one.
SHORT = ("--case", "hard-labels", "--case", "question/hard")

#: Workers below so many bytes have no row: they cannot miss the demand, and the shortest are not always seen.
SMALL = 100_000_000

#: Rounds of the commands that start; of each command the cheapest counts.
ROUNDS = 3


@dataclass(frozen=True)
class Figure:
    """One row of the table: what was measured, and the most that it may be, or the `least`; None is no demand."""

    what: str
    value: float
    unit: str = "s"
    most: float | None = None
    least: float | None = None

    @property
    def demand(self) -> str:
        """The demand in words; "" where there is none."""
        words = (("at most", self.most), ("at least", self.least))
        return "".join(f"{word} {limit:g} {self.unit}" for word, limit in words if limit is not None)

    @property
    def met(self) -> bool:
        """Whether there is no demand that the figure misses."""
        return (self.most is None or self.value <= self.most) and (self.least is None or self.value >= self.least)

    def __str__(self) -> str:
        told = ("met" if self.met else "NOT MET") if self.demand else ""
        return f"{self.what:64}{self.value:9.2f} {self.unit:3}{self.demand:>17}  {told}".rstrip()


@dataclass(frozen=True)
class Commands:
    """The suite's command line with the code of `tree`, in `folder`; `chosen` are options that choose backends."""

    tree: Path
    folder: Path
    chosen: tuple[str, ...] = ()

    def cost(self, *words: str) -> Cost:
        """What `bce-conformance WORDS` costs."""
        return measure([sys.executable, "-m", "conformance", *words], self.folder, self.tree)

    def lines(self, *words: str) -> list[str]:
        """What it prints."""
        self.cost(*words)
        return (self.folder / "output").read_text().splitlines()

    def run(self, mode: Sequence[str]) -> Cost:
        """A run, when everything is compiled that Python compiles once."""
        self.cost("list", "implementations", *self.chosen)
        return self.cost("run", *self.chosen, *mode)

    def one_request_each(self) -> Cost:
        """A run in which each backend imports its framework and answers a value or two."""
        asked = ("--dtype", "float32", "--quantity", "value")
        checks = self.lines("list", "checks", *SHORT, *asked, *self.chosen)
        ids = [check.split("::")[:2] for check in checks]
        first = {one.partition("/")[0]: (case, one) for case, one in reversed(ids)}
        cases = sorted({f"--case={case}" for case, _ in first.values()})
        return self.cost(
            "run", "--no-sample", *asked, *cases, *(f"--implementation={one}" for _, one in first.values())
        )

    def alone(self) -> tuple[float, Cost]:
        """CPU seconds of the workers of such a run, without those that only tell what there is, as `list` asks.

        Raises Failed where nothing is left, as for a backend that imports next to nothing.
        """
        asking = self.cost("list", "implementations", *self.chosen).others
        cost = self.one_request_each()
        if cost.others <= asking:
            raise Failed("importing these backends costs too little to be measured: choose more of them")
        return cost.others - asking, cost


def of_run(run: Cost, alone: float, modes: bool) -> Iterator[Figure]:
    """CPU and wall seconds of a run, beside what its workers cannot do without."""
    yield Figure("CPU of the run", run.cpu)
    yield Figure("  of it the parent", run.own)
    yield Figure("CPU of its workers to import and to answer one request each", alone)
    yield Figure("  the run is so many times that (aim: 3)", run.cpu / alone, "x", most=None if modes else 4)
    yield Figure("wall time of the run", run.wall, most=240 if modes else None)


def of_other(run: Cost, other: Cost, commit: str) -> Iterator[Figure]:
    """The same run with the code of another commit."""
    yield Figure(f"CPU of the run of {commit}", other.cpu)
    yield Figure(
        "  so many times that of this one", other.cpu / run.cpu, "x", least=4 if commit.startswith(SLOW) else None
    )
    yield Figure(f"wall time of the run of {commit}", other.wall)
    yield Figure("  so many times that of this one", other.wall / run.wall, "x")


def of_memory(run: Cost, alone: Cost) -> Iterator[Figure]:
    """Peaks of the workers above those of workers that do next to nothing, and of all processes together.

    Raises Failed where no worker was recognized.
    """
    if not run.workers:
        raise Failed("no worker was seen: `processes.kind_of` must tell how one is recognized")
    for kind, peak in run.workers.items():
        if peak < SMALL:
            continue
        base = alone.workers.get(kind, 0)
        yield Figure(f"peak of {kind}, above {base / 1e9:.2f} GB of its import", (peak - base) / 1e9, "GB", most=1)
    yield Figure("peak of all processes together", run.together / 1e9, "GB", most=4)


def of_record(file: Path) -> Iterator[Figure]:
    """Size of a record, and what it costs to read it."""
    yield Figure("record of the run", file.stat().st_size / 1e6, "MB", most=8)
    before = time.process_time()
    record.read(file)
    yield Figure("CPU to read it", time.process_time() - before, most=2)


def of_start(commands: Commands) -> Iterator[Figure]:
    """CPU seconds of commands that should answer at once."""
    case = commands.lines("list", "cases")[0].split("\t")[0]
    torch = ("--form", "logits", "--prediction=-20", "--label", "0", "--backend", "torch")
    started: dict[str, Callable[[], Cost]] = {
        "--help": partial(commands.cost, "--help"),
        "explain": partial(commands.cost, "explain", case),
        "list": partial(commands.cost, "list", "implementations"),
        "try": partial(commands.cost, "try", *torch),
        "import": partial(measure, [sys.executable, "-c", "import torch"], commands.folder, commands.tree),
    }
    rounds = [{name: start().cpu for name, start in started.items()} for _ in range(ROUNDS)]
    seconds = {name: min(one[name] for one in rounds) for name in started}
    yield Figure("CPU of --help", seconds["--help"], most=0.2)
    yield Figure(f"CPU of explain {case}", seconds["explain"], most=0.8)
    yield Figure("CPU of list implementations", seconds["list"], most=0.8)
    yield Figure("CPU of try with torch", seconds["try"])
    yield Figure("  above `import torch` alone", seconds["try"] - seconds["import"], most=0.7)


def of_one_run(here: Commands, mode: Sequence[str], against: tuple[str, Path] | None) -> Iterator[Figure]:
    """All figures of a run, which is made between two measurements of what its workers cost alone."""
    before, _ = here.alone()
    run = here.run(mode)
    kept = list(of_record(here.folder / kept_runs.LAST))  # before another run takes its place
    after, alone = here.alone()
    yield from of_run(run, (before + after) / 2, bool(mode))
    yield from of_memory(run, alone)
    yield from kept
    if against:
        commit, tree = against
        yield from of_other(run, replace(here, tree=tree).run(mode), commit)


def measured(given: argparse.Namespace) -> Iterator[Figure]:
    """The figures of the parts that are asked for, as they are measured."""
    mode = [f"--mode={given.mode}"] if given.mode else []
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        here = Commands(ROOT, folder, tuple(f"--backend={name}" for name in given.backend))
        against = (given.against, stack.enter_context(checked_out(given.against))) if given.against else None
        if "run" in given.only:
            yield from of_one_run(here, mode, against)
        if "start-up" in given.only:
            yield from of_start(here)


@contextlib.contextmanager
def checked_out(commit: str) -> Iterator[Path]:
    """A temporary working tree of a commit.  Raises Failed where there is no such commit."""
    with tempfile.TemporaryDirectory() as name:
        tree = Path(name) / "tree"
        _git("worktree", "add", "--detach", str(tree), commit)
        try:
            yield tree
        finally:
            _git("worktree", "remove", "--force", str(tree))


def _git(*words: str) -> None:
    done = subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"git {' '.join(words)}: {done.stderr.strip()}")


def _given() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=PARTS, help="only this part (repeatable)")
    parser.add_argument("--backend", action="append", default=[], help="only these backends of the run (repeatable)")
    parser.add_argument("--mode", help="execution modes of the run, '*' for all")
    parser.add_argument("--against", metavar="COMMIT", help=f"also run with the code of this commit, such as {SLOW}")
    given = parser.parse_args()
    given.only = given.only or PARTS
    return given


def _two_cores() -> None:
    """This process and all that it starts get two cores: as many workers run at once as there are cores."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])


def main() -> int:
    """Print the table; exit code 1 where a demand is not met, 2 where something could not be measured."""
    _two_cores()
    figures = []
    try:
        for figure in measured(_given()):
            print(figure, flush=True)
            figures.append(figure)
    except Failed as error:
        print(f"run_speed: {error}", file=sys.stderr)
        return 2
    demands = [figure for figure in figures if figure.demand]
    missed = [figure for figure in demands if not figure.met]
    print(f"{len(demands) - len(missed)} of {len(demands)} demands met")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
