"""The text of a report in the form of its project: what is observed, what is expected and why, how wide it is."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from conformance.adapters.declaration import BASE_MODE
from conformance.diagnosis.window import Where
from conformance.ids import ImplementationId, backend_of
from conformance.judge.harm import Harm
from conformance.known.problem import Problem, Upstream
from conformance.numbers.measurement import CLASSES
from conformance.plan.requests import Request
from conformance.quantities import AGREEMENT, NUMERIC, REDUCTION
from conformance.render.diagnosis import wrong
from conformance.render.markdown import cell, code, row
from conformance.render.narrate import QUANTITIES
from conformance.repro import script
from conformance.repro.derivation import LETTERS, formula, no_value
from conformance.repro.extent import Row
from conformance.repro.groups import Group
from conformance.repro.neighbours import Neighbour
from conformance.repro.projects import Project, Section, called, project_of
from conformance.repro.report import Reproducer
from conformance.repro.script import TEMPLATES
from conformance.repro.shrink import Small, alone, element_at
from conformance.repro.wording import inputs_in_short, words

#: Rows of the table that tells how wide a bug is, and lines about every input; more would not be read.
ROWS, PROOFS = 8, 2

#: What comes back that is no number, in words.
RETURNED = {"result-dtype": "the dtype of the result", "result-shape": "the shape of the result"}

#: What of a call a report tells as being wrong, in words; the rest follows from it, or is the suite's own.
SHOWN = {**QUANTITIES, REDUCTION: "the sum or mean", "the call": "the call", **RETURNED}

#: So many entry points that are right are named.
NAMED = 3


@dataclass(frozen=True, kw_only=True)
class Issue:
    """All that a report is made of: `proofs` are lines of certificates.

    `harm` is that of the finding that the script shows, `worst` the worst of the group's.
    """

    group: Group
    made: Reproducer
    rows: Sequence[Row]
    proofs: Sequence[str]
    near: Sequence[Problem]
    neighbours: Sequence[Neighbour]
    harm: Harm
    worst: Harm
    machine: str

    @property
    def project(self) -> Project | None:
        """The project that it is for."""
        return project_of(self.made.target.implementation.id)

    @property
    def comments_on(self) -> Upstream | None:
        """The upstream report below which it is a comment, where that is the advice."""
        problem = self.group.problem
        return problem.links[0] if problem is not None and problem.advice == "comment" else None


#: What is no markup in a heading: an underscore between letters, and brackets without an address after them.
PLAIN_MARKUP = re.compile(r"\\([_\[\]])")

#: The sections of a report that fills in no form: a comment, or for nobody's tracker.
PLAIN = (
    Section("What is wrong", ("description", "code", "output", "expected")),
    Section("Which step is to blame", ("cause",)),
    Section("How wide it is", ("extent", "related")),
    Section("Versions", ("versions",)),
)


def render(issue: Issue) -> str:
    """The report as Markdown."""
    project, below = issue.project, issue.comments_on
    form = project.sections if project and below is None else PLAIN
    sections = [{"heading": one.heading, "blocks": [one.text] if one.text else _blocks(issue, one)} for one in form]
    title = issue.group.title or issue.made.script.title
    plain = PLAIN_MARKUP.sub(r"\1", cell(f"{project.prefix if project and below is None else ''}{title}"))
    return TEMPLATES.get_template("issue.md.j2").render(
        title=plain, project=project, below=_link(below) if below is not None else "", sections=sections
    )


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


def _link(one: Upstream) -> str:
    """An upstream report with its state, on the day it was seen, and what was said there."""
    by = f", by {address(one.by)}" if one.by is not None else ""
    said = f": {cell(' '.join(one.said.split()).rstrip('.'))}" if one.said is not None else ""
    return f"{address(one.url)} ({one.state}{by}, seen {one.seen}){said}"


def _description(issue: Issue) -> str:
    """Why one result is right and the other wrong; the call in short; why it happens, and whom it hurts."""
    shown = issue.made.snippet
    blocks = [shown.says.strip() if shown is not None and shown.says else right_and_wrong(issue.made)]
    if shown is not None:
        blocks += [fenced(shown.text, "python"), f"It prints:\n\n{fenced(shown.prints, 'text')}"]
    if issue.group.problem is not None:
        blocks.append(issue.group.problem.why.strip())
    blocks.append(f"What that does: {_does(issue)}")
    if issue.worst > issue.harm:
        blocks[-1] += f"\nOn other inputs, in other dtypes or with other options it is worse: {issue.worst.meaning}"
    return "\n\n".join(blocks)


def _does(issue: Issue) -> str:
    """What the finding does; a dtype that holds no loss, an integer one, does what its harm says."""
    what = issue.made.small.what
    if what == "result-dtype" and issue.harm is Harm.BREAKS:
        return issue.harm.meaning
    return DOES.get(what, issue.harm.meaning)


#: What is done by what is no wrong number, by what is wrong.
DOES = {
    "accepted": "inputs that should be refused pass in silence, and nothing sound is learned from the number.",
    "result-shape": "the result has more or fewer numbers than there are losses, and their mean is another one.",
    "result-dtype": "what is computed with the result has its dtype: more memory, or fewer digits, than was asked for.",
    "crashed": "the process ends, and with it whatever trains or serves in it.",
}


def right_and_wrong(made: Reproducer) -> str:
    """One sentence: what is right for the inputs of a script and by which formula, and what came back."""
    small, call = made.small, called(made.target.implementation.id)
    request, quantity = script.single(small), small.target.quantity
    if quantity in NUMERIC and small.shown.ideal and alone(small.request):
        element = element_at(small)
        letters = LETTERS | {"prediction": LETTERS[request.case.form]}
        names = ("prediction", "label", *element.options)
        inputs = ", ".join(f"{letters[name]} = {getattr(element, name)}" for name in names)
        ideal = small.shown.ideal[small.index]
        start = f"At {cell(inputs)} in {request.dtype} {QUANTITIES[quantity]}"
        if math.isnan(ideal):
            return f"{start} has no value: {cell(no_value(request.inputs))}. {call} gives {_shown(small.got)} for it."
        exact = f"{start} is {_shown(ideal, small.got)} ({code(formula(request.inputs, quantity))})"
        documented = "" if small.documented is None else f", or {_shown(small.documented)} as documented"
        return f"{exact}{documented}; {call} gives {_shown(small.got, ideal)}."
    return f"{call}: {cell(words(small))}{_of_several(small)}."


def _of_several(small: Small) -> str:
    """What a number is of that is told without its inputs."""
    request = small.request
    if alone(request) or small.what not in CLASSES or not small.shown.ideal:
        return ""
    return f", for {inputs_in_short(small)}"


def _shown(value: float, beside: float = math.nan) -> str:
    """A number for a reader, without the sign of a zero; with all its digits where it looks like another beside it."""
    if math.isnan(value):
        return "NaN"
    text = f"{value + 0.0:.6g}"
    return repr(value + 0.0) if value != beside and text == f"{beside + 0.0:.6g}" else text


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
        lines.append("What the documentation says of this call does not account for the result:")
        lines += ["", *(f'- "{cell(one.source.quote)}" {address(one.source.link)}' for one in contract)]
    beside = _neighbours(issue)
    return "\n".join([*lines, *(["", beside] if beside else [])])


def _exact(request: Request, quantity: str, ideal: float) -> list[str]:
    """The expected value of one element or of a reduction, and where it comes from."""
    if math.isnan(ideal):
        return [f"NaN or an exception: {cell(no_value(request.inputs))}."]
    by = code(formula(request.inputs, quantity))
    return [
        f"{code(repr(ideal + 0.0))}, which is {by} of the exact inputs, computed with more digits and rounded once."
    ]


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


def _neighbours(issue: Issue) -> str:
    """Who gets the same inputs right: another entry point of the project, or the plain call beside a mode."""
    if not issue.neighbours:
        return ""
    told = [f"{called(one.id)} gives {cell(gives)}" for one, gives in issue.neighbours[:NAMED]]
    return f"On the same inputs {', '.join(told)}, which is right."


def _cause(issue: Issue) -> str:
    """The guilty step of the script's call, where it is wrong, and what mends it, before and after."""
    blame, problem = issue.made.blame, issue.group.problem
    blocks = []
    if blame is None:
        blocks.append("Why it happens, as told above, was not checked by running.")
    else:
        example = blame.example
        every = "all" if blame.explained == blame.total else f"{blame.explained} of"
        blocks.append(
            f"Found by evaluating the formula step by step, exactly and rounded: {cell(example.sentence)}"
            f" ({example.mechanism.value}). So rounded it gives {every} {blame.total} results of this call that were"
            " looked at."
        )
        dtype = issue.made.small.request.dtype
        blocks += [f"Where it is wrong in {dtype}: {cell(wrong(one))}." for one in _around(blame.where, issue.made)]
        mended = blame.mended
        if mended is not None:
            how = " and its derivative by the framework" if mended.differentiated else ""
            blocks.append(
                f"Remedy: {code(mended.formula)}{how}, which gives {mended.gives:.6g} here in place of"
                f" {_shown(example.got)}: {cell(mended.why)}."
            )
    if problem is not None and problem.remedy is not None and (blame is None or blame.mended is None):
        blocks.append(f"Remedy: {problem.remedy.strip()}")
    if problem is not None and problem.workaround is not None:
        blocks.append(f"What a user writes instead today: {problem.workaround.strip()}.")
    return "\n\n".join(blocks)


