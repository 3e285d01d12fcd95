"""keras-numpy ops.binary_crossentropy[from_logits]: the call returned float64 for float32, label int64.

Exits with 1 where the mismatch shows, with 0 where it does not, and with 125 where it cannot be told.
"""
import sys

def cannot_tell(kind, error, traceback):
    print(f"cannot tell: {kind.__name__}: {error}")
    sys.exit(125)

sys.excepthook = cannot_tell
import os
os.environ["KERAS_BACKEND"] = "numpy"
import keras
import numpy as np

def loss(prediction, label):
    return keras.ops.binary_crossentropy(label, prediction, from_logits=True)

prediction = np.array([1.0], dtype='float32')  # 1 = 0x3f800000
label = np.array([0], dtype='int64')
got = str(loss(prediction, label).dtype).rpartition(".")[2]
expected = ["float32"]
print("keras", keras.__version__, "numpy", np.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected[0]!r}")
if got not in expected:
    print("MISMATCH: the call returned float64 for float32, label int64")
    sys.exit(1)
print("MATCH: the result comes back as expected")
