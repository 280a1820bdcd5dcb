"""Staff look at the outbox, and may not read what opens somebody's account."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.core.mail import EmailMultiAlternatives
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from post_office.models import STATUS, Email

from project.mail import outbox
from project.mail.admin import without_secrets
from tests.support.factories import make_order, make_user

pytestmark = pytest.mark.django_db

LINK = "https://shop.example/users/password/reset/key/4-c0ffee/?next=%2Fa&b=2"
LIST = reverse("admin:post_office_email_changelist")


def written(**fields) -> Email:
    subject = f"Reset {LINK} now"
    mail = EmailMultiAlternatives(subject, f"Go: {LINK}\nBye", to=["root@example.com"])
    escaped = LINK.replace("&", "&amp;")
    html = (
        f'<style>p {{}}</style><p>Go: <a href="{escaped}">{escaped}</a> <b>now</b></p>'
    )
    mail.attach_alternative(html, "text/html")
    row = outbox.write(mail)
    Email.objects.filter(pk=row.pk).update(**fields)
    row.refresh_from_db()
    return row


def page_of(mail: Email) -> str:
    return reverse("admin:post_office_email_change", args=[mail.pk])


def preview_of(mail: Email) -> str:
    return reverse("admin:post_office_email_preview", args=[mail.pk])


@pytest.fixture
def sign_in() -> Callable[..., Client]:
    def enter(*permissions: str, **fields) -> Client:
        user = make_user(is_staff=True, **fields)
        names = [f"{name}_email" for name in permissions]
        app = Permission.objects.filter(content_type__app_label="post_office")
        user.user_permissions.set(app.filter(codename__in=names))
        client = Client()
        client.force_login(user)
        return client

    return enter


@pytest.fixture
def reader(sign_in) -> Client:
    return sign_in("view")


@pytest.fixture
def packer(sign_in) -> Client:
    return sign_in("view", "change")


@pytest.fixture
def root(sign_in) -> Client:
    return sign_in(is_superuser=True)


# --- Secrets ----------------------------------------------------------------------


@pytest.mark.parametrize("address", [page_of, preview_of, lambda mail: LIST])
def test_link_to_an_account_is_hidden_from_staff(reader, address):
    mail = written()
    mail.logs.create(status=STATUS.failed, message=f"554 Bad link {LINK}")

    response = reader.get(address(mail))

    assert response.status_code == 200
    page = response.content.decode()
    assert "[link hidden]" in page
    assert "c0ffee" not in page and "/users/password" not in page


def test_link_to_an_account_is_shown_to_superusers(root):
    mail = written()

    page, preview = root.get(page_of(mail)), root.get(preview_of(mail))

    assert "c0ffee" in page.content.decode()
    assert "c0ffee" in preview.content.decode()


def test_link_to_a_guests_order_is_hidden_from_staff(reader, settings):
    settings.EMAIL_BACKEND = "project.mail.outbox.OutboxBackend"
    order = make_order()
    mail = Email.objects.get()

    pages = [reader.get(address(mail)) for address in (page_of, preview_of)]

    assert all("[link hidden]" in page.text for page in pages)
    assert all(order.access_token not in page.text for page in pages)


@pytest.mark.parametrize(
    "text, shown",
    [
        (f"Go: {LINK}.", "Go: [link hidden]"),
        ('<a href="/users/confirm-email/x/">', '<a href="[link hidden]">'),
        ("http://shop/sub/users/x y", "http://shop/sub[link hidden] y"),
        ("HTTPS://SHOP/USERS/X", "[link hidden]"),
        ("?next=%2fusers%2Freset%2F", "?next=[link hidden]"),
        ("https://shop/orders/AB12/?t=x-_Y now", "[link hidden] now"),
        ('<a href="/orders/AB12/?t=x">', '<a href="[link hidden]">'),
        ("%2Forders%2FAB12%2F%3Ft%3Dx.", "[link hidden]"),
        ("https://shop/orders/AB12/ stays", "https://shop/orders/AB12/ stays"),
        ("https://shop/products/1/ stays", "https://shop/products/1/ stays"),
    ],
)
def test_secrets_of_a_text_are_covered(text, shown):
    assert without_secrets(text) == shown


@pytest.mark.parametrize(
    "query",
    [
        "message__contains=c0ffee",
        "message__regex=c0f",
        "html_message__startswith=x",
        "headers__icontains=x",
        "subject__contains=c0ffee",
        "logs__message__contains=c0ffee",
    ],
)
def test_list_answers_no_questions_about_texts(reader, query):
    """Else the key of a link could be guessed letter by letter."""
    written()

    response = reader.get(f"{LIST}?{query}")

    assert response.status_code == 400


def test_text_is_not_searched(reader):
    written()

    count = reader.get(LIST, {"q": "Bye"}).context["cl"].result_count
    known = reader.get(LIST, {"q": "root@example"}).context["cl"].result_count

    assert (count, known) == (0, 1)


# --- Looking ----------------------------------------------------------------------


@pytest.mark.parametrize("address", [page_of, preview_of, lambda mail: LIST])
def test_outbox_is_closed_to_staff_without_the_right(sign_in, address):
    client, mail = sign_in(), written()

    assert client.get(address(mail)).status_code == 403


def test_page_of_a_mail_changes_nothing(root):
    mail = written()
    page = root.get(page_of(mail)).content.decode()
    assert 'name="subject"' not in page and 'name="_save"' not in page

    response = root.post(page_of(mail), {"subject": "Changed"})

    assert response.status_code == 403
    assert Email.objects.get().subject == mail.subject
    assert root.get(reverse("admin:post_office_email_add")).status_code == 403


def test_preview_can_do_nothing_but_be_looked_at(root):
    mail = written()

    page, preview = root.get(page_of(mail)), root.get(preview_of(mail))

    assert f'<iframe sandbox width="600" height="560" src="{preview_of(mail)}"' in (
        page.content.decode()
    )
    policy = preview["Content-Security-Policy"]
    assert policy == "sandbox; default-src 'none'; style-src 'unsafe-inline'"
    assert preview["X-Frame-Options"] == "SAMEORIGIN"
    assert preview.content.decode() == mail.html_message


def test_list_shows_what_became_of_each_mail(reader):
    later = timezone.now() + timedelta(hours=1)
    waits = written(status=STATUS.requeued, scheduled_time=later, number_of_retries=2)
    for _ in range(2):
        waits.logs.create(status=STATUS.failed, message="451 Later")
    written(status=STATUS.failed)

    response = reader.get(LIST, {"status__exact": STATUS.requeued})

    (mail,) = response.context["cl"].result_list
    assert (mail.pk, mail.tries) == (waits.pk, 2)
    page = response.content.decode()
    assert "root@example.com" in page and ">2<" in page


def test_pages_of_post_office_that_are_not_ours_are_gone(root):
    for name in ("emailtemplate", "attachment", "log"):
        assert root.get(f"/admin/post_office/{name}/").status_code == 404
    mail = written()
    assert root.get(f"/admin/post_office/email/{mail.pk}/resend/").status_code != 200
    mail.refresh_from_db()
    assert mail.status == STATUS.queued


# --- Doing ------------------------------------------------------------------------


def act(client: Client, action: str, *mails: Email) -> str:
    data = {"action": action, "_selected_action": [mail.pk for mail in mails]}
    return client.post(LIST, data, follow=True).content.decode()


@pytest.mark.parametrize("status", [STATUS.failed, STATUS.sent])
def test_mail_is_sent_again_and_that_is_on_record(packer, status):
    mail = written(status=status, number_of_retries=80)

    page = act(packer, "send_again", mail)

    again = Email.objects.get()
    assert again.status == STATUS.queued and again.number_of_retries == 0
    assert "1 email will be sent within seconds." in page
    assert LogEntry.objects.get().change_message == "Queued to be sent again."
    assert "c0ffee" not in LogEntry.objects.get().object_repr
    # A second copy that is wanted is a new mail to mail programs.
    assert (again.message_id == mail.message_id) is (status == STATUS.failed)


def test_waiting_mail_is_sent_now(packer):
    later = timezone.now() + timedelta(hours=1)
    mail = written(status=STATUS.requeued, scheduled_time=later)

    act(packer, "send_now", mail)

    mail.refresh_from_db()
    assert mail.scheduled_time is None and mail.status == STATUS.requeued
    assert LogEntry.objects.get().change_message == "Queued to be sent now."


@pytest.mark.parametrize(
    "action, status", [("send_again", STATUS.queued), ("send_now", STATUS.sent)]
)
def test_action_leaves_mails_of_the_other_kind(packer, action, status):
    mail = written(status=status)

    page = act(packer, action, mail)

    assert "There is nothing to do for the emails you selected." in page
    mail.refresh_from_db()
    assert mail.status == status
    assert not LogEntry.objects.exists()


def test_staff_who_may_only_look_send_nothing(reader):
    mail = written(status=STATUS.failed)

    act(reader, "send_again", mail)

    mail.refresh_from_db()
    assert mail.status == STATUS.failed


def test_link_in_a_subject_is_found_by_a_part_of_it_by_administrators_only(sign_in):
    written()

    staff = sign_in("view").get(LIST, {"q": "c0ffee"}).context["cl"]
    root = sign_in(is_superuser=True).get(LIST, {"q": "c0ffee"}).context["cl"]

    assert (staff.result_count, root.result_count) == (0, 1)


def test_list_is_sorted_by_subject_for_administrators_only(sign_in):
    written()

    staff = sign_in("view").get(LIST, {"o": "2"}).context["cl"]
    root = sign_in(is_superuser=True).get(LIST, {"o": "2"}).context["cl"]

    assert "subject" not in "".join(map(str, staff.queryset.query.order_by))
    assert "subject" in root.queryset.query.order_by
