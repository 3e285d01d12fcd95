"""torch nn.functional.binary_cross_entropy_with_logits: the second derivative by the prediction in float32 is 0 where it is 0.25.

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

prediction = torch.tensor([0.0], dtype=torch.float32)  # 0 = 0x00000000
label = torch.tensor([0.0], dtype=torch.float32)  # 0 = 0x00000000
module = torch.nn.Module()
module.forward = loss
loss = torch.export.export(module, (prediction, label,)).run_decompositions().module()
prediction.requires_grad_()
result = torch.autograd.grad(torch.autograd.grad(loss(prediction, label).sum(), prediction, create_graph=True)[0].sum(), prediction)[0]
got = result.item()
# Exactly, sigmoid(z)*sigmoid(-z); sigmoid(x) = 1/(1 + exp(-x)), at z = 0, y = 0.
expected = 0.25  # 0x1p-2
ulp = 2.0**-25  # of float32 at the expected value
error = abs(got - expected) / ulp
print("torch", torch.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, error {error:.3g} ULP")
if not error <= 4:
    print("MISMATCH: the second derivative by the prediction in float32 is 0 where it is 0.25")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
