"""Batches with a known fault and healthy ones: each fault is named, and no healthy batch is accused.

The batches are situations of trainings, restated with a fixed seed; what a loss "saw" is computed here in float64 or by
NumPy in the dtype, and not by the code under test.
"""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from click.testing import CliRunner, Result

from conformance import doctor, watch
from conformance.checkup.frameworks import FRAMEWORKS, REMEDIES, remedy
from conformance.cli import main
from conformance.errors import Exit, InputError
from conformance.formulas.arithmetic import EACH, arithmetics
from conformance.formulas.catalogue import Options, candidates
from conformance.formulas.evaluate import emulated
from conformance.known.problem import load
from conformance.shipped import shipped

ROOT = Path(__file__).parents[2]
N = 256


class Known(NamedTuple):
    """A batch: its name, the faults that it has, what goes to `doctor`, and words of the report."""

    name: str
    faults: tuple[str, ...]
    given: dict[str, Any]
    words: str = ""


def sigmoid(z: Any) -> Any:
    """In float64."""
    return 1 / (1 + np.exp(-np.asarray(z, np.float64)))


def bce(p: Any, y: Any) -> Any:
    """The loss of each probability, in float64."""
    p, y = np.asarray(p, np.float64), np.asarray(y, np.float64)
    with np.errstate(all="ignore"):
        return -(np.where(y == 0, 0, y * np.log(p)) + np.where(y == 1, 0, (1 - y) * np.log1p(-p)))


def of_logits(z: Any, y: Any, weight: Any = 1.0, pos_weight: Any = 1.0) -> Any:
    """The loss of each logit, in float64."""
    z, y = np.asarray(z, np.float64), np.asarray(y, np.float64)
    return weight * (pos_weight * y * np.logaddexp(0, -z) + (1 - y) * np.logaddexp(0, z))


def with_one(array: Any, place: int, value: float) -> Any:
    """An array with another number at one place."""
    array = np.array(array)
    array[place] = value
    return array


_random = np.random.default_rng(20)
Z = _random.normal(0, 3, N).astype(np.float32)
Y = (_random.random(N) < sigmoid(Z)).astype(np.float32)
P = sigmoid(Z).astype(np.float32)
#: Logits of a network that is sure, and mostly right.
SURE = (_random.normal(0, 8, N)).astype(np.float32)
YS = (_random.random(N) < sigmoid(SURE)).astype(np.float32)
SOFT = _random.random(N).astype(np.float32)
PIXELS = _random.integers(0, 256, N)
PIXELS[:2] = 0, 255
W = _random.uniform(0.2, 3, N)
NAN, INF = math.nan, math.inf


def logits(label: Any = Y, **given: Any) -> dict[str, Any]:
    """A call with the logits Z."""
    return {"prediction": Z, "label": label, "form": "logits", **given}


def probabilities(label: Any = Y, **given: Any) -> dict[str, Any]:
    """A call with the probabilities P."""
    return {"prediction": P, "label": label, "form": "probabilities", **given}


HALF = np.full(2000, -60.0, np.float16)
ONES = np.ones(2000, np.float16)
RIGHT = Y.copy()
P16 = with_one(P, 3, 1.0).astype(np.float16)
P16_RIGHT = np.where(P16 == 1, 1, Y)
TORCH_BFLOAT16 = {"form": "logits", "framework": "torch", "dtype": "bfloat16"}
MASKED = with_one(with_one(Y, 5, -100), 9, -100)

