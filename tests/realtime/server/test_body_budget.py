"""How many bytes of request bodies a process holds."""

from realtime.server.body_budget import BodyBudget

HERE, THERE = "203.0.113.7", "198.51.100.1"


def test_budget_gives_one_address_at_most_half(settings):
    settings.HTTP = settings.HTTP | {"BODIES_BYTES": 100}
    budget = BodyBudget()

    assert budget.take(HERE, 50)
    assert not budget.take(HERE, 1)
    assert budget.take(THERE, 30) and budget.take(None, 20)
    assert not budget.take(THERE, 1) and not budget.take(None, 1)

    budget.give_back(HERE, 50)

    assert budget.take(None, 50)
    assert budget.total == 100
