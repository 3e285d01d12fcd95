"""`bce-conformance matrix`: columns, the index, environments, tables, and the command, without a network."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import html5lib
import pytest
from click.testing import CliRunner, Result
from markdown_it import MarkdownIt
from packaging.utils import canonicalize_name
from packaging.version import Version

from conformance.cli import main
from conformance.errors import Exit, InputError
from conformance.known.record import Record
from conformance.plan.filters import Filters
from conformance.record import record as records
from conformance.record.record import RunRecord
from conformance.render import matrix as rendered
from conformance.run import run as running
from conformance.versions import build, columns, companions, index, requirements, table
from conformance.versions.build import Builder, Environment, Failure, Installed, Resolved
from conformance.versions.columns import Result as Run
from conformance.versions.index import File, Index, Release, Settings
from conformance.versions.requirements import HERE, Column
from tests import records as runs
from tests.builders import case, suite
from tests.diagnosis.test_changed import run as run_of
from tests.diagnosis.test_changed import softplus_of_size
from tests.diagnosis.test_why import from_logits
from tests.releases import World

KNOWN = companions.Known(
    {"demo": ("demo", "helper"), "other": ("helper",)},
    {
        "demo": companions.Package(
            ("demo/*",),
            (
                companions.Companions("<1.5", "3.9", "old", "https://example.org/1", ("helper==2.0", "numpy<2")),
                companions.Companions(">=1.5", "3.12", "new", "https://example.org/2"),
            ),
        )
    },
)


def parsed(*texts: str) -> list[Column]:
    """Columns of some words, by the sets above."""
    return list(requirements.columns(texts, KNOWN))


# -- columns ---------------------------------------------------------------------------------------------------------


def test_versions_of_a_package_are_columns_with_the_companions_of_their_range() -> None:
    """The known set chooses companions and Python; NumPy, which the worker needs, is never missing."""
    old, new = parsed("Demo==1.4,1.5")
    assert (old.label, old.python, old.requirements) == ("demo 1.4", "3.9", ("demo==1.4", "helper==2.0", "numpy<2"))
    assert (new.label, new.python, new.requirements) == ("demo 1.5", "3.12", ("demo==1.5", "numpy"))


def test_companions_of_ones_own_come_before_the_known_ones() -> None:
    """Of the same package one's own is taken; the others stay, and the Python is as asked for."""
    (one,) = parsed("demo==1.4+helper==3.0+extra>=1,<2+python==3.10")
    assert one.python == "3.10"
    assert set(one.requirements) == {"demo==1.4", "helper==3.0", "extra<2,>=1", "numpy<2"}


def test_what_is_asked_for_takes_the_place_of_its_whole_family() -> None:
    """The set of Optax 0.2.4 pins jaxlib beside JAX: another JAX needs another jaxlib."""
    sets = companions.known()
    (plain,), (asked,) = (requirements.columns((text,), sets) for text in ("optax==0.2.4", "optax==0.2.4+jax==0.6.2"))
    assert "jaxlib==0.4.30" in plain.requirements
    assert asked.requirements == ("optax==0.2.4", "jax==0.6.2", "numpy<2")


def test_a_local_version_is_no_companion() -> None:
    """`+cpu` belongs to the version, `+numpy<2` does not."""
    (one,) = parsed("torch==2.13.0+cpu+numpy<2")
    assert (one.version, one.requirements) == ("2.13.0+cpu", ("torch==2.13.0+cpu", "numpy<2"))


def test_a_nightly_takes_the_set_that_its_number_is_in() -> None:
    """1.5.0.dev1 is on its way to 1.5."""
    (one,) = parsed("demo==1.5.0.dev20260816+cpu")
    assert one.python == "3.12"


