"""Examples of what the suite is about, run from a checkout: `python -m examples.autoencoder`."""
