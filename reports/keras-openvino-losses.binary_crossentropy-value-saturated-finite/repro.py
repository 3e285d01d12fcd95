"""keras-openvino losses.binary_crossentropy: the loss in float16 is 16.125 where it is inf, or 15.9424 as documented.

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
    return keras.losses.binary_crossentropy(keras.ops.expand_dims(label, -1), keras.ops.expand_dims(prediction, -1), from_logits=False)

prediction = keras.ops.convert_to_tensor(np.array([0.0], dtype='float16'))  # 0 = 0x0000
label = keras.ops.convert_to_tensor(np.array([1.0], dtype='float16'))  # 1 = 0x3c00
result = loss(prediction, label)
got = float(keras.ops.convert_to_numpy(result).item())
# Exactly, -log(p), at p = 0, y = 1.
expected = float("inf")
documented = 15.942385152878742  # 0x1.fe2804e87b348p+3
error = abs(got - documented) / 2.0**-7  # in ULP of float16
print("keras", keras.__version__, "numpy", np.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, documented {documented!r}, error {error:.3g} ULP")
if got != expected and not error <= 4:
    print("MISMATCH: the loss in float16 is 16.125 where it is inf, or 15.9424 as documented")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
