"""Sweeps: every bit pattern of a format through an implementation, with the largest errors as a certificate.

The parent plans shards (`spec`), has them done (`schedule`), keeps those that are done (`checkpoint`), confirms the
largest errors by Arb (`confirm`) and writes the `certificate`.  What judges a shard is in `conformance.worker.sweep`.
"""
