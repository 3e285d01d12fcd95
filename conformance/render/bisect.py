"""What a search among versions found, as text, Markdown or JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from conformance.numbers.formats import FORMATS
from conformance.numbers.literals import text_of
from conformance.record.compare import State, states
from conformance.render.characters import clean
from conformance.render.markdown import cell, code, row
from conformance.versions.behaviour import Checks, Script
from conformance.versions.bisect import Outcome
from conformance.versions.ladder import Untestable

#: Elements that text and Markdown show; JSON holds all.
SHOWN = 20


def title(outcome: Outcome) -> str:
    """The one sentence."""
    package, found = outcome.range.package, outcome.found
    if found.between:
        return (
            f"the behaviour changed in one of {package} {', '.join(found.between)}, {found.first}; "
            f"those before {found.first} cannot be tested"
        )
    return f"{package} {found.first} is the first version that behaves otherwise; {found.last} is the last before it"


def since(outcome: Outcome) -> str:
    """The release, and what else changed with it, after the word "since"."""
    package, found = outcome.range.package, outcome.found
    hidden = ", ".join(found.between)
    told = f"one of {package} {hidden}, {found.first}: those before it cannot be tested" if hidden else (
        f"{package} {found.first}; {found.last} was the last before it"
    )  # fmt: skip
    also = ", ".join(f"{name} {was} → {now}" for name, was, now in outcome.differing)
    return f"{told}; with it changed {also}" if also else told


def document(outcome: Outcome) -> dict[str, Any]:
    """The outcome as plain data."""
    found = outcome.found
    return {
        "package": outcome.range.package,
        "last": found.last,
        "first": found.first,
        "between": list(found.between),
        "tested": [
            {"version": version, "untestable": seen.reason}
            if isinstance(seen, Untestable)
            else {"version": version, "python": outcome.environments[version].installed.python,
                  "installed": outcome.environments[version].installed.packages}
            for version, seen in found.tested
        ],
        "skipped": [{"version": version, "reason": why} for version, why in outcome.range.skipped],
        "also_differs": [dict(zip(("package", "before", "after"), one, strict=True)) for one in outcome.differing],
        "outputs": [dict(zip(("what", "before", "after"), one, strict=True)) for one in outputs(outcome)],
    }  # fmt: skip


def json(outcome: Outcome) -> str:
    """One JSON document."""
    return msgspec.json.format(msgspec.json.encode(document(outcome)), indent=2).decode() + "\n"


def outputs(outcome: Outcome) -> list[tuple[str, str, str]]:
    """What differs, before and after the change: elements with what came back, or what a script printed."""
    before, after = outcome.found.before, outcome.found.after
    if isinstance(before, Script) and isinstance(after, Script):
        return [("output", before.output, after.output)]
    assert isinstance(before, Checks)
    assert isinstance(after, Checks)
    olds, news = _results(before), _results(after)
    was, now = dict(before.seen), dict(after.seen)
    changed = [name for name in dict.fromkeys((*was, *now)) if was.get(name) != now.get(name)]
    return [(name, olds.get(name, "not there"), news.get(name, "not there")) for name in changed]


def _results(seen: Checks) -> dict[str, str]:
    return {
        f"{check.id}#{name}": told(state, check.result_dtype or check.dtype)
        for check in seen.record.checks
        for name, state in states(check).items()
    }


def told(state: State, dtype: str) -> str:
    """A state in words, with the number that came back."""
    fmt = FORMATS.get(dtype)
    if not state.bits or fmt is None or len(state.bits) != fmt.width // 4:
        return state.told
    return f"{text_of(int(state.bits, 16), fmt)} (0x{state.bits}): {state.told}"


def text(outcome: Outcome) -> str:
    """The outcome for a terminal."""
    return "\n".join(map(clean, _text(outcome))) + "\n"


def _text(outcome: Outcome) -> Iterator[str]:
    yield title(outcome)
    found = outputs(outcome)
    for what, before, after in found[:SHOWN]:
        yield f"  {what}"
        for version, result in ((outcome.found.last, before), (outcome.found.first, after)):
            lines = result.splitlines() or ["(nothing)"]
            yield f"    {version}: {lines[0]}"
            yield from (f"      {line}" for line in lines[1:])
    if len(found) > SHOWN:
        yield f"  … and {len(found) - SHOWN} more: --format json"
    yield from _notes(outcome)


def _notes(outcome: Outcome) -> Iterator[str]:
    for name, before, after in outcome.differing:
        yield f"caution: {name} differs, too: {before} before, {after} after (pin it by --with)"
    for version, why in outcome.range.skipped:
        yield f"passed over {version}: {why}"
    yield f"tested: {', '.join(version for version, _ in outcome.found.tested)}"


def markdown(outcome: Outcome) -> str:
    """The outcome for a report."""
    return "\n".join(map(clean, _markdown(outcome))) + "\n"


def _markdown(outcome: Outcome) -> Iterator[str]:
    yield f"**{cell(title(outcome))}.**"
    yield ""
    found = outcome.found
    if isinstance(found.before, Script):
        for version, seen in ((found.last, found.before), (found.first, found.after)):
            yield f"{cell(version)} printed:"
            yield ""
            # Four spaces make code of it, in which nothing is markup.
            yield from (f"    {line}" for line in (getattr(seen, "output", "") or "(nothing)").splitlines())
            yield ""
    else:
        yield row(["check and element", cell(found.last), cell(found.first)])
        yield row(["---"] * 3)
        for what, before, after in outputs(outcome)[:SHOWN]:
            yield row([code(what).replace("|", "\\|"), cell(before), cell(after)])
        yield ""
    yield from (f"- {cell(line)}" for line in _notes(outcome))
