"""HTML bodies as plain text."""

import time

import pytest

from products.importing.texts import to_text


@pytest.mark.parametrize(
    "html, text",
    [
        ("Plain,\nin two lines", "Plain,\nin two lines"),
        ("5 < 6 & 7", "5 < 6 & 7"),
        ("<p>One.</p><p>Two.</p>", "One.\n\nTwo."),
        ("One<br>Two<br/>Three", "One\nTwo\nThree"),
        ("<ul><li>a</li><li>b</li></ul>", "a\nb"),
        ("Fish &amp; chips &euro;5", "Fish & chips €5"),
        ("<div>a <b>bold</b>\n\n word</div>", "a bold word"),
        ("<script>alert(1)</script>Lamp<style>p{}</style>", "Lamp"),
        ("Lamp<script>alert(1)", "Lamp"),
        ("<img src=x onerror=alert(1)>Lamp", "Lamp"),
        ("<svg><script>x</script></svg>Lamp", "Lamp"),
        ("<!-- secret -->Lamp", "Lamp"),
        ('<a title="2 > 1" href=x>Lamp</a>', "Lamp"),
        ("<p class='x'>One<p>Two", "One\n\nTwo"),
        ("<SCRIPT>x</SCRIPT >Lamp", "Lamp"),
        ("sizes <XL", "sizes <XL"),
        ("<![CDATA[x]]>Lamp", "Lamp"),
        ("<table><tr><td>1</td><td>2</td></tr></table>", "1 2"),
    ],
)
def test_text_of_html_has_the_visible_content(html, text):
    assert to_text(html) == text


def test_text_of_nested_tags_does_not_become_a_tag():
    """Tags cut out once may leave one: the text is only ever shown escaped, too."""
    assert "<script" not in to_text("<scr<script>ipt>alert(1)</script>")


@pytest.mark.parametrize("part", ["<a ", '<a b="', "<a '>", "<!--", "<![", "</"])
def test_text_of_hostile_html_takes_little_time(part):
    """`html.parser` takes minutes for the first, and fails on another. CPU time, and
    far more of it than it takes (0.03 s), so that a busy machine does not matter."""
    before = time.thread_time()

    to_text("<b>" + part * (120_000 // len(part)))

    assert time.thread_time() - before < 10
