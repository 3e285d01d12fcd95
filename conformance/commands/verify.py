"""`bce-conformance verify`: whether the certificates of sweeps still hold."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import click

from conformance.adapters import DEVICES
from conformance.commands import Command, progress
from conformance.commands.options import ADAPTER, INTERPRETER, SHARD_LIMIT, Asked, asking
from conformance.errors import Exit
from conformance.render import verified
from conformance.run import run as runs
from conformance.sweep import named, parts
from conformance.sweep.verify import verify as do_verify

#: What chooses where there is no commit.
NO_COMMIT = "0" * 40


@click.command("verify", cls=Command)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--tenth", is_flag=True, help="Sweep parts of a tenth of the certificates, not of all.")
@click.option("--commit", help="What chooses the tenth and the parts [default: the commit of the folder, by git].")
@click.option("--device", type=click.Choice(DEVICES), help="Where to compute [default: cpu].")
@click.option(
    "--timeout",
    type=click.FloatRange(0.1),
    default=SHARD_LIMIT,
    show_default=True,
    help="Seconds of CPU time of one part.",
)
@click.option("--jobs", type=click.IntRange(1), help="Workers at once [default: the cores].")
@ADAPTER
@INTERPRETER
@asking("device", "jobs", "adapters", "interpreters")
def verify(
    files: tuple[Path, ...],
    tenth: bool,
    commit: str | None,
    timeout: float,
    asked: Asked,
) -> None:
    """Do again what certificates say, and tell whether it still holds.

    FILES are certificates, or folders of them. Every largest error is computed again, and parts of the sweeps: all of a
    small one, two binades of a large one. Where versions, switches and instruction set are those of the certificate,
    another result ends with exit code 1; elsewhere it is told.
    """
    certificates = named.by_name(files)
    chooser = commit or commit_of(Path.cwd())
    sampled = parts.tenth(list(certificates), chooser) if tenth else list(certificates)
    options = replace(asked.options, timeout=timeout)
    with runs.open_pool(options) as pool, progress.of_results("certificates", None) as advance:
        found = do_verify(pool, runs.discover(pool, options), certificates, chooser, sampled, advance)
    for name, one in found.items():
        for line in verified.lines(name, one):
            click.echo(line)
    click.echo(verified.summary(found, len(sampled), chooser))
    if any(one.fails for one in found.values()):
        raise click.exceptions.Exit(int(Exit.NOT_AS_EXPECTED))


def commit_of(folder: Path) -> str:
    """The id of the commit that is checked out in a folder, NO_COMMIT where there is none."""
    try:
        done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=folder, capture_output=True, text=True, check=False)
    except OSError:  # no git
        return NO_COMMIT
    return done.stdout.strip() if done.returncode == 0 else NO_COMMIT