def test_a_wheel_and_an_interpreter_are_columns(tmp_path: Path) -> None:
    """A wheel is a local build of its package; of an interpreter nothing is installed.  Labels hold no path."""
    wheel = tmp_path / "demo-1.4.dev1+g12-py3-none-any.whl"
    wheel.write_bytes(b"one")
    python = tmp_path / "envs" / "mine" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("")
    local, given = parsed(f"{wheel}+helper==3.0", str(python))
    assert (local.label, local.wheel) == ("demo 1.4.dev1+g12 (wheel)", wheel)
    assert local.requirements[0] == f"demo @ {wheel.as_uri()}"
    assert "helper==3.0" in local.requirements
    assert (given.label, given.interpreter, given.requirements) == ("interpreter mine", python, ())
    before = local.key
    wheel.write_bytes(b"another build of the same version")
    assert local.key != before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("demo", "must be versions of a package"),
        ("demo>=1.0", "must be versions of a package"),
        ("demo==", "must be versions of a package"),
        ("demo==1.0,", "'' is no version"),
        ("demo==1.*", "'1.*' is no version"),
        ("demo==1.0; rm -rf /", "'1.0; rm -rf /' is no version"),
        ("demo==$(id)", "is no version"),
        ("--index-url==1.0", "must be versions of a package"),
        ("../demo==1.0", "no such interpreter"),
        ("demo[extra]==1.0", "must be versions of a package"),
        ("demo==1.0+demo<2", "cannot be a companion of itself"),
        ("demo==1.0+helper==2 ; os_name == 'x'", "must be a name with a range"),
        ("demo==1.0+helper===evil", "must be a name with a range"),
        ("demo==1.0+python==2.7", "must be 3.N"),
        ("demo==1.0+python>=3.9", "must be 3.N"),
        ("nowhere.whl", "no such file"),
        ("demo==1.0,1.0", "asked for twice"),
    ],
)
def test_anything_else_is_refused(text: str, message: str) -> None:
    """With what was required; nothing is guessed."""
    with pytest.raises(InputError, match=re.escape(message)):
        parsed(text)


@pytest.mark.parametrize("version", ["1!2.0+local.build", "2.13.0a0+git1234", "1.0.post1"])
def test_names_of_files_are_safe_whatever_the_version_is(version: str) -> None:
    """Letters, digits, dot, dash and underscore; no folder, and nothing that begins with a dot."""
    (one,) = parsed(f"demo=={version}")
    for name in (one.key, one.file_name):
        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name)


def test_equal_columns_share_an_environment_and_others_do_not() -> None:
    """The order of companions does not matter; Python, versions and companions do."""
    texts = ["demo==1.5+a==1+b==1", "demo==1.5+b==1+a==1", "demo==1.5+a==1", "demo==1.5+a==1+b==1+python==3.10"]
    keys = [parsed(text)[0].key for text in texts]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3


# -- the shipped sets ------------------------------------------------------------------------------------------------


def test_the_shipped_sets_hold_together() -> None:
    """Names are canonical, no package is its own companion, each set has a reason and a link, and a worker can run."""
    found = companions.load(companions.DATA)
    for needed in found.backends.values():
        assert [canonicalize_name(one) for one in needed] == list(needed)
    for name, package in found.packages.items():
        assert package.implementations
        for one in package.sets:
            column = requirements.column(name, "1.0", companions.Known({}, {}))
            assert column.package == name
            names = [canonicalize_name(beside.name) for beside in one.beside(Version("1.0"))]
            assert name not in names
            assert one.why
            assert one.link.startswith("https://")
            assert int(requirements.python_version(one.python).split(".")[1]) >= 7


def test_every_built_in_adapter_is_known_to_the_sets() -> None:
    """A backend that is not listed would run in no column."""
    listed = CliRunner().invoke(main, ["list", "implementations"])
    names = {line.split("/")[0] for line in listed.stdout.splitlines() if "/" in line}
    assert names
    assert names <= set(companions.known().backends)


