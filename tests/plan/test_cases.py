"""Case files: every mistake in one is an InputError that names file and line; nothing else is read from YAML."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from conformance import yamlfile
from conformance.errors import Exit, InputError
from conformance.numbers.formats import FORMATS
from conformance.numbers.literals import bits_of
from conformance.plan.cases import Suite, json_schema, load_suite
from conformance.plan.inputs import Inputs

SHIPPED = Path(__file__).parents[2] / "cases"

FLAGS = """\
flags:
  plain:
    meaning: nothing special about it
"""

GOOD = """\
family: small
title: a family for tests
cases:
  - id: small/one
    why: it exists for this test
    form: probabilities
    flags: [plain]
    elements:
      - {id: a, prediction: 1e-7, label: 0}
      - {id: b, prediction: "nextafter(1,0)", label: 0x1p-1}
"""

Load = Callable[[str | bytes], Suite]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Loads a folder with one case file of the given text."""

    def write_and_load(text: str | bytes) -> Suite:
        (tmp_path / "flags.yaml").write_text(FLAGS)
        data = text if isinstance(text, bytes) else text.encode()
        (tmp_path / "small.yaml").write_bytes(data)
        return load_suite(tmp_path)

    return write_and_load


def refused(load: Load, text: str | bytes) -> InputError:
    """The InputError that loading `text` raises."""
    with pytest.raises(InputError) as caught:
        load(text)
    assert caught.value.code == Exit.BAD_INPUT
    return caught.value


def test_a_good_file_is_read_as_written(load: Load) -> None:
    """Numbers stay the text of the file, and the case knows its place."""
    (located,) = load(GOOD).cases
    assert (located.family, located.file.name, located.line) == ("small", "small.yaml", 4)
    first, second = located.case.elements
    assert (first.prediction, first.label) == ("1e-7", "0")
    assert (second.prediction, second.label) == ("nextafter(1,0)", "0x1p-1")


def test_a_number_without_a_dot_is_a_number(load: Load) -> None:
    """1e-7, which YAML 1.1 reads as a string, is rounded like any other literal."""
    (located,) = load(GOOD).cases
    fmt = FORMATS["float32"]
    assert Inputs(located.case, "float32").tensors["prediction"].bits[0] == bits_of("0.0000001", fmt)


@pytest.mark.parametrize("word", ["no", "yes", "on", "off", "y"])
def test_words_of_yaml_1_1_are_strings(load: Load, word: str) -> None:
    """The id `no` is text, not a truth value."""
    (located,) = load(GOOD.replace("{id: a,", f"{{id: {word},")).cases
    assert located.case.elements[0].id == word


