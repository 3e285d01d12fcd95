"""torch nn.BCELoss: the gradient by the prediction in float16 is NaN where it is 1.

Exits with 1 where the mismatch shows, with 0 where it does not, and with 125 where it cannot be told.
"""
import sys

def cannot_tell(kind, error, traceback):
    print(f"cannot tell: {kind.__name__}: {error}")
    sys.exit(125)

sys.excepthook = cannot_tell
import torch

def loss(prediction, label):
    return torch.nn.BCELoss(reduction='none')(prediction, label)

prediction = torch.tensor([0.0], dtype=torch.float16)  # 0 = 0x0000
label = torch.tensor([0.0], dtype=torch.float16)  # 0 = 0x0000
prediction.requires_grad_()
result = torch.autograd.grad(loss(prediction, label).sum(), prediction)[0]
got = result.item()
# Exactly, 1/(1 - p), at p = 0, y = 0.
expected = 1.0  # 0x1p+0
ulp = 2.0**-10  # of float16 at the expected value
error = abs(got - expected) / ulp
print("torch", torch.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, error {error:.3g} ULP")
if not error <= 4:
    print("MISMATCH: the gradient by the prediction in float16 is NaN where it is 1")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
