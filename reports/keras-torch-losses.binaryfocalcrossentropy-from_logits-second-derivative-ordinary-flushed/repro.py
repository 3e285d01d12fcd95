"""keras-torch losses.binary_focal_crossentropy[from_logits]: the second derivative by the prediction in float32 is flushed to 0 where it is 8.194e-40.

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
    return keras.losses.binary_focal_crossentropy(keras.ops.expand_dims(label, -1), keras.ops.expand_dims(prediction, -1), from_logits=True, gamma=0.0)

prediction = torch.tensor([90.0], dtype=torch.float32)  # 90 = 0x42b40000
label = torch.tensor([0.0], dtype=torch.float32)  # 0 = 0x00000000
prediction.requires_grad_()
result = torch.autograd.grad(torch.autograd.grad(loss(prediction, label).sum(), prediction, create_graph=True)[0].sum(), prediction)[0]
got = result.item()
# Exactly, sigmoid(z)*sigmoid(-z); sigmoid(x) = 1/(1 + exp(-x)), at z = 90, y = 0.
expected = 8.194012623990515e-40  # 0x1.1d8508fa8246ap-130
ulp = 2.0**-149  # of float32 at the expected value
error = abs(got - expected) / ulp
print("keras", keras.__version__, "torch", torch.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, error {error:.3g} ULP")
if not error <= 4 or got == 0:
    print("MISMATCH: the second derivative by the prediction in float32 is flushed to 0 where it is 8.194e-40")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