def test_a_version_directive_does_not_bring_yaml_1_1_back(load: Load) -> None:
    """Under %YAML 1.1 the id `no` would be false: it is text or the file is refused."""
    text = "%YAML 1.1\n---\n" + GOOD.replace("{id: a,", "{id: no,")
    ids = []
    with contextlib.suppress(InputError):
        ids = [element.id for element in load(text).cases[0].case.elements]
    assert ids in ([], ["no", "b"])


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("    form: prob", "    shape: [1]\n    form: prob", 6, ["unknown field", "shape"]),
        ("family: small", "familie: small\nfamily: small", 1, ["unknown field", "familie"]),
        ("label: 0}", "label: 0, lable: 1}", 9, ["unknown field", "lable"]),
        ("form: probabilities", "form: percentages", 6, ["form", "percentages"]),
        ("flags: [plain]", "flags: plain", 7, ["flags", "array"]),
        ("flags: [plain]", "flags: [plian]", 7, ["plian", "did you mean plain"]),
        ("prediction: 1e-7", "prediction: [1e-7]", 9, ["prediction", "str"]),
        ("prediction: 1e-7", "prediction: null", 9, ["prediction", "str"]),
        ("prediction: 1e-7", "prediction: true", 9, ["prediction", "str"]),
        ("prediction: 1e-7", "prediction: 1e--7", 9, ["small/one", "a.prediction", "1e--7"]),
        ("label: 0x1p-1", "label: half", 10, ["b.label", "half"]),
        ("id: small/one", "id: Small One", 4, ["id", "Small One"]),
        ("id: b,", "id: a,", 4, ["duplicate element id", "'a'"]),
        ("label: 0}", "label: 0, weight: 2}", 4, ["same options"]),
        ("    form: probabilities", "    dtypes: [float32]\n    form: logits", 4, ["'a'", "float64"]),
        ("dtypes: [float64]}", "dtypes: [float8]}", 9, ["dtypes", "float8"]),
        ("    form: probabilities", "    reduction: mean\n    form: logits", 4, ["reduced"]),
        ("    why: it exists for this test\n", "", 4, ["missing", "why"]),
        ("why: it exists for this test", "why: short", 5, ["why"]),
        ("    form:", "    why: again and again\n    form:", 6, ["duplicate key", "why"]),
        ("    form:", "    probe: magic\n    form:", 6, ["probe"]),
        ("    form:", "    spec: http://insecure\n    form:", 6, ["spec"]),
        ("title: a family", "title: &anchor a family", 2, ["anchor"]),
        ("title: a family", "title: !custom a family", 2, ["tag"]),
        ("title: a family", "title: !!python/object:os.system a family", 2, ["tag"]),
        ("flags: [plain]", "flags: !custom [plain]", 7, ["tag"]),
        ("      - {id: a,", "      - !custom {id: a,", 9, ["tag"]),
        ("flags: [plain]", "flags: [[plain]]", 7, ["flags"]),
        ("family: small", "? [a, b]\n: 1\nfamily: small", 1, ["key"]),
        ("form: probabilities", "form: 'probabilities", 11, ["YAML"]),
        ("form: probabilities", "form: probabilities\n   why2: x", 7, ["YAML"]),
        ("    form:", "    parameters: {gamma: 2.5}\n    form:", 4, ["gamma", "2.5"]),
        ("    form:", "    parameters: {gamma: 2}\n    form:", 4, ["gamma", "gradient-label"]),
        ("    form:", "    dtypes_of: {label: uint8}\n    form:", 4, ["b.label", "0 to 255", "0x1p-1"]),
        ("    form:", "    divisor: weights\n    form:", 4, ["needs a weight"]),
        ("    form:", "    present: [3 label 3 label 1]\n    form:", 4, ["presentation"]),
        ("    form:", "    relation: affine\n    parameters: {label_smoothing: 0.1}\n    form:", 4, ["parameters"]),
        ("title: a family for tests", "title: a family\n---\nfamily: x", 3, ["YAML"]),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_file_line_and_value(
    load: Load, old: str, new: str, line: int, words: list[str]
) -> None:
    """One mistake in a good file gives an InputError at its line that holds what is wrong with it."""
    good = GOOD
    if "dtypes" in new or "reduction" in new:  # an element of its own dtype, which a reduced case may not have
        good = GOOD.replace("label: 0}", "label: 0, dtypes: [float64]}")
        load(good)
    assert old in good
    text = str(refused(load, good.replace(old, new, 1)))
    place, _, message = text.partition(": ")
    assert place.endswith("small.yaml:" + str(line)), text
    for word in words:
        assert word in message


def test_an_alias_is_refused_before_it_is_expanded(load: Load) -> None:
    """An alias bomb of 10^12 elements is one line of an error."""
    bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
    for previous, name in zip("abcdefghijk", "bcdefghijkl", strict=True):
        bomb += f"{name}: &{name} [{', '.join(['*' + previous] * 10)}]\n"
    assert "small.yaml:1: anchors are not allowed" in str(refused(load, bomb))
    assert "small.yaml:2: aliases are not allowed" in str(refused(load, "a: 1\nb: *a\n"))


def test_bytes_that_are_not_utf_8_are_named_with_their_line(load: Load) -> None:
    """A Latin-1 letter in line 2 is an error in line 2, with the byte."""
    error = refused(load, GOOD.encode().replace(b"a family", b"\xe4 family"))
    assert "small.yaml:2: must be UTF-8 (got byte 0xe4)" in str(error)


@pytest.mark.parametrize("text", [b"\xff\xfef\x00", b"a: \x00", b"a: \x07"])
def test_control_characters_are_refused(load: Load, text: bytes) -> None:
    """UTF-16 and control characters are no case file."""
    assert "small.yaml:1: " in str(refused(load, text))


def test_a_file_that_is_nested_too_deeply_is_refused(load: Load) -> None:
    """Depth is limited before anything is built, so that it cannot exhaust the stack."""
    error = refused(load, "a: " + "[" * yamlfile.MAX_DEPTH)
    assert f"small.yaml:1: nesting must be at most {yamlfile.MAX_DEPTH} deep" in str(error)
    assert "small.yaml:1: is not YAML 1.2: exceeded maximum nesting depth" in str(refused(load, "a: " + "[" * 100_000))


def test_a_file_that_is_too_large_is_refused(load: Load) -> None:
    """Size is limited before anything is parsed."""
    error = refused(load, GOOD + "#" * yamlfile.MAX_BYTES)
    assert f"small.yaml:1: a file must hold at most {yamlfile.MAX_BYTES} bytes" in str(error)


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing\n", "---\n"])
def test_an_empty_file_is_refused(load: Load, text: str) -> None:
    """A file without content is not a family without cases."""
    assert "small.yaml:" in str(refused(load, text))


@pytest.mark.parametrize("text", ["- a\n", "text\n", "5\n"])
def test_a_file_that_is_no_mapping_is_refused(load: Load, text: str) -> None:
    """A list or a word is not a family."""
    assert "small.yaml:1: the file: Expected `object`" in str(refused(load, text))


