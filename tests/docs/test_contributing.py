"""What contributors are asked for and given: fragments of the changelog, hooks, forms, and the workflow."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from conformance.errors import InputError
from tools import changelog

ROOT = Path(__file__).resolve().parents[2]

CHANGELOG = """# Changelog

## Unreleased

What is run:

- One.

Versions ([link](link)):

- Two,
  in two lines.

## 1.0

What is run:

- Old.
"""


def fragment(folder: Path, name: str, text: str) -> Path:
    """A fragment as a contributor writes it."""
    file = folder / name
    file.write_text(text)
    return file


def test_every_fragment_is_one_entry_of_a_known_kind_and_finds_its_heading() -> None:
    """`python -m tools.changelog` would gather all of them now."""
    found = changelog.fragments(ROOT / "changelog.d")
    entries = [file.read_text(encoding="utf-8") for file in found]
    assert all(text.strip() and not text.startswith(("-", "#")) for text in entries)
    made = changelog.gathered((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), found)
    assert all(f"\n- {text.splitlines()[0]}\n" in made for text in entries)


def test_a_fragment_becomes_the_last_entry_of_its_kind(tmp_path: Path) -> None:
    """Of what is unreleased; the rest stays as it is."""
    fragment(tmp_path, "b.versions.md", "Three,\nin two lines.\n")
    fragment(tmp_path, "a.run.md", "Four.\n")
    wanted = CHANGELOG.replace("- One.\n", "- One.\n- Four.\n").replace(
        "  in two lines.\n", "  in two lines.\n- Three,\n  in two lines.\n"
    )
    assert changelog.gathered(CHANGELOG, changelog.fragments(tmp_path)) == wanted


def test_without_fragments_the_changelog_stays_as_it_is() -> None:
    """Byte by byte, with and without a release below."""
    for text in (CHANGELOG, CHANGELOG.partition("## 1.0")[0]):
        assert changelog.gathered(text, []) == text


def test_a_kind_without_a_heading_is_refused(tmp_path: Path) -> None:
    """An entry never lands below a version that is out."""
    file = fragment(tmp_path, "a.judged.md", "One.")
    with pytest.raises(InputError, match="'What is judged'"):
        changelog.gathered(CHANGELOG, [file])


@pytest.mark.parametrize("name", ["a.md", "a.nothing.md", "a.run.txt", "a.run.more.md"])
def test_a_file_with_another_name_is_refused(tmp_path: Path, name: str) -> None:
    """It would be left behind in silence."""
    fragment(tmp_path, name, "One.")
    with pytest.raises(InputError, match=re.escape(name)):
        changelog.fragments(tmp_path)


def test_contributing_names_the_kinds() -> None:
    """All of them, in their order."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    *kinds, last = (f"`{kind}`" for kind in changelog.KINDS)
    assert f"`KIND` is one of {', '.join(kinds)} and {last};" in text


def test_the_hooks_run_what_make_lint_runs() -> None:
    """Who passes them passes the gate's part of it."""
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    hooks = [hook["entry"].removeprefix(".venv/bin/") for repo in config["repos"] for hook in repo["hooks"]]
    recipe = (ROOT / "Makefile").read_text(encoding="utf-8").split("\nlint:")[1].split("\n\n")[0]
    assert hooks == re.findall(r"\$\(BIN\)/(.+)", recipe)


def test_the_workflow_tests_every_python_that_the_package_names() -> None:
    """A classifier is a promise."""
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))["jobs"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = [one.rpartition(" :: ")[2] for one in project["classifiers"] if ":: Python :: 3." in one]
    assert jobs["pythons"]["strategy"]["matrix"]["python"] == named


@pytest.mark.parametrize("file", sorted((ROOT / ".github" / "ISSUE_TEMPLATE").iterdir()), ids=lambda file: file.stem)
def test_a_form_for_issues_has_what_github_requires(file: Path) -> None:
    """A name, a description, and fields with ids and labels; otherwise it is not offered."""
    form = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert {"name", "description", "body"} <= set(form)
    assert all(field["type"] in ("input", "textarea") and field["attributes"]["label"] for field in form["body"])
    assert len({field["id"] for field in form["body"]}) == len(form["body"])
