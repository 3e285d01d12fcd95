"""The version of the suite, for both sides of the wall to the worker: Python 3.7 on."""

__version__ = "0.1.0"
