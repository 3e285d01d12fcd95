"""`bce-conformance choose`: which implementations meet a reader's needs, from runs that were made before."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import click
import msgspec
from rich.console import Console

from conformance.choose.choose import choose as chosen
from conformance.choose.needs import VOCABULARY, parse
from conformance.choose.sources import sources
from conformance.commands import Command
from conformance.commands.options import RUN_FILE
from conformance.commands.output import width_of
from conformance.errors import Exit
from conformance.record.files import write_lines
from conformance.render import choice as choices
from conformance.render import choice_forms, pages
from conformance.render.answer import STYLES, WIDE

FORMATS = click.Choice(["text", "markdown", "html", "json"])


@click.command(cls=Command)
@click.argument("files", nargs=-1, type=RUN_FILE)
@click.option("--need", "words", multiple=True, metavar="NEED[,NEED…]", help="What is needed (repeatable).")
@click.option("--list-needs", is_flag=True, help="Print the needs and what they mean.")
@click.option("--shipped", is_flag=True, help="Read the run that ships with the suite, even if there is a last run.")
@click.option("--all", "everything", is_flag=True, help="All entry points, twins and focal losses too, and all tables.")
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
    """Say which loss to take for what you need, and what the others do, from run records.

    Reads FILES, or else the last run if it has what is asked, or else the run of the pinned environment that ships with
    the suite; no framework is needed.  Exit code 0: an entry point meets all needs, if only as documented.  1: none
    does.
    """
    if list_needs:
        for need in VOCABULARY:
            click.echo(f"{need.name}\t{need.meaning}")
        return
    stated = parse(words)
    read = sources(files, stated, shipped)
    choice = chosen(read.sources, stated, everything, read.notes)
    document = _document(choices.page(choice, everything), form, everything, output is None and sys.stdout.isatty())
    if output is None:
        click.echo(document, nl=False)
    else:
        write_lines([document.rstrip("\n").encode()], output)
    context.exit(int(Exit.AS_EXPECTED if choice.good else Exit.NOT_AS_EXPECTED))


def _document(page: choices.Page, form: str, everything: bool, terminal: bool) -> str:
    """The page in one of the forms; text is as wide as the terminal or $COLUMNS says, coloured for a terminal."""
    if form == "markdown":
        return choice_forms.as_markdown(page)
    if form == "html":
        return pages.page("choice.html.j2", page=page, word=choices.word_of, colours=STYLES)
    if form == "json":
        return msgspec.json.format(msgspec.json.encode(page), indent=1).decode() + "\n"
    stream = io.StringIO()
    console = Console(file=stream, width=width_of(WIDE), force_terminal=terminal)
    choice_forms.as_text(page, console, everything)
    return "".join(f"{line.rstrip()}\n" for line in stream.getvalue().splitlines())
