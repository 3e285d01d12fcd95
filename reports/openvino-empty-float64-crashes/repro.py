"""keras-openvino losses.binary_crossentropy: in float64 the process ends: the mean of prediction of shape (0,), label of shape (0,).

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
    return keras.losses.binary_crossentropy(label, prediction, from_logits=False)

import subprocess

if len(sys.argv) == 1:
    print("keras", keras.__version__, "numpy", np.__version__, "Python", sys.version.split()[0])
    code = subprocess.run([sys.executable, __file__, "child"]).returncode
    print(f"got exit code {code}, expected 0")
    if code < 0:
        print("MISMATCH: in float64 the process ends: the mean of prediction of shape (0,), label of shape (0,)")
        sys.exit(1)
    if code > 0:
        sys.exit(125)
    print("MATCH: the call comes back")
    sys.exit(0)
prediction = keras.ops.convert_to_tensor(np.array([], dtype='float64'))
label = keras.ops.convert_to_tensor(np.array([], dtype='float64'))
print(keras.ops.convert_to_numpy(loss(prediction, label)).tolist())
