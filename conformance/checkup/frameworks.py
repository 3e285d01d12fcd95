"""What the doctor knows of frameworks: how they are written, which formula they evaluate, and two lines for a fault.

Formulas are named as in `formulas.catalogue`, which has their sources; that they are the ones is what
`bce-conformance diagnose` says of the pinned versions (docs/diagnoses.md).  `tests/checkup` runs every remedy, and
compares the models with the frameworks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from conformance.formulas.arithmetic import EACH, KERNELS, WIDER

#: Documented bound of a clip to [1e-7, 1 - 1e-7]: keras.config.epsilon(), Keras 3.15.
CLIP = 1e-7


@dataclass(frozen=True)
class Model:
    """Formulas of `formulas.catalogue` that an entry evaluates, and its problems in `known/`.

    The problems are those of the value, of the gradient, of a NaN, and of a clip that does not keep 1 off.
    """

    entry: str
    value: str
    gradient: str
    problems: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Framework:
    """How a loss is written, for `Template`s, and what the framework does with inputs of other kinds.

    `losses` gives one loss for each element, by form.  `integers` says what it does with integer labels, `shapes` with
    labels (n,) against predictions (n, 1), "" where either is right.  `arithmetic` is that of 16-bit inputs by dtype,
    `counted` whether a mean of float16 counts its elements in float16.  `autocasts` names the forms whose losses
    are computed in float32 under mixed precision, `autocast` says what it does with those of probabilities there.
    """

    version: str
    losses: Mapping[str, str]
    models: Mapping[str, Model]
    cast: str
    clip: str
    mean: str
    sum: str
    reshape: str
    one_hot: str
    where: str
    math: str
    hunt: tuple[str, str]
    integers: str = ""
    shapes: str = ""
    arithmetic: Mapping[str, str] = field(default_factory=dict)
    counted: bool = False
    clipped: float = 0.0
    autocasts: tuple[str, ...] = ()
    autocast: str = ""


_XLOGY = "-({0}.xlogy({{y}}, {{p}}) + {0}.xlog1py(1 - {{y}}, -{{p}}))"
_BY_HAND = "{0}.where({{p}} >= 0, (1 - {{y}}) * {{p}}, -{{y}} * {{p}}) + {0}.log1p({0}.exp(-{0}.abs({{p}})))"
_TF_LOGITS = "max(z, 0) - z*y + log1p(exp(-|z|))"
_KERAS_PROBLEMS = {
    "value": "keras-one-minus-p-rounded",
    "gradient": "keras-one-minus-p-rounded",
    "clip": "keras-clip-bound-is-1-in-16-bits",
    "nan": "keras-float16-reciprocal-overflows",
}
_CLIPPED = "clip by 1e-7, log and log(1 - q)"

FRAMEWORKS: dict[str, Framework] = {
    "torch": Framework(
        version="torch 2.13",
        losses={
            "logits": 'torch.nn.functional.binary_cross_entropy_with_logits({p}, {y}, reduction="none")',
            "probabilities": 'torch.nn.functional.binary_cross_entropy({p}, {y}, reduction="none")',
        },
        models={
            "logits": Model(
                "BCEWithLogitsLoss",
                "(1 - y)*z - log_sigmoid(z)",
                "dL/dx of (1 - y)*z - log_sigmoid(z), by its own formula 1",
                {"value": "bcewithlogits-loss-lost-at-label-0", "gradient": "bcewithlogits-derivatives-vanish"},
            ),
            "probabilities": Model(
                "BCELoss",
                "logarithms not below -100",
                "dL/dx of logarithms not below -100, by torch",
                {"gradient": "bceloss-gradient-limited", "nan": "bceloss-float16-epsilon-is-0"},
            ),
        },
        cast="{x}.to(torch.{dtype})",
        clip="torch.clamp({x}, {low}, {high})",
        mean="{x}.mean()",
        sum="{x}.sum()",
        reshape="{x}.reshape({shape})",
        one_hot="torch.nn.functional.one_hot(label.long(), {classes})",
        where="torch.where",
        math="torch",
        hunt=("torch.autograd.set_detect_anomaly(True)  # the step that makes a NaN raises", "loss.backward()"),
        integers="refuses them: result type Float can't be cast",
        shapes="refuses them: target size must be the same as input size",
        arithmetic={"float16": EACH, "bfloat16": KERNELS},
        autocasts=("logits",),
        autocast="refuses binary_cross_entropy and BCELoss inside of autocast on a GPU",
    ),
    "tensorflow": Framework(
        version="tensorflow 2.21",
        losses={
            "logits": "tf.nn.sigmoid_cross_entropy_with_logits(labels={y}, logits={p})",
            "probabilities": "tf.keras.ops.binary_crossentropy({y}, {p})",
        },
        models={
            "logits": Model("sigmoid_cross_entropy_with_logits", _TF_LOGITS, f"dL/dx of {_TF_LOGITS}, by tensorflow"),
            "probabilities": Model(
                "keras.ops.binary_crossentropy",
                _CLIPPED,
                f"dL/dx of {_CLIPPED}, by tensorflow",
                _KERAS_PROBLEMS,
            ),
        },
        cast="tf.cast({x}, tf.{dtype})",
        clip="tf.clip_by_value({x}, {low}, {high})",
        mean="tf.reduce_mean({x})",
        sum="tf.reduce_sum({x})",
        reshape="tf.reshape({x}, {shape})",
        one_hot="tf.one_hot(tf.cast(label, tf.int32), {classes})",
        where="tf.where",
        math="tf.math",
        hunt=("tf.debugging.enable_check_numerics()  # the step that makes a NaN raises", "loss = {mean_losses}"),
        integers="refuses them: expected to be a float tensor",
        shapes="refuses them: logits and labels must have the same shape",
        arithmetic={"float16": EACH, "bfloat16": WIDER},
        counted=True,
        clipped=CLIP,
    ),
    "keras": Framework(
        version="keras 3.15",
        losses={
            "logits": "keras.ops.binary_crossentropy({y}, {p}, from_logits=True)",
            "probabilities": "keras.ops.binary_crossentropy({y}, {p})",
        },
        models={
            "logits": Model(
                "keras.losses.binary_crossentropy(from_logits=True)",
                _TF_LOGITS,
                f"dL/dx of {_TF_LOGITS}, by tensorflow",
            ),
            "probabilities": Model(
                "keras.losses.binary_crossentropy",
                _CLIPPED,
                f"dL/dx of {_CLIPPED}, by tensorflow",
                _KERAS_PROBLEMS,
            ),
        },
        cast="keras.ops.cast({x}, '{dtype}')",
        clip="keras.ops.clip({x}, {low}, {high})",
        mean="keras.ops.mean({x})",
        sum="keras.ops.sum({x})",
        reshape="keras.ops.reshape({x}, {shape})",
        one_hot="keras.ops.one_hot(keras.ops.cast(label, 'int32'), {classes})",
        where="keras.ops.where",
        math="keras.ops",
        hunt=("callbacks = [keras.callbacks.TerminateOnNaN()]  # of model.fit", "loss = {mean_losses}"),
        arithmetic={"float16": EACH, "bfloat16": WIDER},
        clipped=CLIP,
        autocasts=("logits", "probabilities"),  # its loss objects compute in float32, whatever the policy of the layers
    ),
    "jax": Framework(
        version="jax 0.10, optax 0.2",
        losses={
            "logits": "optax.sigmoid_binary_cross_entropy({p}, {y})",
            "probabilities": _XLOGY.format("jax.scipy.special"),
        },
        models={
            "logits": Model(
                "optax.sigmoid_binary_cross_entropy",
                "-y*log_sigmoid(z) - (1 - y)*log_sigmoid(-z)",
                "dL/dx of -y*log_sigmoid(z) - (1 - y)*log_sigmoid(-z), by jax",
            ),
        },
        cast="{x}.astype(jnp.{dtype})",
        clip="jnp.clip({x}, {low}, {high})",
        mean="{x}.mean()",
        sum="{x}.sum()",
        reshape="{x}.reshape({shape})",
        one_hot="jax.nn.one_hot(label, {classes})",
        where="jnp.where",
        math="jnp",
        hunt=('jax.config.update("jax_debug_nans", True)  # the step that makes a NaN raises', "loss = {mean_losses}"),
        shapes="broadcasts them in silence",
        arithmetic={"float16": EACH, "bfloat16": EACH},
    ),
    "numpy": Framework(
        version="numpy 2.4",
        losses={"logits": f"({_BY_HAND.format('np')})", "probabilities": _XLOGY.format("scipy.special")},
        models={},
        cast="{x}.astype(np.{dtype})",
        clip="np.clip({x}, {low}, {high})",
        mean="{x}.mean()",
        sum="{x}.sum()",
        reshape="{x}.reshape({shape})",
        one_hot="np.eye({classes})[label.astype(int)]",
        where="np.where",
        math="np",
        hunt=('np.seterr(all="raise", under="ignore")  # the step that makes a NaN raises', "loss = {mean_losses}"),
        shapes="broadcasts them in silence",
    ),
}


def series(text: str) -> tuple[int, ...]:
    """The first two numbers of a version, which tell releases apart that may compute otherwise: (2, 13) of `2.13.0`."""
    return tuple(int(one) for one in re.findall(r"\d+", text)[:2])


def older_or_newer(framework: str, version: str) -> str:
    """What to know of a version that is not the one whose formulas are known, and "" where it is."""
    spoken = FRAMEWORKS[framework]
    given, known = series(version), series(spoken.version)
    if not given or given == known[: len(given)]:
        return ""
    than = "older" if given < known else "newer"
    says = f"formulas are those of {spoken.version}, and {version} is {than}"
    if given[0] != known[0]:
        says += ", too far away for them"
    return f"{says}: docs/behaviour-by-version.md says which releases compute otherwise"


#: What is shown where nobody named a framework.
PLAIN = "numpy"

_NO_LAYER = "# leave the last {layer} out: give the loss what goes into it"
_LEFT_OUT = "# give the loss what goes into the last sigmoid"
_AS_IS = "losses = {losses}"
_WIDER = "prediction, label = {p32}, {y32}"
_MEAN = "loss = {mean_losses}"
_RIGHT = "losses = {where}({z} >= 0, (1 - {y}) * {z}, -{y} * {z}) + {math}.log1p({math}.exp(-{math}.abs({z})))"

#: Two lines for each fault, and the form that the loss has then, "" for that of the batch.
REMEDIES: dict[str, tuple[str, str, str]] = {
    "nan-in": ("{hunt0}", "{hunt1}", ""),
    "infinity-in": ("prediction = {clip_p}  # the loss is right beyond, its gradient is nearly 0", _MEAN, ""),
    "labels-nan": (
        "weight, label = {there}, {where}(label == label, label, 0.0)  # NaN is not equal to itself",
        "loss = {sum_weighted} / {sum_weight}",
        "",
    ),
    "shape": ("label = {reshape_y}", _MEAN, ""),
    "two-columns": ("prediction = prediction[..., 1] - prediction[..., 0]", _MEAN, "logits"),
    "softmax-columns": ("prediction = prediction[..., 1]  # that of class 1", _MEAN, "probabilities"),
    "one-hot": ("label = {one_hot}", _MEAN, ""),
    "weight-shape": ("weight = {reshape_w}", "loss = {mean_weighted}", ""),
    "weight-rows": ("weight = {reshape_rows}", "loss = {mean_weighted}", ""),
    "class-weights": ("weight = {by_class}", "loss = {mean_weighted}", ""),
    "pos-weight-shape": (
        "weight = {by_label}  # pos_weight[0] is that of label 1",
        "loss = {mean_weighted}",
        "",
    ),
    "exchanged": ("prediction, label = label, prediction", _MEAN, ""),
    "labels-twice": ("label = label * 255", _MEAN, ""),
    "labels-rounded": ("label = {clip_y}", _MEAN, ""),
    "labels-minus-one": ("label = ({label} + 1) / 2", _MEAN, ""),
    "labels-scaled": ("label = {label} / {top}", _MEAN, ""),
    "labels-mask": (
        "weight = {kept}  # 0 where the label is the mask",
        "loss = {sum_masked} / {sum_weight}",
        "",
    ),
    "labels-classes": ("label = {is_class}  # one class against the others", _MEAN, ""),
    "labels-outside": ("label = ({label} - {low}) / {width}", _MEAN, ""),
    "labels-integer": ("label = {y32}", _MEAN, ""),
    "weights-negative": ("weight = {clip_w}  # a weight below 0 rewards mistakes", "loss = {mean_weighted}", ""),
    "weights-zero": ("total = {clip_total}  # 1 where no weight is left", "loss = {sum_weighted} / total", ""),
    "logits-as-probabilities": ("# the prediction is a logit: call the loss of logits", _MEAN, "logits"),
    "probability-rounded": ("prediction = {clip01}", _MEAN, ""),
    "percent": ("prediction = prediction / 100", _MEAN, ""),
    "second-sigmoid": ("# the prediction is a probability: call the loss of probabilities", _MEAN, "probabilities"),
    "log-probability": ("prediction = {math}.exp(prediction)", _MEAN, "probabilities"),
    "tanh": (_NO_LAYER.replace("{layer}", "tanh"), _MEAN, "logits"),
    "relu": (_NO_LAYER.replace("{layer}", "ReLU"), _MEAN, "logits"),
    "softmax-of-one": ("# one output has no softmax: give the loss what goes into it", _MEAN, "logits"),
    "one-minus-eps": (_WIDER, _MEAN, ""),
    "sum-16-bit": (_WIDER, _MEAN, ""),
    "overflow-16-bit": (_WIDER, _MEAN, ""),
    "saturated": (_LEFT_OUT, _MEAN, "logits"),
    "autocast": (_LEFT_OUT, _MEAN, "logits"),
    "clip": (_LEFT_OUT, _MEAN, "logits"),
    "known": (_RIGHT, "loss = {mean_of_losses}", "logits"),
    "nan-formula": (_RIGHT, "loss = {mean_of_losses}", "logits"),
    "reduction": (_AS_IS, "loss = {mean_of_losses}", ""),
    "weights": ("losses = weight * {losses}", "loss = {mean_of_losses}", ""),
    "differs": (_AS_IS, "loss = {mean_of_losses}", ""),
}


def remedy(fault: str, framework: str, form: str, values: Mapping[str, float] | None = None) -> tuple[str, str]:
    """The two lines against a fault, in a framework; `values` are numbers of the finding that they hold."""
    spoken = FRAMEWORKS[framework or PLAIN]
    first, second, other = REMEDIES[fault]
    if first == _RIGHT and form == "probabilities":  # which is of a logit
        first, second = _LEFT_OUT, _MEAN
    words = _words(spoken, other or form, values or {})
    return first.format_map(words), second.format_map(words)


def _words(spoken: Framework, form: str, values: Mapping[str, float]) -> dict[str, str]:
    """What the templates of remedies are filled with."""
    numbers = {name: f"{value:g}" for name, value in values.items()}
    mask, kind = numbers.get("mask", "-1"), numbers.get("class", "1")

    def cast(x: str) -> str:
        return spoken.cast.format(x=x, dtype="float32")

    def clip(x: str, low: str, high: str) -> str:
        return spoken.clip.format(x=x, low=low, high=high)

    def losses(y: str = "label") -> str:
        return spoken.losses[form].format(p="prediction", y=y)

    def mean(x: str) -> str:
        return spoken.mean.format(x=x)

    def total(x: str) -> str:
        return spoken.sum.format(x=x)

    def reshape(x: str, shape: str) -> str:
        return spoken.reshape.format(x=x, shape=shape)

    largest = "3.4e38"
    words = {
        "losses": losses(),
        "mean_losses": mean(losses()),
        "mean_of_losses": mean("losses"),
        "mean_weighted": mean(f"(weight * {losses()})"),
        "sum_weighted": total(f"(weight * {losses()})"),
        "sum_masked": total(f"(weight * {losses('label * weight')})"),
        "sum_weight": total("weight"),
        "clip_total": clip(total("weight"), "1", largest),
        "label": cast("label"),
        "y32": cast("label"),
        "p32": cast("prediction"),
        "kept": cast(f"(label != {mask})"),
        "is_class": cast(f"(label == {kind})"),
        "clip_y": clip("label", "0", "1"),
        "clip_w": clip("weight", "0", largest),
        "clip01": clip("prediction", "0", "1"),
        "clip_p": clip("prediction", "-80", "80") if form == "logits" else clip("prediction", "0", "1"),
        "there": cast("(label == label)"),
        "reshape_y": reshape("label", "prediction.shape"),
        "reshape_w": reshape("weight", "prediction.shape"),
        "reshape_rows": reshape("weight", "(-1, " + ", ".join(["1"] * max(int(values.get("axes", 1)), 1)) + ")"),
        "by_class": f"{spoken.where}(label > 0.5, weight[1], weight[0])",
        "by_label": f"{spoken.where}(label > 0.5, {reshape('pos_weight', '-1')}[0], 1.0)",
        "one_hot": cast(spoken.one_hot.format(classes=numbers.get("classes", "2"))),
        "where": spoken.where,
        "math": spoken.math,
        "z": "prediction",
        "y": "label",
        **numbers,
    }
    return words | {f"hunt{place}": line.format_map(words) for place, line in enumerate(spoken.hunt)}
