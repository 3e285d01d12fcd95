"""docs/accuracy.md, its details and the corpus of worst cases, from certificates."""

from __future__ import annotations

from collections.abc import Sequence

from conformance.render import maxima
from conformance.sweep import corpus, named
from conformance.sweep.certificate import Certificate
from tools.renew import ROOT
from tools.renew.certificates import CERTIFICATES

HEAD = """# Accuracy, proved

How wrong can a loss get?
A cell that says *proved* has the largest error that there is, in units in the last place (ULP) of the dtype:
every bit pattern of the prediction went through the implementation,
and every result was judged against exact mathematics.
The maximum was found by the screen of `bce-conformance sweep` and confirmed by interval arithmetic ([how](sweeps.md)).
It holds for the versions and the processor at the end of this page.

- **float32**: all 4,278,190,080 finite logits, or all 1,065,353,217 probabilities in [0, 1], with that label.
- **float16, bfloat16**: all of them, each with every label in [0, 1].
- `<=0.5`: every result is the correctly rounded one, or as near.
- Gradients: first the error relative to the natural terms ([why](reference.md)), which cancellation does not inflate;
  in brackets the *plain* one where it differs.
- *flush*: the largest plain error where a subnormal number may be flushed to zero, if that makes a difference.
- What has no error in ULP is counted behind it:
  NaN, the wrong sign, an infinity for a number (infinite), a number for an infinity (finite).

What is too large to be swept, float64 and pairs of float32, is sampled, and a search goes on from the worst samples:
[those errors](#sampled) are lower bounds.

[Details](accuracy-details.md): shares of correctly rounded results, where the maxima are, with flushing accepted,
against the documentation, and single labels of 16-bit types.
The certificates are in `results/certificates`; `bce-conformance report --html` draws them.

"""

DETAILS_HEAD = """# Accuracy, in detail

Each row is one implementation with one label, or with all;
[the overview](accuracy.md) tells what it means that these are proofs, but for the rows that say "lower bound".

| column | meaning |
|---|---|
| exact | share of the results that are the correctly rounded ones |
| max ULP | the largest error in ULP of the returned dtype; `<=0.5`: every result is correctly rounded |
| at | the prediction where it is, as a bit pattern |
| flush | the same where a subnormal number may be flushed to zero |
| scaled | the error relative to the natural terms ([reference.md](reference.md)), for gradients |
| contract | the largest error against what the implementation documents (clip, clamped logarithm, epsilon) |
| other | results without an error in ULP: the wrong sign, NaN, an infinity for a number or a number for one (finite) |

"""


def certificates() -> list[Certificate]:
    """The certificates of the repository, in the order of the page."""
    return maxima.ordered(one.certificate for one in named.of_folder(CERTIFICATES))


def page(found: Sequence[Certificate]) -> str:
    """The overview."""
    lines = [*maxima.overview(found), *maxima.sampled(found), "## Where\n", *maxima.environments(found)]
    return HEAD + "\n".join(lines) + "\n"


def details(found: Sequence[Certificate]) -> str:
    """The page with a row for every result."""
    return DETAILS_HEAD + "\n".join(maxima.tables(found)) + "\n"


def files() -> dict[str, str]:
    """Both pages and the corpus, by their paths in the repository."""
    found = certificates()
    worst = corpus.renewed(ROOT / "cases" / "worst", found)
    return {
        "docs/accuracy.md": page(found),
        "docs/accuracy-details.md": details(found),
        **{file.relative_to(ROOT).as_posix(): text for file, text in worst.items()},
    }
