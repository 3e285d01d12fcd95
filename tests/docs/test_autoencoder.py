"""An autoencoder trained on grey pixels: what cross-entropy promises for labels that are not binary."""

from __future__ import annotations

import dataclasses
import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from examples.autoencoder import on_numpy
from examples.autoencoder.agreement import GROWTH, bound, complaints, distance, precision
from examples.autoencoder.problem import LABELS, Problem, baseline, digits, floor, sigmoid
from examples.autoencoder.training import BACKENDS, Trajectory, installed, reference_of, runs_of, train
from examples.autoencoder.worker import REFERENCE, Run

ROOT = Path(__file__).resolve().parents[2]

IMAGES = 100

STEPS = 40

LOGITS = Run(REFERENCE, "loss", "logits")

pytestmark = pytest.mark.skipif(not importlib.util.find_spec("sklearn"), reason="scikit-learn is not installed")


@pytest.fixture(scope="module")
def problem() -> Problem:
    """The first digits of scikit-learn."""
    return digits(IMAGES, STEPS)


@pytest.fixture(scope="module")
def exact(problem: Problem) -> dict[Run, Trajectory]:
    """The reference's runs: every form and contract that an installed framework needs, and the three kinds of label."""
    needed = [reference_of(run) for backend in BACKENDS for run in runs_of(backend)]
    kinds = [dataclasses.replace(LOGITS, labels=kind) for kind in LABELS]
    runs = list(dict.fromkeys([*needed, *kinds]))
    return dict(zip(runs, train(problem, runs), strict=True))


@pytest.fixture(scope="module", params=BACKENDS)
def trained(request: pytest.FixtureRequest, problem: Problem) -> list[Trajectory]:
    """What one framework did: grey labels in both dtypes, doubled ones in float64."""
    backend = request.param
    if not installed(backend):
        pytest.skip(f"{backend} is not installed")
    return train(problem, [*runs_of(backend), *runs_of(backend, ("float64",), ("doubled",))])


def on_labels(trained: list[Trajectory], kind: str) -> list[Trajectory]:
    """The trajectories on labels of one kind."""
    return [one for one in trained if one.run.labels == kind]


@pytest.mark.slow
def test_every_framework_follows_the_reference_down_to_the_entropy(
    problem: Problem, exact: dict[Run, Trajectory], trained: list[Trajectory]
) -> None:
    """Losses agree within the bound of their dtype, never rise, and never fall below the entropy of the labels."""
    entropy = floor(problem.labels)
    grey = on_labels(trained, "grey")
    assert len(grey) == 4
    assert [complaints(one, exact[reference_of(one.run)], entropy, IMAGES) for one in grey] == [[]] * 4


def test_the_bound_stays_small_over_a_thousand_steps() -> None:
    """It grows with the square root of the steps only, so it can still tell a wrong formula from rounding."""
    assert bound("float64", 200, 1000)[-1] < 1e-12
    assert bound("float32", 200, 1000)[-1] < 1e-4


@pytest.mark.slow
def test_reconstruction_beats_the_mean_image(problem: Problem, trained: list[Trajectory]) -> None:
    """A model that ignores its input can do no better than the mean image; training on grey labels does."""
    for one in on_labels(trained, "grey"):
        assert one.errors[0] > baseline(problem.images)
        assert one.errors[-1] < baseline(problem.images) / 1.2


@pytest.mark.slow
def test_the_error_is_at_most_half_of_what_the_loss_exceeds_its_floor_by(
    problem: Problem, trained: list[Trajectory]
) -> None:
    """Pinsker's inequality, averaged over pixels: docs/theory.md proves it."""
    entropy = floor(problem.labels)
    for one in on_labels(trained, "grey"):
        assert np.all(one.errors <= (one.losses - entropy) / 2)


@pytest.mark.slow
def test_a_logit_and_its_probability_train_alike(trained: list[Trajectory]) -> None:
    """Both forms stay within their bounds of each other; Keras on TensorFlow even gives the same bits.

    There the output of `keras.activations.sigmoid` carries its logits along, and the loss takes those.
    """
    grey = on_labels(trained, "grey")
    for dtype in ("float64", "float32"):
        first, second = (one for one in grey if one.run.dtype == dtype)
        allowed = bound(precision(first), IMAGES, STEPS) + bound(precision(second), IMAGES, STEPS)
        same_bits = first.run.backend == "keras-tensorflow"
        assert np.all(distance(first.losses, second.losses) <= (0 if same_bits else allowed))


