"""docs/accuracy.md and the corpus of worst cases from certificates: `python -m docs.renew_accuracy`.

`tests/test_accuracy_page.py` compares the page with what is generated.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from conformance.render import maxima
from conformance.sweep import certificate, corpus
from conformance.sweep.certificate import Certificate

ROOT = Path(__file__).resolve().parent.parent

CERTIFICATES = ROOT / "results" / "certificates"

PAGE = ROOT / "docs" / "accuracy.md"

HEAD = """# Accuracy, proved

Each row is a sweep: every bit pattern of the prediction, with one label, through one implementation.
Every result is judged against exact mathematics.
A maximum is therefore no estimate: it is the largest error that there is,
on the processor, with the versions and by the files that the certificate names.
It was found by the screen of `bce-conformance sweep` and confirmed by interval arithmetic;
[sweeps.md](sweeps.md) tells how.

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
    return maxima.ordered(certificate.read(file) for file in sorted(CERTIFICATES.glob("*.json")))


def page(found: Sequence[Certificate]) -> str:
    """The whole page."""
    return HEAD + "\n".join(maxima.markdown(found)) + "\n"


def main() -> None:
    """Write the page, and add to the corpus."""
    found = certificates()
    PAGE.write_text(page(found), encoding="utf-8")
    corpus.renew(ROOT / "cases" / "worst", found)


if __name__ == "__main__":
    main()
