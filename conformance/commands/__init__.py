"""One module per command, and what `bce-conformance --help` says of each without importing it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module

import click


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
        "choose": Entry("choose:choose", "Rank implementations for what you need, from run records."),
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
