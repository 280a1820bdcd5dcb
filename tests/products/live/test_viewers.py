"""Which viewer a session stands for, and what ends that."""

from datetime import timedelta

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import AnonymousUser, Group, Permission
from django.test import Client
from django.utils import timezone

from products.live import viewers
from products.live.registry import registry
from products.live.viewers import Owner, Standing
from project.sessions import SessionStore
from realtime.protocol import Close
from realtime.registry import STRANGER, Viewer
from tests.support.factories import make_user
from users.models import Session, User

RIGHT = "products.view_stock"


def sign_in(user: User) -> str:
    """The key of a new session that is signed in."""
    client = Client()
    client.force_login(user)
    return client.session.session_key


def identify(session_key: str) -> Viewer | None:
    return viewers.identify([session_key]).get(session_key)


def make_staff() -> User:
    user = make_user(is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_stock"))
    return user


# --- identify ---------------------------------------------------------------------


@pytest.mark.django_db
def test_identify_of_a_signed_in_session_gives_its_account():
    user = make_user()

    viewer = identify(sign_in(user))

    assert (viewer.owner, viewer.user_id) == (f"u{user.pk}", user.pk)
    assert viewer.rights == frozenset()
    assert viewer.evidence.standing == Standing.GOOD


@pytest.mark.django_db
def test_identify_of_an_anonymous_session_gives_its_token():
    session = SessionStore()
    session[viewers.BASKET_TOKEN] = "abc"
    session.save()

    viewer = identify(session.session_key)

    assert viewer.owner == Owner(token="abc").key
    assert viewers.owner_of(session, AnonymousUser()).key == viewer.owner


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["unknown", "x" * 500])
def test_identify_of_no_known_session_is_none(key):
    assert identify(key) is None


@pytest.mark.django_db
def test_identify_of_an_expired_session_is_none():
    key = sign_in(make_user())
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))

    assert identify(key) is None


@pytest.mark.django_db
def test_identify_of_staff_gives_the_rights_that_topics_need():
    staff = make_staff()

    assert identify(sign_in(staff)).rights == {RIGHT}


@pytest.mark.django_db
def test_identify_of_a_shopper_with_a_permission_gives_no_right():
    user = make_staff()
    user.is_staff = False
    user.save()

    assert identify(sign_in(user)).rights == frozenset()


@pytest.mark.django_db
def test_identify_after_a_password_change_gives_no_account_and_keeps_the_session():
    user = make_user()
    key = sign_in(user)
    user.set_password("another")
    user.save()

    viewer = identify(key)

    assert (viewer.owner, viewer.user_id) == ("", None)
    assert viewer.evidence.standing == Standing.PASSWORD_CHANGED
    assert Session.objects.filter(pk=key).exists()


@pytest.mark.django_db
def test_identify_of_many_checks_each_session_against_its_own_password():
    goes = make_user()
    keys = {sign_in(make_user()): Standing.GOOD for _ in range(2)}
    keys[sign_in(goes)] = Standing.PASSWORD_CHANGED
    goes.set_password("another")
    goes.save()

    identified = viewers.identify(keys)

    assert {key: viewer.evidence.standing for key, viewer in identified.items()} == keys


@pytest.mark.django_db
def test_identify_of_a_session_whose_data_and_row_differ_gives_no_account():
    """The account in the row is a copy. The signed data decide."""
    key = sign_in(make_user())
    Session.objects.filter(pk=key).update(user=make_user())

    viewer = identify(key)

    assert viewer[:3] == STRANGER[:3]
    assert viewer.evidence.standing == Standing.DEACTIVATED


@pytest.mark.django_db
@pytest.mark.parametrize("kind", ["visitor", "shopper", "staff"])
def test_identify_costs_one_query_and_two_more_for_staff(
    kind, django_assert_num_queries
):
    session = SessionStore()
    session.save()
    queries, key = {
        "visitor": lambda: (1, session.session_key),
        "shopper": lambda: (1, sign_in(make_user())),
        "staff": lambda: (3, sign_in(make_staff())),
    }[kind]()

    with django_assert_num_queries(queries):
        identify(key)


@pytest.mark.django_db
def test_identify_of_many_sessions_costs_one_query(django_assert_num_queries):
    people = [make_user() for _ in range(12)]
    keys = [sign_in(user) for user in people]

    with django_assert_num_queries(1):
        identified = viewers.identify([*keys, "unknown"])

    assert [identified[key].user_id for key in keys] == [u.pk for u in people]
    assert "unknown" not in identified


# --- doubtful ---------------------------------------------------------------------


def viewers_of(*keys: str) -> dict[str, Viewer]:
    return {key: identify(key) for key in keys}


@pytest.mark.django_db
@pytest.mark.parametrize(
    "change",
    [
        {"is_active": False},
        {"is_staff": True},
        {"is_superuser": True},
        {"password": "another"},
    ],
)
def test_doubtful_finds_only_the_session_whose_account_changed(change):
    changed, same = make_user(), make_user()
    held = viewers_of(sign_in(changed), sign_in(same))
    User.objects.filter(pk=changed.pk).update(**change)

    doubted = viewers.doubtful(held)

    assert [held[key].user_id for key in doubted] == [changed.pk]


@pytest.mark.django_db
def test_doubtful_finds_sessions_that_are_gone_or_expired():
    user = make_user()
    held = viewers_of(gone := sign_in(user), expired := sign_in(user), sign_in(user))
    Session.objects.filter(pk=gone).delete()
    past = timezone.now() - timedelta(seconds=1)
    Session.objects.filter(pk=expired).update(expire_date=past)

    assert viewers.doubtful(held) == {gone, expired}


