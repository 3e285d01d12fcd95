"""The text of a report in the form of its project: what is observed, what is expected and why, how wide it is."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from conformance.adapters.declaration import BASE_MODE
from conformance.ids import backend_of
from conformance.known.problem import Problem
from conformance.numbers.measurement import LARGEST
from conformance.plan.requests import Request
from conformance.quantities import AGREEMENT, NUMERIC, REDUCTION
from conformance.render.markdown import cell, cell_code, code, row
from conformance.render.narrate import contract_lines
from conformance.repro import script
from conformance.repro.derivation import formula, no_value
from conformance.repro.extent import Row
from conformance.repro.groups import Group
from conformance.repro.projects import Project, Section, project_of
from conformance.repro.report import Reproducer
from conformance.repro.script import TEMPLATES
from conformance.repro.wording import words

#: Rows of the table that tells how wide a bug is; more would not be read.
ROWS = 12


@dataclass(frozen=True, kw_only=True)
class Issue:
    """All that a report is made of: `proofs` are lines of certificates."""

    group: Group
    made: Reproducer
    rows: Sequence[Row]
    proofs: Sequence[str]
    near: Sequence[Problem]
    machine: str

    @property
    def project(self) -> Project | None:
        """The project that it is for."""
        return project_of(self.made.target.implementation.id)


#: What is no markup in a heading: an underscore between letters, and brackets without an address after them.
PLAIN_MARKUP = re.compile(r"\\([_\[\]])")

#: The sections of a report that is for nobody's tracker.
PLAIN = (Section("What is wrong", ("description", "code", "output", "expected", "extent", "related", "versions")),)


def render(issue: Issue) -> str:
    """The report as Markdown."""
    project = issue.project
    sections = [
        {"heading": one.heading, "blocks": [one.text] if one.text else _blocks(issue, one)}
        for one in (project.sections if project else PLAIN)
    ]
    title = f"{project.prefix if project else ''}{issue.made.script.title}"
    plain = PLAIN_MARKUP.sub(r"\1", cell(title))
    return TEMPLATES.get_template("issue.md.j2").render(title=plain, project=project, sections=sections)


def _blocks(issue: Issue, section: Section) -> list[str]:
    made = [PARTS[name](issue) for name in section.parts]
    return [block for block in made if block] or ["-"]


def fenced(text: str, language: str = "") -> str:
    """A block of code that nothing in `text` can end: its fence is longer than any run of backticks there."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    body = text.rstrip("\n")
    return f"{fence}{language}\n{body}\n{fence}"


def address(link: str) -> str:
    """A link that nothing in it can end."""
    return f"<{link.replace('<', '%3C').replace('>', '%3E')}>"


def _description(issue: Issue) -> str:
    target = issue.made.target
    one = target.implementation
    mode = "" if one.mode == BASE_MODE else f", mode {code(one.mode)}"
    known = issue.group.problem
    reason = f"\n{known.why.strip()}" if known is not None else ""
    return f"{code(one.entry)} ({code(one.adapter)}{mode}): {cell(words(issue.made.small))}.{reason}"


def _code(issue: Issue) -> str:
    return f"{fenced(issue.made.script.text, 'python')}"


def _output(issue: Issue) -> str:
    return f"Output:\n\n{fenced(issue.made.ran.output, 'text')}"


#: Fields of a contract by what a finding is about; for numbers those that change numbers.
ABOUT = {
    **dict.fromkeys(("raised", "unsupported", "accepted", "crashed", "timed-out"), ("domain_check",)),
    "result-dtype": ("casts_to",),
    "result-shape": ("reduction",),
    "changed": (),
    "differs": (),
}

#: What is expected where it is no number of a formula, by the quantity of the check or by what is wrong.
EXPECTED = {
    AGREEMENT: "What the plain call gives: a mode is another way to compute the same function.",
    REDUCTION: "The exact sum or mean of the unreduced losses, within what summation and one rounding may cost.",
    "raised": "A result: the inputs lie inside the domain.",
    "unsupported": "A result: the inputs lie inside the domain.",
    "accepted": "An exception: a result for these inputs has no meaning.",
    "result-dtype": "The dtype of the inputs, or of the wider one of them.",
    "result-shape": "The shape of the inputs.",
    "differs": "The same result for the same inputs.",
    "crashed": "A result or an exception, and a process that goes on.",
    "timed-out": "A result or an exception.",
}


