"""Calls that are written down against the calls themselves: one script for every implementation and two quantities."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.adapters.declaration import Declaration
from conformance.adapters.expressions import Expression, NotWritable, named_modules, traced
from conformance.adapters.writing import filled
from conformance.numbers.formats import FORMATS, decode
from conformance.plan.cases import Case, Element
from conformance.plan.inputs import Inputs
from conformance.plan.requests import Request
from conformance.pool.observation import Observation
from conformance.repro import clean, sources, tensors
from conformance.repro.script import TEMPLATES
from conformance.repro.sources import Asked, Source
from conformance.run import run as runs
from tests.builders import deterministic

#: An element that is nowhere special.
ELEMENT = {"logits": ("-3", "0"), "probabilities": ("0.3", "1")}

#: Where lengths cost a compilation the suite pads tensors to this one: only so many numbers are computed alike.
PADDED = 64

#: Scripts of one backend run one after the other in one interpreter; what each prints is told apart by its number.
DRIVER = """\
import contextlib, io, runpy, sys
for file in sys.argv[1:]:
    out = io.StringIO()
    try:
        with contextlib.redirect_stdout(out):
            runpy.run_path(file, run_name="__main__")
    except BaseException as error:
        out.write(f"{type(error).__name__}: {error}")
    print(out.getvalue().strip().replace("\\n", " "))
"""


def request(one: Declaration) -> Request:
    """One element, in as many copies as its mode computes at once."""
    copies = PADDED if one.few_shapes else 1
    prediction, label = ELEMENT[one.form]
    elements = tuple(Element(id=f"e{number}", prediction=prediction, label=label) for number in range(copies))
    reduction = "none" if "none" in one.reductions else one.reductions[0]
    case = Case(
        id="small/one", why="it exists for this test", form=one.form, flags=(), elements=elements, reduction=reduction
    )  # type: ignore[arg-type]
    quantities = tuple(name for name in ("value", "gradient-prediction") if name in one.quantities)
    return Request("small", one, Inputs(case, "float32"), quantities)


def script(asked: Asked, source: Source) -> str:
    """A script that prints the first number of the result, and its dtype."""
    scalar = asked.quantity == "value" and asked.request.case.reduction != "none"
    read = source.number if scalar else f"{source.numbers}[0]"
    body = [
        *tensors.lines(asked.request, source),
        *source.before,
        f"result = {source.result}",
        f"print(float({filled(read, result='result')}).hex(), {filled(source.dtype, result='result')})",
    ]
    return TEMPLATES.get_template("repro.py.j2").render(
        title="x", modules=source.modules, helpers=source.helpers, functions=[("loss", source)], body=body
    )


def seen(observation: Observation) -> str:
    """What a script must print of an observation."""
    assert observation.tensor is not None, observation
    assert observation.tensor.dtype in FORMATS
    return f"{float(decode(observation.tensor).ravel()[0]).hex()} {observation.tensor.dtype}"


@pytest.mark.slow
def test_a_written_call_gives_the_bits_of_the_call(tmp_path: Path) -> None:
    """For every implementation that is installed a script of its value and gradient prints what the worker saw.

    In every mode at once: to import all frameworks costs more than all calls.
    """
    options = runs.Options()
    observed: dict[int, dict[str, tuple[Observation, ...]]] = {}
    with runs.open_pool(options) as pool:
        backends = pool.discover()
        requests = [request(one) for backend in backends for one in backend.implementations]
        pool.run(backends, requests, lambda backend, opened: None, lambda index, what: observed.update({index: what}))
        pairs = [(index, Asked(requests[index], name)) for index in observed for name in requests[index].quantities]
        texts = sources.ask(pool, backends, [asked for _, asked in pairs])
    files: dict[str, list[tuple[Path, str, str]]] = {}
    for number, ((index, asked), source) in enumerate(zip(pairs, texts, strict=True)):
        assert isinstance(source, Source), source
        file = tmp_path / f"s{number}.py"
        file.write_text(script(asked, source))
        wanted = seen(observed[index][asked.quantity][0])
        name = f"{asked.request.implementation.id} {asked.quantity}"
        files.setdefault(asked.request.implementation.adapter, []).append((file, name, wanted))
    assert files
    for group in files.values():
        printed = driven([file for file, _, _ in group], tmp_path)
        got = {name: line.replace("torch.", "") for (_, name, _), line in zip(group, printed, strict=True)}
        assert got == {name: wanted for _, name, wanted in group}


def driven(files: list[Path], home: Path) -> list[str]:
    """What each script prints, in one interpreter that knows nothing of the suite."""
    command = [sys.executable, "-I", "-c", DRIVER, *map(str, files)]
    environment = clean.environment(home)
    done = subprocess.run(command, capture_output=True, text=True, cwd=home, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.splitlines()


# -- expressions -----------------------------------------------------------------------------------------------------

numbers = st.floats(0.5, 2, allow_nan=False)


def formulas() -> st.SearchStrategy[Callable[[object, object], object]]:
    """Functions of two arguments, made of operators."""
    leaves = st.one_of(
        st.just(lambda x, y: x), st.just(lambda x, y: y), st.integers(1, 3).map(lambda n: lambda x, y: n)
    )

    def longer(inner: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
        return st.one_of(
            inner.map(lambda f: lambda x, y: -f(x, y)),
            st.tuples(inner, inner).map(lambda fg: lambda x, y: fg[0](x, y) + fg[1](x, y)),
            st.tuples(inner, inner).map(lambda fg: lambda x, y: fg[0](x, y) - fg[1](x, y)),
            st.tuples(inner, inner).map(lambda fg: lambda x, y: fg[0](x, y) * fg[1](x, y)),
            inner.map(lambda f: lambda x, y: f(x, y) / 4),
        )

    return st.recursive(leaves, longer, max_leaves=8)


@deterministic
@given(formulas(), numbers, numbers)
def test_a_text_computes_what_the_call_computes(formula: Callable[..., object], x: float, y: float) -> None:
    """Parentheses stand where they are needed: Python evaluates the text to the same number, bit for bit."""
    result = formula(Expression("x"), Expression("y"))
    if isinstance(result, Expression):
        assert eval(repr(result), {"x": x, "y": y}) == formula(x, y)
    else:
        assert result == formula(x, y)


def test_a_call_that_looks_at_its_numbers_is_not_written() -> None:
    """A branch on values has no expression, and says so."""
    with pytest.raises(NotWritable, match="depends on prediction"):
        traced(lambda p, y: p if p else y, {"prediction": Expression("prediction"), "label": Expression("label")})


def test_modules_are_names_within_and_themselves_afterwards() -> None:
    """`json` and what is imported from it are text for a while, whatever was imported before."""
    import json

    with named_modules(["json"], {"json": "j"}):
        import json as other
        from json import decoder

        assert repr(other.dumps(Expression("x"), indent=2)) == "j.dumps(x, indent=2)"
        assert repr(decoder.JSONDecoder()) == "j.decoder.JSONDecoder()"
    assert sys.modules["json"] is json