def test_a_backend_runs_where_all_its_distributions_are() -> None:
    """Of a column about `demo` the backends that need it; of an interpreter all that can run."""
    assert KNOWN.runnable(frozenset({"demo", "helper"}), "demo") == ("demo",)
    assert KNOWN.runnable(frozenset({"demo", "helper"})) == ("demo", "other")
    assert KNOWN.runnable(frozenset({"demo"}), "demo") == ()
    assert KNOWN.runnable(frozenset({"helper", "unrelated"}), "unrelated") == ("other",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("backends: {}\npackages: {Demo: {implementations: [x]}}\n", ":2: must be a canonical name"),
        (
            "backends: {}\npackages:\n  demo:\n    implementations: [x]\n    sets:\n"
            "      - {versions: '~1', python: '3.9', why: w, link: l}\n",
            ":6: demo: Invalid specifier",
        ),
    ],
)
def test_a_mistake_in_the_sets_is_told_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    """As in every YAML file of the suite."""
    file = tmp_path / "sets.yaml"
    file.write_text(text)
    with pytest.raises(InputError, match=re.escape(message)):
        companions.load(file)


# -- the index -------------------------------------------------------------------------------------------------------

WHEEL = f"demo-1.0-cp{HERE.replace('.', '')}-cp{HERE.replace('.', '')}-manylinux_2_17_x86_64.whl"

JSON = json.dumps(
    {
        "meta": {"api-version": "1.1"},
        "name": "demo",
        "files": [
            {
                "filename": WHEEL,
                "size": 5,
                "upload-time": "2024-05-06T01:02:03Z",
                "requires-python": ">=3.7",
                "yanked": False,
                "url": "x",
                "hashes": {},
            },
            {"filename": "demo-1.1.tar.gz", "yanked": "broken", "url": "x", "hashes": {}},
        ],
    }
).encode()

HTML = (
    f'<!doctype html><a href="/f/{WHEEL}#sha256=1" data-requires-python="&gt;=3.7">x</a>'
    '<a href="demo-1.1.tar.gz" data-yanked="broken">y</a><a>no link</a>'
).encode()


@pytest.mark.parametrize(("body", "kind"), [(JSON, "application/vnd.pypi.simple.v1+json"), (HTML, "text/html")])
def test_both_forms_of_an_index_tell_the_same(body: bytes, kind: str) -> None:
    """Names, versions, Pythons and yanked files; sizes in JSON alone."""
    one, two = index.parse(body, kind)
    assert (one.filename, one.version, one.requires_python, one.yanked) == (WHEEL, Version("1.0"), ">=3.7", False)
    assert (two.version, two.yanked) == (Version("1.1"), "broken")
    assert one.size == (5 if kind != "text/html" else None)
    assert Release(Version("1.0"), (one, two)).day == ("2024-05-06" if kind != "text/html" else "")


def test_an_answer_that_is_none_is_bad_input() -> None:
    """A page of a proxy, for instance."""
    with pytest.raises(InputError, match="no answer that PEP 691 knows"):
        index.parse(b"<html>", "application/json")


@pytest.mark.parametrize(
    ("file", "why"),
    [
        (File("demo-1.0-py3-none-any.whl"), ""),
        (File("demo-1.0.tar.gz"), ""),
        (File("demo-1.0-py3-none-any.whl", requires_python="<3.8"), "no file for Python 3.11"),
        (File("demo-1.0-cp27-cp27m-win32.whl"), "no file for Python 3.11"),
        (File("demo-1.0-py3-none-any.whl", yanked=True), "yanked"),
        (File("demo-1.0-py3-none-any.whl", yanked="bad\nnews"), "yanked: bad news"),
    ],
)
def test_why_a_release_is_passed_over(file: File, why: str) -> None:
    """A file for another Python or another system, and a yanked one, are none."""
    assert Release(Version("1.0"), (file,)).unusable("3.11").startswith(why)
    assert bool(Release(Version("1.0"), (file,)).unusable("3.11")) == bool(why)