@pytest.mark.slow
def test_no_prediction_reaches_a_clip_or_a_clamp(trained: list[Trajectory]) -> None:
    """Clips at 1e-7 and clamped logarithms take no part in the comparison, so the plain reference is the right one."""
    for one in on_labels(trained, "grey"):
        assert one.largest.max() < -np.log(1e-7)


@pytest.mark.slow
def test_labels_up_to_two_are_refused_or_drive_the_loss_below_zero(trained: list[Trajectory]) -> None:
    """Nothing bounds a loss on logits from below: every step takes it further.  torch refuses for probabilities."""
    for one in on_labels(trained, "doubled"):
        if one.raised:
            assert (one.raised, one.message) == ("RuntimeError", "all elements of target should be between 0 and 1")
            assert one.run.form == "probabilities"
            assert len(one.losses) == 0
        elif one.run.form == "logits":
            assert np.all(np.diff(one.losses) < 0)
            assert one.losses[-1] < -1
            assert np.all(np.diff(one.largest[10:]) > 0)
        else:
            assert np.nanmin(one.losses) < 0


def test_labels_up_to_two_saturate_the_reconstruction(problem: Problem, exact: dict[Run, Trajectory]) -> None:
    """Pixels above middle grey all turn white, and the error ends above that of the mean image."""
    doubled = exact[dataclasses.replace(LOGITS, labels="doubled")]
    always_bright = sigmoid(doubled.logits)[:, problem.images.min(axis=0) > 0.5]
    bright = sigmoid(doubled.logits)[problem.images > 0.5]
    assert np.median(bright) > 0.999
    assert np.all(always_bright > 0.999)
    assert doubled.errors[-1] > baseline(problem.images)


def test_only_hard_labels_have_the_floor_zero(problem: Problem, exact: dict[Run, Trajectory]) -> None:
    """Grey labels keep their loss above 0.19 nats however well they are met; black and white ones may reach 0."""
    assert floor(LABELS["hard"](problem.images)) == 0.0
    assert floor(problem.images) > 0.19
    assert floor(problem.images) < exact[LOGITS].losses[-1]


def test_the_floor_is_the_loss_of_a_perfect_reconstruction(problem: Problem) -> None:
    """-y log y - (1 - y) log(1 - y), summed by hand over the 17 grey levels."""
    levels, counts = np.unique(problem.images, return_counts=True)
    inner = levels[1:-1]
    by_hand = counts[1:-1] @ -(inner * np.log(inner) + (1 - inner) * np.log(1 - inner)) / problem.images.size
    assert len(levels) == 17
    assert floor(problem.images) == pytest.approx(by_hand, rel=1e-14)


def test_the_hand_written_gradient_is_the_slope_of_the_loss(problem: Problem) -> None:
    """A step along the gradient lowers the loss by rate * |gradient|^2, to first order: central difference."""
    small = dataclasses.replace(problem.with_labels("grey"), rate=1.0)
    for form in ("logits", "probabilities"):
        before = [weight.copy() for weight in small.weights]
        moved = gradient(small, form)
        slope = sum(float(np.vdot(one, one)) for one in moved)
        h = 1e-4
        ahead, behind = (loss_at(small, before, moved, step, form) for step in (h, -h))
        assert (ahead - behind) / (2 * h) == pytest.approx(slope, rel=1e-5)


def gradient(problem: Problem, form: str) -> list[np.ndarray]:
    """The gradient of the hand-written backward pass, from the weights that one step of rate 1 leaves."""
    weights = tuple(weight.copy() for weight in problem.weights)
    on_numpy.descend(weights, problem, form)
    return [before - after for before, after in zip(problem.weights, weights, strict=True)]


def loss_at(problem: Problem, weights: list[np.ndarray], direction: list[np.ndarray], by: float, form: str) -> float:
    """The loss after `weights` were moved along `direction`."""
    moved = tuple(weight + by * one for weight, one in zip(weights, direction, strict=True))
    return float(on_numpy.trainer(dataclasses.replace(problem, weights=moved), form)()[0])


def test_a_change_of_the_weights_dies_away(problem: Problem, exact: dict[Run, Trajectory]) -> None:
    """The factor in the bound: a relative change of all weights moves no later loss by more than GROWTH times that."""
    change = 2.0**-20
    for seed in range(2):
        random = np.random.default_rng(seed)
        weights = tuple(weight * (1 + change * random.choice([-1, 1], weight.shape)) for weight in problem.weights)
        step = on_numpy.trainer(dataclasses.replace(problem, weights=weights), "logits")
        losses = np.array([step()[0] for _ in range(STEPS + 1)])
        assert distance(losses, exact[LOGITS].losses).max() < GROWTH * change


