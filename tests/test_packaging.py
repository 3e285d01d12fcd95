"""What an installed copy holds and finds: the wheel, its metadata, and the pinned environment."""

from __future__ import annotations

import email
import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from conformance import __version__

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

#: All that the parent process may import besides the standard library.
CORE = {"click", "jinja2", "msgspec", "numpy", "packaging", "python-flint", "pyyaml", "rich", "ruamel-yaml"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of this checkout, built without a network by the backend that `test` installs."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    (file,) = folder.glob("*.whl")
    return file


@pytest.fixture(scope="module")
def contents(wheel):
    """Path in the wheel -> bytes."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def metadata(contents):
    """The wheel's core metadata."""
    return email.message_from_bytes(contents[f"bce_conformance-{__version__}.dist-info/METADATA"])


@pytest.fixture
def installed(wheel, tmp_path):
    """Runs Python on an unpacked wheel, outside the checkout: returns what was printed."""
    site, elsewhere = tmp_path / "site", tmp_path / "elsewhere"
    elsewhere.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)

    def run(*arguments):
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=elsewhere,
            env=os.environ | {"PYTHONPATH": str(site)},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run.site = site
    return run


def pins():
    """Name -> version of constraints.txt."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def requirements():
    """Every requirement of the project, with those of its extras."""
    extras = [text for group in PROJECT["optional-dependencies"].values() for text in group]
    found = [Requirement(text) for text in (*PROJECT["dependencies"], *extras)]
    return [one for one in found if one.name != PROJECT["name"]]


def below(folder, suffix):
    """Files below a folder of the checkout, relative to it."""
    return {one.relative_to(ROOT / folder).as_posix() for one in (ROOT / folder).rglob(f"*{suffix}") if one.is_file()}


def test_the_wheel_holds_every_module_and_the_type_markers(contents):
    """Both packages are complete, and say that they are typed."""
    for package in ("conformance", "reference"):
        packed = {name.removeprefix(f"{package}/") for name in contents if name.startswith(f"{package}/")}
        assert {name for name in packed if name.endswith(".py")} == below(package, ".py")
        assert "py.typed" in packed


def test_the_wheel_holds_the_templates_of_pages(contents):
    """A page is made from a file, which an installed copy needs, too."""
    assert below("conformance/render/templates", ".j2")
    for name in below("conformance/render/templates", ".j2"):
        file = f"conformance/render/templates/{name}"
        assert contents[file] == (ROOT / file).read_bytes()


@pytest.mark.parametrize("folder", ["cases", "known", "results/recorded"])
def test_the_wheel_holds_the_same_data_as_the_checkout(contents, folder):
    """Cases, problems and what is recorded are packed byte for byte, none is forgotten and none is left over."""
    prefix = f"conformance/data/{Path(folder).name}/"
    packed = {name.removeprefix(prefix): data for name, data in contents.items() if name.startswith(prefix)}
    assert packed
    assert packed == {name: (ROOT / folder / name).read_bytes() for name in below(folder, "")}


def test_the_wheel_holds_what_reports_are_made_of(contents):
    """Certificates, which tell how wide a bug is, the projects and the templates."""
    assert below("results/certificates", ".jsonl")
    for name in below("results/certificates", ".jsonl"):
        assert contents[f"conformance/data/certificates/{name}"] == (ROOT / "results/certificates" / name).read_bytes()
    for name in ("projects.toml", "templates/issue.md.j2", "templates/repro.py.j2"):
        assert contents[f"conformance/repro/{name}"] == (ROOT / "conformance/repro" / name).read_bytes()


def test_the_wheel_holds_the_pins_and_the_licence(contents):
    """constraints.txt decides what counts as the pinned environment, so an installed copy needs it, too."""
    assert contents["conformance/data/constraints.txt"] == (ROOT / "constraints.txt").read_bytes()
    licence = contents[f"bce_conformance-{__version__}.dist-info/licenses/LICENSE"]
    assert licence == (ROOT / "LICENSE").read_bytes()


def test_the_wheel_holds_the_templates_and_the_shipped_run(contents):
    """What `choose` reads without a run of one's own, and what it is laid out with."""
    assert contents["conformance/data/pinned.jsonl.gz"] == (ROOT / "results" / "pinned.jsonl.gz").read_bytes()
    templates = "conformance/render/templates"
    assert below(templates, ".j2")
    for name in below(templates, ".j2"):
        assert contents[f"{templates}/{name}"] == (ROOT / templates / name).read_bytes()