def _expected(issue: Issue) -> str:
    small = issue.made.small
    request, quantity = script.single(small), small.target.quantity
    if request.relation is not None:
        lines = [f"{cell(request.relation.claim)}, within the rounding of the results."]
    elif (found := EXPECTED.get(quantity) or EXPECTED.get(small.what)) is not None:
        lines = [found]
    else:
        lines = _exact(request, quantity if quantity in NUMERIC else "value", small.shown.ideal[small.index])
    contract = tuple(one for one in small.target.implementation.contract if _is_about(one.name, issue))
    if contract:
        lines.append("What is documented of this call does not account for the result:")
        lines += ["", *(f"- {cell(line)}" for line in contract_lines(contract))]
    return "\n".join(lines)


def _exact(request: Request, quantity: str, ideal: float) -> list[str]:
    """The expected value of one element or of a reduction, and where it comes from."""
    if math.isnan(ideal):
        return [f"NaN or an exception: {cell(no_value(request.inputs))}."]
    by = code(formula(request.inputs, quantity))
    return [f"{code(repr(ideal + 0.0))}, by {by}, from the exact inputs in more digits, rounded once to float64."]


def _is_about(field: str, issue: Issue) -> bool:
    """Whether a field of a contract could bear on the finding."""
    small = issue.made.small
    if small.target.quantity == REDUCTION:
        return field in ("reduction", "accumulation")
    if small.what in ABOUT:
        return field in ABOUT[small.what]
    if field == "reduction":
        return small.request.case.reduction != "none"
    return field != "domain_check"


def _extent(issue: Issue) -> str:
    lines = ["How wide it is, of what was tried (predictions from the least to the greatest that show it):", ""]
    lines += [row(["entry point", "quantity", "modes", "dtypes", "predictions", "largest error in ULP"])]
    lines += [row(["---"] * 6)]
    own = issue.made.target.implementation.family
    rows = sorted(issue.rows, key=lambda one: (one.entry != own, backend_of(one.entry) != backend_of(own)))
    for one in rows[:ROWS]:
        worst = "" if one.worst_ulp is None else f"{one.worst_ulp:.3g}"
        if one.worst_ulp is not None and one.worst_ulp >= LARGEST:
            worst = f"beyond {LARGEST:g}"
        lines.append(
            row(
                [
                    cell_code(one.entry),
                    one.quantity,
                    ", ".join(one.modes),
                    ", ".join(one.dtypes),
                    cell(one.inputs),
                    worst,
                ]
            )
        )
    if len(issue.rows) > ROWS:
        lines.append(row([f"and {len(issue.rows) - ROWS} more", *[""] * 5]))
    if issue.proofs:
        lines += ["", "Of sweeps over all inputs, each maximum confirmed by interval arithmetic:", ""]
        lines += [f"- {cell(line)}" for line in issue.proofs[:ROWS]]
    return "\n".join(lines)


def _related(issue: Issue) -> str:
    lines = [f"- {address(link)}" for link in issue.group.links]
    lines += [f"- like {cell(one.title)}: {address(one.urls[0])}" for one in issue.near]
    return "Related reports:\n\n" + "\n".join(lines) if lines else ""


def _versions(issue: Issue) -> str:
    opened = issue.made.opened
    shown = ", ".join(f"{name} {version}" for name, version in opened.versions.items())
    python = opened.environment.get("python", "")
    lines = [f"{cell(shown)}, Python {cell(str(python))}"]
    if issue.project is not None:
        lines.append(f"\nTODO: paste the output of {code(issue.project.versions)}.")
    return "\n".join(lines)


def _system(issue: Issue) -> str:
    return cell(issue.machine)


#: What a report can say, by the names of `projects.toml`.
PARTS: dict[str, Callable[[Issue], str]] = {
    "description": _description,
    "code": _code,
    "output": _output,
    "expected": _expected,
    "extent": _extent,
    "related": _related,
    "versions": _versions,
    "system": _system,
}
