"""`bce-conformance bisect`: the search itself, and the command on a package index and a `uv` that tests bring."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import assume, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from conformance.cli import main
from conformance.errors import Exit, InputError
from conformance.versions.build import Builder, Resolved
from conformance.versions.companions import Known, known
from conformance.versions.index import Index, settings
from conformance.versions.ladder import EndUntestable, SameEnds, Untestable, search, steps
from conformance.versions.requirements import columns
from tests.builders import deterministic
from tests.releases import World

# -- the search ------------------------------------------------------------------------------------------------------


def names(count: int) -> list[str]:
    """Versions in order."""
    return [f"1.{one}" for one in range(count)]


@deterministic
@given(st.integers(2, 200), st.data())
def test_the_first_changed_version_is_found_in_log2_steps(count: int, data: st.DataObject) -> None:
    """Where every version can be tested: both ends first, then at most the announced number of tests in all."""
    change = data.draw(st.integers(1, count - 1))
    asked: list[str] = []

    def test(version: str) -> bool:
        asked.append(version)
        return int(version[2:]) >= change

    found = search(names(count), test)
    assert (found.last, found.first, found.between) == (f"1.{change - 1}", f"1.{change}", ())
    assert asked[:2] == ["1.0", f"1.{count - 1}"]
    assert len(asked) == len(set(asked)) <= steps(count)


@deterministic
@given(st.integers(2, 40), st.data())
def test_untestable_versions_are_passed_over_and_told_where_they_hide_the_change(
    count: int, data: st.DataObject
) -> None:
    """The result is what a look at every version gives: the testable neighbours of the change, and what is between."""
    change = data.draw(st.integers(1, count - 1))
    holes = data.draw(st.sets(st.integers(1, count - 1)))
    assume(count - 1 not in holes)
    found = search(names(count), lambda one: Untestable("no") if int(one[2:]) in holes else int(one[2:]) >= change)
    testable = [one for one in range(count) if one not in holes]
    last, first = max(one for one in testable if one < change), min(one for one in testable if one >= change)
    assert (found.last, found.first) == (f"1.{last}", f"1.{first}")
    assert found.between == tuple(f"1.{one}" for one in range(last + 1, first))


def test_a_third_behaviour_counts_as_changed() -> None:
    """What is searched is the first version that does not behave as the first of all."""
    behaviours = dict(zip(names(5), ["old", "old", "odd", "new", "new"], strict=True))
    found = search(names(5), lambda one: behaviours[one])
    assert (found.last, found.first, found.before, found.after) == ("1.1", "1.2", "old", "odd")


def test_ends_that_behave_alike_are_refused_without_further_tests() -> None:
    """There is nothing to find, and nothing else is tested."""
    asked: list[str] = []
    with pytest.raises(SameEnds):
        search(names(9), lambda one: asked.append(one))
    assert asked == ["1.0", "1.8"]


@pytest.mark.parametrize("end", ["1.0", "1.4"])
def test_an_end_that_cannot_be_tested_is_refused(end: str) -> None:
    """The other versions are not looked at."""
    with pytest.raises(EndUntestable) as caught:
        search(names(5), lambda one: Untestable("no wheel") if one == end else one)
    assert caught.value.args == (end, "no wheel")


# -- the command -----------------------------------------------------------------------------------------------------


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Versions 1.0 to 1.9 of `demo`."""
    made = World(tmp_path, monkeypatch)
    made.release("demo", *names(10))
    return made


def script(*words: str, good: str = "1.0", bad: str = "1.9") -> Result:
    """`bce-conformance bisect repro.py` between two versions."""
    given = ("bisect", "repro.py", "--package", "demo", "--good", good, "--bad", bad, "--environments", "environments")
    return CliRunner().invoke(main, [*given, *words])


def case(*words: str, subject: str = "small/one", good: str = "1.0", bad: str = "1.6") -> Result:
    """`bce-conformance bisect` of a case of the small suite."""
    given = ("bisect", subject, "demo/loss", "--package", "demo", "--good", good, "--bad", bad)
    where = ("--cases", "suite", "--adapter", "demo.py", "--environments", "environments")
    return CliRunner().invoke(main, [*given, *where, *words])


@pytest.mark.usefixtures("world")
@pytest.mark.slow
def test_a_script_finds_the_version_and_both_outputs_are_told() -> None:
    """The bug shows from 1.4 on; 1.5 cannot tell and is passed over where it is met."""
    done = script("--format", "json")
    assert done.exit_code == Exit.AS_EXPECTED, done.output
    told = json.loads(done.stdout)
    assert (told["last"], told["first"], told["between"]) == ("1.3", "1.4", [])
    assert told["outputs"] == [{"what": "output", "before": "demo 1.3 says 0.5", "after": "demo 1.4 says nan"}]


