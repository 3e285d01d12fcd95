"""torch nn.functional.cross_entropy: the loss in float16 is infinite where it is 1.041.

Exits with 1 where the mismatch shows, with 0 where it does not, and with 125 where it cannot be told.
"""
import sys

def cannot_tell(kind, error, traceback):
    print(f"cannot tell: {kind.__name__}: {error}")
    sys.exit(125)

sys.excepthook = cannot_tell
import torch

def loss(prediction, label):
    return torch.nn.functional.cross_entropy(torch.stack((torch.zeros_like(prediction), prediction), -1).reshape(-1, 2), torch.stack((1 - label, label), -1).reshape(-1, 2)).reshape(())

prediction = torch.tensor([*([-0.5, 0.75, 1.0] * 33334)[:100000]], dtype=torch.float16)
label = torch.tensor([*([1.0, 0.0, 0.300048828125] * 33334)[:100000]], dtype=torch.float16)
result = loss(prediction, label)
got = result.item()
# Exactly, the mean of y*softplus(-z) + (1 - y)*softplus(z); softplus(x) = log(1 + exp(x)).
expected = 1.0413862767964193  # 0x1.0a984a815804ep+0
ulp = 2.0**-10  # of float16 at the expected value
error = abs(got - expected) / ulp
print("torch", torch.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, error {error:.3g} ULP")
if not error <= 5:
    print("MISMATCH: the loss in float16 is infinite where it is 1.041")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
