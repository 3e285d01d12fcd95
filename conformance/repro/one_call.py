"""Bodies of scripts that make one call: its result against the exact value, its end, dtype and shape."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from conformance import contracts
from conformance.adapters.writing import filled
from conformance.errors import InputError
from conformance.judge.behaviour import dtypes_of_result, shape_of_result
from conformance.numbers.formats import FORMATS, Format, ulp
from conformance.numbers.literals import text_of
from conformance.numbers.measurement import BUDGET
from conformance.plan.requests import Request
from conformance.quantities import NUMERIC
from conformance.repro import tensors
from conformance.repro.derivation import LETTERS, formula, no_value
from conformance.repro.shrink import Small
from conformance.repro.sources import Source
from conformance.repro.wording import quoted


def start(request: Request, source: Source) -> list[str]:
    """The tensors, and what a mode needs before it is called."""
    return [*tensors.lines(request, source), *source.before]


def versions(sources: Sequence[Source]) -> str:
    """A line that prints the versions of what is imported."""
    lines = [line for source in sources for line in source.modules if line.startswith("import ")]
    # `import a.b` binds a, `import a.b as c` binds c
    imported = {line.split()[3] if " as " in line else line.split()[1].partition(".")[0] for line in lines}
    names = dict.fromkeys(pair for source in sources for pair in source.versions if pair[1] in imported)
    shown = [f'"{package}", {name}.__version__' for package, name in names]
    return f"print({', '.join((*shown, chr(34) + 'Python' + chr(34), 'sys.version.split()[0]'))})"


def verdict(small: Small, wrong: str, match: str) -> list[str]:
    """The last lines: whether the mismatch shows, and the exit code."""
    return [
        f"if {wrong}:",
        f'    print("MISMATCH: {quoted(small)}")',
        "    sys.exit(1)",
        f'print("MATCH: {match}")',
    ]


# -- the value -------------------------------------------------------------------------------------------------------


def number(small: Small, request: Request, sources: Sequence[Source]) -> list[str]:
    """The result against the exact value, in ULP of the dtype that came back."""
    check, source = small.shown, sources[0]
    assert check is not None
    ideal, budget = check.ideal[small.index], check.budget[small.index] if check.budget else BUDGET
    documented = small.documented
    quantity = small.target.quantity if small.target.quantity in NUMERIC else "value"
    told = "" if documented is None else ", documented {documented!r}"
    told += ", error {error:.3g} ULP" if math.isfinite(ideal) or documented is not None else ""
    return [
        *start(request, source),
        f"result = {source.result}",
        f"got = {at_index(small, request, source, quantity)}",
        f"# {_exactly(request, quantity, ideal)}.",
        f"expected = {tensors.real(ideal)}",
        *([] if documented is None else [f"documented = {tensors.real(documented)}"]),
        *_error(small, documented),
        versions(sources),
        f'print(f"got {{got!r}}, expected {{expected!r}}{told}")',
        *verdict(small, _wrong(small, ideal, budget), "the result is within rounding of the expected value"),
    ]


#: Seconds after which a script says that a call does not end: the limit of one request of a run.
PATIENCE = 60


def at_index(small: Small, request: Request, source: Source, quantity: str) -> str:
    """The Python number in the result that the script is about."""
    only = small.copies == 1 and len(request.inputs.elements) == 1 and not request.presentations
    if only or (quantity == "value" and request.case.reduction != "none"):
        return filled(source.number, result="result")
    if small.copies > 1:
        return f"{filled(source.numbers, result='result')}[0]"
    if request.presentations:
        raise InputError(f"{small.target.name}: where in the tensor it is wrong, no script tells")
    return f"{filled(source.numbers, result='result')}[{small.index}]"


def _exactly(request: Request, quantity: str, ideal: float) -> str:
    """Where the expected value comes from."""
    at = _at(request)
    if math.isnan(ideal):
        return f"No value{at}: {no_value(request.inputs)}"
    return f"Exactly, {_reduced(request)}{formula(request.inputs, quantity)}{at}"


def _reduced(request: Request) -> str:
    return "" if request.case.reduction == "none" else f"the {request.case.reduction} of "


def _at(request: Request) -> str:
    """The inputs, under the names that the formula has for them."""
    if len(request.inputs.elements) != 1:
        return ""
    letters = LETTERS | {"prediction": LETTERS[request.case.form]}
    shown = []
    for name, tensor in request.inputs.tensors.items():
        bits = int(tensor.bits[0])
        text = text_of(bits, FORMATS[tensor.dtype]) if tensor.dtype in FORMATS else str(bits)
        shown.append(f"{letters[name]} = {text}")
    return ", at " + ", ".join(shown)


def _error(small: Small, documented: float | None) -> list[str]:
    """Lines that compute the error in ULP, where the expected value is a number, or what is documented."""
    check, index = small.shown, small.index
    ideal = check.ideal[index]
    if documented is None and not math.isfinite(ideal):
        return []
    fmt = FORMATS[check.result_dtype]
    exact = _unit(small.got, ideal, check.scaled[index], fmt) if math.isfinite(ideal) else 0.0
    if documented is not None:
        unit = _unit(small.got, documented, check.contract[index] if check.contract else math.nan, fmt)
        beside = f"abs(got - documented) / {_power(unit)}"
        error = f"min(abs(got - expected) / {_power(exact)}, {beside})" if exact else beside
        return [f"error = {error}  # in ULP of {fmt.name}"]
    note = f"of {fmt.name} at the expected value"
    if exact != float(ulp(np.array(ideal), fmt)):
        note = f"of {fmt.name} at the larger of the two terms of the formula"
    return [f"ulp = {_power(exact)}  # {note}", "error = abs(got - expected) / ulp"]


def _unit(got: float, right: float, error: float, fmt: Format) -> float:
    """The ULP in which an error was measured: a power of two, at the size of the natural terms (docs/reference.md)."""
    if math.isfinite(got) and got != right and 0 < error < math.inf:
        return float(2.0 ** round(math.log2(abs(got - right) / error)))
    return float(ulp(np.array(right), fmt))


def _power(unit: float) -> str:
    return f"2.0**{round(math.log2(unit))}"


def _wrong(small: Small, ideal: float, budget: float) -> str:
    limit = f"not error <= {math.ceil(budget)}"
    if not math.isfinite(ideal):
        other = "got == got" if math.isnan(ideal) else "got != expected"
        return other if small.documented is None else f"{other} and {limit}"
    return f"{limit} or got == 0" if small.what == "flushed" else limit


# -- how the call ends, and what comes back --------------------------------------------------------------------------


def rejected(small: Small, request: Request, sources: Sequence[Source]) -> list[str]:
    """An exception where there should be none; another one than was seen cannot be told."""
    kind = small.finding.detail.partition(":")[0]
    return [
        *start(request, sources[0]),
        versions(sources),
        "try:",
        f"    print('got', {sources[0].result})",
        "except Exception as error:",
        f"    if type(error).__name__ != {kind!r}:",
        "        raise",
        '    print(f"got {type(error).__name__}: {error}")',
        f'    print("MISMATCH: {quoted(small)}")',
        "    sys.exit(1)",
        'print("MATCH: the inputs are accepted")',
    ]


def accepted(small: Small, request: Request, sources: Sequence[Source]) -> list[str]:
    """No exception where there should be one; where the documentation names it, it must be that one."""
    checks = [one.raises for one in request.implementation.contract if isinstance(one, contracts.DomainCheck)]
    documented = checks[0] if checks and not request.presentations else ""
    return [
        *start(request, sources[0]),
        versions(sources),
        "try:",
        f"    print('got', {sources[0].result})",
        "except Exception as error:",
        *([f"    if type(error).__name__ != {documented!r}:", "        raise"] if documented else []),
        '    print(f"got {type(error).__name__}: {error}")',
        '    print("MATCH: the inputs are rejected")',
        "    sys.exit(0)",
        f'print("MISMATCH: {quoted(small)}")',
        "sys.exit(1)",
    ]


def another_dtype(small: Small, request: Request, sources: Sequence[Source]) -> list[str]:
    """The dtype of the result against those that it may have."""
    allowed = repr(sorted(dtypes_of_result(request, _numeric(small)))).replace("'", '"')
    return [
        *start(request, sources[0]),
        f'got = {filled(sources[0].dtype, result=sources[0].result)}.rpartition(".")[2]',
        f"expected = {allowed}",
        *_as_expected(small, sources),
    ]


def another_shape(small: Small, request: Request, sources: Sequence[Source]) -> list[str]:
    """The shape of the result against the one that it must have."""
    return [
        *start(request, sources[0]),
        f"got = tuple({sources[0].result}.shape)",
        f"expected = [{shape_of_result(request, _numeric(small))!r}]",
        *_as_expected(small, sources),
    ]


def repeated(small: Small, request: Request, sources: Sequence[Source]) -> list[str]:
    """The same call twice."""
    return [
        *start(request, sources[0]),
        f"got = {filled(sources[0].numbers, result=sources[0].result)}",
        f"expected = [{filled(sources[0].numbers, result=sources[0].result)}]",
        *_as_expected(small, sources),
    ]


def ended(small: Small, request: Request, sources: Sequence[Source]) -> list[str]:
    """A process that the call brings down, or that does not end: the script calls itself to see it."""
    limit = small.what == "timed-out"
    return [
        "import subprocess",
        "",
        "if len(sys.argv) == 1:",
        f"    {versions(sources)}",
        *(["    try:"] if limit else []),
        f'    {"    " if limit else ""}code = subprocess.run([sys.executable, __file__, "child"]'
        f"{f', timeout={PATIENCE}' if limit else ''}).returncode",
        *(["    except subprocess.TimeoutExpired:", "        code = -1"] if limit else []),
        '    print(f"got exit code {code}, expected 0")',
        "    if code < 0:",
        f'        print("MISMATCH: {quoted(small)}")',
        "        sys.exit(1)",
        "    if code > 0:",
        "        sys.exit(125)",
        '    print("MATCH: the call comes back")',
        "    sys.exit(0)",
        *start(request, sources[0]),
        f"print({filled(sources[0].numbers, result=sources[0].result)})",
    ]


def _numeric(small: Small) -> str:
    """The quantity that the words of the finding start with."""
    first = small.finding.detail.partition(" ")[0]
    return first if first in NUMERIC else "value"


def _as_expected(small: Small, sources: Sequence[Source]) -> list[str]:
    return [
        versions(sources),
        'print(f"got {got!r}, expected {expected[0]!r}")',
        *verdict(small, "got not in expected", "the result comes back as expected"),
    ]
