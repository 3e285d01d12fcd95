"""torch distributions.Bernoulli: the gradient by the prediction in float32 is 0 where it is 1.

Exits with 1 where the mismatch shows, with 0 where it does not, and with 125 where it cannot be told.
"""
import sys

def cannot_tell(kind, error, traceback):
    print(f"cannot tell: {kind.__name__}: {error}")
    sys.exit(125)

sys.excepthook = cannot_tell
import torch

def loss(prediction, label):
    return -torch.distributions.Bernoulli(probs=prediction).log_prob(label)

prediction = torch.tensor([float.fromhex("0x1.ad7f2ap-24")], dtype=torch.float32)  # 1e-07 = 0x33d6bf95
label = torch.tensor([0.0], dtype=torch.float32)  # 0 = 0x00000000
prediction.requires_grad_()
result = torch.autograd.grad(loss(prediction, label).sum(), prediction)[0]
got = result.item()
# Exactly, 1/(1 - p), at p = 1e-07, y = 0.
expected = 1.0000001000000112  # 0x1.000001ad7f2cdp+0
ulp = 2.0**-23  # of float32 at the expected value
error = abs(got - expected) / ulp
print("torch", torch.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, error {error:.3g} ULP")
if not error <= 4:
    print("MISMATCH: the gradient by the prediction in float32 is 0 where it is 1")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
