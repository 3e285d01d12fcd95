"""One module per command, and what `bce-conformance --help` says of each without importing it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from importlib import import_module

import click

from conformance.shipped import PACKAGE

#: Commands that a reader may type, one a line.
EXAMPLES = PACKAGE / "data" / "examples.txt"

#: What options are about, by the name of each; others are of their command alone.
GROUPS = {
    "Which checks": ("quick", "backend", "implementation", "mode", "case", "flag", "dtype", "quantity"),
    "Where they run": (
        "python", "adapter", "cases", "device", "environments", "build-jobs", "discard", "fresh", "jobs", "timeout",
        "memory",
    ),
    "What counts": ("baseline", "fail-on", "allow-missing", "known", "only-known", "strict"),
    "What is measured, too": ("speed", "sample", "seed"),
    "What is shown": ("format", "report", "output", "force", "all", "counts", "wide", "tolerances"),
}  # fmt: skip

#: Options of a command that are told in one list.
FEW = 8


class _Explained(click.Command):
    """A command whose help has its options by what they are about, and examples."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options of the command alone, then those of each of GROUPS."""
        found = {
            max(one.opts, key=len).lstrip("-"): one for one in self.get_params(ctx) if isinstance(one, click.Option)
        }
        grouped = {title: [name for name in names if name in found] for title, names in GROUPS.items()}
        grouped = grouped if len(found) > FEW else {}
        named = [name for names in grouped.values() for name in names]
        own = {"Options": [name for name in found if name not in named]}
        for title, names in (own | grouped if len(own["Options"]) > 1 else grouped | own).items():
            records = [record for name in names if (record := found[name].get_help_record(ctx)) is not None]
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples, each in a line however long it is, so that it can be copied."""
        found = examples(names_of(ctx))
        if found:
            with formatter.section("Examples"):
                formatter.write("".join(f"  {line}\n" for line in found))


class Command(_Explained):
    """A command of the suite."""


class Group(_Explained, click.Group):
    """A command that has others below it."""

    command_class = Command

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, and the commands."""
        super().format_options(ctx, formatter)
        self.format_commands(ctx, formatter)


def names_of(ctx: click.Context) -> list[str]:
    """What a command is called after the name of the program: itself, below the groups above it."""
    return [*names_of(ctx.parent), str(ctx.info_name)] if ctx.parent is not None else []


def examples(names: list[str]) -> list[str]:
    """The examples of a command, by its name and those of the groups above it."""
    lines = EXAMPLES.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if shlex.split(line)[1 : len(names) + 1] == names] if names else []


@dataclass(frozen=True)
class Entry:
    """Where a command is, `module:name` in this package, and the first sentence of its help."""

    place: str
    summary: str

    def load(self) -> click.Command:
        """The command; its module is imported now."""
        module, _, name = self.place.partition(":")
        command: click.Command = getattr(import_module(f"{__name__}.{module}"), name)
        return command


#: The commands by the sections of `--help`.
SECTIONS: dict[str, dict[str, Entry]] = {
    "Start here": {
        "try": Entry(
            "try_numbers:try_",
            "Judge your own numbers: what every implementation returns, the ideal, the contract, why there is a NaN.",
        ),
        "doctor": Entry(
            "doctor:doctor",
            "Tell why the loss of a batch is NaN, negative, does not fall, or is not what another framework says.",
        ),
        "run": Entry("run:run", "Run the checks and print what was found."),
        "show": Entry(
            "show:show",
            "Print a run record again, and certificates of sweeps; without arguments the last run.",
        ),
        "choose": Entry(
            "choose:choose", "Say which loss to take for what you need, and what the others do, from run records."
        ),
    },
    "Look closer": {
        "list": Entry(
            "listing:list_",
            "List what the filters leave: cases, implementations, checks, flags, formulas or backends.",
        ),
        "explain": Entry(
            "explain:explain",
            "Explain a case: exact inputs, what is expected and why, what the frameworks document.",
        ),
        "diagnose": Entry(
            "diagnose:diagnose",
            "Tell why results are wrong: the formula, the step to blame, where, who else, and a remedy.",
        ),
        "hunt": Entry(
            "hunt:hunt",
            "Search for the input on which IMPLEMENTATION is worst, or on which it and OTHER disagree most.",
        ),
        "sweep": Entry("sweep:sweep", "Try every prediction of a dtype, and certify the largest errors."),
        "verify": Entry("verify:verify", "Do again what certificates say, and tell whether it still holds."),
    },
    "Compare": {
        "upgrade": Entry(
            "upgrade:upgrade", "Tell what an upgrade from OLD to NEW changes in your loss, and since which release."
        ),
        "diff": Entry(
            "diff:diff", "Compare the run records OLD and NEW, files or numbers of runs that are kept, check by check."
        ),
        "history": Entry(
            "history:history",
            "Show verdicts and worst errors of the runs whose records lie in DIR, by backend, versions and date.",
        ),
        "environments": Entry(
            "environments:environments",
            "Run the same checks under each setting of the environment that a backend declares, and compare.",
        ),
        "matrix": Entry("matrix:matrix", "Run the same checks on several versions and show what differs."),
        "bisect": Entry(
            "bisect:bisect",
            "Find the first released version between two whose behaviour changed, in about log2 steps.",
        ),
    },
    "Report": {
        "report": Entry("report:report", "Write one HTML page that works from disk."),
        "repro": Entry(
            "repro:repro",
            "Write a script that shows a finding with the framework alone (repro.py), and a report of it (issue.md).",
        ),
        "badges": Entry("badges:badges", "Write a badge for each implementation and each backend of RUN into DIR."),
    },
    "Maintain": {
        "lint": Entry(
            "lint:lint",
            "Check cases, problems and what is recorded, and that they fit each other and what is planned.",
        ),
        "adapters": Entry("adapters:adapters", "Work with adapter files."),
        "known": Entry("known:known", "Work with the record of what deviates, and the problems that explain it."),
        "schema": Entry(
            "lint:schema",
            "Print the JSON Schema of case files, certificates, problems or the lines of a run record.",
        ),
    },
}

#: All of them, by name.
COMMANDS = {name: entry for section in SECTIONS.values() for name, entry in section.items()}
