"""keras-openvino ops.binary_crossentropy: the call returned int32 for float32, label int32.

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
    return keras.ops.binary_crossentropy(label, prediction, from_logits=False)

prediction = keras.ops.convert_to_tensor(np.array([1.0], dtype='float32'))  # 1 = 0x3f800000
label = keras.ops.convert_to_tensor(np.array([0], dtype='int32'))
got = keras.backend.standardize_dtype(loss(prediction, label).dtype).rpartition(".")[2]
expected = ["float32"]
print("keras", keras.__version__, "numpy", np.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected[0]!r}")
if got not in expected:
    print("MISMATCH: the call returned int32 for float32, label int32")
    sys.exit(1)
print("MATCH: the result comes back as expected")
