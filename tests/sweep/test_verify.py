"""`verify`: certificates that hold, and others that were changed in one place each."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from conformance.cli import main
from conformance.commands.verify import NO_COMMIT, commit_of
from conformance.errors import Exit, InputError
from conformance.pool.backend import Backend
from conformance.pool.pool import Pool
from conformance.run import run as runs
from conformance.sweep import certificate, parts, spec
from conformance.sweep.certificate import Certificate
from conformance.sweep.sweep import sweep
from conformance.sweep.verify import Verified
from conformance.sweep.verify import verify as do_verify
from conformance.worker.sweep import space
from conformance.worker.sweep.shard import Labels, Samples

pytestmark = pytest.mark.slow

ADAPTERS = Path(__file__).parents[1] / "data" / "adapters"
ADAPTER = ("--adapter", str(ADAPTERS / "sweepable.py"))

#: Sweeps of each kind: all of a format, binades of float32, pairs, samples; and of a loss that the place in a call
#: decides.
SWEEPS: dict[str, tuple[str, str, Labels, dict[str, Any]]] = {
    "whole": ("no_tail", "float16", spec.single(spec.LABELS, "float16"), {}),
    "large": ("no_tail", "float32", spec.single(("0", "0.5"), "float32"), {"positions": (3238002688, 3254779904)}),
    "pairs": ("no_tail", "float16", spec.pairs("unit", "float16"), {"positions": (50176, 52300)}),
    "samples": ("no_tail", "float32", Samples(131072, seed=3), {}),
    "places": ("by_place", "float16", spec.single(spec.LABELS, "float16"), {"chunk": 1000}),
    "places-large": (
        *("by_place", "float32", spec.single(("0.3",), "float32")),
        {"positions": (1065353000, 1068000000), "chunk": 3000},
    ),
    "places-pairs": ("by_place", "float16", spec.pairs("unit", "float16"), {"positions": (14000, 14100)}),
}


def invoke(*words: str) -> Result:
    """The command line with some words."""
    return CliRunner().invoke(main, [*words])


@pytest.fixture(scope="module")
def pool() -> Iterator[tuple[Pool, tuple[Backend, ...]]]:
    """A pool and its backends, the losses of the tests and one that is absent among them."""
    with runs.open_pool(runs.Options()) as made:
        yield made, made.discover([ADAPTERS / "sweepable.py", ADAPTERS / "absent.py"])


@pytest.fixture(scope="module")
def made(pool: tuple[Pool, tuple[Backend, ...]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a certificate of each of SWEEPS."""
    folder = tmp_path_factory.mktemp("certificates")
    (backend,) = (one for one in pool[1] if one.name == "sweepable")
    for name, (entry, dtype, labels, fields) in SWEEPS.items():
        implementations = [one for one in backend.implementations if one.entry == entry]
        part = spec.make(backend, implementations, quantity="value", dtype=dtype, labels=labels, **fields)
        sweep(pool[0], backend, implementations, part, folder / f"{name}.json", "a command")
    return folder


Verify = Callable[..., dict[str, Verified]]


@pytest.fixture(scope="module")
def verify(pool: tuple[Pool, tuple[Backend, ...]]) -> Verify:
    """Verifies certificates by name, with parts that a commit chooses."""

    def call(certificates: dict[str, Certificate], commit: str = "a") -> dict[str, Verified]:
        return do_verify(*pool, certificates, commit, list(certificates))

    return call


def changed(made: Path, change: Callable[[dict[str, Any]], object], name: str = "whole") -> Certificate:
    """A certificate with a change."""
    document = json.loads((made / f"{name}.json").read_text())
    change(document)
    return msgspec.convert(document, Certificate)


@pytest.mark.parametrize("commit", ["a", "b", "c"])
def test_a_certificate_holds_where_it_was_made(made: Path, verify: Verify, commit: str) -> None:
    """Every kind, whatever part is chosen; also of a loss whose results depend on the place in a call."""
    found = verify({name: certificate.read(made / f"{name}.json") for name in SWEEPS}, commit)
    told = {name: (*one.contradictions, *one.differences, *one.elsewhere) for name, one in found.items()}
    assert told == dict.fromkeys(SWEEPS, ())
    assert all(one.largest and one.points and not one.other_code for one in found.values())


def first(document: dict[str, Any]) -> Any:
    """The first result of a certificate."""
    return document["results"][0]


def ideal(document: dict[str, Any]) -> Any:
    """Its largest error."""
    return first(document)["worst"]["ideal"]


