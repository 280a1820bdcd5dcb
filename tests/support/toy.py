"""Another application than the shop, with two topics, for the live core to serve."""

from collections import Counter

from realtime.registry import PUBLIC, Access, Registry, State, TopicKind, Viewer

database = Counter({"1": 1, "": 1})  # versions by identifier


def load(ids: list[str]) -> dict[str, State]:
    return {i: State(database[i], {"n": database[i]}) for i in ids if i in database}


def versions(ids: list[str]) -> dict[str, int]:
    return {i: database[i] for i in ids if i in database}


class Toy(Registry):
    kinds = {
        "lamp": TopicKind("", "lamp", PUBLIC, load, versions, str.isdigit),
        "vault": TopicKind("", "vault", Access(right="keyholder"), load, versions),
    }

    def timeline(self):
        return "toy"

    def identify(self, session_keys):
        return {key: Viewer(rights=frozenset({key})) for key in session_keys}

    def doubtful(self, viewers):
        return set()

    def compare(self, before, now):
        return None


toy = Toy()
