"""The state of a topic, and its version."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class State:
    """A topic at one moment: `facts` is JSON-ready and `version` only ever grows."""

    version: int
    facts: dict
    shown: dict | None = None  # what the partial needs beyond the facts; stays here


# Of a topic whose version takes a query: "newer than whatever you have, look it up".
AT_LEAST = 2**53
