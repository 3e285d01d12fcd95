"""keras-openvino losses.binary_crossentropy[from_logits]: the loss in float64 is finite where it is inf.

Exits with 1 where the mismatch shows, with 0 where it does not, and with 125 where it cannot be told.
"""
import sys

def cannot_tell(kind, error, traceback):
    print(f"cannot tell: {kind.__name__}: {error}")
    sys.exit(125)

sys.excepthook = cannot_tell
import os
os.environ["KERAS_BACKEND"] = "openvino"
import keras
import numpy as np

def loss(prediction, label):
    return keras.losses.binary_crossentropy(keras.ops.expand_dims(label, -1), keras.ops.expand_dims(prediction, -1), from_logits=True)

prediction = keras.ops.convert_to_tensor(np.array([float("inf")], dtype='float64'))  # inf = 0x7ff0000000000000
label = keras.ops.convert_to_tensor(np.array([0.0], dtype='float64'))  # 0 = 0x0000000000000000
result = loss(prediction, label)
got = float(keras.ops.convert_to_numpy(result).item())
# Exactly, log(1 + exp(z)), at z = inf, y = 0.
expected = float("inf")
print("keras", keras.__version__, "numpy", np.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}")
if got != expected:
    print("MISMATCH: the loss in float64 is finite where it is inf")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
