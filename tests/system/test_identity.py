"""Sockets obey: what ends an identity ends its sockets, on every process.

Two Daphnes on one Redis. Their audit is switched off (an hour), so that what is seen
was said by the process that did it; the tests of the audit switch it on.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta

import pytest
from allauth.mfa.totp.internal.auth import (
    TOTP,
    generate_totp_secret,
    hotp_value,
    yield_hotp_counters_from_time,
)
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import Group, Permission
from django.utils import timezone

from products.live.viewers import Owner
from products.stock import services as stock
from realtime.protocol import Close
from tests.support.client import Client
from tests.support.factories import make_basket, make_user, make_variant
from tests.support.servers import Daphne
from tests.support.shopper import Shopper
from users.models import Session, User

PROMISED_S = 2
FOUND_S = 10  # nobody promises when: an audit, then a look at whom it doubts
UNSAID = {"LIVE_AUDIT_S": "3600"}  # nothing is found, all must be said


@pytest.fixture(scope="module")
def twin(django_db_setup, tmp_path_factory, shared_redis, static) -> Iterator[Daphne]:
    """A second process of the shop that `daphne` is."""
    twin = Daphne(tmp_path_factory.mktemp("twin"), shared_redis.url, **static, **UNSAID)
    twin.start()
    yield twin
    twin.stop()


@pytest.fixture
def shops(daphne, twin) -> list[Daphne]:
    return [daphne, twin]


def make_staff() -> User:
    user = make_user(is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_stock"))
    return user


class Everywhere:
    """Sockets of one session, one at each shop, that watch its basket and `names`."""

    def __init__(self, stack: ExitStack, shops: list[Daphne], user: User, *names: str):
        first = Shopper(shops[0], user)
        self.shopper = first
        self.sockets: list[Client] = []
        for shop in shops:
            there = Shopper(shop)
            there.cookies = first.cookies
            self.sockets.append(stack.enter_context(there.socket()))
            self.sockets[-1].watch("basket", *names)

    def closed(self) -> set[int]:
        """The codes with which all of them were closed, in the time promised."""
        end = time.monotonic() + PROMISED_S
        return {socket.closed(end - time.monotonic()) for socket in self.sockets}

    def are_open(self) -> bool:
        """Whether each still answers."""
        for socket in self.sockets:
            socket.page.shown.clear()
        return {socket.watch("basket")["t"] for socket in self.sockets} == {"snap"}


def deactivate(user: User) -> None:
    user.is_active = False
    user.save()


def change_password(user: User) -> None:
    user.set_password("another")
    user.save()


def lose_staff(user: User) -> None:
    user.is_staff = False
    user.save()


def end_sessions(user: User) -> None:
    """As "sign out there" does."""
    for row in Session.objects.all():
        if row.get_decoded()[SESSION_KEY] == str(user.pk):
            row.delete()


@pytest.mark.parametrize(
    "end, code",
    [
        (deactivate, Close.DEACTIVATED),
        (change_password, Close.PASSWORD_CHANGED),
        (lose_staff, Close.RIGHTS_LOST),
        (lambda user: user.user_permissions.clear(), Close.RIGHTS_LOST),
        (lambda user: user.delete(), Close.DEACTIVATED),
        (end_sessions, Close.SESSION_ENDED),
    ],
    ids=["deactivated", "password", "staff", "permission", "deleted", "session"],
)
def test_account_that_changes_closes_its_sockets_everywhere(shops, end, code):
    variant, user = make_variant(), make_staff()
    with ExitStack() as stack:
        theirs = Everywhere(stack, shops, user, f"shelf:{variant.pk}")
        others = Everywhere(stack, shops, make_staff(), f"shelf:{variant.pk}")

        end(user)

        assert theirs.closed() == {code}
        assert others.are_open()
    for socket in theirs.sockets:
        assert socket.frames[-1] == {"t": "bye", "code": code, "retry_ms": None}


def test_group_that_loses_a_right_closes_its_members_sockets(shops):
    variant, group = make_variant(), Group.objects.create(name="shelves")
    group.permissions.add(Permission.objects.get(codename="view_stock"))
    member = make_user(is_staff=True)
    member.groups.add(group)
    with ExitStack() as stack:
        theirs = Everywhere(stack, shops, member, f"shelf:{variant.pk}")
        others = Everywhere(stack, shops, make_staff(), f"shelf:{variant.pk}")

        group.permissions.clear()

        assert theirs.closed() == {Close.RIGHTS_LOST}
        assert others.are_open()


def test_sign_out_closes_that_sessions_sockets_and_no_others(shops):
    user = make_user()
    with ExitStack() as stack:
        here = Everywhere(stack, shops, user)
        elsewhere = Everywhere(stack, shops, user)

        here.shopper.sign_out()

        assert here.closed() == {Close.SESSION_ENDED}
        assert elsewhere.are_open()


def test_revoked_staff_socket_hears_nothing_more(shops):
    variant, user = make_variant(on_hand=9), make_staff()
    shelf = f"shelf:{variant.pk}"
    with ExitStack() as stack:
        theirs = Everywhere(stack, shops, user, shelf)
        others = Everywhere(stack, shops, make_staff(), shelf)
        stock.claim({variant.pk: 1})
        for socket in theirs.sockets:
            assert socket.shows(shelf, 2)["reserved"] == 1  # it did hear

        lose_staff(user)
        assert theirs.closed() == {Close.RIGHTS_LOST}
        stock.claim({variant.pk: 1})
        for socket in others.sockets:
            socket.shows(shelf, 3)

    for socket in theirs.sockets:
        assert socket.frames[-1]["t"] == "bye"
        assert socket.page.shown[shelf] == 2


@pytest.mark.parametrize(
    "who", [lambda: None, make_user, lambda: make_user(is_staff=True)]
)
def test_outsider_is_told_that_there_is_no_such_shelf(daphne, who):
    variant = make_variant()
    with Shopper(daphne, who()).socket() as socket:
        socket.send({"t": "sub", "id": 1, "topics": {f"shelf:{variant.pk}": None}})

        answer = socket.receive()

    assert (answer["code"], answer["topics"]) == (
        "unknown_topic",
        [f"shelf:{variant.pk}"],
    )


def test_session_that_runs_out_closes_its_sockets(shops):
    user = make_user()
    with ExitStack() as stack:
        shopper = Shopper(shops[0], user)
        soon = timezone.now() + timedelta(seconds=1.5)
        Session.objects.filter(pk=shopper.session_key).update(expire_date=soon)
        socket = stack.enter_context(shopper.socket())
        socket.watch("basket")

        assert socket.closed(1.5 + PROMISED_S) == Close.SESSION_ENDED
        assert timezone.now() >= soon


def test_session_that_was_prolonged_meanwhile_stays(shops):
    with ExitStack() as stack:
        shopper = Shopper(shops[0], make_user())
        row = Session.objects.filter(pk=shopper.session_key)
        row.update(expire_date=timezone.now() + timedelta(seconds=1))
        socket = stack.enter_context(shopper.socket())
        socket.watch("basket")
        row.update(expire_date=timezone.now() + timedelta(hours=1))

        assert socket.hears_nothing(3)


@pytest.mark.parametrize(
    "end, code",
    [
        (lambda user: {"is_active": False}, Close.DEACTIVATED),
        (lambda user: {"password": "another"}, Close.PASSWORD_CHANGED),
        (lambda user: {"is_staff": False}, Close.RIGHTS_LOST),
    ],
    ids=["deactivated", "password", "staff"],
)
def test_change_that_nobody_announced_is_found_by_the_audit(
    own_redis, serve, end: Callable[[User], dict], code
):
    own_redis.start()
    shop, variant, user = serve(own_redis), make_variant(), make_staff()
    with Shopper(shop, user).socket() as socket:
        socket.watch("basket", f"shelf:{variant.pk}")

        User.objects.filter(pk=user.pk).update(**end(user))  # sends no signal

        assert socket.closed(FOUND_S) == code  # the audit here is every second


def test_sign_out_while_redis_is_away_closes_the_sockets(own_redis, serve):
    own_redis.start()
    shop, user = serve(own_redis, **UNSAID), make_user()
    with ExitStack() as stack:
        theirs = Everywhere(stack, [shop], user)
        mark = shop.mark()
        own_redis.kill()
        while "Redis is away" not in shop.said(mark):
            time.sleep(0.05)

        theirs.shopper.sign_out()

        assert theirs.closed() == {Close.SESSION_ENDED}


def test_socket_that_asks_while_its_session_ends_shows_nothing_of_it_for_long(daphne):
    """Twenty times, so that some fall between the question and the answer."""
    variant = make_variant()
    with ExitStack() as stack:
        for user in [make_user() for _ in range(20)]:
            make_basket(Owner(user_id=user.pk), {variant: 1})
            shopper = Shopper(daphne, user)
            socket = stack.enter_context(shopper.socket())
            socket.send({"t": "sub", "id": 1, "topics": {"basket": None}})
            Session.objects.get(pk=shopper.session_key).delete()

            answer = socket.receive()

            # Too late to be anybody, or in time and then closed: nothing in between.
            is_nobody = answer["t"] == "snap" and answer["items"][0][1] == 0
            assert is_nobody or socket.closed(PROMISED_S) == Close.SESSION_ENDED


def test_socket_of_staff_opens_anew_once_its_session_has_shown_a_second_factor(
    own_redis, serve
):
    own_redis.start()
    shop = serve(own_redis, STAFF_MFA_REQUIRED="1", **UNSAID)
    variant, user, secret = make_variant(), make_staff(), generate_totp_secret()
    TOTP.activate(user, secret)
    shopper, shelf = Shopper(shop, user), f"shelf:{variant.pk}"
    with shopper.socket() as socket:
        socket.send({"t": "sub", "id": 1, "topics": {"basket": None, shelf: None}})
        assert socket.receive()["topics"] == [shelf]
        code = hotp_value(secret, next(iter(yield_hotp_counters_from_time())))

        status = shopper.send("/users/2fa/reauthenticate/", code=f"{code:06}")

        assert status in (200, 302), shopper.location
        assert socket.closed(PROMISED_S) == Close.RIGHTS_GAINED
    with shopper.socket() as socket:
        assert shelf in dict(item[:2] for item in socket.watch(shelf)["items"])