def test_the_size_is_that_of_the_wheel_that_fits() -> None:
    """Not of those for other systems, and not of the source."""
    files = (File("demo-1-py3-none-any.whl", size=7), File("demo-1-cp27-cp27m-win32.whl", size=1), File("demo-1.zip"))
    assert Release(Version("1"), files).size("3.11") == 7
    assert Release(Version("1"), files[1:]).size("3.11") is None


def test_settings_of_pip_are_handed_on_and_a_variable_comes_first() -> None:
    """:env: before install before global, in whatever order pip lists them; what uv has already stays."""
    text = (
        ":env:.find-links='/wheels'\nglobal.index-url='https://index.example/simple'\nglobal.find-links='/old'\n"
        "install.cert='/ca.pem'\nglobal.constraint='/pins.txt'\nglobal.extra-index-url='file:///a file:///b'\n"
    )
    found = index.parse_settings(text)
    assert found == Settings(
        "https://index.example/simple", ("file:///a", "file:///b"), ("/wheels",), "/ca.pem", ("/pins.txt",)
    )
    assert found.for_uv({"SSL_CERT_FILE": "/other.pem"}) == {
        "UV_DEFAULT_INDEX": "https://index.example/simple",
        "UV_INDEX": "file:///a file:///b",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_FIND_LINKS": "/wheels",
        "UV_CONSTRAINT": "/pins.txt",
    }


def test_releases_come_from_folders_of_wheels_and_from_an_index_in_order(tmp_path: Path) -> None:
    """Each version once, 1.10 after 1.9, and a file on this disk is no download."""
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels" / "demo-1.10-py3-none-any.whl").write_bytes(b"")
    (tmp_path / "wheels" / "demonstration-9.0-py3-none-any.whl").write_bytes(b"")
    (tmp_path / "simple" / "demo").mkdir(parents=True)
    (tmp_path / "simple" / "demo" / "index.html").write_text(
        '<a href="demo-1.10-py3-none-any.whl">x</a><a href="demo-1.9-py3-none-any.whl">x</a><a href="notes.txt">x</a>'
    )
    made = Index(Settings(f"file://{tmp_path / 'simple'}", folders=(str(tmp_path / "wheels"),)))
    assert [str(one.version) for one in made.releases("Demo")] == ["1.9", "1.10"]
    assert made.releases("demo")[1].size(HERE) == 0
    with pytest.raises(InputError, match="knows no release of nobody"):
        made.releases("nobody")


