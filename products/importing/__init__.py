"""Imports products from a CSV file in our own or in Shopify's format.

`importing.run()` works in steps, each of which holds at most a batch in memory:

1. `detection` finds the encoding, and `reading` yields records.
2. `columns` makes a layout of the header.
3. `rows` turns each record into a row (`shopify` converts, `cells` reads values).
4. `applying` takes rows in batches: `matching` finds their products, and `batches`
   writes them.
"""

from products.importing.applying import run
from products.importing.encodings import ENCODINGS
from products.importing.problems import Problem, UnknownEncoding, Unreadable
from products.importing.reading import DELIMITERS
from products.importing.report import Options, Report

__all__ = [
    "DELIMITERS",
    "ENCODINGS",
    "Options",
    "Problem",
    "Report",
    "UnknownEncoding",
    "Unreadable",
    "run",
]
