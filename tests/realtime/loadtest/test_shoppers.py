"""The people of a load test."""

from realtime.loadtest import shoppers


def test_card_of_a_page_has_topic_and_version():
    html = '<div class="stock" data-topic="stock:12" data-version="7">'

    assert shoppers.CARD.findall(html) == [("stock:12", "12", "7")]
