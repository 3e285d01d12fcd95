"""What the documentation of Keras says of its losses, and of what it hands them on to."""

from __future__ import annotations

from conformance.adapters.tensorflow.contracts import SIGMOID_FORMULA
from conformance.adapters.torch.contracts import LABEL_CHECK
from conformance.contracts import CastsTo, Clip, Contract, Reduction, Source

DOCS = "https://keras.io/api/"
CODE = "https://github.com/keras-team/keras/blob/v3.15.1/keras/src/"
VERSIONS = "3.15.1"

#: The line of src/backend/*/nn.py that clips.  The documentation does not mention clipping, so the source is quoted.
CLIP_LINES = {
    "tensorflow": (
        "output = tf.clip_by_value(output, backend.epsilon(), 1.0 - backend.epsilon())",
        CODE + "backend/tensorflow/nn.py#L1484-L1486",
    ),
    "torch": (
        "output = torch.clip(output, backend.epsilon(), 1.0 - backend.epsilon())",
        CODE + "backend/torch/nn.py#L955",
    ),
    "jax": (
        "output = jnp.clip(output, backend.epsilon(), 1.0 - backend.epsilon())",
        CODE + "backend/jax/nn.py#L1033",
    ),
    "numpy": (
        "output = np.clip(output, backend.epsilon(), 1.0 - backend.epsilon())",
        CODE + "backend/numpy/nn.py#L926",
    ),
    "openvino": (
        "output = ov_opset.clamp(output, min_value=backend.epsilon(), max_value=1 - backend.epsilon())",
        CODE + "backend/openvino/nn.py#L991-L993",
    ),
}


def mean_of_last_axis(page: str) -> Reduction:
    """What a function of keras.losses does with its elements, as its `page` says."""
    quote = "axis: The axis along which the mean is computed. Defaults to -1."
    return Reduction("last", "elements", Source(quote, page, VERSIONS))


def mean_of_all(page: str) -> Reduction:
    """The default reduction of a loss that is an object."""
    quote = (
        '"sum_over_batch_size" and "mean" sum the loss and divide by the sample size [...] '
        'Defaults to "sum_over_batch_size".'
    )
    return Reduction("all", "elements", Source(quote, page, VERSIONS))


def mean_of_weights(page: str) -> Reduction:
    """The reduction of a loss that is an object by its weights."""
    quote = '"mean_with_sample_weight" sums the loss and divides by the sum of the sample weights.'
    return Reduction("all", "weights", Source(quote, page, VERSIONS))


def cast(page: str) -> CastsTo:
    """The dtype that a loss that is an object computes in."""
    quote = (
        "dtype: The dtype of the loss's computations. Defaults to None, which means using keras.backend.floatx(). "
        'keras.backend.floatx() is a "float32" unless set to different value'
    )
    return CastsTo("float32", Source(quote, page, VERSIONS))


def of_probabilities(backend: str) -> Contract:
    """What holds for an entry point that takes probabilities."""
    line, link = CLIP_LINES[backend]
    clip = Clip("1e-7", "0.9999999", Source(line, link, VERSIONS))
    if backend != "torch":
        return (clip,)
    # On torch Keras hands the clipped prediction to torch.nn.functional.binary_cross_entropy, whose documentation
    # then applies.  A prediction outside [0, 1] never reaches its check, and no logarithm within the clip bounds
    # reaches its clamp, which is therefore no part of the contract.
    return (clip, LABEL_CHECK)


def of_logits(backend: str) -> Contract:
    """What holds for a cross-entropy of logits.

    On TensorFlow Keras hands them to tf.nn.sigmoid_cross_entropy_with_logits, whose documentation then applies.
    """
    return (SIGMOID_FORMULA,) if backend == "tensorflow" else ()


def of_focal_logits(backend: str) -> Contract:
    """What holds for a focal loss of logits: it takes their sigmoid and goes on as with probabilities.

    That the sigmoid is clipped cannot be said of the prediction, which is a logit.
    """
    return (LABEL_CHECK,) if backend == "torch" else ()
