"""Sweeps: every bit pattern of a format through an implementation, with the largest errors as a certificate.

`space` says what is swept, `kernel` judges one shard of it inside a worker, and `statistics` are its result, which
merge in any order.  The parent plans shards (`spec`), has them done (`schedule`), keeps those that are done
(`checkpoint`), confirms the largest errors by Arb (`confirm`) and writes the `certificate`.

`space`, `judging`, `kernel` and `statistics` run in workers: standard library and NumPy only, Python 3.7 on.
"""