def scaled(document: dict[str, Any], factor: float) -> None:
    """Make a largest error other, by column and binade, as if somebody had done it with care."""
    one = first(document)
    binade = max(one["binades"]["ideal"], key=one["binades"]["ideal"].get)
    one["binades"]["ideal"][binade] = certificate.rounded_up(one["worst"]["ideal"]["ulp"] * factor)
    for worst in one["worst"].values():
        worst["ulp"] *= factor


def another(document: dict[str, Any]) -> None:
    """Forget the worst binades, and give the largest error of another label for that of the first."""
    one, other = document["results"][0], document["results"][2]
    one["worst"], one["binades"] = (
        {column: worst | {"label": one["label"]} for column, worst in other["worst"].items()},
        other["binades"],
    )


def moved(document: dict[str, Any], by: int) -> None:
    """Count results as right that are one pattern off, or the other way round."""
    counts = first(document)["ordinals"]
    counts[0] += by
    counts[1] -= by


def without_worst_binade(document: dict[str, Any]) -> None:
    """A smaller largest error that is one: that of a binade, of which the worse ones are forgotten."""
    one = first(document)
    del one["worst"]["scaled"]
    one["binades"].pop("scaled", None)


def enlarged(document: dict[str, Any], binade: str, by: float) -> None:
    """Add to the largest error of a binade."""
    first(document)["binades"]["ideal"][binade] += by


CHANGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "a maximum made larger": lambda one: scaled(one, 1.01),
    "a maximum made smaller": lambda one: scaled(one, 0.5),
    "a maximum in the last digits": lambda one: scaled(one, 1 + 1e-9),
    "a maximum without its binade": lambda one: ideal(one).update(ulp=ideal(one)["ulp"] * 2),
    "another result": lambda one: ideal(one).update(got="0001"),
    "another input": lambda one: ideal(one).update(prediction="4000"),
    "another exact value": lambda one: ideal(one).update(exact="0x1.8p-3"),
    "a maximum of another label": another,
    "a column left out": without_worst_binade,
    "a binade made larger": lambda one: first(one)["binades"]["ideal"].update({"-0": 9e9}),
    "a binade a little larger": lambda one: enlarged(one, "-0", 0.01),
    "a binade made smaller": lambda one: first(one)["binades"]["ideal"].update({"-0": 0.51}),
    "a binade left out": lambda one: first(one)["binades"]["ideal"].pop("-0"),
    "a count": lambda one: first(one)["ordinals"].__setitem__(3, 7),
    "two counts": lambda one: moved(one, 1),
    "two counts, the other way": lambda one: moved(one, -1),
    "the number of results": lambda one: first(one).update(points=5),
    "the number of all results": lambda one: one["covered"].update(points=5),
    "a class": lambda one: first(one).update(classes={"nan": 1}),
    "a first input": lambda one: first(one)["firsts"]["-zero"].update(prediction="c4f3"),
    "a first input left out": lambda one: first(one)["firsts"].pop("-zero"),
    "a first input too many": lambda one: first(one)["firsts"].update({"+10 %": first(one)["firsts"]["-10 %"]}),
    "a proof of less": lambda one: one["covered"].update(first="0001", predictions=one["covered"]["predictions"] - 1),
    "no proof": lambda one: one.update(kind="lower bound"),
    "another label": lambda one: first(one).update(label="3c01"),
    "another dtype of the results": lambda one: first(one).update(dtype="float32"),
    "an implementation that is not there": lambda one: first(one).update(implementation="sweepable/gone/eager/cpu"),
}  # fmt: skip

#: Changes that are found in every kind of sweep.
EVERYWHERE = ("a maximum made larger", "another result", "a count", "the number of results")


@pytest.fixture(scope="module")
def outcomes(made: Path, verify: Verify) -> dict[str, Verified]:
    """What becomes of all changes to all kinds, by kind and change."""
    certificates = {
        f"{kind}: {what}": changed(made, CHANGES[what], kind)
        for kind in SWEEPS
        for what in (CHANGES if kind == "whole" else EVERYWHERE)
    }
    return verify(certificates)


@pytest.mark.parametrize("what", CHANGES)
def test_a_certificate_that_was_changed_is_wrong(outcomes: dict[str, Verified], what: str) -> None:
    """Wherever the change is, and it is told."""
    one = outcomes[f"whole: {what}"]
    assert one.fails
    assert one.contradictions or one.differences


