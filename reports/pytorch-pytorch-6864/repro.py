"""torch nn.functional.cross_entropy: the loss in float32 is NaN where it is inf.

Exits with 1 where the mismatch shows, with 0 where it does not, and with 125 where it cannot be told.
"""
import sys

def cannot_tell(kind, error, traceback):
    print(f"cannot tell: {kind.__name__}: {error}")
    sys.exit(125)

sys.excepthook = cannot_tell
import torch

def loss(prediction, label):
    return torch.nn.functional.cross_entropy(torch.stack((torch.zeros_like(prediction), prediction), -1).reshape(-1, 2), torch.stack((1 - label, label), -1).reshape(-1, 2), reduction='none').reshape((1,))

prediction = torch.tensor([float("inf")], dtype=torch.float32)  # inf = 0x7f800000
label = torch.tensor([0.0], dtype=torch.float32)  # 0 = 0x00000000
result = loss(prediction, label)
got = result.item()
# Exactly, log(1 + exp(z)), at z = inf, y = 0.
expected = float("inf")
print("torch", torch.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}")
if got != expected:
    print("MISMATCH: the loss in float32 is NaN where it is inf")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