@pytest.mark.django_db
def test_doubtful_costs_one_query_for_any_number(django_assert_num_queries):
    held = viewers_of(*(sign_in(make_user()) for _ in range(12)))

    with django_assert_num_queries(1):
        assert viewers.doubtful(held) == set()


# --- compare ----------------------------------------------------------------------


def change(user: User, **fields) -> None:
    User.objects.filter(pk=user.pk).update(**fields)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "end, reason",
    [
        (lambda user: Session.objects.all().delete(), Close.SESSION_ENDED),
        (lambda user: change(user, is_active=False), Close.DEACTIVATED),
        (lambda user: change(user, password="another"), Close.PASSWORD_CHANGED),
        (lambda user: change(user, is_staff=False), Close.RIGHTS_LOST),
        (lambda user: user.user_permissions.clear(), Close.RIGHTS_LOST),
        (lambda user: user.delete(), Close.DEACTIVATED),
        (lambda user: change(user, first_name="Ann"), None),
        (lambda user: change(user, is_superuser=True), Close.RIGHTS_GAINED),
    ],
)
def test_compare_gives_the_reason_to_close(end, reason):
    user = make_staff()
    before = identify(key := sign_in(user))

    end(user)

    assert viewers.compare(before, identify(key)) is reason


@pytest.mark.django_db
def test_compare_after_a_group_lost_its_right_gives_rights_lost():
    user, group = make_user(is_staff=True), Group.objects.create(name="shelves")
    group.permissions.add(Permission.objects.get(codename="view_stock"))
    user.groups.add(group)
    before = identify(key := sign_in(user))

    group.permissions.clear()

    assert before.rights == {RIGHT}
    assert viewers.compare(before, identify(key)) is Close.RIGHTS_LOST


@pytest.mark.django_db
def test_compare_of_a_visitor_who_got_a_basket_gives_no_reason():
    session = SessionStore()
    session.save()
    before = identify(session.session_key)
    session[viewers.BASKET_TOKEN] = "abc"
    session.save()

    assert viewers.compare(before, identify(session.session_key)) is None


# --- Where a second factor is asked of staff --------------------------------------


def make_boss() -> User:
    return make_user(is_staff=True, is_superuser=True)


def show_factor(key: str, user: User) -> Authenticator:
    """Give the account a second factor, which the session has shown."""
    factor = Authenticator.objects.create(user=user, type="totp", data={})
    session = SessionStore(key)
    session["account_authentication_methods_user"] = str(user.pk)
    session["account_authentication_methods"] = [{"method": "mfa", "id": factor.pk}]
    session.save()
    return factor


STAFF_TOPICS = [name for name, kind in registry.kinds.items() if kind.access.right]


def keys_of(key: str) -> list[str | None]:
    """The keys of all staff topics for the viewer of this session."""
    viewer = identify(key)
    names = [f"{n}:1" if registry.kinds[n].accepts else n for n in STAFF_TOPICS]
    return [registry.key_of(name, viewer) for name in names]


@pytest.mark.django_db
@pytest.mark.parametrize("has_factor", [False, True])
def test_staff_topics_do_not_exist_without_a_second_factor(settings, has_factor):
    boss = make_boss()
    key = sign_in(boss)
    if has_factor:
        Authenticator.objects.create(user=boss, type="totp", data={})
    assert len(STAFF_TOPICS) >= 3 and None not in keys_of(key)

    settings.STAFF_MFA_REQUIRED = True

    assert set(keys_of(key)) == {None}


@pytest.mark.django_db
def test_staff_topics_exist_with_a_second_factor(settings):
    settings.STAFF_MFA_REQUIRED = True
    boss = make_boss()
    key = sign_in(boss)

    show_factor(key, boss)

    assert None not in keys_of(key)


@pytest.mark.django_db
def test_identify_of_many_staff_costs_four_queries(settings, django_assert_num_queries):
    """Every process repeats these queries every few seconds while boards are open."""
    settings.STAFF_MFA_REQUIRED = True
    staff = [make_staff() for _ in range(6)]
    keys = [sign_in(user) for user in staff]
    for key, user in zip(keys[:4], staff[:4], strict=True):
        show_factor(key, user)
    staff[0].user_permissions.clear()
    group = Group.objects.create(name="Counter")
    group.permissions.add(Permission.objects.get(codename="view_order"))
    staff[1].groups.add(group)
    keys.append(sign_in(boss := make_boss()))
    show_factor(keys[-1], boss)
    keys.append(sign_in(make_user()))

    with django_assert_num_queries(4):  # sessions, factors, and two rights
        identified = viewers.identify(keys)

    nothing, both = frozenset(), {RIGHT, "products.view_order"}
    expected = [nothing, both, {RIGHT}, {RIGHT}, nothing, nothing, both, nothing]
    assert [identified[key].rights for key in keys] == expected


@pytest.mark.django_db
def test_compare_after_a_second_factor_was_shown_gives_rights_gained(settings):
    settings.STAFF_MFA_REQUIRED = True
    boss = make_boss()
    key = sign_in(boss)
    before = identify(key)

    show_factor(key, boss)

    assert viewers.doubtful({key: before}) == {key}
    assert viewers.compare(before, identify(key)) is Close.RIGHTS_GAINED


@pytest.mark.django_db
def test_compare_after_the_second_factor_was_removed_gives_rights_lost(settings):
    settings.STAFF_MFA_REQUIRED = True
    boss = make_boss()
    key = sign_in(boss)
    factor = show_factor(key, boss)
    before = identify(key)

    factor.delete()

    assert viewers.doubtful({key: before}) == {key}
    assert viewers.compare(before, identify(key)) is Close.RIGHTS_LOST
