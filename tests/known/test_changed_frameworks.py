"""The record hides nothing: real frameworks with one change each, which a run must tell.

What a new version may bring, mistakes mostly and an improvement now and then, is made in the installed framework when
it is imported (`tests/changed`).
"""

from __future__ import annotations

import importlib.util
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

from conformance.record.record import CheckLine, RunRecord
from tests.changed import registry
from tests.changed.catalogue import CATALOGUE, FRAMEWORKS
from tests.changed.hook import Hook
from tests.changed.registry import Change, Function, Place
from tests.changed.runs import Bench

BACKENDS = sorted({one.place.backend for one in CATALOGUE.values()})


@pytest.fixture(scope="module")
def bench() -> Bench:
    """The backends, the cases and the record, read once."""
    return Bench.of_this_checkout()


def need(backend: str) -> None:
    """Skip where a framework of a backend is not installed; looking for it does not import it."""
    for name in backend.split("-"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed")


def told(record: RunRecord) -> list[CheckLine]:
    """The checks of a run in which something is new or fixed; the run must be complete."""
    assert record.footer is not None
    assert record.footer.not_run == 0
    return [line for line in record.checks if line.outcome in ("new", "fixed")]


@pytest.mark.slow
@pytest.mark.parametrize("change", CATALOGUE.values(), ids=lambda one: one.name)
def test_a_changed_framework_is_told(bench: Bench, change: Change, tmp_path: Path) -> None:
    """Whatever is recorded of the framework: what a change brings is new, and what it ends is fixed."""
    need(change.place.backend)
    record = bench.changed(change, tmp_path / "made")
    assert (tmp_path / "made").read_text() == change.name
    assert change.told in {line.outcome for line in told(record)}


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_nothing_is_told_of_a_framework_as_it_is(bench: Bench, backend: str, tmp_path: Path) -> None:
    """The same checks, with the hook and without a change: what tells a change is not told anyway."""
    need(backend)
    record = bench.unchanged([one for one in CATALOGUE.values() if one.place.backend == backend], tmp_path / "made")
    assert not (tmp_path / "made").exists()
    assert [line.id for line in told(record)] == []


def test_the_catalogue_is_large_enough() -> None:
    """Five changes of every framework and more, some of them in a mode that compiles, some that end a deviation."""
    counts = Counter(one.framework for one in CATALOGUE.values())
    assert set(counts) == set(FRAMEWORKS)
    assert min(counts.values()) >= 5
    assert counts.total() >= 24
    assert sum(one.mode != "eager" for one in CATALOGUE.values()) >= 3
    assert sum(one.told == "fixed" for one in CATALOGUE.values()) >= 3


def executed(folder: Path, attribute: str) -> ModuleType:
    """A module whose function `loss` returns 1, executed with a change by which `attribute` returns twice as much."""
    (folder / "its_losses.py").write_text("def loss():\n    return 1\n")

    def doubled(original: Function) -> Function:
        return lambda: 2 * original()

    change = Change(doubled, Place("its_losses", attribute, "its/loss"))
    spec = Hook(change, folder / "made").find_spec("its_losses", [str(folder)])
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_change_is_made_as_soon_as_its_module_was_executed(tmp_path: Path) -> None:
    """Nobody can have taken the original before, and the file says that the change was made."""
    assert executed(tmp_path, "loss").loss() == 2
    assert (tmp_path / "made").read_text() == "test_changed_frameworks.doubled"


def test_a_change_of_what_a_framework_lacks_fails(tmp_path: Path) -> None:
    """A release that moves a function must not leave a change that changes nothing."""
    with pytest.raises(AttributeError, match="moved"):
        executed(tmp_path, "moved")
    assert not (tmp_path / "made").exists()


def test_a_change_that_does_not_say_what_it_changes_is_refused() -> None:
    """The catalogue is read by people."""

    def silent(original: Function) -> Function:
        return original

    with pytest.raises(TypeError, match=r"silent does not say what it changes"):
        registry.change(Place("torch", "add", "torch/add"))(silent)


def test_two_changes_of_one_name_are_refused() -> None:
    """The name tells a worker which change to make."""
    known = CATALOGUE["torch.labels_clipped"]
    with pytest.raises(ValueError, match=r"two changes are called torch\.labels_clipped"):
        registry.change(known.place)(known.make)
