r"""`docs/diagnoses.md`: what is diagnosed of the runs that are kept in `results/`, in the words of the command.

The runs are of the pinned versions: `pinned.jsonl.gz` in the plain mode, and `modes.jsonl.gz`, which

    bce-conformance run --mode '*' --quantity value --quantity gradient-prediction \
      --implementation 'torch/nn.functional.binary_cross_entropy_with_logits/*' \
      --implementation 'tensorflow/nn.sigmoid_cross_entropy_with_logits/*' \
      --implementation 'jax/optax.sigmoid_binary_cross_entropy/*' --output results/modes.jsonl.gz

makes.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from rich.text import Text

from conformance.commands.reasons import problems_of
from conformance.diagnosis.diagnosis import EVERYTHING, diagnose
from conformance.plan.cases import Suite, default_folder, load_suite
from conformance.render import diagnosis as render
from conformance.render.wrapping import wrap
from tools.renew import kept_run

PAGE = "docs/diagnoses.md"


class Shown(NamedTuple):
    """One diagnosis of the page: a heading that a person would say, and what is diagnosed."""

    heading: str
    implementation: str
    quantity: str
    dtypes: tuple[str, ...]
    run: str = "pinned"


SHOWN = (
    Shown(
        "PyTorch's logit loss loses what log_sigmoid absorbs",
        "torch/nn.functional.binary_cross_entropy_with_logits/eager/cpu",
        "value",
        ("float32", "float64", "float16", "bfloat16"),
    ),
    Shown(
        "Its gradient is sigmoid(z) - y, and saturates",
        "torch/nn.functional.binary_cross_entropy_with_logits/eager/cpu",
        "gradient-prediction",
        ("float32", "float64", "float16", "bfloat16"),
    ),
    Shown(
        "torch.compile computes 16 bits in float32, with one rounding",
        "torch/nn.functional.binary_cross_entropy_with_logits/compile/cpu",
        "value",
        ("float16", "bfloat16"),
        "modes",
    ),
    Shown(
        "BCELoss limits the denominator of its gradient to 1e-12, which is 0 in float16",
        "torch/nn.BCELoss/eager/cpu",
        "gradient-prediction",
        ("float32", "float64", "float16", "bfloat16"),
    ),
    Shown(
        "Keras' clip has no effect in 16 bits, and its 1 - p is rounded before the logarithm",
        "keras-tensorflow/ops.binary_crossentropy/eager/cpu",
        "value",
        ("float32", "float64", "float16", "bfloat16"),
    ),
    Shown(
        "tf_keras adds epsilon after it has clipped by it",
        "tf-keras/backend.binary_crossentropy/eager/cpu",
        "value",
        ("float32", "float64", "float16", "bfloat16"),
    ),
    Shown(
        "tf.function takes the gradient in another order than the tape",
        "tensorflow/nn.sigmoid_cross_entropy_with_logits/function/cpu",
        "gradient-prediction",
        ("float32", "float64", "float16", "bfloat16"),
        "modes",
    ),
    Shown(
        "XLA fuses a product into a sum, and flushes",
        "tensorflow/nn.sigmoid_cross_entropy_with_logits/xla/cpu",
        "value",
        ("float32", "float64", "float16", "bfloat16"),
        "modes",
    ),
    Shown(
        "Keras averages float64 in float32",
        "keras-jax/losses.binary_crossentropy/eager/cpu",
        "value",
        ("float64",),
    ),
    Shown(
        "A focal loss at gamma 0 multiplies 0 by infinity",
        "jax/optax.losses.sigmoid_focal_loss/eager/cpu",
        "value",
        ("float32", "float64", "float16", "bfloat16"),
    ),
    Shown(
        "TensorFlow flushes subnormal numbers",
        "tensorflow/nn.sigmoid_cross_entropy_with_logits/eager/cpu",
        "value",
        ("float32", "float64", "bfloat16"),
    ),
)


@cache
def suite() -> Suite:
    """The cases."""
    return load_suite(default_folder())


def pages(shown: Shown) -> list[render.Page]:
    """What the command tells of it."""
    found = [
        one
        for one in diagnose(kept_run(shown.run), suite(), shown.implementation, (shown.quantity,), shown.dtypes)
        if one.group.dtype == one.group.result_dtype
    ]
    return list(render.pages(found, kept_run(shown.run), suite()))


def page() -> str:
    """The page as Markdown."""
    lines = [
        "# Diagnoses",
        "",
        "Why results of the pinned versions are wrong, as `bce-conformance diagnose` tells it of runs in `results/`.",
        "[Why a result is wrong](why.md) explains how this is found, and what the words mean.",
        "This page is made by `make renew`.",
    ]
    for shown in SHOWN:
        name = "results/" + shown.run + ".jsonl.gz"
        lines += ["", f"## {shown.heading}", "", "```console"]
        lines += [f"$ bce-conformance diagnose {name} {shown.implementation} --quantity {shown.quantity}"]
        lines += [render.document(pages(shown)).rstrip("\n")]
        known = problems_of(kept_run(shown.run), shown.implementation, (shown.quantity,), shown.dtypes, EVERYTHING)
        lines += [part.plain for line in known for part in wrap(Text(line), render.WIDTH)]
        lines += ["```"]
    return "\n".join([*lines, ""])


def files() -> dict[str, str]:
    """The page."""
    return {PAGE: page()}