FAULTY = (
    # What comes in.
    Known("a NaN in the activations", ("nan-in",), logits(prediction=with_one(Z, 7, NAN), loss=NAN), "[7]"),
    Known("missing labels that were read as NaN", ("labels-nan",), logits(with_one(Y, 4, NAN)), "[4]"),
    Known("a NaN in all labels", ("nan-in",), logits(np.full(N, NAN)), "256 of 256 labels"),
    Known("an infinite logit of a mask", ("infinity-in",), logits(prediction=with_one(Z, 0, -INF)), "[0]"),
    Known("an overflow to infinity in the layer before", ("infinity-in",), logits(prediction=with_one(Z, 2, INF))),
    Known("a NaN weight, 0/0 of a class that is absent", ("nan-in",), logits(weight=with_one(W, 1, NAN)), "weights"),
    Known("an infinite pos_weight, n/0", ("nan-in",), logits(pos_weight=np.array(INF)), "pos_weight"),
    # Labels.
    Known("a mask image saved as PNG, 0 and 255", ("labels-scaled",), logits(Y * 255), "255"),
    Known("pixels of MNIST that were not divided by 255", ("labels-scaled",), logits(PIXELS.astype(np.float32)), "255"),
    Known("labels -1 and 1 of an SVM", ("labels-minus-one",), logits(2 * Y - 1), "-1 stands for no"),
    Known("labels 0 and 2", ("labels-scaled",), logits(2 * Y), "2 stands for yes"),
    Known("labels 1 and 2, counted from one", ("labels-classes",), logits(1 + Y)),
    Known("a mask of 0 and 1 that was divided by 255", ("labels-twice",), logits(Y / 255), "1/255"),
    Known("pixels that were divided by 255 twice", ("labels-twice",), logits((PIXELS / 255**2).astype(np.float32))),
    Known("class indices of ten classes", ("labels-classes",), logits(np.arange(N) % 10), "9"),
    Known("ignore_index -100 beside 0 and 1", ("labels-mask",), logits(MASKED), "2 of 256 labels"),
    Known("255 for void pixels beside 0 and 1", ("labels-mask",), logits(with_one(Y, 3, 255))),
    Known("-1 for unknown beside 0 and 1", ("labels-mask",), logits(with_one(Y, 3, -1)), "[3]"),
    Known("targets normalized to mean 0", ("labels-outside",), logits((SOFT - SOFT.mean()) / SOFT.std())),
    Known("soft labels that interpolation let out", ("labels-rounded",), logits(with_one(SOFT, 6, 1.0000001))),
    Known("int64 labels for torch", ("labels-integer",), logits(Y.astype(np.int64), framework="torch"), "int64"),
    Known("bool labels for tensorflow", ("labels-integer",), logits(Y.astype(bool), framework="tensorflow"), "bool"),
    Known(
        "uint8 labels in a textbook formula, whose -y is 255",
        ("labels-integer",),
        probabilities(
            Y.astype(np.uint8),
            loss=np.mean((-Y.astype(np.uint8)) * np.log(P.astype(float)) - (1 - Y) * np.log1p(-P.astype(float))),
        ),
        "wrong sign",
    ),
    # Shapes.
    Known("labels (n,) against logits (n, 1)", ("shape",), logits(prediction=Z[:, None]), "65536 losses of 256"),
    Known("labels (n, 1) against logits (n,), in optax", ("shape",), logits(Y[:, None], framework="jax"), "in silence"),
    Known("one label short", ("shape",), logits(Y[1:]), "do not fit"),
    Known("two columns of a softmax", ("two-columns",), logits(prediction=np.stack([-Z, Z], 1)), "2 classes"),
    Known("a weight (n, 1)", ("weight-shape",), logits(weight=W[:, None]), "makes 65536 losses"),
    Known(
        "a weight for each row of a matrix",
        ("weight-rows",),
        logits(Y.reshape(64, 4), prediction=Z.reshape(64, 4), weight=W[:64], framework="torch"),
        "weight = weight.reshape((-1, 1))",
    ),
    Known("a weight for each class", ("class-weights",), logits(weight=np.array([1.0, 9.0])), "one for each class"),
    Known("a pos_weight for each class", ("pos-weight-shape",), logits(pos_weight=np.array([1.0, 9.0])), "one number"),
    Known(
        "a softmax of two columns",
        ("softmax-columns",),
        probabilities(prediction=np.stack([1 - P, P], 1)),
        "a softmax of 2 classes",
    ),
    Known(
        "numbers of ten classes against ten logits",
        ("one-hot",),
        {"prediction": np.tile(Z[:64, None], 10), "label": np.arange(64) % 10, "form": "logits", "framework": "torch"},
        "one_hot(label.long(), 10)",
    ),
    Known(
        "one label for a row of four",
        ("shape",),
        logits(Y[:64, None], prediction=Z.reshape(64, 4)),
        "each label is used for 4 predictions",
    ),
    Known("one label for all, in torch", ("shape",), logits(np.float32(1), framework="torch"), "refuses them"),
    Known(
        "the mean over every pair was seen",
        ("shape",),
        logits(loss=of_logits(Z[:, None], Y[None, :]).mean()),
        "every prediction with every label",
    ),
    # Weights.
    Known("a negative weight", ("weights-negative",), logits(weight=with_one(W, 8, -2.0)), "-2"),
    Known("a negative pos_weight", ("weights-negative",), logits(pos_weight=np.array(-1.0)), "pos_weight"),
    Known("a batch that is masked as a whole", ("weights-zero",), logits(weight=np.zeros(N), loss=NAN), "0/0"),
    Known(
        "divided by the sum of the weights", ("weights",), logits(weight=W, loss=np.average(of_logits(Z, Y), weights=W))
    ),
    Known(
        "weights that were forgotten",
        ("weights",),
        logits(weight=W, loss=of_logits(Z, Y).mean()),
        "without the weights",
    ),
    Known("weights applied twice", ("weights",), logits(weight=W, loss=of_logits(Z, Y, W**2).mean()), "twice"),
    Known("pos_weight that was forgotten", ("weights",), logits(pos_weight=np.array(9.0), loss=of_logits(Z, Y).mean())),
    Known("a sum where a mean was meant", ("reduction",), logits(loss=of_logits(Z, Y).sum()), "the sum"),
    Known("a mean where a sum was meant", ("reduction",), logits(reduction="sum", loss=of_logits(Z, Y).mean())),
    Known(
        "a sum over columns and a mean over rows",
        ("reduction",),
        logits(Y.reshape(64, 4), prediction=Z.reshape(64, 4), loss=of_logits(Z, Y).sum() / 64),
        "64 rows",
    ),
    # The form.
    Known("logits given to BCELoss", ("logits-as-probabilities",), logits(form="probabilities", framework="torch")),
    Known("a sigmoid before a logit loss", ("second-sigmoid",), probabilities(prediction=sigmoid(SURE), form="logits")),
    Known(
        "rare events with a sigmoid before a logit loss",
        ("second-sigmoid",),
        {"prediction": sigmoid(_random.normal(-4, 2, 2000)), "label": np.zeros(2000), "form": "logits"},
        "0.6931 at label 0",
    ),
    Known(
        "probabilities whose loss was that of a second sigmoid",
        ("second-sigmoid",),
        probabilities(loss=of_logits(P, Y).mean()),
        "second sigmoid",
    ),
    Known(
        "logits whose loss Keras clipped as probabilities",
        ("logits-as-probabilities",),
        logits(loss=bce(np.clip(Z, 1e-7, 1 - 1e-7), Y).mean()),
    ),
    Known("a tanh before a logit loss", ("tanh",), logits(prediction=np.tanh(Z)), "0.3133"),
    Known(
        "a ReLU before a logit loss",
        ("relu",),
        logits(prediction=np.maximum(Z, 0)),
        "cannot fall below 0.6931 at label 0",
    ),
    Known(
        "a fresh network after a ReLU", ("relu",), logits(prediction=np.clip(_random.normal(0, 0.3, N), 0, 1)), "ReLU"
    ),
    Known("logarithms of probabilities for logits", ("log-probability",), logits(prediction=-np.logaddexp(0, -SURE))),
    Known(
        "logarithms of probabilities for probabilities",
        ("log-probability",),
        probabilities(prediction=-np.logaddexp(0, -SURE)),
        "np.exp(prediction)",
    ),
    Known("probabilities in percent", ("percent",), probabilities(prediction=P * 100), "percent"),
    Known("a probability of 1.0000001", ("probability-rounded",), probabilities(prediction=with_one(P, 0, 1.0000001))),
    Known(
        "a softmax over one output",
        ("saturated", "softmax-of-one"),
        probabilities(prediction=np.ones(N, np.float32)),
        "softmax of one",
    ),
    # The dtype.
    Known(
        "the sum of a float16 batch",
        ("sum-16-bit",),
        {"prediction": HALF, "label": ONES, "form": "logits", "reduction": "sum", "loss": INF},
        "65504",
    ),
    Known(
        "a float16 mean that adds up first",
        ("sum-16-bit",),
        {"prediction": HALF, "label": ONES, "form": "logits", "loss": INF},
    ),
    Known(
        "a float16 mean of 70000 in tensorflow",
        ("sum-16-bit",),
        {
            "prediction": np.zeros(70000, np.float16),
            "label": np.zeros(70000, np.float16),
            "form": "logits",
            "framework": "tensorflow",
        },
        "70000 elements",
    ),
    Known(
        "a float16 loss with a large weight",
        ("overflow-16-bit",),
        {"prediction": HALF, "label": ONES, "weight": np.full(2000, 2000.0), "form": "logits"},
    ),
    Known(
        "a clip by 1e-8 in float32",
        ("one-minus-eps",),
        probabilities(P16_RIGHT, prediction=with_one(P, 3, 1.0), epsilon=1e-8),
        "1 - 1e-08 is 1",
    ),
    Known(
        "Keras' clip in float16",
        ("one-minus-eps",),
        {
            "prediction": np.float16([0.5, 1.0]),
            "label": np.float16([0, 1]),
            "form": "probabilities",
            "framework": "keras",
        },
        "1 - 1e-07 is 1",
    ),
    Known("autocast around BCELoss", ("autocast",), probabilities(framework="torch", autocast=True), "autocast"),
    # The gradient, and formulas.
    Known(
        "probabilities of 0 that are wrong",
        ("saturated",),
        probabilities(np.ones(N), prediction=with_one(P, 9, 0.0)),
        "[9]",
    ),
    Known(
        "Keras' clip cuts the gradient off",
        ("clip", "saturated"),
        probabilities(np.ones(N), prediction=np.full(N, 1e-9, np.float32), framework="keras"),
        "pass no gradient",
    ),
    Known(
        "BCELoss limits its gradient at 1e12",
        ("known",),
        probabilities(np.ones(N), prediction=np.full(N, 1e-14, np.float32), framework="torch"),
        "bceloss-gradient-limited",
    ),
    Known(
        "1 - p is rounded in Keras before its logarithm",
        ("known",),
        probabilities(0 * P, prediction=np.full(N, 0.008, np.float16), framework="keras"),
        "keras-one-minus-p-rounded",
    ),
    Known(
        "a probability next to 1 that Keras clips",
        ("clip", "saturated"),
        probabilities(np.zeros(N), prediction=np.full(N, 1 - 1e-12), framework="keras"),
        "p = 1 - 1e-12",
    ),
    Known(
        "two columns, one of them infinite",
        ("infinity-in", "two-columns"),
        logits(prediction=np.stack([np.full(N, -INF), np.where(Y == 1, INF, 0)], 1)),
        "scores of 2 classes",
    ),
    Known(
        "float16 logits whose loss PyTorch loses",
        ("known",),
        {
            "prediction": np.full(64, -6.5, np.float16),
            "label": np.zeros(64, np.float16),
            "form": "logits",
            "framework": "torch",
        },
        "bcewithlogits-loss-lost-at-label-0",
    ),
    Known(
        "the textbook formula at p = y = 1",
        ("nan-formula",),
        probabilities(np.where(P16 == 1, 1, Y), prediction=with_one(P, 3, 1.0), loss=NAN),
        "textbook",
    ),
    Known(
        "log(1 + exp(z)) that overflows",
        ("nan-formula",),
        logits(prediction=with_one(Z, 3, 800.0), label=with_one(Y, 3, 1), loss=NAN),
    ),
    Known(
        "infinite float16 logits, whose loss PyTorch makes NaN",
        ("infinity-in",),
        logits(prediction=with_one(Z, 2, -INF), loss=NAN, framework="torch"),
    ),
    Known(
        "a bfloat16 loss that PyTorch loses, as it was seen",
        ("known",),
        {"prediction": np.full(64, -6.0), "label": np.zeros(64), "loss": 0.0, **TORCH_BFLOAT16},
        "which is what BCEWithLogitsLoss",
    ),
    Known(
        "an infinite loss that BCELoss limits to 100, as it was seen",
        ("saturated",),
        probabilities(
            np.ones(N),
            prediction=with_one(np.full(N, 0.5), 9, 0.0),
            framework="torch",
            loss=(255 * math.log(2) + 100) / N,
        ),
        "which is what BCELoss",
    ),
    Known(
        "an infinite loss that a sum with 1e-7 hides",
        ("clip", "saturated"),
        probabilities(
            np.ones(N),
            prediction=with_one(np.full(N, 0.5), 9, 0.0),
            epsilon=1e-7,
            loss=(-255 * math.log(0.5 + 1e-7) - math.log(1e-7)) / N,
        ),
        "with 1e-07 added",
    ),
    Known(
        "a threshold before the loss",
        ("saturated",),
        probabilities(prediction=(P > 0.5).astype(np.float32)),
        "a threshold or an argmax",
    ),
    # The number.
    Known(
        "a float16 mean of tensorflow over infinitely many",
        ("sum-16-bit",),
        {
            "prediction": np.tile(Z, 400).astype(np.float16),
            "label": np.tile(Y, 400).astype(np.float16),
            "form": "logits",
            "framework": "tensorflow",
            "loss": 0.0,
        },
    ),
    Known("a loss scaled for float16", ("reduction",), logits(loss=of_logits(Z, Y).mean() * 65536), "gradient scaler"),
    Known(
        "a loss divided for the sum of gradients", ("reduction",), logits(loss=of_logits(Z, Y).mean() / 4), "4 batches"
    ),
    Known(
        "a mean divided by the batch size again", ("reduction",), logits(loss=of_logits(Z, Y).mean() / N), "once more"
    ),
    Known(
        "a loss that was multiplied by the rows for a running sum",
        ("reduction",),
        logits(Y.reshape(64, 4), prediction=Z.reshape(64, 4), loss=of_logits(Z, Y).mean() * 64),
        "times the 64 rows",
    ),
    Known(
        "divided by the weights that are not 0",
        ("weights",),
        logits(weight=W * Y, loss=of_logits(Z, Y, W * Y).sum() / Y.sum()),
        "that are not 0",
    ),
    Known(
        "pos_weight given to the other class",
        ("weights",),
        logits(pos_weight=np.array(9.0), loss=np.mean(Y * of_logits(Z, 1) + 9 * (1 - Y) * of_logits(Z, 0))),
        "given to label 0",
    ),
    Known(
        "a focal loss",
        ("differs",),
        logits(loss=np.mean(sigmoid(np.where(Y == 1, -Z, Z)) ** 2 * of_logits(Z, Y))),
        "the focal loss with gamma 2",
    ),
    Known("a mean squared error", ("differs",), probabilities(loss=np.mean((P - Y) ** 2)), "squared error"),
    Known("the term of label 0 forgotten", ("differs",), probabilities(loss=np.mean(-Y * np.log(P))), "label 1 alone"),
    Known("a loss in decimal digits", ("differs",), logits(loss=of_logits(Z, Y).mean() / math.log(10)), "base 10"),
    Known(
        "label smoothing that nobody told",
        ("differs",),
        logits(loss=of_logits(Z, Y * 0.9 + 0.05).mean()),
        "smoothing 0.1",
    ),
    Known(
        "a penalty of weights in the loss", ("differs",), logits(loss=of_logits(Z, Y).mean() + 0.0137), "another term"
    ),
    Known(
        "a softmax cross entropy of one column",
        ("softmax-of-one",),
        logits(Y[:, None], prediction=Z[:, None], loss=0.0),
        "0 for all inputs",
    ),
    Known(
        "the categorical cross entropy of rows of classes",
        ("differs",),
        logits(
            np.eye(4)[np.arange(64) % 4],
            prediction=Z.reshape(64, 4),
            loss=np.mean(np.log(np.exp(Z.reshape(64, 4)).sum(1)) - Z.reshape(64, 4)[np.arange(64), np.arange(64) % 4]),
        ),
        "one excludes the others",
    ),
    Known("a loss in bits", ("differs",), logits(loss=of_logits(Z, Y).mean() / math.log(2)), "base 2"),
    Known(
        "half of a loss, which is no print of it",
        ("differs",),
        logits(prediction=0 * Z + 0.5, label=Y, loss=0.5),
        "none of the usual mistakes",
    ),
    Known("a forgotten minus sign", ("differs",), logits(loss=-of_logits(Z, Y).mean()), "wrong sign"),
    Known("prediction and label exchanged", ("exchanged",), probabilities(SOFT, loss=bce(SOFT, P).mean()), "exchanged"),
    Known(
        "label and prediction in the order of Keras",
        ("exchanged",),
        {"prediction": Y, "label": P, "form": "probabilities"},
        "look exchanged",
    ),
    Known("labels that mean the other class", ("differs",), logits(loss=of_logits(Z, 1 - Y).mean()), "labels 0 and 1"),
    Known(
        "a divergence in place of the cross entropy",
        ("differs",),
        logits(SOFT, loss=(of_logits(Z, SOFT) - bce(SOFT, SOFT)).mean()),
        "divergence",
    ),
    Known(
        "label smoothing that was not applied",
        ("differs",),
        logits(label_smoothing=0.2, loss=of_logits(Z, Y).mean()),
        "without label smoothing",
    ),
    Known("a negative loss of good inputs", ("differs",), logits(loss=-3.0), "no loss of these inputs is negative"),
    Known("a number that nothing explains", ("differs",), logits(loss=12.3), "none of the usual mistakes"),
    Known(
        "losses of elements, one of them wrong", ("differs",), logits(loss=with_one(of_logits(Z, Y), 11, 3.0)), "[11]"
    ),
)

