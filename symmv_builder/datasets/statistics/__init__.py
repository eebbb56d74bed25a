"""The numbers of a dataset's report: one pass over its shards, and what the ledger knows.

`songs.py` reads the small columns of all rows, `vectors.py` the large ones of as many rows as a
budget of bytes allows, `figures.py` makes figures of both, `crawled.py` those of the ledger and
the receipt, and `compared.py` tests whether two datasets differ.
"""