@pytest.mark.usefixtures("world")
@pytest.mark.slow
def test_the_bug_may_be_in_the_older_version() -> None:
    """Then it is the first version without it that is found."""
    (Path("repro.py")).write_text("import os, sys\nsys.exit(os.environ['DEMO'] < '1.6')\n")
    assert "demo 1.6 is the first version" in script(good="1.9", bad="1.0").stdout


@pytest.mark.usefixtures("world")
@pytest.mark.slow
def test_ends_that_a_script_contradicts_are_bad_input() -> None:
    """The good end must not show the bug."""
    done = script(good="1.9", bad="1.0")
    assert done.exit_code == Exit.BAD_INPUT
    assert "demo 1.0 is said to be bad, but the bug does not show there" in done.stderr


@pytest.mark.usefixtures("world")
@pytest.mark.slow
@pytest.mark.parametrize(
    ("good", "bad", "first", "before", "after"),
    [
        ("1.0", "1.6", "1.3", "conforms", "deviates"),
        ("1.3", "1.9", "1.7", "deviates", "TypeError: no such argument in 1.7"),
        ("1.9", "1.2", "1.3", "conforms", "deviates"),
    ],
)
def test_a_case_finds_numbers_and_exceptions(good: str, bad: str, first: str, before: str, after: str) -> None:
    """A wrong number from 1.3 on, an exception from 1.7 on; the older end decides what counts as changed."""
    done = case("--format", "json", good=good, bad=bad)
    assert done.exit_code == Exit.AS_EXPECTED, done.output
    told = json.loads(done.stdout)
    assert told["first"] == first
    numbers = [one for one in told["outputs"] if "::value#" in one["what"]]
    assert all(before in one["before"] and after in one["after"] for one in numbers)
    assert [one["what"].rpartition("#")[2] for one in numbers] == ["a", "b"]


@pytest.mark.usefixtures("world")
@pytest.mark.slow
def test_one_element_can_be_watched() -> None:
    """The result is about that element alone."""
    told = json.loads(case("--format", "json", subject="small/one#b").stdout)
    assert [one["what"].rpartition("#")[2] for one in told["outputs"]] == ["b"]


@pytest.mark.usefixtures("world")
@pytest.mark.slow
def test_a_case_file_of_ones_own_can_be_watched() -> None:
    """It lies outside the folder of the suite, and its one element is what the result is about."""
    mine = Path("suite/small.yaml").read_text().replace("small/one", "mine/one").replace("0.25", "0.125")
    Path("mine.yaml").write_text(mine)
    told = json.loads(case("--format", "json", subject="mine.yaml#b").stdout)
    assert told["first"] == "1.3"
    assert [one["what"] for one in told["outputs"]] == ["mine/one::demo/loss/eager/cpu::float32::value#b"]


@pytest.mark.slow
def test_yanked_versions_and_those_that_cannot_be_installed_or_imported_are_passed_over(world: World) -> None:
    """Each has a note with its reason, and the change is found around them: between 1.2 and 1.4.

    The reason holds neither the address of the index nor a password nor a folder.
    """
    page = world.folder / "simple" / "demo" / "index.html"
    end = 'demo-1.3-py3-none-any.whl#sha256=0"'
    page.write_text(page.read_text().replace(end, f'{end} data-yanked="bad &amp; sad"'))
    world.cannot_install("1.4")
    done = case("--format", "json", bad="1.5")
    told = json.loads(done.stdout)
    notes = {one["version"]: one["reason"] for one in told["skipped"]}
    assert notes["1.3"] == "yanked: bad & sad"
    assert "no compiler" in notes["1.4"]
    assert "secret" not in done.output
    assert "someone" not in done.output
    assert "example" not in notes["1.4"]
    assert (told["last"], told["first"], told["between"]) == ("1.2", "1.5", ["1.4"])
    assert not [call for call in world.calls if "1.3" in call]