@pytest.mark.parametrize("kind", SWEEPS)
@pytest.mark.parametrize("what", EVERYWHERE)
def test_so_it_is_of_every_kind_of_sweep(outcomes: dict[str, Verified], kind: str, what: str) -> None:
    """The largest errors are computed again whatever is swept again."""
    assert outcomes[f"{kind}: {what}"].fails


@pytest.mark.parametrize("factor", [0.9, 1.1])
@pytest.mark.parametrize(("kind", "whole"), [("large", ("-4", "-5")), ("pairs", ("-3", "-4"))])
def test_a_changed_binade_of_a_large_sweep_is_found_by_some_commit(
    made: Path, verify: Verify, kind: str, whole: tuple[str, ...], factor: float
) -> None:
    """A binade that has no largest error is swept again as a whole when its turn comes."""

    def change(document: dict[str, Any]) -> None:
        binades = first(document)["binades"]["ideal"]
        binade = min(whole, key=binades.__getitem__)
        binades[binade] = certificate.rounded_up(binades[binade] * factor)

    one = changed(made, change, kind)
    assert any(verify({"one": one}, str(commit))["one"].fails for commit in range(6))


@pytest.mark.parametrize(
    ("field", "values", "told"),
    [
        ("versions", {"numpy": "1.0"}, "numpy 1.0 then, "),
        ("environment", {"NPY_DISABLE_CPU_FEATURES": "AVX2"}, "NPY_DISABLE_CPU_FEATURES AVX2 then, unset now"),
        ("machine", {"instruction-set": "none"}, "instruction-set none then, "),
    ],
)
def test_other_results_elsewhere_are_told_and_do_not_fail(
    made: Path, verify: Verify, field: str, values: dict[str, str], told: str
) -> None:
    """What differs is named, and what it depends on."""

    def change(document: dict[str, Any]) -> None:
        document[field] |= values
        moved(document, 1)

    one = verify({"one": changed(made, change)})["one"]
    assert not one.fails
    assert [text for text in one.differences if "ordinals was" in text]
    assert [text for text in one.elsewhere if text.startswith(told)] == list(one.elsewhere)


def test_another_python_computes_nothing_else(made: Path, verify: Verify) -> None:
    """A difference counts although the version of Python is another one."""

    def change(document: dict[str, Any]) -> None:
        document["machine"]["python"] = document["environment"]["python"] = "3.99"
        moved(document, 1)

    one = verify({"one": changed(made, change)})["one"]
    assert one.elsewhere == ()
    assert one.fails


def test_a_contradiction_fails_wherever_it_was_made(made: Path, verify: Verify) -> None:
    """A wrong error in ULP is wrong for every version."""

    def change(document: dict[str, Any]) -> None:
        document["versions"] |= {"numpy": "1.0"}
        scaled(document, 2)

    one = verify({"one": changed(made, change)})["one"]
    assert one.contradictions
    assert one.fails


def test_an_older_certificate_is_held_to_what_it_tells(made: Path, verify: Verify) -> None:
    """Where it does not tell the instruction set, that is no difference."""

    def change(document: dict[str, Any]) -> None:
        del document["machine"]["instruction-set"]
        moved(document, 1)

    assert verify({"one": changed(made, change)})["one"].fails


@pytest.mark.parametrize("field", ["code", "kernel"])
def test_other_files_of_the_suite_are_told(made: Path, verify: Verify, field: str) -> None:
    """They fail nothing: the results are judged again by the files of today."""
    one = verify({"one": changed(made, lambda document: document.update({field: "0"}))})["one"]
    assert one.other_code
    assert not one.fails


def test_what_is_absent_is_not_verified(made: Path, verify: Verify) -> None:
    """It neither holds nor fails, but for what contradicts itself."""

    def change(document: dict[str, Any]) -> None:
        document["backend"] = "absent"
        for one in document["results"]:
            one["implementation"] = one["implementation"].replace("sweepable", "absent")

    def contradict(document: dict[str, Any]) -> None:
        change(document)
        scaled(document, 2)

    found = verify({"one": changed(made, change), "other": changed(made, contradict)})
    assert all("backend absent is absent" in str(one.absent) for one in found.values())
    assert {name: one.fails for name, one in found.items()} == {"one": False, "other": True}


def test_every_certificate_has_its_turn() -> None:
    """Ten offsets, which share none and leave none out, and commits that reach all of them."""
    names = [f"certificate-{number}" for number in range(123)]
    chosen = {tuple(parts.tenth(names, f"commit {number}")) for number in range(200)}
    assert len(chosen) == 10
    assert sorted(name for each in chosen for name in each) == sorted(names)
    assert {len(each) for each in chosen} == {12, 13}


