"""What an adapter declares: the same everywhere, in modes that its runtime has."""

from __future__ import annotations

import inspect
import json
from typing import Any

import pytest
from click.testing import CliRunner

from conformance.adapters import BUILTIN, Adapter, Implementation, load_builtin
from conformance.adapters import numpy as numpy_adapter
from conformance.adapters.declaration import COMPILED_BEFORE, Declaration
from conformance.cli import main

ADAPTERS = {adapter.name: adapter for module in BUILTIN for adapter in load_builtin(module)}


def declarations(name: str) -> list[Declaration]:
    """What the adapter of that name declares."""
    return [one.declared(name, ADAPTERS[name].runtime) for one in ADAPTERS[name].implementations]


@pytest.mark.parametrize("name", sorted(ADAPTERS))
def test_a_mode_that_a_runtime_does_not_have_is_refused_with_those_that_it_has(name: str) -> None:
    """A misspelt mode, or one of another framework, must not be run as the plain call."""
    runtime = ADAPTERS[name].runtime
    made = Adapter("made", [Implementation("loss", "logits", max, mode="jitted")], backend=runtime)
    with pytest.raises(ValueError, match=f"mode 'jitted' of 'loss' is not one of {', '.join(runtime.modes)}"):
        made.declaration()


@pytest.mark.parametrize("name", sorted(ADAPTERS))
def test_every_runtime_has_the_plain_mode_and_every_mode_that_is_declared(name: str) -> None:
    """Modes are held against the plain call."""
    modes = ADAPTERS[name].runtime.modes
    assert "eager" in modes
    assert {one.mode for one in ADAPTERS[name].implementations} <= set(modes)


@pytest.mark.parametrize("name", sorted(ADAPTERS))
def test_a_declaration_arrives_as_it_was_sent(name: str) -> None:
    """The parent plans by what the adapter said, and a field that JSON changes would be another one."""
    sent = json.loads(json.dumps(ADAPTERS[name].declaration()))["implementations"]
    assert list(map(Declaration.from_wire, sent)) == declarations(name)


def test_what_an_implementation_says_of_itself_is_declared_under_the_same_name() -> None:
    """All but what is called; of the dtypes those that the runtime has."""
    said = set(inspect.signature(Implementation).parameters) - {"call", "derivatives"}
    assert said <= set(Declaration._fields)
    fields: dict[str, Any] = {name: object() for name in said} | {"mode": "eager", "dtypes": ["float64"]}
    one = Implementation("loss", "logits", max)
    vars(one).update(fields)
    declared = one.declared("made", ADAPTERS["numpy"].runtime)
    assert {name: getattr(declared, name) for name in said} == fields | {"dtypes": ("float64",)}


def test_a_mode_that_compiles_says_so_in_records_as_it_did_before_by_its_name() -> None:
    """Records of before and after are read alike."""
    declared = {(one.mode, one.compiled) for name in ADAPTERS for one in declarations(name)}
    assert {mode for mode, compiled in declared if compiled} == set(COMPILED_BEFORE)
    assert not {mode for mode, compiled in declared if not compiled} & set(COMPILED_BEFORE)


def test_a_declaration_does_not_depend_on_what_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The record is about what is declared: it must hold where ml_dtypes is missing, too."""
    before = [ADAPTERS[name].declaration() for name in ("numpy", "scipy", "keras-numpy")]
    monkeypatch.setattr(numpy_adapter, "_has_bfloat16", lambda: False)
    assert [ADAPTERS[name].declaration() for name in ("numpy", "scipy", "keras-numpy")] == before


def test_lint_passes_where_no_package_for_bfloat16_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of bfloat16 match what is declared."""
    monkeypatch.setattr(numpy_adapter, "_has_bfloat16", lambda: False)
    done = CliRunner().invoke(main, ["lint"])
    assert (done.exit_code, ", 0 mistakes" in done.output) == (0, True), done.output