HEALTHY = (
    Known(
        "a mask by weights, and the mean over all",
        (),
        logits(weight=Y, loss=of_logits(Z, Y, Y).mean(), framework="torch"),
        "which is what these inputs make",
    ),
    Known(
        "a mask by weights, and the mean over what it leaves",
        (),
        logits(weight=Y, loss=of_logits(Z, Y, Y).sum() / Y.sum()),
        "right as the mean over",
    ),
    Known("ignore_index -100 where the weight is 0", (), logits(MASKED, weight=(MASKED >= 0).astype(np.float32))),
    Known(
        "logits masked by -1e9 where the weight is 0",
        (),
        logits(prediction=with_one(Z, 4, -1e9), weight=with_one(np.ones(N), 4, 0)),
    ),
    Known("zeros of padding, which has weight 0", (), logits(prediction=np.abs(Z) * (W > 1), weight=(W > 1) * 1.0)),
    Known(
        "one wrong logit that carries the loss",
        (),
        logits(prediction=with_one(Z, 4, 1e6), label=with_one(Y, 4, 0)),
        "of it is that of one element of 256: the one at [4]",
    ),
    Known(
        "a network whose inputs do not reach its output", (), logits(prediction=np.zeros(N)), "nothing of its inputs"
    ),
    Known(
        "a network that says the share of ones",
        (),
        logits(prediction=np.full(1000, -2.2) + np.arange(1000) / 1e5, label=(np.arange(1000) % 10 == 0) * 1.0),
        "saying 0.1, the share of ones",
    ),
    Known("rare events", (), logits(prediction=Z - 6, label=(W > 2.9) * 1.0, pos_weight=np.float64(49))),
    Known(
        "a one-hot label of two softmax columns",
        (),
        probabilities(np.stack([1 - Y, Y], 1), prediction=np.stack([1 - P, P], 1)),
    ),
    Known("a single label that is nearly 0", (), logits(prediction=[-12.0], label=[6e-6])),
    Known("a batch that is masked as a whole, whose loss is 0", (), logits(weight=np.zeros(N), loss=0.0)),
    Known(
        "no form: what it was taken for is said",
        (),
        {"prediction": P, "label": Y},
        "probabilities by their numbers: say",
    ),
    Known("one-sided label smoothing of a discriminator", (), logits(np.full(N, 0.9)), "floor"),
    Known("labels that are probabilities of rare events", (), logits(prediction=Z - 8, label=SOFT / 300)),
    Known("a large float16 logit", (), logits(prediction=(Z * 3000).astype(np.float16), framework="torch")),
    Known(
        "probabilities of float16 in an object of keras, which computes in float32",
        (),
        probabilities(P16_RIGHT, prediction=P16, framework="keras", autocast=True),
    ),
    Known(
        "the same, told by the loss that was seen",
        (),
        probabilities(P16_RIGHT, prediction=P16, framework="keras", loss=bce(P16, P16_RIGHT).mean()),
    ),
    Known("an ordinary batch of logits", (), logits()),
    Known("an ordinary batch of probabilities", (), probabilities()),
    Known("a right loss as it is printed", (), logits(loss=round(float(of_logits(Z, Y).mean()), 4)), "is right"),
    Known("a right sum", (), logits(reduction="sum", loss=of_logits(Z, Y).sum())),
    Known("right losses of each element", (), logits(loss=of_logits(Z, Y).astype(np.float32))),
    Known("all labels 0", (), logits(np.zeros(N), framework="torch")),
    Known("all labels 1", (), logits(np.ones(N), framework="keras")),
    Known(
        "a fresh network whose logits are all in [0, 1]",
        (),
        logits(prediction=_random.uniform(0.2, 0.8, N)),
        "fresh network",
    ),
    Known(
        "a fresh network with few positive labels",
        (),
        logits(prediction=_random.uniform(0.05, 0.15, 5000), label=np.arange(5000) % 50 == 0),
    ),
    Known("a loss of 0.69", (), logits(prediction=Z / 1000, loss=0.69, framework="torch"), "0.69 is log 2"),
    Known(
        "very confident and right, in torch",
        (),
        logits(prediction=np.where(Y == 1, 40, -40).astype(np.float32), framework="torch"),
    ),
    Known("very confident and right, in keras", (), probabilities(prediction=Y.copy(), framework="keras")),
    Known("very confident and right, in BCELoss", (), probabilities(prediction=Y.copy(), framework="torch")),
    Known(
        "sure logits with their mistakes", (), {"prediction": SURE, "label": YS, "form": "logits", "framework": "torch"}
    ),
    Known("soft labels at their floor", (), logits(sigmoid(Z), loss=bce(sigmoid(Z), sigmoid(Z)).mean()), "cannot fall"),
    Known("soft labels above their floor", (), logits(SOFT, framework="tensorflow"), "floor"),
    Known(
        "a large pos_weight",
        (),
        logits(pos_weight=np.array(500.0), loss=of_logits(Z, Y, 1, 500).mean(), framework="torch"),
    ),
    Known(
        "a pos_weight for each column",
        (),
        logits(Y.reshape(64, 4), prediction=Z.reshape(64, 4), pos_weight=np.arange(1.0, 5)),
    ),
    Known("weights of 0 and 1", (), logits(weight=Y, loss=of_logits(Z, Y, Y).mean())),
    Known(
        "label smoothing", (), logits(label_smoothing=0.1, loss=of_logits(Z, Y * 0.9 + 0.05).mean(), framework="keras")
    ),
    Known(
        "a float16 batch that is fine",
        (),
        logits(prediction=Z.astype(np.float16), label=Y.astype(np.float16), framework="torch"),
    ),
    Known("a bfloat16 batch that is fine", (), logits(dtype="bfloat16", framework="jax")),
    Known(
        "a float16 batch under autocast", (), logits(prediction=Z.astype(np.float16), framework="torch", autocast=True)
    ),
    Known(
        "a large float16 batch whose mean is right",
        (),
        {"prediction": HALF, "label": ONES, "form": "logits", "loss": 60.0},
    ),
    Known("integer labels in NumPy", (), probabilities(Y.astype(np.int64), loss=bce(P, Y).mean())),
    Known("integer labels in keras", (), probabilities(Y.astype(np.uint8), framework="keras")),
    Known(
        "labels (n,) against predictions (n, 1) in keras' objects", (), logits(prediction=Z[:, None], framework="keras")
    ),
    Known(
        "a weight for each row in keras",
        (),
        logits(
            Y.reshape(64, 4),
            prediction=Z.reshape(64, 4),
            framework="keras",
            weight=W[:64],
            loss=of_logits(Z, Y, np.repeat(W[:64], 4)).mean(),
        ),
    ),
    Known("a batch of one", (), {"prediction": [0.3], "label": [1], "form": "probabilities"}),
    Known("a scalar", (), {"prediction": 0.3, "label": 1.0, "form": "logits", "loss": of_logits(0.3, 1.0)}),
    Known(
        "no form, and numbers beyond 1", (), {"prediction": Z, "label": Y, "loss": of_logits(Z, Y).mean()}, "(logits"
    ),
    Known(
        "no form, and numbers in [0, 1]", (), {"prediction": P, "label": Y, "loss": bce(P, Y).mean()}, "(probabilities"
    ),
    Known(
        "no form, and a fresh network's loss",
        (),
        {"prediction": Z / 200 + 0.5, "label": Y, "loss": of_logits(Z / 200 + 0.5, Y).mean()},
        "(logits",
    ),
    Known("a clip by 1e-8 that no prediction reaches", (), probabilities(epsilon=1e-8)),
)


