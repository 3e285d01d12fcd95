"""torch nn.functional.binary_cross_entropy: export mode does not do what the plain call does (nan) in float32.

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

prediction = torch.tensor([0.0], dtype=torch.float32)  # 0 = 0x00000000
label = torch.tensor([0.0], dtype=torch.float32)  # 0 = 0x00000000
prediction.requires_grad_()
expected = torch.autograd.grad(loss(prediction, label).sum(), prediction)[0].item()
module = torch.nn.Module()
module.forward = loss
loss = torch.export.export(module, (prediction, label,)).run_decompositions().module()
got = torch.autograd.grad(loss(prediction, label).sum(), prediction)[0].item()
bound = 8 * 1.1920928955078125e-07  # 8 ULP of float32: the budgets of both
print("torch", torch.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, plainly {expected!r}")
if not (got == expected or abs(got - expected) <= bound or (got != got and expected != expected)):
    print("MISMATCH: export mode does not do what the plain call does (nan) in float32")
    sys.exit(1)
print("MATCH: both modes agree")