def _around(found: Sequence[Where], made: Reproducer) -> list[Where]:
    """Where it is wrong around the inputs of the script: what is wrong elsewhere may be another mistake."""
    element = element_at(made.small)
    x, label = (float(text) for text in (element.prediction, element.label))
    around = []
    for one in found:
        windows = tuple(each for each in one.windows if each.low.at <= x <= each.high.at)
        if one.agrees and windows and one.curve.label == label:
            around.append(replace(one, windows=windows))
    return around


def _extent(issue: Issue) -> str:
    own = ImplementationId.parse(issue.made.target.implementation.id)
    project = issue.project
    rows = [one for one in issue.rows if one.quantity in SHOWN and project_of(f"{one.entry}/") == project]
    rows.sort(key=lambda one: (one.entry != own.family, backend_of(one.entry) != own.backend))
    heading = ["entry point", "what is wrong", "how it is called", "dtypes"]
    lines = ["What was tried and shows it:", ""]
    lines += [row(heading), row(["---"] * len(heading)), *(row(_cells(one, project)) for one in rows[:ROWS])]
    if len(rows) > ROWS:
        lines.append(row([f"and {len(rows) - ROWS} more", *[""] * (len(heading) - 1)]))
    shown = "\n".join(lines) if rows else ""
    if not issue.proofs:
        return shown
    told = [f"- {cell(line)}" for line in issue.proofs[:PROOFS]]
    return "\n".join([shown, "", "All finite predictions were tried, and each maximum confirmed exactly:", "", *told])


def _cells(one: Row, project: Project | None) -> list[str]:
    modes = [(project.mode(mode) if project is not None else mode) or "plainly" for mode in one.modes]
    return [called(f"{one.entry}/{BASE_MODE}/"), SHOWN[one.quantity], ", ".join(modes), ", ".join(one.dtypes)]


def _related(issue: Issue) -> str:
    problem = issue.group.problem
    lines = [f"- {_link(one)}" for one in (problem.links if problem is not None else ())]
    lines += [
        f"- the like in another project: {address(one)}" for one in (problem.elsewhere if problem is not None else ())
    ]
    lines += [f"- like {cell(one.title)}: {_link(one.links[0])}" for one in issue.near]
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
    "cause": _cause,
    "extent": _extent,
    "related": _related,
    "versions": _versions,
    "system": _system,
}
