"""The command line: one group, one module per command in `conformance.commands`."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import signal
import sys
import threading
import traceback
from typing import Any

import click
from click.shell_completion import CompletionItem

from conformance.commands import COMMANDS, SECTIONS
from conformance.errors import ConformanceError, Exit, HarnessError, did_you_mean
from conformance.render.characters import clean, spell_out
from conformance.version import __version__


class Output(io.FileIO):
    """Standard output, of which a reader may leave: what is printed then goes nowhere, and the command goes on.

    So its exit code and its files are what they are without `| head`.  Raises HarnessError where a disk is full.
    """

    def write(self, data: Any) -> int:
        """Write bytes, or drop them where nobody reads any more."""
        try:
            return super().write(data)
        except OSError as error:
            self.leave()
            if error.errno != errno.EPIPE:
                why = f"standard output: cannot be written: {error.strerror}"
                raise HarnessError(why, "free some space or name another file") from None
        return len(data)

    def leave(self) -> None:
        """Let all that follows go nowhere."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)


class Remarks(Output):
    """Standard error: where it cannot be written nobody can be told of it."""

    def write(self, data: Any) -> int:
        """Write bytes, or drop them."""
        with contextlib.suppress(HarnessError):
            return super().write(data)
        return len(data)


def _bearing(stream: Any, kind: type[Output]) -> Any:
    """A standard stream on top of `kind`; one that a caller has put in its place stays, and a closed one is no more."""
    if stream is None:
        return open(os.devnull, "w")  # for as long as the process lives
    try:
        descriptor = stream.fileno()
    except (AttributeError, OSError, ValueError):
        return stream
    if not isinstance(stream, io.TextIOWrapper) or isinstance(getattr(stream.buffer, "raw", None), Output):
        return stream
    stream.flush()
    buffer = io.BufferedWriter(kind(descriptor, "wb", closefd=False))
    return io.TextIOWrapper(buffer, stream.encoding, stream.errors, line_buffering=stream.line_buffering)


def _ask_to_end() -> None:
    """Let the system's ways to ask a process to end do what Ctrl-C does, which ends the workers as well.

    A handler that somebody has set stays, and so does that of a thread, which can set none.
    """
    for one in (signal.SIGTERM, signal.SIGHUP):
        if threading.current_thread() is threading.main_thread() and signal.getsignal(one) == signal.SIG_DFL:
            signal.signal(one, signal.default_int_handler)


class Group(click.Group):
    """The commands of `COMMANDS`, each imported when it is called.

    Names near commands, and ends with the exit code of a failure that a person can act on.
    """

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run the command line with standard output that bears a reader who leaves."""
        before = sys.stdout, sys.stderr
        _ask_to_end()
        sys.stdout, sys.stderr = _bearing(sys.stdout, Output), _bearing(sys.stderr, Remarks)
        try:
            try:
                return super().main(*args, **extra)
            finally:
                sys.stdout.flush()
        except HarnessError as error:  # what is printed before or after a command, `--help` for one
            click.echo(clean(f"bce-conformance: {error}"), err=True)
            sys.exit(int(error.code))
        finally:
            sys.stderr.flush()
            sys.stdout, sys.stderr = before

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names, sorted."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported now."""
        return COMMANDS[cmd_name].load() if cmd_name in COMMANDS else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sections of `--help`; no command is imported."""
        width = max(map(len, COMMANDS))  # one column of names through all sections
        for title, entries in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), one.summary) for name, one in entries.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete names of commands and options; click's own way would import every command."""
        names = [name for name in COMMANDS if name.startswith(incomplete)]
        named = [CompletionItem(name, help=COMMANDS[name].summary) for name in names]
        return [*named, *click.Command.shell_complete(self, ctx, incomplete)]

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """As click's, with "did you mean"."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            raise click.UsageError(f"{error.message} {did_you_mean(args[0], list(COMMANDS))}", ctx) from None

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; a ConformanceError is told on standard error, without a traceback."""
        try:
            return super().invoke(ctx)
        except ConformanceError as error:
            click.echo(clean(f"bce-conformance: {error}"), err=True)
            ctx.exit(int(error.code))
        except KeyboardInterrupt:
            click.echo("bce-conformance: interrupted", err=True)
            ctx.exit(130)
        except (click.exceptions.Exit, click.ClickException, click.Abort):  # click ends quietly
            raise
        except Exception:
            traceback.print_exc()
            click.echo("bce-conformance: the suite itself failed; this says nothing about any implementation", err=True)
            ctx.exit(int(Exit.HARNESS_FAILED))


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="bce-conformance")
def main() -> None:
    """Judge the binary cross-entropy of deep-learning frameworks against exact mathematics."""
    spell_out((sys.stdout, sys.stderr))
