"""torch nn.BCELoss: the second derivative by the prediction in float32 is 0 where it is 1.

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

prediction = torch.tensor([float.fromhex("0x1.fffffep-1")], dtype=torch.float32)  # 0.99999994 = 0x3f7fffff
label = torch.tensor([1.0], dtype=torch.float32)  # 1 = 0x3f800000
prediction.requires_grad_()
result = torch.autograd.grad(torch.autograd.grad(loss(prediction, label).sum(), prediction, create_graph=True)[0].sum(), prediction)[0]
got = result.item()
# Exactly, 1/p**2, at p = 0.99999994, y = 1.
expected = 1.0000001192093002  # 0x1.000002000003p+0
ulp = 2.0**-23  # of float32 at the expected value
error = abs(got - expected) / ulp
print("torch", torch.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, error {error:.3g} ULP")
if not error <= 4:
    print("MISMATCH: the second derivative by the prediction in float32 is 0 where it is 1")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
