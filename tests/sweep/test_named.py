"""Certificates by name: one a file or one a line, and how those of sweeps are kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from click.testing import CliRunner

from conformance.cli import main
from conformance.errors import InputError
from conformance.sweep import certificate, named
from tools.renew.certificates import CERTIFICATES, keep

#: The smallest certificate of the repository as plain JSON.
PLAIN: dict[str, Any] = min(
    (json.loads(line)["certificate"] for line in (CERTIFICATES / "torch.jsonl").read_text().splitlines()),
    key=lambda one: len(json.dumps(one)),
)

FILES = sorted(CERTIFICATES.iterdir())


def written(folder: Path, name: str, **fields: Any) -> Path:
    """A certificate in a file of its own, as a sweep writes it, with other fields."""
    file = folder / f"{name}.json"
    file.write_text(json.dumps(PLAIN | fields, indent=1))
    return file


def line(name: str, **fields: Any) -> str:
    """A certificate as a line."""
    return json.dumps({"name": name, "certificate": PLAIN | fields}) + "\n"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_kept_file_has_the_certificates_of_its_backend_by_name(file: Path) -> None:
    """One a line in the order of the files that sweeps wrote, each as the schema wants it."""
    lines = [json.loads(text) for text in file.read_text(encoding="utf-8").splitlines()]
    names = [one["name"] for one in lines]
    assert names == [name.removesuffix(".json") for name in sorted({f"{name}.json" for name in names})]
    for one in lines:
        jsonschema.validate(one["certificate"], certificate.schema())
        assert one["certificate"]["backend"] == file.stem
        assert one["name"].startswith(f"{file.stem}-")


def test_a_kept_file_is_as_it_is_written(tmp_path: Path) -> None:
    """Byte for byte, so that keeping one certificate changes one line."""
    for file in FILES:
        named.write(reversed(named.read(file)), tmp_path / file.name)
        assert (tmp_path / file.name).read_bytes() == file.read_bytes()


def test_a_folder_may_hold_both_kinds_beside_other_lines(tmp_path: Path) -> None:
    """A run record and the checkpoint of a sweep that goes on are no certificates."""
    written(tmp_path, "b")
    (tmp_path / "a.jsonl").write_text(line("two") + line("one"))
    (tmp_path / "c.partial.jsonl").write_text('{"schema": 1}\n')
    (tmp_path / "run.jsonl").write_text('{"type": "header"}\n')
    assert [one.name for one in named.of_folder(tmp_path)] == ["two", "one", "b"]
    assert all(json.loads(msgspec.json.encode(one.certificate)) == PLAIN for one in named.of_folder(tmp_path))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (line("a") + "no\n", ":2: is not a certificate with a name"),
        (line("a") + '{"name": "b"}\n', ":2: is not a certificate with a name"),
        (line("a") + '{"name": "b", "certificate": {}}\n', ":2: is not a certificate"),
        (line("a") + line("b", schema=99), ":2: schema version 99 is newer"),
        (line("a", dtype="float8"), ":1: dtype must be one of"),
        (line("../a"), ":1: name must have letters, digits, '.', '_' and '-' alone .got '../a'."),
        (line("a")[:300], ":1: is not a certificate with a name"),
    ],
)
def test_a_line_that_is_no_certificate_is_told_with_its_number(tmp_path: Path, text: str, message: str) -> None:
    """Whether the file is named or its folder is."""
    (tmp_path / "bad.jsonl").write_text(text)
    for path in (tmp_path, tmp_path / "bad.jsonl"):
        with pytest.raises(InputError, match=f"bad.jsonl{message}"):
            named.by_name([path])


@pytest.mark.parametrize("command", [["verify"], ["report", "--html", "page.html"], ["show"]])
def test_commands_tell_a_bad_line_with_file_and_number(tmp_path: Path, command: list[str]) -> None:
    """Exit code 2."""
    (tmp_path / "bad.jsonl").write_text(line("a") + line("b", quantity="size"))
    done = CliRunner().invoke(main, [*command, str(tmp_path)])
    assert done.exit_code == 2
    assert f"{tmp_path / 'bad.jsonl'}:2: quantity must be one of" in done.output


def test_two_certificates_of_one_name_are_refused(tmp_path: Path) -> None:
    """In one file as in two."""
    (tmp_path / "a.jsonl").write_text(line("same") + line("same"))
    with pytest.raises(InputError, match=r"a\.jsonl: same: another certificate has this name"):
        named.by_name([tmp_path])


# -- keeping them ----------------------------------------------------------------------------------------------------


def test_what_was_swept_takes_the_place_of_the_certificate_of_its_name(tmp_path: Path) -> None:
    """In the file of its backend; all others stay as they are."""
    swept, kept = tmp_path / "swept", tmp_path / "kept"
    swept.mkdir()
    kept.mkdir()
    (kept / "torch.jsonl").write_text(line("torch-a") + line("torch-c"))
    written(swept, "torch-c", suite="another")
    written(swept, "torch-b")
    written(swept, "jax-a", backend="jax", results=json.loads(json.dumps(PLAIN["results"]).replace("torch/", "jax/")))
    files = keep(named.by_name([swept]), kept)
    assert files == [kept / "jax.jsonl", kept / "torch.jsonl"]
    found = {one.name: one.certificate for one in named.of_folder(kept)}
    assert list(found) == ["jax-a", "torch-a", "torch-b", "torch-c"]
    assert [one.suite for one in found.values()] == [PLAIN["suite"]] * 3 + ["another"]


def test_keeping_again_changes_nothing(tmp_path: Path) -> None:
    """Byte for byte."""
    file = written(tmp_path, "torch-a")
    (tmp_path / "kept").mkdir()
    contents = []
    for _ in range(2):
        (one,) = keep(named.by_name([file]), tmp_path / "kept")
        contents.append(one.read_bytes())
    assert contents[0] == contents[1]


def test_a_certificate_whose_file_was_named_otherwise_is_not_kept(tmp_path: Path) -> None:
    """A name with a space could not be read again."""
    file = written(tmp_path, "torch a")
    with pytest.raises(InputError, match=r"torch\.jsonl: name must have letters.*'torch a'"):
        keep(named.by_name([file]), tmp_path)
