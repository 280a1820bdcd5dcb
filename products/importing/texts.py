"""Converts HTML to plain text for descriptions, and back.

`html.parser` takes minutes for 100 KB of `<a <a <a …`, and fails on `<![<![`. This
scanner takes linear time.
"""

import re
from html import escape, unescape

BLOCKS = {
    *("address", "article", "blockquote", "div", "dl", "dd", "dt", "figure", "footer"),
    *("h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "ol", "p", "pre"),
    *("section", "table", "ul"),
}
LINES = {"br", "li", "tr"}
CELLS = {"td", "th"}
# Elements whose content is not for people.
HIDDEN = {"script", "style", "template", "noscript", "iframe", "object", "svg", "title"}
STARTS = re.compile(r"<[a-zA-Z/!?]")
ENTITY = re.compile(r"&#?\w{1,32};")
# A comment; a tag, whose quoted values may contain ">"; anything else like a tag.
TOKEN = re.compile(
    r"""<!--.*?(?:-->|\Z)
    | <(?P<end>/?)(?P<tag>[a-zA-Z][\w:-]*+)
      (?: (?:[^<>"']|"[^"<]*"|'[^'<]*')*+> | [^>]*+(?:>|\Z) )
    | <[/!?][^>]*+(?:>|\Z)
    """,
    re.VERBOSE | re.DOTALL,
)
END_OF = {tag: re.compile(rf"</{tag}\b", re.IGNORECASE) for tag in HIDDEN}


def to_text(html: str) -> str:
    """Return `html` without tags, scripts and styles, with blocks as paragraphs.

    A text without tags keeps its line breaks.
    """
    if not _is_html(html):
        return html.strip()
    parts, position = [], 0
    while token := TOKEN.search(html, position):
        parts.append(_words(html[position : token.start()]))
        parts.append(_gap(token))
        position = _next_position(html, token)
    parts.append(_words(html[position:]))
    lines = [" ".join(line.split()) for line in "".join(parts).split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def to_html(text: str) -> str:
    """Return a plain text as HTML, with paragraphs where it has empty lines."""
    paragraphs = re.split(r"\n{2,}", text.replace("\r\n", "\n").strip())
    bodies = [escape(part, quote=False).replace("\n", "<br>") for part in paragraphs]
    return "".join(f"<p>{body}</p>" for body in bodies if body)


def _is_html(text: str) -> bool:
    start = STARTS.search(text)
    is_tag = start is not None and text.find(">", start.end()) > 0
    return is_tag or ENTITY.search(text) is not None


def _words(text: str) -> str:
    return re.sub(r"\s+", " ", unescape(text))


def _gap(token: re.Match) -> str:
    """Return the white space that stands for a tag."""
    tag = (token["tag"] or "").lower()
    if tag in BLOCKS:
        return "\n\n"
    if tag in LINES and not token["end"]:
        return "\n"
    return " " if tag in CELLS else ""


def _next_position(html: str, token: re.Match) -> int:
    """Return the position after the tag, or after the content of a hidden element."""
    tag = (token["tag"] or "").lower()
    if tag not in HIDDEN or token["end"] or token[0].endswith("/>"):
        return token.end()
    end = END_OF[tag].search(html, token.end())
    return end.start() if end else len(html)