@pytest.mark.slow
def test_a_version_that_cannot_be_imported_is_passed_over(world: World) -> None:
    """1.1 raises ImportError."""
    done = case("--format", "json", good="1.0", bad="1.3")
    told = json.loads(done.stdout)
    assert told["first"] == "1.3"
    assert [one["version"] for one in told["skipped"]] in ([], ["1.1"])
    failed = case(good="1.1", bad="1.3")
    assert failed.exit_code == Exit.BAD_INPUT
    assert "demo 1.1 cannot be tested: backend demo was asked for by name but is absent: " in failed.stderr


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("repro.py", "--package", "demo", "--good", "1.0", "--bad", "1.0"), "must be two versions"),
        (("repro.py", "--package", "demo", "--good", "1.0", "--bad", "7"), "demo 7 is no released version"),
        (("repro.py", "--package", "demo", "--good", "1.0", "--bad", "$(id)"), "'$(id)' is no version"),
        (("repro.py", "--package", "../demo", "--good", "1.0", "--bad", "1.1"), "must be the name of a package"),
        (("repro.py", "--package", "nobody", "--good", "1.0", "--bad", "1.1"), "knows no release of nobody"),
        (("repro.py", "--good", "1.0", "--bad", "1.1"), "no package is known to bring 'repro.py'"),
        (("nothing.py", "--package", "demo", "--good", "1.0", "--bad", "1.1"), "nothing.py: no such script"),
        (("small/one", "--package", "demo", "--good", "1.0", "--bad", "1.1"), "a case needs an implementation"),
        (("repro.py", "--package", "demo", "--good", "1", "--bad", "2", "--python", "4.0"), "must be 3.N"),
        (("repro.py", "--package", "demo", "--good", "1", "--bad", "2", "--with", "x @ http://h/x"), "must be a name"),
        (("repro.py", "--package", "demo", "--good", "1", "--bad", "2", "--with", "--index-url=h"), "companion"),
        (("repro.py", "--package", "demo", "--good", "1", "--bad", "2", "--output", "demo.py"), "demo.py: exists"),
        (
            ("small/no", "demo/loss", "--package", "demo", "--good", "1.0", "--bad", "1.1", "--cases", "suite"),
            "no case is called 'small/no'",
        ),
        (
            ("small/one#z", "demo/loss", "--package", "demo", "--good", "1.0", "--bad", "1.1", "--cases", "suite"),
            "has no element 'z'",
        ),
        (("no.yaml", "demo/loss", "--package", "demo", "--good", "1.0", "--bad", "1.1", "--cases", "suite"), "no.yaml"),
    ],
)
def test_bad_input_exits_with_2_before_anything_is_installed(
    world: World, words: tuple[str, ...], message: str
) -> None:
    """The message says what is wrong."""
    done = CliRunner().invoke(main, ["bisect", *words])
    assert done.exit_code == Exit.BAD_INPUT, done.output
    assert message in done.stderr
    assert world.calls == []


@pytest.mark.usefixtures("world")
@pytest.mark.slow
def test_a_result_is_written_and_never_overwritten_unless_asked_to() -> None:
    """The file has what was printed."""
    done = script("--output", "found.txt")
    assert Path("found.txt").read_text() == done.stdout
    Path("found.txt").write_text("mine")
    assert script("--output", "found.txt").exit_code == Exit.BAD_INPUT
    assert Path("found.txt").read_text() == "mine"
    assert script("--output", "found.txt", "--force").exit_code == Exit.AS_EXPECTED
    assert Path("found.txt").read_text() == done.stdout


@pytest.mark.usefixtures("world")
def test_a_link_to_nowhere_is_not_overwritten(world: World) -> None:
    """It exists, although what it leads to does not."""
    Path("found.txt").symlink_to("nowhere.txt")
    assert script("--output", "found.txt").exit_code == Exit.BAD_INPUT
    assert world.calls == []


@pytest.mark.usefixtures("world")
@pytest.mark.slow
def test_what_a_script_prints_is_no_markup_in_markdown() -> None:
    """It is shown as code, letter by letter."""
    nasty = "<script>alert(1)</script> **x** | `y`"
    Path("repro.py").write_text(f"import os, sys\nprint({nasty!r})\nsys.exit(os.environ['DEMO'] >= '1.6')\n")
    html = MarkdownIt().render(script("--format", "markdown").stdout)
    assert "<script>" not in html
    assert html.count("&lt;script&gt;alert(1)&lt;/script&gt; **x** | `y`") == 2


@pytest.mark.usefixtures("world")
@pytest.mark.slow
def test_the_table_of_elements_is_a_table_in_markdown() -> None:
    """Three columns and one row for each element that changed."""
    html = MarkdownIt().enable("table").render(case("--format", "markdown").stdout)
    assert html.count("<tr>") == 1 + 2
    assert html.count("<td>") == 3 * 2


# -- with a network --------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_real_package_is_resolved_where_uv_and_an_index_can_be_reached(tmp_path: Path) -> None:
    """`uv` takes what this suite hands it; skipped where it is not installed or the index does not answer."""
    pytest.importorskip("uv")
    (column,) = columns(["packaging==24.0"], known())
    try:
        index = Index(settings())
        index.releases("packaging")
    except InputError as error:
        pytest.skip(error.message)
    resolved = Builder(index, tmp_path).resolve(column)
    assert isinstance(resolved, Resolved), resolved
    assert "packaging==24.0" in resolved.pins


def test_the_package_that_brings_an_implementation_is_known() -> None:
    """By the first pattern that holds."""
    sets: Known = known()
    assert sets.package_of("jax/optax.losses.sigmoid_focal_loss/eager/cpu") == "optax"
    assert sets.package_of("jax/formula/eager/cpu") == "jax"
    assert sets.package_of("keras-torch/losses.BinaryCrossentropy/eager/cpu") == "keras"