def test_every_binade_has_its_turn(made: Path) -> None:
    """Commits choose all binades and labels of a sweep; a part has the ends of its binade."""
    one = certificate.read(made / "large.json")
    seen = set()
    for number in range(100):
        for part in parts.at_random(one, str(number)):
            ends = {space.binade(at, "float32") for at in (part.spec.whole.start, part.spec.whole.stop - 1)}
            assert ends == {part.binade}
            assert part.spec.whole.stop - part.spec.whole.start == 1 << 23
            seen.add((part.binade, part.spec.whole.labels))
    assert {binade for binade, _ in seen} == {"-4", "-5"}  # -16 to -64
    assert len(seen) == 4


def test_the_commit_is_that_of_the_folder(tmp_path: Path) -> None:
    """In a folder that git does not know a fixed one takes its place."""
    assert len(commit_of(Path(__file__).parents[1])) == 40
    assert commit_of(tmp_path) == NO_COMMIT


# -- as a command ------------------------------------------------------------------------------------------------------


def command(*words: str) -> Result:
    """`verify` with the losses of the tests."""
    return invoke("verify", *words, *ADAPTER)


def test_a_tenth_is_swept_again_and_every_largest_error_is_computed(made: Path) -> None:
    """The lines tell of how many results parts were swept, and the summary of how many certificates."""
    done = command(str(made), "--tenth", "--commit", "a")
    assert done.exit_code == 0, done.output
    assert f"{len(SWEEPS)} certificates: {len(SWEEPS)} as certified, 0 wrong" in done.output
    assert len(parts.tenth(list(SWEEPS), "a")) == done.output.count("results of its sweep")
    assert done.output.count("largest errors") == len(SWEEPS)


def test_a_wrong_certificate_ends_with_exit_code_1(made: Path, tmp_path: Path) -> None:
    """Its line names it, the next ones what is wrong; another one beside it is as certified."""
    certificate.write(changed(made, lambda one: moved(one, 1)), tmp_path / "wrong.json")
    certificate.write(changed(made, lambda one: scaled(one, 2)), tmp_path / "contradiction.json")
    done = command(str(tmp_path), str(made / "whole.json"))
    assert done.exit_code == Exit.NOT_AS_EXPECTED
    lines = done.output.splitlines()
    assert lines[0] == "contradiction: contradicts itself"
    assert "wrong: differs (12 largest errors, 253,952 results of its sweep; judged by other files" not in done.output
    assert any(line.startswith("wrong: differs (12 largest errors, 253,952 results of its sweep)") for line in lines)
    assert any(line.startswith("    sweepable/no_tail/eager/cpu, label 0000: ordinals was (") for line in lines)
    assert any(line.startswith("whole: as certified (12 largest errors, 253,952 results") for line in lines)
    assert "3 certificates: 1 as certified, 2 wrong, 0 made elsewhere, 0 not verified" in lines[-1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no certificate (*.json, *.jsonl) is in"),
        ("{}", "is not a certificate"),
        ('{"schema": 99', "is not a certificate"),
    ],
)
def test_what_is_no_certificate_is_bad_input(tmp_path: Path, content: str | None, message: str) -> None:
    """Told with its file."""
    if content is not None:
        (tmp_path / "one.json").write_text(content)
    done = command(str(tmp_path))
    assert done.exit_code == Exit.BAD_INPUT
    assert message in done.output
    assert str(tmp_path) in done.output


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda one: one.update(backend="nowhere"), "no backend is called 'nowhere'"),
        (lambda one: one["covered"].pop("first"), "does not tell what was covered"),
        (lambda one: one["covered"].update(labels=["x"]), "does not tell what was covered"),
        (lambda one: one["covered"].update(predictions=7), "covers 7 predictions"),
    ],
)
def test_a_certificate_that_does_not_tell_what_it_is_about_is_bad_input(
    made: Path, verify: Verify, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    """Told with its name."""
    with pytest.raises(InputError, match=f"^the one: .*{message}"):
        verify({"the one": changed(made, change)})


def test_two_certificates_of_one_name_are_bad_input(made: Path, tmp_path: Path) -> None:
    """The output could not tell them apart."""
    (tmp_path / "whole.json").write_bytes((made / "whole.json").read_bytes())
    done = command(str(made), str(tmp_path))
    assert done.exit_code == Exit.BAD_INPUT
    assert "another certificate has this name" in done.output
