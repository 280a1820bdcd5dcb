"""Forms of the admin, as a browser reads them."""

import re
from html import unescape


def form_values(html: str) -> dict:
    """Return what a browser sends if the form on a page is sent as it is shown.

    Ticked boxes and radio buttons are lists. Uploads and buttons are left out.
    """
    data: dict = {}
    for tag in re.findall(r"<input[^>]*>", html):
        attributes = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
        name, kind = attributes.get("name"), attributes.get("type")
        if name and kind in ("checkbox", "radio") and " checked" in tag:
            data.setdefault(name, []).append(attributes.get("value", "on"))
        elif name and kind not in ("checkbox", "radio", "submit", "file"):
            data[name] = unescape(attributes.get("value", ""))
    for name, value in re.findall(
        r'<textarea name="([^"]+)"[^>]*>\n?(.*?)</textarea>', html, re.S
    ):
        data[name] = unescape(value)
    for name, options in re.findall(
        r'<select name="([^"]+)"(.*?)</select>', html, re.S
    ):
        chosen = re.search(r'value="([^"]*)" selected', options)
        data[name] = chosen[1] if chosen else ""
    return data
