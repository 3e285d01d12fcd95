"""torch nn.functional.binary_cross_entropy: export mode does not do what the plain call does (inaccurate) in float64.

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

prediction = torch.tensor([0.1], dtype=torch.float64)  # 0.1 = 0x3fb999999999999a
label = torch.tensor([0.0], dtype=torch.float64)  # 0 = 0x0000000000000000
prediction.requires_grad_()
expected = torch.autograd.grad(torch.autograd.grad(loss(prediction, label).sum(), prediction, create_graph=True)[0].sum(), prediction)[0].item()
module = torch.nn.Module()
module.forward = loss
loss = torch.export.export(module, (prediction, label,)).run_decompositions().module()
got = torch.autograd.grad(torch.autograd.grad(loss(prediction, label).sum(), prediction, create_graph=True)[0].sum(), prediction)[0].item()
bound = 8 * 2.220446049250313e-16  # 8 ULP of float64: the budgets of both
print("torch", torch.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, plainly {expected!r}")
if not (got == expected or abs(got - expected) <= bound or (got != got and expected != expected)):
    print("MISMATCH: export mode does not do what the plain call does (inaccurate) in float64")
    sys.exit(1)
print("MATCH: both modes agree")
