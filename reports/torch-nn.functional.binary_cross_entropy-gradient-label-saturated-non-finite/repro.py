"""torch nn.functional.binary_cross_entropy: the gradient by the label in float16 is NaN where it is inf.

Exits with 1 where the mismatch shows, with 0 where it does not, and with 125 where it cannot be told.
"""
import sys

def cannot_tell(kind, error, traceback):
    print(f"cannot tell: {kind.__name__}: {error}")
    sys.exit(125)

sys.excepthook = cannot_tell
import torch

def loss(prediction, label):
    return torch.nn.functional.binary_cross_entropy(prediction, label, reduction='none')

prediction = torch.tensor([0.0], dtype=torch.float16)  # 0 = 0x0000
label = torch.tensor([0.0], dtype=torch.float16)  # 0 = 0x0000
result = torch.func.jvp(lambda label: loss(prediction, label), (label,), (torch.ones_like(label),))[1]
got = result.item()
# Exactly, log(1 - p) - log(p), at p = 0, y = 0.
expected = float("inf")
documented = 100.0  # 0x1.9p+6
error = abs(got - documented) / 2.0**-4  # in ULP of float16
print("torch", torch.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, documented {documented!r}, error {error:.3g} ULP")
if got != expected and not error <= 4:
    print("MISMATCH: the gradient by the label in float16 is NaN where it is inf")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