def named(one: Known) -> str:
    """As pytest names it."""
    return one.name.replace(" ", "-")


@pytest.mark.parametrize("one", FAULTY, ids=named)
def test_a_known_fault_is_named_and_no_other_one(one: Known) -> None:
    """The first step of whoever reads it is then the right one."""
    report = doctor(**one.given)
    assert set(report.faults) == set(one.faults), str(report)
    assert one.words in str(report)


@pytest.mark.parametrize("one", HEALTHY, ids=named)
def test_a_healthy_batch_gets_a_clean_bill(one: Known) -> None:
    """A false accusation costs a day of looking in the wrong place."""
    report = doctor(**one.given)
    assert report.healthy, str(report)
    assert "clean bill" in str(report)
    assert one.words in str(report)


def test_there_are_forty_faulty_batches_of_every_fault_and_fifteen_healthy_ones() -> None:
    """A remedy that no batch asks for is not needed."""
    assert len(FAULTY) >= 40
    assert len(HEALTHY) >= 15
    assert {fault for one in FAULTY for fault in one.faults} == set(REMEDIES)


# ------------------------------------------------------------------------------------------------ the command, watch


def asked(file: Path, *options: str) -> Result:
    """The command on a file."""
    return CliRunner().invoke(main, ["doctor", str(file), *options])