# -- environments ----------------------------------------------------------------------------------------------------


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Versions 1.0 to 1.9 of `demo`."""
    made = World(tmp_path, monkeypatch)
    made.release("demo", *(f"1.{one}" for one in range(10)))
    return made


def builder(world: World) -> Builder:
    """A builder in the folder of a test."""
    return Builder(Index(Settings(f"file://{world.folder / 'simple'}")), world.folder / "environments")


def demo(version: str = "1.0") -> Column:
    """A column of `demo`."""
    return requirements.column("demo", version, companions.Known({}, {}))


def made(world: World, column: Column) -> Environment | Failure:
    """The environment of a column."""
    one = builder(world)
    resolved = one.resolve(column)
    return resolved if isinstance(resolved, Failure) else one.build(column, resolved)


def test_an_environment_is_made_once_from_what_was_resolved(world: World) -> None:
    """The second time it is there, with the versions that were installed, and `uv` is not asked again."""
    first = made(world, demo())
    assert isinstance(first, Environment)
    assert first.installed.packages == {"demo": "1.0", "numpy": "1.0"}
    assert [call.split(" --")[0] for call in world.calls] == ["pip compile -", "venv", "pip install", "pip list"]
    assert made(world, demo()) == first
    assert len(world.calls) == 4


@pytest.mark.parametrize("damage", ["no marker", "half a marker", "no interpreter"])
def test_an_environment_that_was_left_half_made_is_made_anew(world: World, damage: str) -> None:
    """Only one whose marker is whole and whose interpreter is there counts as made."""
    first = made(world, demo())
    assert isinstance(first, Environment)
    marker = first.interpreter.parent.parent / build.MARKER
    if damage == "no marker":
        marker.unlink()
    elif damage == "half a marker":
        marker.write_bytes(marker.read_bytes()[:9])
    else:
        first.interpreter.unlink()
    (first.interpreter.parent.parent / "left-over").write_text("")
    again = made(world, demo())
    assert isinstance(again, Environment)
    assert again.installed.packages == first.installed.packages
    assert not (first.interpreter.parent.parent / "left-over").exists()
    assert len(world.calls) == 8


def test_a_version_that_cannot_be_installed_is_a_reason_without_private_names(world: World) -> None:
    """No address, password, user or folder of this machine."""
    world.cannot_install("1.0")
    failed = made(world, demo())
    assert isinstance(failed, Failure)
    assert failed.reason == "error: (a file) failed at (an address) no compiler"


def test_an_environment_can_be_discarded(world: World) -> None:
    """Nothing of it is left but its lock."""
    assert isinstance(made(world, demo()), Environment)
    builder(world).discard(demo())
    assert [one.suffix for one in (world.folder / "environments").iterdir()] == [".lock"]


@pytest.mark.parametrize(
    ("resolved", "told"),
    [
        (Resolved((), 25_000_000), "25 MB, about 2 s at 10 MB/s"),
        (Resolved((), 0, 2), "0 MB and 2 of unknown size, about 1 s at 10 MB/s"),
        (Resolved((), there=True), "there already"),
    ],
)
def test_sizes_and_time_are_told_before_anything_is_made(resolved: Resolved, told: str) -> None:
    """What is not known is said to be unknown."""
    assert resolved.told == told


# -- tables ----------------------------------------------------------------------------------------------------------

A, B = "demo/a/eager/cpu", "demo/b/eager/cpu"


def ran(version: str, *checks: records.CheckLine, **changed: object) -> Run:
    """A column with a record of some checks."""
    record = replace(runs.run(checks), **changed)  # type: ignore[arg-type]
    return Run(
        Column(package="demo", version=version, python="3.11"),
        Environment(Path("python"), Installed("3.11", {"demo": version}, 1)),
        record,
    )


def test_verdicts_of_elements_are_counted_and_the_worst_error_kept() -> None:
    """Over all dtypes and cases of a family; an error that does not apply is none."""
    one = runs.check(A, "deviates", elements=("x", "y"), verdicts=("conforms", "deviates"), ulp=(0.5, 7.0))
    two = runs.check(A, "conforms", elements=("x",), ulp=(None,))
    (sheet,) = table.sheets([ran("1.0", one, two)])
    (row,) = sheet.rows
    assert row.cells[0] == table.Cell(Counter(conforms=2, deviates=1), 7.0)


def test_a_row_differs_where_two_versions_do() -> None:
    """In verdicts or in the worst error; a version without such checks is no difference."""
    same, other = (
        runs.check(A, "conforms", ulp=(0.5,), elements=("x",)),
        runs.check(B, "conforms", elements=("x",), ulp=(0.5,)),
    )
    changed = runs.check(B, "conforms", elements=("x",), ulp=(0.75,))
    (sheet,) = table.sheets([ran("1.0", same, other), ran("1.1", same, changed), ran("1.2", changed)])
    assert {row.implementation: row.differs for row in sheet.rows} == {A: False, B: True}
    assert [row.cells[2] is None for row in sheet.rows] == [True, False]


def test_columns_without_implementations_in_common_are_tables_of_their_own() -> None:
    """And a column that was not run is in none."""
    failed = Run(Column(package="demo", version="1.3"), None, Failure("no wheel"))
    sheets = table.sheets([ran("1.0", runs.check(A, "conforms")), failed, ran("1.1", runs.check(B, "conforms"))])
    assert [[one.column.version for one in sheet.results] for sheet in sheets] == [["1.0"], ["1.1"]]


def test_rows_of_an_implementation_stand_together() -> None:
    """However their checks are mixed in the records."""
    mixed = [runs.check(one, "conforms", quantity=name) for name in ("value", "gradient-prediction") for one in (A, B)]
    (sheet,) = table.sheets([ran("1.0", *mixed)])
    assert [row.implementation for row in sheet.rows] == [A, A, B, B]


HOSTILE = runs.HOSTILE


def hostile() -> rendered.Page:
    """A page in which every text that comes from elsewhere is meant to break the format."""
    one = runs.check(f"demo/{HOSTILE}/eager/cpu", "conforms", elements=("x",), ulp=(0.5,))
    other = runs.check(f"demo/{HOSTILE}/eager/cpu", "deviates", elements=("x",), ulp=(9.0,))
    failed = Run(Column(package="demo", version="1.2"), None, Failure(HOSTILE))
    return rendered.page_of([ran("1.0", one), ran("1.1", other, footer=None), failed])


def test_the_html_page_holds_the_table_and_no_markup_of_anybody_else() -> None:
    """A strict parser takes it; cells are as told, and nothing is loaded from anywhere."""
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    tree = parser.parse(rendered.html(hostile()))
    assert tree.findall(".//script") == []
    assert [one for one in tree.iter() if set(one.attrib) & {"src", "href", "onload"}] == []
    rows = [["".join(cell.itertext()) for cell in row] for row in tree.findall(".//table")[1].findall(".//tr")]
    assert rows[0][3:] == ["demo 1.0", "demo 1.1"]
    assert rows[1][3:] == ["1c 0.50", "1d 9.00"]


def test_the_markdown_page_holds_the_tables_and_no_markup_of_anybody_else() -> None:
    """Each row has as many cells as its heading."""
    document = MarkdownIt().enable("table").render(rendered.markdown(hostile()))
    assert "<script>" not in document
    tables = document.split("<table>")[1:]
    for one in tables:
        rows = one.split("<tr>")[1:]
        assert len({len(re.findall(r"<t[hd]", row)) for row in rows}) == 1
    assert "1d 9.00" in tables[1]


def test_no_text_of_anybody_else_reaches_a_terminal_as_a_command() -> None:
    """Escape sequences and the like are replaced; what rich would read as markup stands as it is."""
    shown = rendered.plain(hostile())
    assert not re.search(r"[\x00-\x08\x0b-\x1f]", shown)
    assert "[31m" in shown


@pytest.fixture(scope="module")
def other_formula() -> rendered.Page:
    """Two versions of one loss, whose formulas differ."""
    columns = (Column(package="demo", version=version, python="3.11") for version in ("1.0", "1.1"))
    losses = (from_logits, softplus_of_size)
    environment = Environment(Path("python"), Installed("3.11", {}, 1))
    return rendered.page_of(
        [Run(column, environment, run_of(loss, "float32")) for column, loss in zip(columns, losses, strict=True)]
    )


#: What the second of them computes otherwise.
FORMULAS = (
    "demo 1.0 → demo 1.1: numpy/loss/eager/cpu value in float32: the formula changed: "
    "(1 - y)*z - log_sigmoid(z) → max(z, 0) - z*y + log1p(exp(-|z|))"
)


def test_every_form_tells_which_formula_changed_from_version_to_version(other_formula: rendered.Page) -> None:
    """Parsed back it is the same text, once."""
    assert FORMULAS in rendered.FORMS["text"](other_formula).splitlines()
    assert json.loads(rendered.FORMS["json"](other_formula))["grids"][0]["models"] == [FORMULAS]
    tree = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(rendered.FORMS["html"](other_formula))
    assert [item.text for item in tree.iterfind(".//li")] == [FORMULAS]
    tokens = MarkdownIt("commonmark").enable("table").parse(rendered.FORMS["markdown"](other_formula))
    assert FORMULAS in ["".join(child.content for child in token.children or ()) for token in tokens]


@pytest.mark.parametrize("form", sorted(rendered.FORMS))
def test_an_interrupted_run_and_a_reason_are_told_in_every_form(form: str) -> None:
    """The one is never shown as whole, and the other is a row."""
    plain = Run(Column(package="demo", version="1.2"), None, Failure("no wheel for this Python"))
    document = rendered.FORMS[form](rendered.page_of([ran("1.1", runs.check(A, "conforms"), footer=None), plain]))
    assert "INTERRUPTED" in document
    assert "no wheel for this Python" in document


def test_rows_that_are_alike_are_left_out_and_counted() -> None:
    """Unless all are asked for."""
    results = [ran(version, runs.check(A, "conforms", elements=("x",), ulp=(0.5,))) for version in ("1.0", "1.1")]
    assert [(len(grid.rows), grid.alike) for grid in rendered.page_of(results).grids] == [(0, 1)]
    assert [(len(grid.rows), grid.alike) for grid in rendered.page_of(results, everything=True).grids] == [(1, 0)]


# -- the command -----------------------------------------------------------------------------------------------------


def matrix(*words: str) -> Result:
    """`bce-conformance matrix` on the small suite with the adapter of `demo`."""
    where = ("--cases", "suite", "--adapter", "demo.py", "--backend", "demo", "--environments", "environments")
    return CliRunner().invoke(main, ["matrix", *where, *words])


@pytest.mark.slow
def test_versions_stand_side_by_side_and_one_that_fails_is_a_row_with_its_reason(world: World) -> None:
    """The number changes in 1.3, 1.7 raises, 1.1 cannot be imported and 1.5 not be installed; the exit code is 1."""
    world.cannot_install("1.5")
    done = matrix("demo==1.0,1.1,1.3,1.5,1.7", "--format", "json")
    assert done.exit_code == Exit.NOT_AS_EXPECTED, done.output
    page = json.loads(done.stdout)
    reasons = {line["label"]: line["reason"] for line in page["lines"]}
    assert "demo 1.1 needs another libc" in reasons["demo 1.1"]
    assert "no compiler" in reasons["demo 1.5"]
    assert [reasons[name] for name in ("demo 1.0", "demo 1.3", "demo 1.7")] == ["", "", ""]
    (grid,) = page["grids"]
    assert grid["columns"][3:] == ["demo 1.0", "demo 1.3", "demo 1.7"]
    values = next(row for row in grid["rows"] if row[2] == "value")
    assert values[3].startswith("2c ")
    assert values[4].startswith("2d ")
    assert values[5] == "2u"
    assert "5 environments:" in done.stderr
    assert "of unknown size" in done.stderr


@pytest.mark.slow
def test_a_second_run_takes_what_is_there(world: World) -> None:
    """Neither is an environment made again nor a record; --fresh runs again."""
    assert matrix("demo==1.0").exit_code == Exit.AS_EXPECTED
    calls, (kept,) = len(world.calls), list(Path(".bce-conformance/matrix").iterdir())
    before = kept.stat().st_ino
    assert matrix("demo==1.0").exit_code == Exit.AS_EXPECTED
    assert (len(world.calls), kept.stat().st_ino) == (calls, before)
    assert matrix("demo==1.0", "--fresh").exit_code == Exit.AS_EXPECTED
    assert kept.stat().st_ino != before


@pytest.mark.slow
def test_an_interpreter_is_a_column(world: World) -> None:
    """Here the one of an environment that was made before; what it holds is told."""
    assert matrix("demo==1.3").exit_code == Exit.AS_EXPECTED
    interpreter = next(Path("environments").glob("*/bin/python"))
    done = matrix(str(interpreter), "--format", "json", "--all")
    assert done.exit_code == Exit.AS_EXPECTED, done.output
    page = json.loads(done.stdout)
    assert page["lines"][0]["packages"] == ["demo 1.3", "numpy 1.0"]
    assert str(world.folder) not in done.stdout
    assert next(row for row in page["grids"][0]["rows"] if row[2] == "value")[3].startswith("2d ")


@pytest.mark.slow
@pytest.mark.usefixtures("world")
def test_files_are_never_overwritten_unless_asked_to() -> None:
    """Neither a report nor a record; nothing is run before that is known."""
    done = matrix("demo==1.0", "--output", "kept", "--report", "page.html", "--format", "html")
    assert (done.exit_code, done.stdout) == (Exit.AS_EXPECTED, "")
    assert not records.read(Path("kept/demo-1.0.jsonl.gz")).interrupted
    Path("page.html").write_text("mine")
    for words in (("--report", "page.html"), ("--output", "kept")):
        refused = matrix("demo==1.0", *words)
        assert refused.exit_code == Exit.BAD_INPUT
        assert "exists" in refused.stderr
    assert Path("page.html").read_text() == "mine"
    assert matrix("demo==1.0", "--report", "page.html", "--output", "kept", "--force").exit_code == Exit.AS_EXPECTED


@pytest.mark.slow
@pytest.mark.usefixtures("world")
def test_an_interrupted_command_says_so_and_goes_on_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """The columns after the interruption are not run, no record is handed out, and what was run is not run again."""
    run, asked = columns.run, []

    def interrupted_at(version: str) -> None:
        def once(column: Column, *rest: Any) -> RunRecord | Failure:
            asked.append(column.version)
            record = run(column, *rest)
            assert isinstance(record, RunRecord)
            return replace(record, footer=None) if column.version == version else record

        monkeypatch.setattr("conformance.versions.columns.run", once)

    interrupted_at("1.3")
    cut = matrix("demo==1.0,1.3,1.4", "--output", "kept", "--build-jobs", "1")
    assert (cut.exit_code, asked) == (130, ["1.0", "1.3"])
    assert "INTERRUPTED" in cut.stdout
    assert not Path("kept").exists()
    asked.clear()
    interrupted_at("")
    whole = matrix("demo==1.0,1.3,1.4", "--output", "kept")
    assert (whole.exit_code, asked) == (Exit.AS_EXPECTED, ["1.3", "1.4"])
    assert sorted(one.name for one in Path("kept").iterdir()) == [
        f"demo-{one}.jsonl.gz" for one in ("1.0", "1.3", "1.4")
    ]


@pytest.mark.slow
def test_environments_can_be_discarded_one_by_one(world: World) -> None:
    """None is left when the command ends."""
    assert matrix("demo==1.0,1.3", "--discard").exit_code == Exit.AS_EXPECTED
    assert list((world.folder / "environments").glob("*/bin")) == []


@pytest.mark.slow
def test_a_missing_uv_is_told_with_the_next_step(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an extra."""
    monkeypatch.undo()
    monkeypatch.chdir(world.folder)
    monkeypatch.setattr("sys.executable", str(world.folder / "bin" / "python"))
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InputError, match="pip install uv"):
        build.uv()


def test_a_digest_of_the_question_changes_with_the_filters_and_the_adapters(tmp_path: Path) -> None:
    """A record is an answer to one question only."""
    file = tmp_path / "mine.py"
    file.write_text("1")

    def digest(**changed: object) -> str:
        options = replace(running.Options(adapters=(file,)), **changed)  # type: ignore[arg-type]
        return columns.digest(columns.Question(suite(case(("0.5", "1"))), options, Record(), (), KNOWN))

    first = digest()
    assert digest() == first
    assert digest(filters=Filters(case=("x",))) != first
    file.write_text("2")
    assert digest() != first
