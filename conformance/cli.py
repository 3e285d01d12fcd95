"""The command line: one group, one module per command in `conformance.commands`."""

from __future__ import annotations

import traceback
from typing import Any

import click

from conformance import __version__, cases
from conformance.commands import (
    adapters,
    badges,
    bisect,
    choose,
    diff,
    environments,
    explain,
    history,
    hunt,
    lint,
    listing,
    matrix,
    report,
    repro,
    run,
    sweep,
    try_numbers,
    update,
    verify,
)
from conformance.errors import ConformanceError, Exit


class Group(click.Group):
    """A group that names near commands, and ends with the exit code of a failure that a person can act on."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """As click's, with "did you mean"."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            hint = cases.did_you_mean(args[0], self.list_commands(ctx))
            raise click.UsageError(f"{error.message} {hint}", ctx) from None

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; a ConformanceError is told on standard error, without a traceback."""
        try:
            return super().invoke(ctx)
        except ConformanceError as error:
            click.echo(f"bce-conformance: {error}", err=True)
            ctx.exit(int(error.code))
        except KeyboardInterrupt:
            click.echo("bce-conformance: interrupted", err=True)
            ctx.exit(130)
        except (click.exceptions.Exit, click.ClickException, click.Abort, BrokenPipeError):  # click ends quietly
            raise
        except Exception:
            traceback.print_exc()
            click.echo("bce-conformance: the suite itself failed; this says nothing about any implementation", err=True)
            ctx.exit(int(Exit.HARNESS_FAILED))


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="bce-conformance")
def main() -> None:
    """Judge the binary cross-entropy of deep-learning frameworks against exact mathematics."""


for command in (
    adapters.adapters,
    badges.badges,
    bisect.bisect,
    choose.choose,
    diff.diff,
    environments.environments,
    explain.explain,
    history.history,
    hunt.hunt,
    lint.lint,
    lint.schema,
    listing.list_,
    matrix.matrix,
    report.report,
    repro.repro,
    run.run,
    run.show,
    sweep.sweep,
    try_numbers.try_,
    update.deviations,
    verify.verify,
):
    main.add_command(command)