def saved(folder: Path, **arrays: Any) -> Path:
    """An .npz file of arrays."""
    np.savez(folder / "batch.npz", **arrays)
    return folder / "batch.npz"


def test_the_command_names_the_fault_and_exits_with_1(tmp_path: Path) -> None:
    """As a script that guards a training needs it."""
    result = asked(saved(tmp_path, prediction=Z, label=255 * Y, loss=-3.0), "--framework", "torch")
    assert result.exit_code == Exit.NOT_AS_EXPECTED
    assert "1. certain: labels-scaled:" in result.output
    assert "label = label.to(torch.float32) / 255" in result.output


def test_words_of_others_and_a_version_are_understood(tmp_path: Path) -> None:
    """As at every prompt; that a release is older than what is known is said, and nothing is run for it."""
    file = saved(tmp_path, prediction=Z, label=Y)
    older = asked(file, "--framework", "pytorch==2.8.0", "--form", "logit", "--dtype", "fp32").output
    assert ", torch\nformulas are those of torch 2." in older
    assert "2.8.0 is older" in older
    assert "BCEWithLogitsLoss" in older
    far = asked(file, "--framework", "keras==2.15", "--form", "logits").output
    assert "too far away" in far
    assert "by its formula" not in far
    wrong = asked(file, "--framework", "pytorhc")
    assert wrong.exit_code == Exit.BAD_INPUT
    assert "did you mean torch?" in wrong.stderr


def test_weights_of_another_kind_do_not_end_in_a_traceback() -> None:
    """A batch may have several faults at once, and shapes that no remedy fits."""
    for shape in ((), (1,), (2,), (3,), (4,), (64,), (64, 1), (1, 4), (4, 1), (64, 4), (2, 64, 4)):
        for other in ((4,), (1,), (64, 4), (3, 3)):
            weight, factor = np.ones(shape), np.ones(other)
            for label in (Y[:64], Y[:64, None], Y.reshape(64, 4), np.float32(1), Y.reshape(4, 64)):
                for framework in ("", *FRAMEWORKS):
                    given = logits(label, prediction=Z.reshape(64, 4), framework=framework)
                    assert str(doctor(**given, weight=weight, pos_weight=factor))


