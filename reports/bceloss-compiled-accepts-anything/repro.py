"""torch nn.functional.binary_cross_entropy: in float32 inputs are accepted that must be rejected: prediction -1, label 0.

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

prediction = torch.tensor([-1.0], dtype=torch.float32)  # -1 = 0xbf800000
label = torch.tensor([0.0], dtype=torch.float32)  # 0 = 0x00000000
prediction.requires_grad_(), label.requires_grad_()
loss = torch.compile(loss, fullgraph=True, dynamic=True)
print("torch", torch.__version__, "Python", sys.version.split()[0])
try:
    print('got', loss(prediction, label))
except Exception as error:
    if type(error).__name__ != 'RuntimeError':
        raise
    print(f"got {type(error).__name__}: {error}")
    print("MATCH: the inputs are rejected")
    sys.exit(0)
print("MISMATCH: in float32 inputs are accepted that must be rejected: prediction -1, label 0")
sys.exit(1)