def test_a_case_without_elements_is_refused(load: Load) -> None:
    """A case needs elements or a grid."""
    text = GOOD[: GOOD.index("    elements:")]
    assert "small.yaml:4: small/one: must have elements or a grid" in str(refused(load, text))


def test_a_duplicate_id_is_refused_with_both_places(load: Load) -> None:
    """The second case of an id is named together with the first, across files too."""
    again = GOOD[GOOD.index("  - id:") :]
    error = refused(load, GOOD + again)
    assert "small.yaml:11: duplicate case id 'small/one', first at" in str(error)
    assert str(error).endswith("small.yaml:4")


def test_a_duplicate_id_in_another_file_is_refused(load: Load, tmp_path: Path) -> None:
    """Ids are unique over all files."""
    (tmp_path / "another.yaml").write_text(GOOD)
    error = refused(load, GOOD)
    assert "small.yaml:4: duplicate case id 'small/one'" in str(error)
    assert "another.yaml:4" in str(error)


def test_a_bad_number_in_a_grid_is_named_with_its_line(load: Load) -> None:
    """A grid's numbers are checked where they stand."""
    text = GOOD[: GOOD.index("    elements:")] + "    grid:\n      prediction: {p: 1}\n      label:\n        y: x1\n"
    error = refused(load, text)
    assert "small.yaml:11: small/one: grid.label.y" in str(error)
    assert "'x1'" in str(error)


def test_a_grid_is_every_prediction_with_every_label(load: Load) -> None:
    """Elements of a grid are named PREDICTION-LABEL, predictions in the outer loop."""
    text = (
        GOOD[: GOOD.index("    elements:")] + "    grid:\n      prediction: {p: 1, q: 0}\n      label: {y: 1, z: 0}\n"
    )
    (located,) = load(text).cases
    assert [(one.id, one.prediction, one.label) for one in located.case.elements] == [
        ("p-y", "1", "1"),
        ("p-z", "1", "0"),
        ("q-y", "0", "1"),
        ("q-z", "0", "0"),
    ]


def test_a_folder_without_flags_or_cases_is_refused(tmp_path: Path) -> None:
    """A folder that holds no suite is bad input, also where it does not exist."""
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(InputError, match=r"must hold flags\.yaml and case files"):
            load_suite(folder)


def test_an_unreadable_file_is_refused(load: Load, tmp_path: Path) -> None:
    """A folder called like a case file is an InputError, not a traceback."""
    (tmp_path / "folder.yaml").mkdir()
    assert "folder.yaml: cannot be read" in str(refused(load, GOOD))


def test_an_unknown_case_is_named_with_near_ones(load: Load) -> None:
    """Looking up a misspelt id hints at the right one."""
    with pytest.raises(InputError, match="did you mean small/one"):
        load(GOOD).find("smal/one")


def test_the_digest_depends_on_every_byte_of_every_file(load: Load) -> None:
    """A changed comment changes the digest, the same bytes do not."""
    first = load(GOOD).digest
    assert load(GOOD).digest == first
    assert load(GOOD + "# more\n").digest != first


def test_shipped_cases_load() -> None:
    """The suite's own case files are free of every mistake above."""
    suite = load_suite(SHIPPED)
    assert len(suite.cases) > 30
    used = {flag for located in suite.cases for flag in located.case.flags}
    assert used == set(suite.flags), "a flag that no case has"


def plain(file: Path) -> object:
    """A YAML file as JSON-like data, numbers as numbers, by a parser of YAML 1.2 without the suite's loader."""
    return json.loads(json.dumps(YAML(typ="safe", pure=True).load(file), default=str))


def test_the_schema_accepts_shipped_case_files() -> None:
    """Each case file is valid under the published JSON Schema, which is itself valid."""
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    for file in sorted(SHIPPED.glob("*.yaml")):
        if file.name != "flags.yaml":
            validator.validate(plain(file))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    form: prob", "    shape: [1]\n    form: prob"),
        ("form: probabilities", "form: percentages"),
        ("prediction: 1e-7", "prediction: [1e-7]"),
        ("id: small/one", "id: Small One"),
        ("    why: it exists for this test\n", ""),
    ],
)
def test_the_schema_refuses_what_the_loader_refuses(load: Load, tmp_path: Path, old: str, new: str) -> None:
    """Mistakes of structure are found by the schema as well as by the loader."""
    text = GOOD.replace(old, new, 1)
    refused(load, text)
    validator = jsonschema.Draft202012Validator(json_schema())
    assert not validator.is_valid(plain(tmp_path / "small.yaml"))
    load(GOOD)
    assert validator.is_valid(plain(tmp_path / "small.yaml"))
