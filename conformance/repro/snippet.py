"""The call of a script in at most five lines, as a person would type it first: no comparison, no exit code.

A person may have written it (`Problem.opening`); else it is that of the script.  There is none where more lines are
needed, or where the script compares several calls.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from conformance.adapters.writing import filled
from conformance.errors import InputError
from conformance.known.problem import LINES, WIDTH, Opening
from conformance.numbers.formats import FORMATS, Tensor
from conformance.numbers.literals import bits_of, text_of
from conformance.plan.requests import Request
from conformance.quantities import NUMERIC
from conformance.repro import tensors
from conformance.repro.clean import said
from conformance.repro.one_call import at_index
from conformance.repro.script import numeric, single
from conformance.repro.shrink import Small
from conformance.repro.sources import Source


class Snippet(NamedTuple):
    """The lines, and what they print, or how they end; a sentence about them where a person wrote them."""

    text: str
    prints: str
    says: str = ""


def opening(one: Opening, interpreter: str, limit: float) -> Snippet:
    """What a person wrote for a problem, run in a clean interpreter for at most `limit` seconds."""
    return Snippet(one.code, said(one.code, interpreter, limit), one.says)


def snippet(small: Small, sources: Sequence[Source], interpreter: str, limit: float) -> Snippet | None:
    """The snippet of a script's call, run in a clean interpreter for at most `limit` seconds; None where there is none.

    `sources` are those of the script.
    """
    if len(sources) != 1 or small.request.relation is not None or any("loss" in line for line in sources[0].before):
        return None
    try:
        found = lines(small, single(small), sources[0])
    except InputError:
        return None
    if len(found) > LINES or max(map(len, found)) > WIDTH:
        return None
    text = "\n".join(found) + "\n"
    return Snippet(text, said(text, interpreter, limit))


def lines(small: Small, request: Request, source: Source) -> list[str]:
    """The lines, however many.  Raises InputError for inputs that no script has."""
    values = list(map(_short_value, tensors.lines(request, source), request.inputs.tensors.values()))
    each = [f"{name} = {value}" for name, value in zip(request.inputs.tensors, values, strict=True)]
    names, together = ", ".join(request.inputs.tensors), ", ".join(values)
    result = _inlined(source)
    shown = f"print({_read(small, request, source, '{result}')})"
    start = [*_imports(source.modules), *(line for helper in source.helpers for line in _short(helper))]
    plain = [*start, f"{names} = {together}", *source.before, filled(shown, result=result)]
    if len(plain) <= LINES or source.before:
        return plain if len(plain[len(start)]) <= WIDTH else [*start, *each, *plain[len(start) + 1 :]]
    return [*start, filled(shown, result=f"(lambda {names}: {result})({together})")]


def _short_value(line: str, tensor: Tensor) -> str:
    """The tensor of a line that assigns it, of decimals where these have the same bits in its dtype."""
    fmt = FORMATS.get(tensor.dtype)

    def decimal(found: re.Match[str]) -> str:
        assert fmt is not None
        bits = bits_of(found[1], fmt)
        shortest = text_of(bits, fmt)
        return shortest if bits_of(float(shortest).hex(), fmt) == bits else found[0]

    value = line.partition(" = ")[2].partition("  # ")[0]
    return value if fmt is None else re.sub(r'float\.fromhex\("([^"]+)"\)', decimal, value)


def _inlined(source: Source) -> str:
    """The expression of the result with the loss in it."""
    arguments = ", ".join(source.arguments)
    result = source.result.replace(f"loss({arguments})", source.loss)
    return re.sub(r"(?<![\w.])loss(?![\w(=])", f"lambda {arguments}: {source.loss}", result)


def _read(small: Small, request: Request, source: Source, result: str) -> str:
    """An expression of what is wrong about a result: the number, its dtype or shape, or all of it."""
    if small.what == "result-dtype":
        return filled(source.dtype, result=result)
    if small.what == "result-shape":
        return f"tuple({result}.shape)"
    if small.target.quantity in NUMERIC and small.shown.ideal:
        return at_index(small, request, source, numeric(small)).replace("result", result, 1)
    return result


def _imports(modules: Sequence[str]) -> list[str]:
    """The lines that import, in one: plain imports that follow each other are one statement."""
    statements: list[str] = []
    for line in modules:
        if line.startswith("import ") and statements and statements[-1].startswith("import "):
            statements[-1] += f", {line.removeprefix('import ')}"
        else:
            statements.append(line)
    return ["; ".join(statements)]


def _short(helper: str) -> list[str]:
    """The lines of a function, those below a `with` in one with it."""
    lines: list[str] = []
    for line in helper.splitlines():
        block = bool(lines) and lines[-1].lstrip().startswith("with ")
        if block and _indent(line) > _indent(lines[-1]):
            lines[-1] += f"{' ' if lines[-1].endswith(':') else '; '}{line.strip()}"
        else:
            lines.append(line)
    return lines


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
