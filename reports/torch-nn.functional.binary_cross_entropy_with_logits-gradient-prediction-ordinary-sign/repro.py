"""torch nn.functional.binary_cross_entropy_with_logits: the gradient by the prediction in float32 has the wrong sign where it is -9.575e-17.

Exits with 1 where the mismatch shows, with 0 where it does not, and with 125 where it cannot be told.
"""
import sys

def cannot_tell(kind, error, traceback):
    print(f"cannot tell: {kind.__name__}: {error}")
    sys.exit(125)

sys.excepthook = cannot_tell
import torch

def loss(prediction, label):
    return torch.nn.functional.binary_cross_entropy_with_logits(prediction, label, reduction='none')

prediction = torch.tensor([-40.0], dtype=torch.float32)  # -40 = 0xc2200000
label = torch.tensor([float.fromhex("0x1.cd2b2ap-54")], dtype=torch.float32)  # 1e-16 = 0x24e69595
result = torch.func.jvp(lambda prediction: loss(prediction, label), (prediction,), (torch.ones_like(prediction),))[1]
got = result.item()
# Exactly, sigmoid(z) - y; sigmoid(x) = 1/(1 + exp(-x)), at z = -40, y = 1e-16.
expected = -9.575164743094677e-17  # -0x1.b99397b664e5ep-54
ulp = 2.0**-77  # of float32 at the expected value
error = abs(got - expected) / ulp
print("torch", torch.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, error {error:.3g} ULP")
if not error <= 4:
    print("MISMATCH: the gradient by the prediction in float32 has the wrong sign where it is -9.575e-17")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
