"""keras-openvino losses.binary_crossentropy: the loss in bfloat16 is flushed to 0 where it is 9.184e-41.

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
import ml_dtypes

def loss(prediction, label):
    return keras.losses.binary_crossentropy(keras.ops.expand_dims(label, -1), keras.ops.expand_dims(prediction, -1), from_logits=False)

prediction = keras.ops.convert_to_tensor(np.array([float.fromhex("0x1p-133")], dtype='bfloat16'))  # 9e-41 = 0x0001
label = keras.ops.convert_to_tensor(np.array([0.0], dtype='bfloat16'))  # 0 = 0x0000
result = loss(prediction, label)
got = float(keras.ops.convert_to_numpy(result).item())
# Exactly, -log(1 - p), at p = 9e-41, y = 0.
expected = 9.183549615799121e-41  # 0x1p-133
documented = 9.96515204490688e-08  # 0x1.ac000165c8019p-24
error = min(abs(got - expected) / 2.0**-133, abs(got - documented) / 2.0**-23)  # in ULP of bfloat16
print("keras", keras.__version__, "numpy", np.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, documented {documented!r}, error {error:.3g} ULP")
if not error <= 4 or got == 0:
    print("MISMATCH: the loss in bfloat16 is flushed to 0 where it is 9.184e-41")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
