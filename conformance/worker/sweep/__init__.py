"""The part of a sweep that runs beside a framework.

`space` says what is swept, `kernel` judges one shard of it where its results are, and `statistics` are its result,
which merge in any order.
"""
