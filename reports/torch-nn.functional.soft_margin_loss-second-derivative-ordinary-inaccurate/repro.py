"""torch nn.functional.soft_margin_loss: the second derivative by the prediction in float16 is 0 where it is 0.0009102.

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

prediction = torch.tensor([7.0], dtype=torch.float16)  # 7 = 0x4700
label = torch.tensor([0.0], dtype=torch.float16)  # 0 = 0x0000
prediction.requires_grad_()
result = torch.autograd.grad(torch.autograd.grad(loss(prediction, label).sum(), prediction, create_graph=True)[0].sum(), prediction)[0]
got = result.item()
# Exactly, sigmoid(z)*sigmoid(-z); sigmoid(x) = 1/(1 + exp(-x)), at z = 7, y = 0.
expected = 0.0009102211801218265  # 0x1.dd37d19b22b21p-11
ulp = 2.0**-21  # of float16 at the expected value
error = abs(got - expected) / ulp
print("torch", torch.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, error {error:.3g} ULP")
if not error <= 4:
    print("MISMATCH: the second derivative by the prediction in float16 is 0 where it is 0.0009102")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
