"""The form on the page of a sold-out product, and the link that ends the mails."""

from allauth.core import ratelimit
from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import TemplateView, View

from products.models import Variant, Waiting
from products.waiting import services as waiting
from project.mail.addresses import mailbox
from project.mail.fields import EmailFormField
from project.views import TitleMixin

PLACE = "waiting"  # in the session: variant → request made in this session
REMEMBERED = 50


def has_asked(request: HttpRequest, variant_id: int) -> bool:
    """Return whether the visitor waits for the variant."""
    if request.user.is_authenticated and waiting.is_waiting(variant_id, request.user):
        return True
    made = made_here(request, variant_id)
    # Nobody learns what became of a request that existed before.
    if made is None:
        return False
    return made == 0 or waiting.is_waiting(variant_id, None, made)


def made_here(request: HttpRequest, variant_id: int) -> int | None:
    """Return the visitor's request for the variant, or None.

    It is 0 if the request existed before they asked.
    """
    return request.session.get(PLACE, {}).get(str(variant_id))


def remember(request: HttpRequest, variant_id: int, made: int) -> None:
    theirs = request.session.get(PLACE, {})
    made = made or theirs.get(str(variant_id), 0)  # asking twice keeps the request
    theirs = {**theirs, str(variant_id): made}
    request.session[PLACE] = dict(list(theirs.items())[-REMEMBERED:])


def waits(request: HttpRequest) -> bool:
    """Return whether the visitor asked for any product in this session."""
    return bool(request.session.get(PLACE))


class TellMeView(View):
    """Takes a request. The answer never tells whether the address is known."""

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, variant_id: int) -> HttpResponse:
        variants = Variant.objects.for_sale().select_related("product")
        variant = get_object_or_404(variants, pk=variant_id)
        email = self.address()
        if email is None:
            messages.error(request, _("Enter an email address."))
        else:
            self.ask(variant, email)
        return redirect(variant)

    def address(self) -> str | None:
        """Return the address to write to, or None if it is not valid."""
        user = self.request.user
        typed = user.email if user.is_authenticated else ""
        typed = typed or self.request.POST.get("email", "")
        field = EmailFormField(max_length=Waiting._meta.get_field("email").max_length)
        try:
            return field.clean(typed)
        except forms.ValidationError:
            return None

    def ask(self, variant: Variant, email: str) -> None:
        request = self.request
        if not ratelimit.consume(request, action="tell_me", key=mailbox(email)):
            messages.error(request, _("Too many attempts. Please try again later."))
            return
        user = request.user if request.user.is_authenticated else None
        made = waiting.ask(variant.pk, email, language=get_language(), user=user)
        if made is None:
            messages.success(request, _("It’s already back in stock."))
            return
        remember(request, variant.pk, made)
        messages.success(
            request,
            _("We’ll email you when %(name)s is back in stock.") % {"name": variant},
        )


class TellSeenView(View):
    """Notes that an open page shows the variant as back in stock.

    The response is empty, so that it says nothing about requests made elsewhere.
    """

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, variant_id: int) -> HttpResponse:
        user = request.user if request.user.is_authenticated else None
        made = made_here(request, variant_id) or 0
        if user or made:
            waiting.seen(variant_id, user=user, request=made)
        return HttpResponse(status=204)


class TellStopView(TitleMixin, TemplateView):
    """The page behind the link in a mail; a button, as mail programs follow links."""

    template_name = "products/tell_stop.html"
    title = gettext_lazy("Stop all back-in-stock emails")

    def get(self, request: HttpRequest, *args, **kwargs) -> HttpResponse:
        return self.answer(is_done=False)

    def post(self, request: HttpRequest, *args, **kwargs) -> HttpResponse:
        waiting.stop(self.kwargs["token"])
        return self.answer(is_done=True)

    def answer(self, *, is_done: bool) -> HttpResponse:
        is_link = waiting.is_link(self.kwargs["token"])
        context = self.get_context_data(is_link=is_link, is_done=is_done)
        return self.render_to_response(context, status=200 if is_link else 404)
