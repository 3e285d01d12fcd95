"""Conformance suite for binary cross-entropy (BCE) across deep-learning frameworks.

This module is imported by workers too: it needs no package and runs on Python 3.7.
"""

__version__ = "0.1.0"