class Tensor:
    """What a framework hands over: a dtype with a name, and no array of its own accord for a scalar."""

    def __init__(self, array: Any, name: str) -> None:
        self.held, self.dtype = np.asarray(array), type("DType", (), {"name": name, "__str__": lambda _: f"<{name}>"})()

    def numpy(self) -> Any:
        """As TensorFlow has it."""
        return self.held

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self.held if self.held.ndim else float(self.held)


def test_a_tensor_is_read_in_its_dtype_and_a_scalar_without_an_array_too() -> None:
    """The dtype of a tensor has a name beside the text that it is printed as."""
    half = np.float16(Z)
    report = doctor(Tensor(half, "float16"), Tensor(Y, "float32"), loss=Tensor(of_logits(half, Y).mean(), "float16"))
    assert report.batch.dtype == "float16"
    assert report.healthy


def test_a_masked_array_is_refused_and_what_to_give_is_said() -> None:
    """NumPy would hand over the numbers below its mask."""
    with pytest.raises(InputError, match="without a mask") as error:
        doctor(np.ma.masked_array(Z, Z > 1), Y)
    assert "weight" in error.value.hint


def test_a_large_batch_is_modelled_on_its_ends_and_its_worst(tmp_path: Path) -> None:
    """Of more elements than formulas are evaluated on, a few at either end are what counts."""
    many = np.tile(P, 400)
    wrong = np.array(many)
    wrong[70000] = 1e-30
    label = np.tile(Y, 400)
    label[70000] = 1
    report = doctor(wrong, label, form="probabilities", framework="keras")
    assert set(report.faults) == {"clip", "saturated"}
    assert "[70000]" in str(report)
    assert doctor(many, np.tile(Y, 400), form="probabilities", framework="keras").healthy


def test_the_command_gives_a_clean_bill_and_exits_with_0(tmp_path: Path) -> None:
    """A loss that is right is said to be right."""
    result = asked(saved(tmp_path, prediction=Z, label=Y, loss=of_logits(Z, Y).mean()), "--form", "logits")
    assert result.exit_code == Exit.AS_EXPECTED
    assert result.output.endswith("clean bill: the loss seen is right, and nothing is wrong with what went into it\n")


def test_bfloat16_that_numpy_saved_without_a_dtype_is_read_where_that_is_said(tmp_path: Path) -> None:
    """NumPy has no bfloat16: what ml_dtypes saves comes back as 2 bytes a number."""
    bits = (Z.view(np.uint32) >> 16).astype(np.uint16).view("V2")
    file = saved(tmp_path, prediction=bits, label=Y)
    assert asked(file).exit_code == Exit.BAD_INPUT
    assert "bfloat16" in asked(file, "--dtype", "bfloat16").output


BAD = {
    "no label": ({"prediction": Z}, "must hold prediction, label"),
    "a key that nobody knows": ({"prediction": Z, "label": Y, "targets": Y}, "targets"),
    "an array of objects": ({"prediction": np.array([None, 1.0]), "label": Y}, "is no .npz file of plain arrays"),
    "words": ({"prediction": np.array(["a", "b"]), "label": Y}, "prediction must hold real numbers"),
    "complex numbers": ({"prediction": Z, "label": Y + 0j}, "label must hold real numbers"),
    "nothing": ({"prediction": Z[:0], "label": Y[:0]}, "prediction must have at least 1 element"),
    "losses of another number": ({"prediction": Z, "label": Y, "loss": Y[:3]}, "loss must be 1 number"),
    "too much": ({"prediction": np.zeros(2**24 + 1, bool), "label": Y}, "prediction must hold at most 16777216"),
}


@pytest.mark.parametrize(("arrays", "words"), BAD.values(), ids=BAD)
def test_arrays_that_are_no_batch_are_refused_with_file_and_field(
    arrays: dict[str, Any], words: str, tmp_path: Path
) -> None:
    """Exit code 2, one sentence, no traceback."""
    file = saved(tmp_path, **arrays)
    result = asked(file)
    assert result.exit_code == Exit.BAD_INPUT
    assert result.stderr.startswith(f"bce-conformance: {file}: ")
    assert words in result.stderr
    assert "Traceback" not in result.output


