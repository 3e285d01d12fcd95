"""Every command with its arguments and options, as `--help` tells them."""

from __future__ import annotations

from collections.abc import Iterator

import click

from conformance.cli import main
from conformance.commands import examples, names_of
from conformance.errors import Exit
from tools.renew.reference.markdown import code, table, text

HEAD = f"""# Commands

Exit codes of every command: {int(Exit.AS_EXPECTED)} as expected, {int(Exit.NOT_AS_EXPECTED)} not as expected, \
{int(Exit.BAD_INPUT)} bad usage or input, {int(Exit.HARNESS_FAILED)} the suite itself failed.
A run that is interrupted ends with 130.
The page is generated (`make renew`) from what `--help` says.
"""


def page() -> str:
    """The commands in the order of their names."""
    context = click.Context(main, info_name="bce-conformance", **main.context_settings)
    return HEAD + "".join(_section(one) for one in _contexts(context))


def _contexts(context: click.Context) -> Iterator[click.Context]:
    """Every command below a group, groups without themselves."""
    group = context.command
    if not isinstance(group, click.Group):
        yield context
        return
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield from _contexts(click.Context(command, info_name=name, parent=context))


def _section(context: click.Context) -> str:
    command = context.command
    usage = " ".join(command.collect_usage_pieces(context))
    paragraphs = [text(part) for part in (command.help or "").split("\n\n")]
    # The last option is --help, of every command.
    records = [found for one in command.get_params(context) if (found := one.get_help_record(context))][:-1]
    return (
        f"\n## {context.command_path}\n\n{code(f'{context.command_path} {usage}')}\n\n"
        + "".join(f"{part}\n\n" for part in paragraphs)
        + table(("option", "meaning"), [(code(name), text(words)) for name, words in records])
        + "\n```\n"
        + "".join(f"{line}\n" for line in examples(names_of(context)))
        + "```\n"
    )
