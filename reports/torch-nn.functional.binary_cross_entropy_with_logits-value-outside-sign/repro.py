"""torch nn.functional.binary_cross_entropy_with_logits: the loss in bfloat16 has the wrong sign where it is 0.001712.

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

prediction = torch.tensor([3.0], dtype=torch.bfloat16)  # 3 = 0x4040
label = torch.tensor([1.015625], dtype=torch.bfloat16)  # 1.016 = 0x3f82
result = torch.func.vmap(loss)(prediction, label)
got = result.item()
# Exactly, y*softplus(-z) + (1 - y)*softplus(z); softplus(x) = log(1 + exp(x)), at z = 3, y = 1.016.
expected = 0.0017123515737420588  # 0x1.c0e1f808ae013p-10
ulp = 2.0**-11  # of bfloat16 at the larger of the two terms of the formula
error = abs(got - expected) / ulp
print("torch", torch.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, error {error:.3g} ULP")
if not error <= 4:
    print("MISMATCH: the loss in bfloat16 has the wrong sign where it is 0.001712")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
