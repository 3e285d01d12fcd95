"""keras-numpy losses.binary_crossentropy[from_logits]: the loss in bfloat16 is off by 2.7e+04 ULP where it is 0.3133.

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
import ml_dtypes

def loss(prediction, label):
    return keras.losses.binary_crossentropy(label, prediction, from_logits=True)

prediction = np.array([-1.0], dtype='bfloat16')  # -1 = 0xbf80
label = np.array([0.0], dtype='bfloat16')  # 0 = 0x0000
result = loss(prediction, label)
got = float(result.item())
# Exactly, the mean of log(1 + exp(z)), at z = -1, y = 0.
expected = 0.3132616875182228  # 0x1.40c7abfbec124p-2
ulp = 2.0**-25  # of float32 at the expected value
error = abs(got - expected) / ulp
print("keras", keras.__version__, "numpy", np.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, error {error:.3g} ULP")
if not error <= 13:
    print("MISMATCH: the loss in bfloat16 is off by 2.7e+04 ULP where it is 0.3133")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
