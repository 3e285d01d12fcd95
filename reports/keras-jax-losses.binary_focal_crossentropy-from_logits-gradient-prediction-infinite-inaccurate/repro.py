"""keras-torch losses.BinaryFocalCrossentropy[from_logits]: the gradient by the prediction in float32 is 0 where it is 1.

Exits with 1 where the mismatch shows, with 0 where it does not, and with 125 where it cannot be told.
"""
import sys

def cannot_tell(kind, error, traceback):
    print(f"cannot tell: {kind.__name__}: {error}")
    sys.exit(125)

sys.excepthook = cannot_tell
import os
os.environ["KERAS_BACKEND"] = "torch"
import keras
import torch

def loss(prediction, label):
    return keras.losses.BinaryFocalCrossentropy(from_logits=True, gamma=0.0)(keras.ops.expand_dims(label, -1), keras.ops.expand_dims(prediction, -1), sample_weight=None)

prediction = torch.tensor([float("inf")], dtype=torch.float32)  # inf = 0x7f800000
label = torch.tensor([0.0], dtype=torch.float32)  # 0 = 0x00000000
prediction.requires_grad_()
result = torch.autograd.grad(loss(prediction, label).sum(), prediction)[0]
got = result.item()
# Exactly, the mean of 1/(1 + exp(-z)), at z = inf, y = 0.
expected = 1.0  # 0x1p+0
ulp = 2.0**-23  # of float32 at the expected value
error = abs(got - expected) / ulp
print("keras", keras.__version__, "torch", torch.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, error {error:.3g} ULP")
if not error <= 4:
    print("MISMATCH: the gradient by the prediction in float32 is 0 where it is 1")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
