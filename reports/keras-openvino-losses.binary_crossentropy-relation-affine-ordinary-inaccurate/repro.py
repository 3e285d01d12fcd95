"""keras-openvino losses.binary_crossentropy: this does not hold in float64: L(x,y) = (1-y)*L(x,0) + y*L(x,1), whatever the label.

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

prediction = keras.ops.convert_to_tensor(np.array([0.1, 0.1, 0.1], dtype='float64'))
label = keras.ops.convert_to_tensor(np.array([0.1, 0.0, 1.0], dtype='float64'))
got = keras.ops.convert_to_numpy(loss(prediction, label)).tolist()
# L(x,y) = (1-y)*L(x,0) + y*L(x,1), whatever the label: exactly, this is 0.
residual = got[0] - 0.9 * got[1] - 0.1 * got[2]
bound = 4.496403249731885e-16  # 0x1.0333333333334p-51, 4 ULP of float64 for each result
print("keras", keras.__version__, "numpy", np.__version__, "Python", sys.version.split()[0])
print(f"got {got}, residual {residual:.6g}, bound {bound:.3g}")
if not abs(residual) <= bound:
    print("MISMATCH: this does not hold in float64: L(x,y) = (1-y)*L(x,0) + y*L(x,1), whatever the label")
    sys.exit(1)
print("MATCH: the relation holds within rounding")
