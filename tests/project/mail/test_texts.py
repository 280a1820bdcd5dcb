"""What the shop's mails say, in text and in HTML."""

import re
from html.parser import HTMLParser
from pathlib import Path

import allauth
import pytest
from allauth.account.adapter import get_adapter
from allauth.account.models import EmailAddress
from django.conf import settings as shop_settings
from django.core import mail
from django.core.mail import EmailMultiAlternatives
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from tests.support.factories import make_user
from users.recovery import WayIn

pytestmark = pytest.mark.django_db

ROOT = Path(shop_settings.BASE_DIR) / "templates"
ALLAUTH = Path(allauth.__file__).parent / "templates"
NAMES = sorted(
    str(path.relative_to(ROOT)).removesuffix("_subject.txt")
    for path in ROOT.glob("*/email/*_subject.txt")
)
CODES = {"account/email/password_reset_code"}  # not switched on
LINK = "https://shop.example/users/x/?a=1&b=2"
NAME = "O'Neil & <b>"


def rendered(name: str, **context) -> EmailMultiAlternatives:
    """As the shop's adapter gives it to the templates."""
    shop = {"shop_name": "Nail & Sons", "shop_url": "https://shop.example"}
    everything = {
        "activate_url": LINK,
        "password_reset_url": LINK,
        "code": "AB1-CD2",
        "ways_in": [WayIn(NAME, timezone.now(), None, "")],
        "ways_in_url": LINK,
        "signup_url": LINK,
        "username": NAME,
        "from_email": "o'neil@example.com",
        "to_email": "new@example.com",
        "deleted_email": "o'neil@example.com",
        "provider": {"name": NAME},
        "ip": "192.0.2.1",
        "user_agent": "Fox <7> & Co",
        "timestamp": timezone.now(),
    }
    adapter = get_adapter()
    return adapter.render_mail(name, "ann@example.com", everything | shop | context)


class Seen(HTMLParser):
    """What a reader sees of HTML, the links in it, and its tags."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text, self.links, self.tags = "", [], []
        self.feed(html)
        self.text = " ".join(self.text.partition("</style>")[2].split())

    def handle_starttag(self, tag: str, attributes: list) -> None:
        self.tags.append(tag)
        self.links += [value for name, value in attributes if name in ("href", "src")]

    def handle_endtag(self, tag: str) -> None:
        self.text += "</style>" if tag == "style" else ""

    def handle_data(self, data: str) -> None:
        self.text += data


def html_of(message: EmailMultiAlternatives) -> str:
    return message.alternatives[0].content


def test_every_mail_of_allauth_has_texts_of_ours():
    theirs = {
        str(path.relative_to(ALLAUTH)).removesuffix("_subject.txt")
        for path in ALLAUTH.glob("*/email/*_subject.txt")
    }

    assert theirs - CODES <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_mail_says_the_same_in_text_and_html(name):
    message = rendered(name)

    seen = Seen(html_of(message))
    text = " ".join(message.body.partition("\n-- \n")[0].split())
    sentences = [part for part in re.split(r"(?<=[.:,]) | (?=https?:)", text) if part]
    assert sentences
    missing = [part for part in sentences if part not in seen.text]
    assert missing == []
    assert 5 < len(message.subject) < 78 and "\n" not in message.subject


@pytest.mark.parametrize("name", NAMES)
def test_mail_loads_nothing_and_is_narrow(name):
    html = html_of(rendered(name))
    seen = Seen(html)

    assert not {"table", "img", "script", "link", "iframe"} & set(seen.tags)
    assert "url(" not in html and "@import" not in html
    assert set(seen.links) <= {LINK}
    assert "prefers-color-scheme: dark" in html
    (width,) = {int(px) for px in re.findall(r"max-width: (\d+)px", html)}
    assert width + 2 * 32 <= 600
    assert '<div class="preheader">' in html and '<div class="preheader"></' not in html


@pytest.mark.parametrize("name", NAMES)
def test_characters_of_html_come_out_right_in_both(name):
    message = rendered(name)
    html = html_of(message)

    whole = f"{message.subject}\n{message.body}"
    assert "&amp;" not in whole and "&#x27;" not in whole and "&lt;" not in whole
    seen = Seen(html)
    assert "b" not in seen.tags
    assert "&amp;" not in seen.text and "&#x27;" not in seen.text
    assert "Nail & Sons" in seen.text and "Nail & Sons" in message.body
    for thing in (NAME, "Fox <7> & Co", LINK):
        assert (thing in message.body) is (thing in seen.text)
    if LINK in message.body:
        assert seen.links == [LINK, LINK]  # the button, and the address to copy


def test_name_of_a_shopper_is_text_in_their_mail():
    user = make_user(first_name="O'Neil & <b>", last_name="{% include 'x' %}")
    EmailAddress.objects.create(user=user, email=user.email, verified=True)

    message = rendered("account/email/password_reset_key", user=user)

    greeting = "Hello O'Neil & <b> {% include 'x' %},"
    assert greeting in message.body
    assert greeting in Seen(html_of(message)).text


def test_name_is_not_mailed_to_an_address_that_may_be_a_strangers():
    user = make_user(first_name="Win a prize at evil.example")

    message = rendered("account/email/password_reset_key", user=user)

    assert "evil" not in message.body and "evil" not in html_of(message)
    assert message.body.startswith("Hello,")


def test_confirmation_names_the_hours_that_its_link_lives():
    hours = 24 * shop_settings.ACCOUNT_EMAIL_CONFIRMATION_EXPIRE_DAYS

    for name in ("email_confirmation", "email_confirmation_signup"):
        assert f"within {hours} hours" in rendered(f"account/email/{name}").body


def test_mail_that_the_shop_sends_has_its_name_and_its_links(settings):
    settings.DOMAIN_NAME = "https://shop.example"
    user = make_user()

    Client().post(reverse("account_reset_password"), {"email": user.email})

    (message,) = mail.outbox
    assert message.subject == "Choose a new password for Tidewater"
    (link,) = re.findall(r"https?://\S+/users/\S+", message.body)
    assert link.startswith("https://shop.example/users/password/reset/key/")
    assert Seen(html_of(message)).links == [link, link]
    assert message.body.rstrip().endswith("Tidewater\nhttps://shop.example")