def test_an_epsilon_of_1e_7_leaves_the_bound_of_float64(problem: Problem, exact: dict[Run, Trajectory]) -> None:
    """The bound is no rubber stamp: what TensorFlow's log_loss adds inside its logarithms breaks it at once."""
    plain = exact[dataclasses.replace(LOGITS, form="probabilities")]
    epsilon = exact[dataclasses.replace(LOGITS, form="probabilities", epsilon=1e-7)]
    assert complaints(epsilon, plain, floor(problem.labels), IMAGES) == ["leaves the reference at step 0"]


def test_a_mean_in_float32_leaves_the_bound_of_float64(problem: Problem, exact: dict[Run, Trajectory]) -> None:
    """Keras on torch and on JAX averages float64 losses in float32: such a trajectory is told from a float64 one."""
    rounded = exact[LOGITS].losses.astype(np.float32).astype(np.float64)
    narrow = dataclasses.replace(exact[LOGITS], losses=rounded)
    assert "leaves the reference at step 0" in complaints(narrow, exact[LOGITS], floor(problem.labels), IMAGES)


def test_a_broken_trajectory_is_complained_of(problem: Problem, exact: dict[Run, Trajectory]) -> None:
    """NaN, a rise, a loss below the entropy and an exception are each said."""
    good, entropy = exact[LOGITS], floor(problem.labels)
    assert complaints(good, good, entropy, IMAGES) == []
    for value, text in ((np.nan, "leaves"), (good.losses[0], "rises"), (entropy * 0.999, "falls below")):
        bad = dataclasses.replace(good, losses=np.append(good.losses[:-1], value))
        assert any(text in one for one in complaints(bad, good, entropy, IMAGES))
    assert complaints(dataclasses.replace(good, raised="ValueError"), good, entropy, IMAGES)


def test_the_same_run_twice_has_the_same_bits(problem: Problem, exact: dict[Run, Trajectory]) -> None:
    """Fixed weights, a fixed order and one thread leave nothing to chance."""
    (again,) = train(problem, [LOGITS])
    assert again.losses.tobytes() == exact[LOGITS].losses.tobytes()
    assert again.logits.tobytes() == exact[LOGITS].logits.tobytes()


def test_the_weights_are_the_same_numbers_in_both_dtypes(problem: Problem) -> None:
    """Otherwise float32 would start elsewhere, and its distance from float64 would not be one of rounding."""
    narrow = problem.astype("float32")
    for one, other in zip((*problem.weights, problem.labels), (*narrow.weights, narrow.labels), strict=True):
        assert np.array_equal(one, other)


CALL = """
import sys
{prepare}
from examples.autoencoder.__main__ import main
try:
    main({arguments!r})
finally:
    loaded = [name for name in ("torch", "tensorflow", "keras", "jax", "optax") if name in sys.modules]
    print("loaded:", *loaded)
"""


def called(*arguments: str, prepare: str = "") -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    code = CALL.format(arguments=list(arguments), prepare=prepare)
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )


@pytest.mark.slow
@pytest.mark.skipif(not installed("torch"), reason="torch is not installed")
def test_the_command_prints_what_it_saw_and_imports_no_framework() -> None:
    """The parent compares; only the processes of the backends hold a framework."""
    done = called("--steps", "3", "--images", "20", "--backend", "torch")
    assert (done.returncode, done.stderr) == (0, "")
    assert "nn.functional.binary_cross_entropy_with_logits" in done.stdout
    assert "raises RuntimeError: all elements of target should be between 0 and 1" in done.stdout
    assert done.stdout.splitlines()[-1] == "loaded:"


@pytest.mark.parametrize(
    ("module", "package", "arguments"),
    [("sklearn.datasets", "scikit-learn", ()), ("matplotlib", "matplotlib", ("--plot", "unused.png"))],
)
def test_a_missing_package_is_named_with_the_extra_that_brings_it(
    module: str, package: str, arguments: tuple[str, ...]
) -> None:
    """Neither is needed by the suite itself, so both may be missing; nothing is trained then."""
    name = module.partition(".")[0]
    hide = "import importlib.abc\nclass Hidden(importlib.abc.MetaPathFinder):\n    def find_spec(self, name, *_):\n"
    hide += f"        if name.partition('.')[0] == {name!r}: raise ModuleNotFoundError('hidden', name={name!r})\n"
    done = called("--steps", "1", "--images", "5", *arguments, prepare=hide + "sys.meta_path.insert(0, Hidden())")
    assert done.returncode == 2
    assert f"{package} is not installed; pip install 'bce-conformance[examples]' brings it" in done.stderr
