"""An autoencoder trained on grey pixels with binary cross-entropy, the practice that the question asks about.

The same network starts from the same weights in every framework and goes down the same gradient; `docs/autoencoder.md`
says what is to be seen.  Run it with `python -m examples.autoencoder`.
"""
