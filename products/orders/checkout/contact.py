"""The first step of the checkout: who gets the order, and where."""

from dataclasses import asdict

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse_lazy
from django.utils.safestring import SafeString
from django.utils.translation import get_language, gettext_lazy

from products.basket import reading
from products.basket.exceptions import BasketEmpty
from products.orders.checkout.steps import (
    CONTACT,
    TYPED,
    CheckoutView,
    SeeOther,
    SessionEnded,
)
from products.orders.forms import AUTOCOMPLETE, ContactForm
from products.pricing import rules
from products.vat import services as vat
from products.vat.exceptions import TooManyVatNumbers
from users import addresses
from users.requests import user_of

_blank: rules.Copies[SafeString] = rules.Copies()


class ContactView(CheckoutView):
    """The form for the shopper's name and address."""

    template_name = "orders/checkout.html"
    title = gettext_lazy("Checkout")
    form_class = ContactForm
    success_url = reverse_lazy("products:checkout-review")

    def get(self, request: HttpRequest, *args, **kwargs) -> HttpResponse:
        self.basket = self.hold()
        return super().get(request, *args, **kwargs)

    def post(self, request: HttpRequest, *args, **kwargs) -> HttpResponse:
        basket = reading.newest_of(self.owner)
        if basket is None or not reading.has_lines(basket):
            self.refuse()
        return super().post(request, *args, **kwargs)

    def refuse(self) -> None:
        """Keep what was typed, and raise the reason why there is nothing to order."""
        had_account = self.request.POST.get("by") == "account"
        if self.owner.user_id or (self.owner and not had_account):
            raise BasketEmpty
        self.request.session[TYPED] = {
            name: self.request.POST.get(name, "")[:120] for name in AUTOCOMPLETE
        }
        raise SessionEnded(had_account=had_account)

    def get_initial(self) -> dict:
        user = self.request.user
        name = user.get_full_name() if user.is_authenticated else ""
        typed = self.request.session.get(TYPED, {})
        return {"full_name": name} | self.business() | typed | self.entered()

    def business(self) -> dict[str, str]:
        """Return the company of the account's last order, if it was a business."""
        number = self.basket.vat_number if hasattr(self, "basket") else ""
        row = vat.find(self.owner.user_id, number)
        return {"company": row.company, "vat_number": row.number} if row else {}

    def get_context_data(self, **kwargs) -> dict:
        if "form" not in kwargs and self.is_blank():
            kwargs |= {"form": None, "fields": self.blank_fields()}
        return super().get_context_data(**kwargs)

    def is_blank(self) -> bool:
        """Whether the page shows a form in which nothing was entered, to a guest."""
        is_sent = self.request.method != "GET"
        return not (is_sent or self.owner.user_id or any(self.get_initial().values()))

    def blank_fields(self) -> SafeString:
        """Return the fields of the form, which are the same for all guests."""

        def render() -> SafeString:
            facts = {"form": self.get_form(), "user": self.request.user}
            return render_to_string("orders/_address_fields.html", facts)

        key = (get_language(), settings.SHOP_COUNTRY)
        return _blank.get(self.rules_version, key, render)

    def get_form_kwargs(self) -> dict:
        return super().get_form_kwargs() | {"user": self.request.user}

    def form_valid(self, form: ContactForm) -> HttpResponse:
        contact = form.contact
        if number := contact.vat_number:
            user = user_of(self.request)
            try:
                vat.give(user=user, number=number, company=contact.company)
            except TooManyVatNumbers as refusal:
                form.add_error("vat_number", str(refusal))
                return self.form_invalid(form)
        saved = form.cleaned_data.get("saved")
        entry = asdict(contact) | ({"saved": saved} if saved else {})
        self.request.session[CONTACT] = entry
        self.request.session.pop(TYPED, None)
        if form.saves_address:
            self.save_address(form)
        return SeeOther(self.get_success_url())

    def save_address(self, form: ContactForm) -> None:
        """Save the address in the account. If there are too many, only say so."""
        try:
            addresses.add(user_of(self.request), form.instance)
        except addresses.TooManyAddresses as refusal:
            messages.warning(self.request, str(refusal))
            return
        self.request.session[CONTACT] |= {"saved": str(form.instance.pk)}
