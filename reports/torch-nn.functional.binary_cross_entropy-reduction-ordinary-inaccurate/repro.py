"""torch nn.functional.binary_cross_entropy: the mean is not that of the unreduced losses in float32.

Exits with 1 where the mismatch shows, with 0 where it does not, and with 125 where it cannot be told.
"""
import sys

def cannot_tell(kind, error, traceback):
    print(f"cannot tell: {kind.__name__}: {error}")
    sys.exit(125)

sys.excepthook = cannot_tell
import torch

def loss(prediction, label):
    return torch.nn.functional.binary_cross_entropy(prediction, label)

def unreduced(prediction, label):
    return torch.nn.functional.binary_cross_entropy(prediction, label, reduction='none')

import math
prediction = torch.tensor([*([float.fromhex("0x1.333334p-2"), float.fromhex("0x1.333334p-1"), float.fromhex("0x1.666666p-1")] * 33334)[:100000]], dtype=torch.float32)
label = torch.tensor([*([1.0, 0.0, float.fromhex("0x1.333334p-2")] * 33334)[:100000]], dtype=torch.float32)
prediction.requires_grad_(), label.requires_grad_()
loss = torch.compile(loss, fullgraph=True, dynamic=True)
got = loss(prediction, label).item()
terms = unreduced(prediction, label).tolist()
expected = math.fsum(terms) / len(terms)  # the exact mean of the losses themselves
bound = 1.58e-06  # what summation and one rounding may cost, docs/reference.md of bce-conformance
print("torch", torch.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, error {abs(got - expected):.3g}, bound {bound:.3g}")
if not (got == expected or abs(got - expected) <= bound or (got != got and expected != expected)):
    print("MISMATCH: the mean is not that of the unreduced losses in float32")
    sys.exit(1)
print("MATCH: the result is that of its terms")
