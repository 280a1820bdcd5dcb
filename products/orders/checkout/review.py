"""The second step of the checkout: the shopper checks the order and places it.

The form carries what the page showed (`products.orders.shown`). If anything is
different by now, nothing is ordered: a page shows the difference and asks again.
"""

from contextlib import suppress
from decimal import Decimal

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from products.basket import reading, services
from products.basket.exceptions import BasketClosed, BasketEmpty, Shortage
from products.models import Basket, Order
from products.orders import placing, states
from products.orders.checkout.steps import CONTACT, CheckoutView, SeeOther, SessionEnded
from products.orders.exceptions import MethodRefused, NotDelivered, TermsChanged
from products.orders.forms import Choices, PlaceForm
from products.orders.shown import Shown, shown_terms
from products.orders.terms import Contact, Terms
from products.orders.views import GUESTS, remember
from products.orders.visitors import visitor_of
from products.payments import services as payments
from products.payments.views import OrderPayView
from products.pricing.exceptions import CodeUsedBefore
from products.vat import services as vat
from users.requests import user_of


class ReviewView(CheckoutView):
    """Shows the whole order. POST places it, once."""

    template_name = "orders/checkout_review.html"
    title = gettext_lazy("Check your order")
    form_class = PlaceForm

    def hold(self) -> Basket:
        """Raises `NotDelivered` too."""
        basket = super().hold()
        delivery = self.goods["basket"]["delivery"]
        if delivery is None or delivery["chosen"] is None:
            raise NotDelivered
        return basket

    def get(self, request: HttpRequest, *args, **kwargs) -> HttpResponse:
        if not self.entered():
            return redirect("products:checkout")
        self.basket = self.hold()
        return super().get(request, *args, **kwargs)

    def post(self, request: HttpRequest, *args, **kwargs) -> HttpResponse:
        form = self.get_form()
        form.is_valid()
        self.seen = Shown.read(form.cleaned_data.get("shown", ""))
        basket = self.basket_shown()
        if basket and basket.status == Basket.Status.ORDERED:
            return self.already_ordered(basket.order, form)
        basket = basket or self.open_basket()
        if not self.entered():
            return redirect("products:checkout")
        if "method" in form.errors:
            return self.form_invalid(form)
        if self.seen is None or self.seen.basket != basket.pk:
            raise TermsChanged(self.seen and self.seen.terms, None)
        self.basket = basket
        return self.form_valid(form)

    def basket_shown(self) -> Basket | None:
        """Return the basket that the form is about, if it is the visitor's.

        It is open or ordered. After a guest has signed in, the baskets that they
        ordered as a guest are still theirs.
        """
        if self.seen is None:
            return None
        pk = self.seen.basket
        basket = reading.one_of(self.owner, pk)
        if basket and basket.status != Basket.Status.MERGED:
            return basket
        numbers = list(self.request.session.get(GUESTS, {}))
        ordered = Order.objects.filter(basket_id=pk, number__in=numbers)
        order = ordered.select_related("basket").first()
        return order.basket if order else None

    def open_basket(self) -> Basket:
        """Return the visitor's open basket; the form is about another one.

        Raises `SessionEnded`, `BasketClosed` and `BasketEmpty`.
        """
        shown_to = self.seen and self.seen.user
        if not self.owner or (shown_to and not self.owner.user_id):
            raise SessionEnded(had_account=bool(shown_to), shown=self.seen)
        if shown_to and shown_to != self.owner.user_id:
            raise BasketClosed  # another person's page: show nothing of it
        if basket := self.visitors_baskets().open().first():
            return basket
        raise BasketEmpty

    def form_valid(self, form: PlaceForm) -> HttpResponse:
        assert self.seen is not None  # `post` checks it
        order = placing.place(
            self.basket,
            self.contact,
            seen=self.seen.terms,
            method=form.cleaned_data["method"],
            delivery=form.cleaned_data.get("delivery"),
            language=get_language() or settings.LANGUAGE_CODE,
            user=user_of(self.request) if self.owner.user_id else None,
            visitor=visitor_of(self.request),
        )
        self.request.session.pop(CONTACT, None)
        if not self.is_as_shown(order, form):  # another tab was faster
            return self.already_ordered(order, form)
        if not order.is_prepaid:
            self.thank(order)
        return self.onward(order)

    def thank(self, order: Order) -> None:
        text = _("Thank you. We’ve emailed your order details to %(email)s.")
        if order.awaits_confirmation:
            text = _(
                "Thank you. We’ve sent an email to %(email)s. Please follow the link "
                "in it to confirm your order. Then we’ll pack it."
            )
        messages.success(self.request, text % {"email": order.email})

    def is_as_shown(self, order: Order, form: PlaceForm) -> bool:
        """Return whether this is the order that the form describes."""
        methods = (form.cleaned_data.get("method", order.method), Order.Method.FREE)
        if self.seen is None or order.method not in methods:
            return False
        return placing.terms_of(order) == self.seen.terms

    def already_ordered(self, order: Order, form: PlaceForm) -> HttpResponse:
        """Show the order. Warn if it is not the one that the form describes."""
        if not self.is_as_shown(order, form):
            text = _(
                "You’ve already placed this order from another page, and it’s "
                "different from what you just saw. Please check it. Nothing else "
                "was ordered."
            )
            messages.warning(self.request, text)
        return self.onward(order)

    @property
    def contact(self) -> Contact:
        """What was entered. With an account, the e-mail address is the account's."""
        entry = {k: v for k, v in self.entered().items() if k != "saved"}
        if self.owner.user_id:
            entry["email"] = user_of(self.request).email
        return Contact(**entry)

    def onward(self, order: Order) -> HttpResponse:
        """Go on to the payment, if there is one, or else to the order's page.

        From now on, a guest may see that page.
        """
        if order.user_id is None:
            remember(self.request, order)
        if states.START_PAYMENT.allows(order):
            response = OrderPayView.as_view()(self.request, number=order.number)
            assert isinstance(response, HttpResponse)
            return response
        return SeeOther(reverse("products:order", args=[order.number]))

    def code_used_before(self, refusal: CodeUsedBefore) -> HttpResponse:
        """Remove the code, and say why. Only an address shows who has used it."""
        if basket := self.visitors_baskets().open().first():
            services.remove_code(basket)
        seen = self.seen and self.seen.terms
        return self.terms_changed(TermsChanged(seen, None), why=str(refusal))

    def terms_changed(self, refusal: TermsChanged, why: str = "") -> HttpResponse:
        """Show how the terms have changed, with a form that agrees to the new ones."""
        try:
            self.remember_delivery()
            self.basket = self.hold()  # the refusal has rolled back the hold
        except (BasketEmpty, BasketClosed):
            return self.nothing_to_order()
        except NotDelivered:
            return self.not_delivered()
        except Shortage as shortage:
            return self.shortage(shortage)
        seen, now = refusal.seen, self.terms
        method = self.request.POST["method"]
        return self.answer(
            "changed",
            409,
            _("Your order has changed"),
            form=self.new_form(),
            method=method if method in dict(self.methods) else None,
            seen=seen,
            now=now,
            changes=seen.changes(now) if seen else [],
            costs=cost_rows(seen, now) if seen else [],
            delivery_seen=(
                seen.delivery if seen and seen.delivery != now.delivery else None
            ),
            contact_seen=seen.contact if seen and seen.contact != now.contact else None,
            discount_seen=seen and seen.discount_change(now),
            why=why,
        )

    @property
    def terms(self) -> Terms:
        """The terms that this page shows."""
        return shown_terms(self.contact, self.goods["basket"])

    def method_refused(self, refusal: MethodRefused) -> HttpResponse:
        """Show the page again with the methods that are possible."""
        messages.error(self.request, str(refusal))
        try:
            with suppress(Shortage, BasketEmpty, BasketClosed):
                self.hold()
        except NotDelivered:
            return self.not_delivered()
        return self.answer("review", 409, self.get_title(), form=self.new_form())

    # --- The form ---

    @cached_property
    def offers(self) -> list[payments.Offer]:
        """The methods of payment, possible for this total or not."""
        return payments.offers(self.total, settings.CURRENCY)

    @property
    def methods(self) -> Choices:
        """The possible methods as choices. The first one is the default."""
        return [(o.value, o.label) for o in self.offers if not o.limits]

    def get_form_kwargs(self) -> dict:
        is_sent = self.request.method == "POST"  # `place` checks the method
        methods = Order.Method.choices if is_sent else self.methods
        return super().get_form_kwargs() | {"methods": methods}

    def new_form(self) -> PlaceForm:
        """Return a form for the basket as it is now, after one was refused."""
        return self.get_form_class()(methods=self.methods, initial=self.get_initial())

    def form_invalid(self, form: PlaceForm) -> HttpResponse:
        form.offer(self.methods)
        return super().form_invalid(form)

    def get_initial(self) -> dict:
        if not hasattr(self, "basket"):
            return {}  # the form was sent, with its own values
        chosen = self.request.POST.get("method")
        is_offered = chosen in dict(self.methods)
        return {
            "shown": Shown(self.basket.pk, self.owner.user_id, self.terms).sign(),
            "method": chosen if is_offered else self.methods[0][0],
        }

    def get_context_data(self, **kwargs) -> dict:
        contact = self.contact if self.entered() else None
        number = contact.vat_number if contact else ""
        context = {
            "contact": contact,
            "offers": self.offers,
            "vat_number": vat.find(self.owner.user_id, number),
        }
        return super().get_context_data(**context | kwargs)


COSTS = {
    "discount": gettext_lazy("Discount"),
    "shipping": gettext_lazy("Delivery"),
    "tax": gettext_lazy("VAT"),
    "total": gettext_lazy("Total"),
}


def cost_rows(seen: Terms, now: Terms) -> list[tuple[str, Decimal, Decimal]]:
    """Return the name of each sum that has changed, and its amount before and now."""
    changes = seen.cost_changes(now).items()
    return [(str(COSTS[name]), before, after) for name, (before, after) in changes]