def test_the_wheel_holds_nothing_else(contents):
    """No tests, benchmarks or caches travel along."""
    info = f"bce_conformance-{__version__}.dist-info"
    assert {name.split("/")[0] for name in contents} == {"conformance", "reference", info}
    assert not [name for name in contents if "__pycache__" in name]


def test_a_plain_installation_needs_no_framework_and_no_test_tool(metadata):
    """Frameworks and test tools are extras: the core has a handful of light requirements."""
    required = [Requirement(text) for text in metadata.get_all("Requires-Dist")]
    assert {canonicalize_name(one.name) for one in required if one.marker is None} == CORE


def test_the_metadata_names_version_licence_and_command(metadata, contents):
    """What a package index and an installer read."""
    assert metadata["Name"] == "bce-conformance"
    assert metadata["Version"] == __version__
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.11"
    commands = contents[f"bce_conformance-{__version__}.dist-info/entry_points.txt"].decode()
    assert "bce-conformance = conformance.cli:main" in commands


def test_every_requirement_is_pinned_to_a_version_that_satisfies_it():
    """`make` installs under constraints.txt; a requirement without a pin would float."""
    pinned = {canonicalize_name(name): version for name, version in pins().items()}
    for one in requirements():
        assert one.specifier.contains(pinned[canonicalize_name(one.name)]), one


def test_pins_are_exact_and_name_no_place():
    """Lines are `name==version`, sorted and unique, so that any index and any local wheel will do."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = [line for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][0-9A-Za-z.]*", line) for line in pinned)
    names = [line.split("==")[0].lower() for line in pinned]
    assert names == sorted(set(names))


def test_an_installed_copy_finds_its_own_data_outside_a_checkout(installed):
    """Nothing depends on the current folder being the checkout."""
    printed = installed(
        "-c",
        "import json; from conformance.known.record import default_place; from conformance.plan import cases;"
        "from conformance.run import pinned;"
        "print(json.dumps([str(cases.default_folder()), *map(str, default_place()), pinned.versions()]))",
    )
    case_folder, known, recorded, versions = json.loads(printed)
    assert Path(case_folder) == installed.site / "conformance/data/cases"
    assert [Path(known), Path(recorded)] == [
        installed.site / "conformance/data" / name for name in ("known", "recorded")
    ]
    assert versions["torch"] == pins()["torch"]


def test_an_installed_copy_lists_the_cases_of_the_question(installed):
    """The command works on packaged data."""
    assert "question/hard" in installed("-m", "conformance", "list", "cases")


def test_an_installed_copy_chooses_from_the_run_that_ships_with_it(installed):
    """Without a run of one's own and without a framework, in the form that needs a template."""
    printed = installed("-m", "conformance", "choose", "--need", "hard-labels", "--format", "html")
    assert "that ships with the suite" in printed


@pytest.mark.slow
def test_an_installed_copy_passes_its_own_lint(installed):
    """Packaged cases and problems satisfy the checks that the checkout's do."""
    installed("-m", "conformance", "lint")


@pytest.mark.slow
def test_an_installed_copy_runs_its_workers(installed):
    """A worker is started from the installed files: the NumPy backend judges one family."""
    installed("-m", "conformance", "run", "--backend", "numpy", "--case", "hard-labels/*")