def test_what_is_no_npz_file_is_refused(tmp_path: Path) -> None:
    """Cut off, not a zip file, a folder, a pipe that nobody writes to, and nothing at all."""
    whole = saved(tmp_path, prediction=Z, label=Y).read_bytes()
    files = {"cut.npz": whole[: len(whole) // 2], "text.npz": b"prediction,label\n", "empty.npz": b""}
    flipped = bytearray(whole)
    flipped[200] ^= 0xFF  # in the numbers: the checksum of the member tells
    for name, data in {**files, "flipped.npz": bytes(flipped)}.items():
        (tmp_path / name).write_bytes(data)
    np.save(tmp_path / "plain.npy", Z)
    os.mkfifo(tmp_path / "pipe.npz")
    for name in (*files, "flipped.npz", "plain.npy", "pipe.npz", "missing.npz", "."):
        result = asked(tmp_path / name)
        assert result.exit_code == Exit.BAD_INPUT, name
        assert str(tmp_path / name) in result.stderr
        assert "next: " in result.stderr


def test_a_file_that_would_unpack_to_more_than_a_batch_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    """A few kilobytes of zeros can unpack to gigabytes."""
    np.savez_compressed(tmp_path / "bomb.npz", prediction=np.zeros(2**23), label=np.zeros(2))
    result = asked(tmp_path / "bomb.npz")
    assert result.exit_code == Exit.BAD_INPUT
    assert "must unpack to at most" in result.stderr


@pytest.mark.parametrize(
    "given",
    [
        {"form": "logist"},
        {"framework": "theano"},
        {"dtype": "int8"},
        {"reduction": "avg"},
        {"label_smoothing": 2.0},
        {"epsilon": 0.0},
        {"smooth": 1},
    ],
    ids=str,
)
def test_an_argument_that_doctor_does_not_take_is_named(given: dict[str, Any]) -> None:
    """With what it takes."""
    with pytest.raises(InputError, match=next(iter(given))):
        doctor(Z, Y, **given)


def test_watch_keeps_the_first_batch_with_a_fault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The batches after it are wrong because of it."""
    file = tmp_path / "kept.npz"
    with watch(file, form="logits") as watched:
        assert watched(Z, Y) is None
        report = watched(with_one(Z, 3, NAN), Y, loss=NAN)
        assert watched(with_one(Z, 4, NAN), Y, loss=NAN) is None
    assert report is not None
    assert report is watched.report
    printed = capsys.readouterr().out
    assert printed.startswith("batch 2: 256 predictions")
    command = printed.splitlines()[-1].partition("kept: bce-conformance doctor ")[2]
    assert command == f"{file} --form logits --dtype float32"
    assert "[3]" in asked(file, *command.split()[1:]).output


def test_watch_keeps_a_bfloat16_batch_as_one_that_the_command_reads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """NumPy has no such dtype: the numbers are kept in float32, and the command is told what they were."""
    file = tmp_path / "kept.npz"
    with watch(file, form="logits", framework="torch", dtype="bfloat16", autocast=True) as watched:
        watched(with_one(Z, 3, NAN), Y == 1)
    options = capsys.readouterr().out.splitlines()[-1].partition(f"{file} ")[2].split()
    assert options == ["--form", "logits", "--dtype", "bfloat16", "--framework", "torch", "--autocast"]
    again = asked(file, *options)
    assert again.exit_code == Exit.NOT_AS_EXPECTED
    assert "(logits, bfloat16, shape (256,)), labels bool, torch" in again.output


def test_watch_of_a_healthy_training_writes_and_says_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It can stay in the code."""
    with watch(tmp_path / "kept.npz", form="logits") as watched:
        watched(Z, Y, loss=of_logits(Z, Y).mean())
    assert capsys.readouterr().out == ""
    assert list(tmp_path.iterdir()) == []


def test_the_page_shows_what_is_printed() -> None:
    """Its second block of Python, and the text below it."""
    page = (ROOT / "docs" / "doctor.md").read_text(encoding="utf-8")
    code, text = re.findall(r"```python\n((?:(?!```).)*)```\n\n```text\n(.*?)```", page, re.DOTALL)[0]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == text


def test_the_page_names_every_fault() -> None:
    """Under one of the headings that people search for."""
    page = (ROOT / "docs" / "doctor.md").read_text(encoding="utf-8")
    assert [fault for fault in REMEDIES if f"`{fault}`" not in page] == []


def test_no_framework_is_imported() -> None:
    """A report of a batch from another machine needs none."""
    code = (
        "import sys, numpy as np; from conformance import doctor; from conformance.commands import doctor as command; "
        "doctor(np.ones(3), np.ones(3), framework='torch', loss=1.0); "
        "print({'torch', 'tensorflow', 'jax', 'keras', 'scipy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "set()\n"


# -------------------------------------------------------------------------------- remedies and models, by running them


def test_models_are_formulas_of_the_catalogue_and_problems_that_are_known() -> None:
    """A name that is written otherwise would take the model away in silence."""
    known = load(shipped("known"))
    for spoken in FRAMEWORKS.values():
        for form, model in spoken.models.items():
            for quantity, name in (("value", model.value), ("gradient-prediction", model.gradient)):
                assert name in {one.name for one in candidates(form, quantity, Options())}
            assert set(model.problems.values()) <= set(known)


S, T = Z[:8], np.float32([0, 1, 1, 0, 1, 0, 1, 0])
PS, WS = sigmoid(S).astype(np.float32), np.float32([1, 2, 0.5, 1, 3, 1, 1, 0.25])
PLAIN_MEAN = float(of_logits(S, T).mean())
#: For each fault, arrays that have it, what the finding says of them, and the loss that is meant.
CURED: dict[str, tuple[dict[str, Any], dict[str, float], float | None]] = {
    "labels-nan": ({"label": with_one(T, 2, NAN)}, {}, float(np.delete(of_logits(S, T), 2).mean())),
    "softmax-columns": ({"prediction": np.stack([1 - PS, PS], 1)}, {}, PLAIN_MEAN),
    "one-hot": (
        {"prediction": np.stack([S, -S, 2 * S], 1), "label": (2 * T).astype(np.int64)},
        {"classes": 3.0},
        float(of_logits(np.stack([S, -S, 2 * S], 1), np.stack([1 - T, 0 * T, T], 1)).mean()),
    ),
    "weight-shape": ({"weight": WS[:, None]}, {}, float(of_logits(S, T, WS).mean())),
    "weight-rows": (
        {"prediction": np.stack([S, S], 1), "label": np.stack([T, T], 1)},
        {"axes": 1.0},
        float(of_logits(S, T, WS).mean()),
    ),
    "class-weights": ({"weight": np.array([0.5, 4.0], np.float32)}, {}, float(of_logits(S, T, 0.5 + 3.5 * T).mean())),
    "pos-weight-shape": (
        {"pos_weight": np.full((8, 1), 4, np.float32)},
        {},
        float(of_logits(S, T, 1, 4).mean()),
    ),
    "exchanged": ({"prediction": T, "label": PS}, {}, PLAIN_MEAN),
    "labels-twice": ({"label": T / 255}, {}, PLAIN_MEAN),
    "log-probability": ({"prediction": np.log(PS)}, {}, PLAIN_MEAN),
    "tanh": ({}, {}, PLAIN_MEAN),
    "relu": ({}, {}, PLAIN_MEAN),
    "infinity-in": ({"prediction": with_one(S, 1, INF)}, {}, float(of_logits(with_one(S, 1, 80), T).mean())),
    "shape": ({"label": T[:, None]}, {}, PLAIN_MEAN),
    "two-columns": ({"prediction": np.stack([-S / 2, S / 2], 1)}, {}, PLAIN_MEAN),
    "labels-rounded": ({"label": T * np.float32(1.0000001)}, {}, PLAIN_MEAN),
    "labels-minus-one": ({"label": 2 * T - 1}, {}, PLAIN_MEAN),
    "labels-scaled": ({"label": (255 * T).astype(np.uint8)}, {"top": 255.0}, PLAIN_MEAN),
    "labels-mask": ({"label": with_one(T, 2, -100)}, {"mask": -100.0}, float(np.delete(of_logits(S, T), 2).mean())),
    "labels-classes": ({"label": (3 * T).astype(np.int64)}, {"class": 3.0}, PLAIN_MEAN),
    "labels-outside": ({"label": 2 * T - 0.5}, {"low": -0.5, "width": 2.0}, PLAIN_MEAN),
    "labels-integer": ({"label": T.astype(np.int64)}, {}, PLAIN_MEAN),
    "weights-negative": ({"weight": with_one(WS, 0, -1)}, {}, float(of_logits(S, T, with_one(WS, 0, 0)).mean())),
    "weights-zero": ({"weight": 0 * WS}, {}, 0.0),
    "logits-as-probabilities": ({}, {}, PLAIN_MEAN),
    "probability-rounded": ({"prediction": with_one(PS, 1, 1.0000001)}, {}, float(bce(with_one(PS, 1, 1), T).mean())),
    "percent": ({"prediction": 100 * PS}, {}, PLAIN_MEAN),
    "second-sigmoid": ({"prediction": PS}, {}, PLAIN_MEAN),
    "softmax-of-one": ({}, {}, PLAIN_MEAN),
    "one-minus-eps": ({"prediction": np.float16(PS), "label": np.float16(T)}, {}, PLAIN_MEAN),
    "sum-16-bit": ({"prediction": np.float16(S), "label": np.float16(T)}, {}, PLAIN_MEAN),
    "overflow-16-bit": ({"prediction": np.float16(S), "label": np.float16(T)}, {}, PLAIN_MEAN),
    "saturated": ({}, {}, PLAIN_MEAN),
    "autocast": ({}, {}, PLAIN_MEAN),
    "clip": ({}, {}, PLAIN_MEAN),
    "known": ({"prediction": np.full(8, -20, np.float32), "label": 0 * T}, {}, float(np.exp(-20.0))),
    "nan-formula": ({}, {}, PLAIN_MEAN),
    "reduction": ({}, {}, PLAIN_MEAN),
    "weights": ({"weight": WS}, {}, float(of_logits(S, T, WS).mean())),
    "differs": ({}, {}, PLAIN_MEAN),
    "nan-in": ({}, {}, None),  # last: its switch stays
}
FORMS = {
    "exchanged": "probabilities",
    "percent": "probabilities",
    "probability-rounded": "probabilities",
    "one-minus-eps": "probabilities",
}

#: How a framework is imported, how an array becomes its tensor, and the gradient of a sum by x, for `models`.
OPENED = {
    "torch": (
        "import torch",
        "torch.tensor(x, requires_grad=x.dtype.kind == 'f')",
        "torch.autograd.grad(f(x).sum(), x)[0]",
    ),
    "tensorflow": ("import tensorflow as tf", "tf.constant(x)", "taped(f, x)"),
    "keras": ("import keras, tensorflow as tf", "keras.ops.convert_to_tensor(x)", "taped(f, x)"),
    "jax": ("import jax, jax.numpy as jnp, optax", "jnp.asarray(x)", "jax.grad(lambda x: f(x).sum())(x)"),
    "numpy": ("import scipy.special", "x", "x"),
}
RUNNER = """
import sys
import numpy as np
{imports}

def taped(f, x):
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = f(x)
    return tape.gradient(y, x)

def array(x):
    return np.asarray(x.detach() if hasattr(x, "detach") else x).astype(float)

with np.load(sys.argv[1], allow_pickle=True) as kept:
    models, jobs = kept["models"].tolist(), kept["jobs"].tolist()
found = {{}}
for name, call, x, y in models:
    label = {{"y": {tensor} for x in [y]}}["y"]
    f = lambda prediction, label=label, call=call: eval(call)
    x = {tensor}
    found[name + " value"], found[name + " gradient-prediction"] = array(f(x)), array({slope})
losses = []
for lines, arrays in jobs:
    scope = {{**globals(), **{{name: {tensor} for name, x in arrays.items()}}}}
    scope["loss"] = scope["prediction"].sum() if hasattr(scope["prediction"], "sum") else 0.0
    exec(lines, scope)
    losses.append(float(array(scope["loss"])))
np.savez(sys.argv[2], losses=np.array(losses), **found)
"""

#: Logits from where a loss is lost to where it is large, and a label of each kind.
_GRID, _LABELS = (one.ravel() for one in np.meshgrid(np.arange(-30, 30.5, 0.5), [0.0, 1.0, 0.3]))
GRIDS = {"logits": _GRID, "probabilities": np.where(np.abs(_GRID) == 30, _GRID > 0, sigmoid(_GRID))}


@pytest.fixture(scope="module", params=FRAMEWORKS)
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    """A framework, and what it gave: losses after all remedies, and its own losses and gradients on the grids."""
    framework, folder = request.param, tmp_path_factory.mktemp("framework")
    spoken = FRAMEWORKS[framework]
    jobs = []
    for fault, (arrays, values, _) in CURED.items():
        lines = remedy(fault, framework, FORMS.get(fault, "logits"), values)
        jobs.append(("\n".join(lines), {"prediction": S, "label": T, "weight": WS, **arrays}))
    models = [
        (f"{form} {dtype}", spoken.losses[form].format(p="prediction", y="label"), GRIDS[form].astype(dtype), y)
        for form in spoken.models
        for dtype, y in ((dtype, _LABELS.astype(dtype)) for dtype in ("float32", "float16"))
    ]
    np.savez(folder / "asked.npz", jobs=np.array(jobs, object), models=np.array(models, object))
    imports, tensor, slope = OPENED[framework]
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            RUNNER.format(imports=imports, tensor=tensor, slope=slope),
            *(str(folder / name) for name in ("asked.npz", "found.npz")),
        ],
        capture_output=True,
        text=True,
        env={**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    with np.load(folder / "found.npz") as found:
        return framework, dict(found)


@pytest.mark.slow
def test_two_lines_against_each_fault_run_and_give_the_loss_that_is_meant(run: tuple[str, dict[str, Any]]) -> None:
    """Whoever copies them has the loss that the batch stands for."""
    assert set(CURED) == set(REMEDIES)
    for (fault, (_, _, wanted)), loss in zip(CURED.items(), run[1]["losses"].tolist(), strict=True):
        # float16 inputs have three digits, and Keras' clip moves a loss by 1e-7.
        assert wanted is None or loss == pytest.approx(wanted, rel=2e-3, abs=2e-7 if fault != "known" else 0), fault


@pytest.mark.slow
def test_the_model_of_a_framework_gives_its_losses_and_gradients(run: tuple[str, dict[str, Any]]) -> None:
    """To the error from which on the doctor calls a loss wrong; NaN and infinities where it has them."""
    framework, found = run
    spoken = FRAMEWORKS[framework]
    for name in found.keys() - {"losses"}:
        form, dtype, quantity = name.split()
        model = spoken.models[form]
        formula = model.value if quantity == "value" else model.gradient
        (candidate,) = (one for one in candidates(form, quantity, Options()) if one.name == formula)
        inputs = {"z" if form == "logits" else "p": GRIDS[form].astype(dtype), "y": _LABELS.astype(dtype)}
        steps = {one.name: one for one in arithmetics(dtype, dtype)}[spoken.arithmetic.get(dtype, EACH)]
        wanted = emulated(candidate.expression, {key: x.astype(float) for key, x in inputs.items()}, steps)
        # In float16 a sigmoid next to 1 may be rounded to either neighbour, 2^-10 apart.
        relative, absolute = (1e-2, 2.0**-10) if dtype == "float16" else (1e-3, 5e-5)
        np.testing.assert_allclose(found[name], wanted, relative, absolute, err_msg=f"{framework} {name}")
