"""`python -m conformance` is the command `bce-conformance`."""

from conformance.cli import main

if __name__ == "__main__":
    main()
