"""keras-numpy losses.binary_crossentropy: the loss in float64 is off by 9.2e+04 ULP where it is 16.12.

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
    return keras.losses.binary_crossentropy(keras.ops.expand_dims(label, -1), keras.ops.expand_dims(prediction, -1), from_logits=False)

prediction = np.array([float.fromhex("0x1.fffffca501accp-1")], dtype='float64')  # 0.9999999000000002 = 0x3fefffffca501acc
label = np.array([0.0], dtype='float64')  # 0 = 0x0000000000000000
result = loss(prediction, label)
got = float(result.item())
# Exactly, -log(1 - p), at p = 0.9999999000000002, y = 0.
expected = 16.1180956525949  # 0x1.01e3b8445b1e3p+4
documented = 16.118095650374453  # 0x1.01e3b843c287bp+4
error = min(abs(got - expected) / 2.0**-19, abs(got - documented) / 2.0**-19)  # in ULP of float32
print("keras", keras.__version__, "numpy", np.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, documented {documented!r}, error {error:.3g} ULP")
if not error <= 4:
    print("MISMATCH: the loss in float64 is off by 9.2e+04 ULP where it is 16.12")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
