"""torch nn.functional.soft_margin_loss: the loss in float32 is infinite where it is 100.

Exits with 1 where the mismatch shows, with 0 where it does not, and with 125 where it cannot be told.
"""
import sys

def cannot_tell(kind, error, traceback):
    print(f"cannot tell: {kind.__name__}: {error}")
    sys.exit(125)

sys.excepthook = cannot_tell
import torch

def loss(prediction, label):
    return torch.nn.functional.soft_margin_loss(prediction, 2 * label - 1, reduction='none')

prediction = torch.tensor([100.0], dtype=torch.float32)  # 100 = 0x42c80000
label = torch.tensor([0.0], dtype=torch.float32)  # 0 = 0x00000000
result = loss(prediction, label)
got = result.item()
# Exactly, log(1 + exp(z)), at z = 100, y = 0.
expected = 100.0  # 0x1.9p+6
ulp = 2.0**-17  # of float32 at the expected value
error = abs(got - expected) / ulp
print("torch", torch.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, error {error:.3g} ULP")
if not error <= 4:
    print("MISMATCH: the loss in float32 is infinite where it is 100")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
