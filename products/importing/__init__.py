"""Products from a CSV file, ours or Shopify's: `importing.run()`.

reading (bytes → records) → columns (header → layout) → rows (record → what a product is
to be) → applying (→ batches), each a generator that holds a batch at most.
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
