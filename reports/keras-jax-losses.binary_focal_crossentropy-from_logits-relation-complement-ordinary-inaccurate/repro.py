"""keras-numpy ops.binary_crossentropy[from_logits]: this does not hold in float32: L(p,y) = L(1-p,1-y), L(z,y) = L(-z,1-y).

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

prediction = np.array([9.0, -9.0], dtype='float32')  # 9 = 0x41100000, -9 = 0xc1100000
label = np.array([0.0, 1.0], dtype='float32')  # 0 = 0x00000000, 1 = 0x3f800000
got = loss(prediction, label).tolist()
# L(p,y) = L(1-p,1-y), L(z,y) = L(-z,1-y): exactly, this is 0.
residual = got[0] - got[1]
bound = 7.62939453125e-06  # 0x1p-17, 4 ULP of float32 for each result
print("keras", keras.__version__, "numpy", np.__version__, "Python", sys.version.split()[0])
print(f"got {got}, residual {residual:.6g}, bound {bound:.3g}")
if not abs(residual) <= bound:
    print("MISMATCH: this does not hold in float32: L(p,y) = L(1-p,1-y), L(z,y) = L(-z,1-y)")
    sys.exit(1)
print("MATCH: the relation holds within rounding")
