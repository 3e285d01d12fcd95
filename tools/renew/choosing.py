"""`docs/which-loss.md` and `.json`: what to take in which framework, precision and with which labels, and since when.

What `choose` says of the kept run, by framework; and of every other version that is kept, word by word.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import groupby, product
from typing import NamedTuple

from conformance.choose.choose import MET, Choice, Row, Source, choose
from conformance.choose.needs import BY_NAME, autocasts, parse
from conformance.ids import ImplementationId
from conformance.record.grades import NOTHING, entries
from conformance.render.answer import WORDS
from conformance.render.choice import answer_text
from conformance.render.choice_sentences import examples, sentence
from conformance.render.markdown import cell, code, row
from tools.renew import kept_run
from tools.renew.versions import PACKAGES, Run, runs

PAGE, DATA = "docs/which-loss.md", "docs/which-loss.json"

#: Frameworks, and the backends that are theirs.
FRAMEWORKS = {
    "PyTorch": ("torch",),
    "JAX, Optax": ("jax",),
    "TensorFlow": ("tensorflow",),
    "Keras 3": ("keras-jax", "keras-tensorflow", "keras-torch"),
}

#: What a reader has, and how `choose` is asked for it.
SITUATIONS = {
    "float32, labels 0 and 1": "hard-labels,gradients",
    "float32, soft labels": "soft-labels,gradients",
    "bfloat16": "soft-labels,bfloat16,gradients",
    "float16": "soft-labels,float16,gradients",
    "mixed precision": "amp,soft-labels,gradients",
    "a label outside [0, 1] must raise": "out-of-range=reject",
    "a weight of the positive class": "pos_weight,gradients",
    "label smoothing": "label-smoothing,gradients",
    "a weight for each element": "weight,gradients",
    "predictions that are probabilities": "probabilities,soft-labels,gradients",
}

#: The two of PyTorch, about which everybody asks.
TWO = ("torch/nn.BCELoss/eager/cpu", "torch/nn.BCEWithLogitsLoss/eager/cpu")
PRECISIONS = ("float32", "bfloat16", "float16")

#: Questions of those who ask whether they can use a version, and the need that answers each.
QUESTIONS = {
    "Can I use predictions that are certain?": "extreme-predictions",
    "Can I train on predictions that are certain?": "gradients",
    "Can I use infinite predictions, NaN and -0?": "special-values",
    "Is a label outside [0, 1] refused?": "out-of-range=reject",
    "Can I use labels outside [0, 1]?": "out-of-range=value",
    "Can I use the focal loss?": "focal",
}

DTYPES = ("float32", "float16", "float64")

#: The same, those together that do not change each other's evidence.
ASKED = (",".join(need for need in QUESTIONS.values() if need != "gradients"), "gradients")

#: The backend of which no entry point is one of today.
FORMER = "keras2"

VERSIONS_TEXT = (
    "What a version did on the inputs of a question, the newest first; `since` the first version below that was kept, "
    "not the release in which it changed: [behaviour by version](behaviour-by-version.md) names that where a search "
    "found it.",
    "Each question is an anchor to link to, and [which-loss.json](which-loss.json) has the answers for programs.",
    "A word is the worst that was found:",
)

HEAD = (
    "# Which loss, in which precision, with which labels",
    "",
    "What to take in each framework, and what it does wrong there; then what older versions did.",
    "A sentence tells a number that comes back, the one that is due, at which prediction (`z` a logit, `p` a "
    'probability) and label `y`, and the check that shows it; "right on all inputs" leaves tiny and infinite ones '
    "aside.",
    "[Choosing](choosing.md) tells how the sentences come about, [harm](harm.md) what the words mean; "
    "`bce-conformance choose --shipped --need NEED` prints the whole of a row.",
    "The page is made by `make renew`, of the run that ships with the suite.",
    "",
)


class Cell(NamedTuple):
    """What a framework has for a situation: an implementation, what is said of it, and the case that shows it."""

    implementation: str
    said: str
    case: str


class Answer(NamedTuple):
    """A word about an entry point in a dtype, and the versions that it is true of, the first and the last kept one."""

    question: str
    anchor: str
    package: str
    entry: str
    dtype: str
    word: str
    since: str
    since_released: str
    until: str
    until_released: str
    newest: bool


def files() -> dict[str, str]:
    """The page and its data by their paths."""
    found = list(answers())
    data = [one._asdict() for one in found]
    return {PAGE: "\n".join(_lines(found)), DATA: json.dumps(data, indent=1, ensure_ascii=False) + "\n"}


def _lines(found: Sequence[Answer]) -> Iterator[str]:
    yield from HEAD
    yield "## What to take"
    yield ""
    yield row(["you have", "in", "take", "what it does", "need"])
    yield row(["---"] * 5)
    for name, words in SITUATIONS.items():
        for framework, backends in FRAMEWORKS.items():
            found_there = cell_of(words, backends)
            needs = " ".join(map(code, words.split(",")))
            yield row([name, framework, _taken(found_there, len(backends) > 1), _written(found_there), needs])
    yield ""
    yield "## BCELoss or BCEWithLogitsLoss?"
    yield ""
    yield "Take BCEWithLogitsLoss on logits; in 16 bits convert them to float32 first."
    yield ""
    yield row(["soft labels, with gradients, in", *(code(ImplementationId.parse(name).entry) for name in TWO)])
    yield row(["---"] * (len(TWO) + 1))
    for dtype in PRECISIONS:
        rows = {one.implementation: one for one in _choice(f"soft-labels,{dtype},gradients").rows}
        yield row([dtype, *(_written(_told(rows[name])) for name in TWO)])
    yield ""
    yield "## Under automatic mixed precision"
    yield ""
    yield "What the documentation says, and the dtype of the result that a run on a CPU gave for bfloat16."
    yield ""
    yield row(["entry points", "what happens", "seen", "source"])
    yield row(["---"] * 4)
    for told in dict.fromkeys(autocasts().values()):
        of = ", ".join(code(name) for name, one in autocasts().items() if one == told)
        yield row([of, cell(told.does), told.seen, f"[documentation]({told.url})"])
    yield ""
    yield "## Can I use it in my version?"
    yield ""
    yield from _versions(found)


def _taken(told: Cell, several: bool) -> str:
    if not told.implementation:
        return "nothing"
    place = ImplementationId.parse(told.implementation)
    return f"{code(place.entry)} on {place.backend.partition('-')[2]}" if several else code(place.entry)


def _written(told: Cell) -> str:
    shown = f" ([check](reference/cases.md#{told.case.replace('/', '')}))" if told.case else ""
    return f"{cell(told.said)}{shown}"


@cache
def _source() -> Source:
    return Source("", kept_run("pinned"))


@cache
def _choice(words: str) -> Choice:
    """Of all entry points that people call, and those besides that a framework has for a need."""
    return choose([_source()], parse([words]))


def cell_of(words: str, backends: Sequence[str]) -> Cell:
    """What those of some backends who need something take: what does least harm and can be trained with."""
    for one in _choice(words).rows:
        if ImplementationId.parse(one.implementation).backend in backends and one.usable and one.trains:
            return _told(one)
    return Cell("", "-", "")


def _told(one: Row) -> Cell:
    """The sentence, and the case of what is worst."""
    worst = examples(one)
    said = f"right on all {one.inputs} inputs" if one.status == MET else sentence(one)
    if one.status == MET and all(answer.need.quantities == ("acceptance",) for answer in one.answers):
        said = "raises"
    return Cell(one.implementation, said, worst[0].check.case if worst else "")


# -- versions --------------------------------------------------------------------------------------------------------


def answers() -> Iterator[Answer]:
    """The words of all kept versions by question, those that follow each other with one word as one."""
    found = [one for package, ran in runs().items() for one in _of_package(package, ran)]
    order = list(QUESTIONS)
    yield from sorted(found, key=lambda one: order.index(one.question))


def _of_package(package: str, ran: Sequence[Run]) -> Iterator[Answer]:
    main = {ImplementationId.parse(name).entry for name in entries(kept_run("pinned"))}
    said: dict[tuple[str, str, str], list[tuple[Run, str]]] = {}
    for run in ran:
        source = Source("", run.record)
        for dtype, needs in product(DTYPES, ASKED):
            choice = choose([source], parse([f"{needs},{dtype}"]), everything=True)
            for one in choice.rows:
                place = ImplementationId.parse(one.implementation)
                for answer in one.answers:
                    known = place.entry in main or place.backend == FORMER or answer.need.name == "focal"
                    if known and not answer.need.dtype and (word := answer_text(answer)) != NOTHING:
                        said.setdefault((answer.need.name, place.entry, dtype), []).append((run, word))
    for question, need in QUESTIONS.items():
        for (asked, entry, dtype), words in said.items():
            for span in _spans(words) if asked == need else ():
                (first, word), (last, _) = span[0], span[-1]
                yield Answer(
                    question=question,
                    anchor=_anchor(question),
                    package=package,
                    entry=entry,
                    dtype=dtype,
                    word=word,
                    since=first.version,
                    since_released=first.released,
                    until=last.version,
                    until_released=last.released,
                    newest=last is ran[-1],
                )


def _spans(said: Sequence[tuple[Run, str]]) -> Iterator[list[tuple[Run, str]]]:
    """Versions that follow each other with one word."""
    for _, members in groupby(said, key=lambda pair: pair[1]):
        yield list(members)


def _anchor(heading: str) -> str:
    """As GitHub and the site name a heading."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def _versions(found: Sequence[Answer]) -> Iterator[str]:
    yield from VERSIONS_TEXT
    yield " · ".join(cell(meaning) for meaning in WORDS.values()) + "."
    for question, need in QUESTIONS.items():
        yield ""
        yield f"### {question}"
        yield ""
        yield f"The need {code(need)}: {BY_NAME[need].meaning}."
        yield ""
        yield row(["package", "entry point", "dtype", "versions"])
        yield row(["---"] * 4)
        own = [one for one in found if one.question == question]
        told: dict[tuple[str, str, str], list[Answer]] = {}
        for one in own:
            told.setdefault((one.package, one.entry, _words_of(one, own)), []).append(one)
        for (package, entry, words), members in told.items():
            dtypes = ", ".join(dict.fromkeys(one.dtype for one in members))
            yield row([PACKAGES[package], code(entry), dtypes, words])
    yield ""


def _words_of(one: Answer, every: Sequence[Answer]) -> str:
    """All that is said of an entry point in a dtype, the newest first."""
    own = [other for other in every if other[2:5] == one[2:5]]
    return "; ".join(
        f"{cell(other.word)}: {other.since if other.since == other.until else f'{other.since} to {other.until}'}"
        for other in reversed(own)
    )
