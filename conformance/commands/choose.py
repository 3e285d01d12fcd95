"""`bce-conformance choose`: which implementations meet a reader's needs, from runs that were made before."""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path

import click
from rich.console import Console

from conformance.choose.choose import MET, Choice
from conformance.choose.choose import choose as chosen
from conformance.choose.needs import VOCABULARY, parse
from conformance.choose.sources import sources
from conformance.commands.options import RUN_FILE
from conformance.errors import Exit
from conformance.record.files import write_lines
from conformance.render import choice as choices
from conformance.render import choice_html, choice_markdown, choice_text, text

FORMATS = click.Choice(["text", "markdown", "html"])


@click.command()
@click.argument("files", nargs=-1, type=RUN_FILE)
@click.option("--need", "words", multiple=True, metavar="NEED[,NEED…]", help="What is needed (repeatable).")
@click.option("--list-needs", is_flag=True, help="Print the needs and what they mean.")
@click.option("--shipped", is_flag=True, help="Read the run that ships with the suite, even if there is a last run.")
@click.option("--all", "everything", is_flag=True, help="All rows of every table (in text; other forms have them).")
@click.option("--format", "form", type=FORMATS, default="text", show_default=True, help="Form of the output.")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Write it here instead.")
@click.pass_context
def choose(
    context: click.Context,
    files: tuple[Path, ...],
    words: tuple[str, ...],
    list_needs: bool,
    shipped: bool,
    everything: bool,
    form: str,
    output: Path | None,
) -> None:
    """Rank implementations for what you need, from run records.

    Reads FILES, or else the last run, or else the run of the pinned environment that ships with the suite; no framework
    is needed.  Exit code 0: an implementation meets all needs.  1: none does.
    """
    if list_needs:
        for need in VOCABULARY:
            click.echo(f"{need.name}\t{need.meaning}")
        return
    stated = parse(words)
    choice = chosen(sources(files, shipped), stated)
    document = _document(choice, form, everything, output is None and sys.stdout.isatty())
    if output is None:
        click.echo(document, nl=False)
    else:
        write_lines([document.rstrip("\n").encode()], output)
    context.exit(int(Exit.AS_EXPECTED if choice.of(MET) else Exit.NOT_AS_EXPECTED))


def _document(choice: Choice, form: str, everything: bool, terminal: bool) -> str:
    """The choice in one of the forms; text for a terminal is as wide as that, and coloured."""
    if form == "markdown":
        return choice_markdown.render(choices.page(choice))
    if form == "html":
        return choice_html.render(choices.page(choice))
    stream = io.StringIO()
    width = shutil.get_terminal_size().columns if terminal else text.WIDTH
    console = Console(file=stream, width=width, force_terminal=terminal)
    choice_text.render(choices.page(choice, brief=not everything), console, everything)
    return "".join(f"{line.rstrip()}\n" for line in stream.getvalue().splitlines())
