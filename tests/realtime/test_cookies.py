"""The session's key in a handshake's Cookie header."""

import pytest

from realtime.cookies import session_key_from

KEY = "abcdefghijklmnopqrstuvwxyz012345"


@pytest.mark.parametrize(
    "header",
    [
        f"sessionid={KEY}",
        f"csrftoken=x; sessionid={KEY}",
        f"sessionid={KEY}; other",
        f'sessionid="{KEY}"',
        f'analytics={{"a":[1]}}; sessionid={KEY}',
        f"a b=1; sessionid={KEY}",
        f"=; ;; sessionid={KEY};",
        f"$Version=1; sessionid={KEY}",
    ],
)
def test_key_is_found(header):
    assert session_key_from(header) == KEY


@pytest.mark.parametrize(
    "header",
    [
        "",
        ";",
        "sessionid",
        "sessionid=",
        'sessionid=""',
        f"SESSIONID={KEY}",
        f"xsessionid={KEY}",
        f"other=sessionid={KEY}",
        'sessionid="\\000\\000"',
        'sessionid="a\\012b"',
        "sessionid=a\x00b",
    ],
)
def test_header_without_a_key_that_can_be_one_has_none(header):
    assert session_key_from(header) is None
