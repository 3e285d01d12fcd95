"""keras-openvino losses.binary_crossentropy[from_logits]: the loss in float32 is 0 where it is 2.061e-09.

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

prediction = keras.ops.convert_to_tensor(np.array([-20.0], dtype='float32'))  # -20 = 0xc1a00000
label = keras.ops.convert_to_tensor(np.array([0.0], dtype='float32'))  # 0 = 0x00000000
result = loss(prediction, label)
got = float(keras.ops.convert_to_numpy(result).item())
# Exactly, log(1 + exp(z)), at z = -20, y = 0.
expected = 2.061153620314381e-09  # 0x1.1b48655a5141ep-29
ulp = 2.0**-52  # of float32 at the expected value
error = abs(got - expected) / ulp
print("keras", keras.__version__, "numpy", np.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, error {error:.3g} ULP")
if not error <= 4:
    print("MISMATCH: the loss in float32 is 0 where it is 2.061e-09")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
