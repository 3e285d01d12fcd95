"""A framework that the suite does not know, here lists of Python floats: `bce-conformance adapters check` takes it."""

import math

import numpy as np  # carries the bits; import a framework of your own in `open`, since the file is read without it

from conformance.adapters import Adapter, Implementation, Runtime
from conformance.numbers.formats import Tensor


class Floats:
    """The tensor of this framework: float64 numbers and their shape."""

    def __init__(self, numbers, shape):
        self.numbers, self.shape = numbers, shape


class FloatsRuntime(Runtime):
    """Moves bits in and out without changing one, and says what can be computed."""

    without = ("float32", "float16", "bfloat16", "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32")

    def dtypes(self):
        """The formats under test that the framework has."""
        return ("float64",)

    def tensor(self, tensor):
        """Bits in: an array of unsigned integers of the width of the format."""
        numbers = np.asarray(tensor.bits).view("float64")
        return Floats(numbers.ravel().tolist(), numbers.shape)

    def bits(self, native):
        """Bits out; what is no tensor of the framework is a wrong result, which a TypeError says."""
        if not isinstance(native, Floats):
            raise TypeError(f"returned {type(native).__name__}, not Floats")
        return Tensor("float64", np.array(native.numbers, dtype="float64").reshape(native.shape).view("uint64"))

    def quantities(self, implementation):
        """This framework does not differentiate: a quantity needs a function of its own."""
        return ("value", *implementation.derivatives)

    def evaluate(self, implementation, quantity, arguments):
        """The mode of the implementation would be looked at here."""
        function = implementation.derivatives.get(quantity, implementation.call)
        return function(**arguments)


def elementwise(function):
    """A function of two numbers as one of two tensors of one shape."""

    def of_tensors(prediction, label):
        if prediction.shape != label.shape:
            raise ValueError(f"prediction has shape {prediction.shape}, label {label.shape}")
        return Floats(list(map(function, prediction.numbers, label.numbers)), prediction.shape)

    return of_tensors


def softplus(z):
    """log(1 + exp(z)) without overflow."""
    return max(z, 0.0) + math.log1p(math.exp(-abs(z)))


def sigmoid(z):
    """1 / (1 + exp(-z)) without overflow."""
    small = math.exp(-abs(z))
    return (1.0 if z >= 0 else small) / (1.0 + small)


def loss(z, y):
    """A coefficient of 0 leaves its term out, also where that is infinite."""
    return sum(weight * softplus(x) for weight, x in ((y, -z), (1.0 - y, z)) if weight)


def slope(z, y):
    """The derivative by the logit."""
    return (1.0 - y) * sigmoid(z) - y * sigmoid(-z)


adapters = [
    Adapter(
        "floats",
        [
            Implementation(
                "loss",
                "logits",
                elementwise(loss),
                dtypes=("float64",),
                derivatives={"gradient-prediction": elementwise(slope)},
            )
        ],
        backend=FloatsRuntime(),
    )
]
