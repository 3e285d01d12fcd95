"""torch nn.BCELoss: the second derivative by the prediction in float32 is off by 238 ULP where it is 5e+13.

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

prediction = torch.tensor([float.fromhex("0x1.ad7f2ap-24")], dtype=torch.float32)  # 1e-07 = 0x33d6bf95
label = torch.tensor([0.5], dtype=torch.float32)  # 0.5 = 0x3f000000
prediction.requires_grad_()
result = torch.autograd.grad(torch.autograd.grad(loss(prediction, label).sum(), prediction, create_graph=True)[0].sum(), prediction)[0]
got = result.item()
# Exactly, y/p**2 + (1 - y)/(1 - p)**2, at p = 1e-07, y = 0.5.
expected = 49999998831390.78  # 0x1.6bcc415a58f64p+45
ulp = 2.0**22  # of float32 at the expected value
error = abs(got - expected) / ulp
print("torch", torch.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, error {error:.3g} ULP")
if not error <= 4:
    print("MISMATCH: the second derivative by the prediction in float32 is off by 238 ULP where it is 5e+13")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
