"""The checkout: who and where, a look at all of it, the order.

Looking at it starts the hold of the basket's units, or prolongs it. What was entered
stays in the session until the order is placed. What the services refuse is a page of
its own, that says what can be done, and is answered with 409.

The review's form carries what the page showed (`products.orders.shown`). Where anything
is different by now, nothing is ordered: a page shows the difference and asks again.
"""

from contextlib import suppress
from dataclasses import asdict
from datetime import timedelta
from decimal import Decimal

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse, reverse_lazy
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.functional import cached_property
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.generic import FormView

from products.basket import holds
from products.basket.exceptions import BasketClosed, BasketEmpty, HoldPaused, Shortage
from products.live import baskets, viewers
from products.models import Basket, BasketLine, Order, Product
from products.orders import placing, states
from products.orders.exceptions import MethodRefused, TermsChanged, TooManyOrders
from products.orders.forms import AUTOCOMPLETE, ContactForm, PlaceForm
from products.orders.shown import Shown
from products.orders.terms import Contact, Goods, Terms
from products.orders.views import GUESTS, remember
from products.orders.visitors import visitor_of
from products.payments import services as payments
from products.payments.views import OrderPayView
from project.mail.addresses import is_email_address
from project.views import TitleMixin
from users import addresses

# In the session: what was entered, and what was typed after a session had ended.
CONTACT, TYPED = "checkout", "checkout_typed"
LATELY = timedelta(hours=1)


class SeeOther(HttpResponseRedirect):
    """The answer to a form that was sent is elsewhere, and is asked for by GET."""

    status_code = 303


class SessionEnded(Exception):
    """The page belongs to a session that is over, and its basket with it.

    `had_account` says whether somebody was signed in; `shown` is what the page showed,
    if it says so.
    """

    def __init__(self, *, had_account: bool, shown: Shown | None = None) -> None:
        self.had_account, self.shown = had_account, shown


@method_decorator(never_cache, name="dispatch")
class CheckoutView(TitleMixin, FormView):
    """A step of the checkout, or the page that says why there is none."""

    pause: HoldPaused | None = None  # why nothing is reserved

    def dispatch(self, request: HttpRequest, *args, **kwargs) -> HttpResponse:
        self.owner = viewers.owner_of(request.session, request.user)
        if request.user.is_authenticated and not request.user.is_verified:
            return self.answer("unverified", 403, _("Verify your email address first"))
        try:
            return super().dispatch(request, *args, **kwargs)
        except (BasketEmpty, BasketClosed):
            return self.nothing_to_order()
        except Shortage as refusal:
            return self.too_few(refusal)
        except MethodRefused as refusal:
            return self.method_refused(refusal)
        except TooManyOrders as refusal:
            return self.too_many(refusal)
        except TermsChanged as refusal:
            return self.terms_changed(refusal)
        except SessionEnded as end:
            return self.session_ended(end)

    def hold(self) -> Basket:
        """The visitor's basket with its units held. Raises what `holds.start` does,
        and `Shortage` too for what left the shop since it was held."""
        mine = self.my_baskets().open().first()
        if mine is None:
            raise BasketEmpty
        try:
            mine = holds.start(mine, network=visitor_of(self.request).network)
        except HoldPaused as pause:
            self.pause = pause
        lines = self.goods["basket"]["lines"]
        if left := self.shortage(lines):
            raise Shortage(left)
        return mine

    def shortage(self, lines: list[dict]) -> dict[int, int]:
        """What is left of products of which the basket asks for more. What is held is
        there, unless it left the shop since."""
        return {
            ln["product"]: ln["stock"]["available"] or 0
            for ln in lines
            if ln["stock"]["state"] == "gone"
            or (self.pause and (ln["stock"]["available"] or 0) < ln["quantity"])
        }

    def my_baskets(self):
        if not self.owner:
            return Basket.objects.none()
        return Basket.objects.filter(user_id=self.owner.user_id, token=self.owner.token)

    def entered(self) -> dict:
        """What the session has of the first step; nothing before it was sent, or if no
        mail can be sent there, as by the rules of an earlier release."""
        entry = self.request.session.get(CONTACT, {})
        if entry.get("email") and not is_email_address(entry["email"]):
            return {}
        return entry

    # --- What the page shows ---

    def get_context_data(self, **kwargs) -> dict:
        hold = baskets.all_holds([self.owner]).get(self.owner)
        context = {
            "hold": hold.facts if hold else baskets.NO_HOLD,
            "hold_version": hold.version if hold else 0,
            "pause": self.pause,
            "total": self.total,
            "step": self.template_name,
        }
        return super().get_context_data(**self.goods | context | kwargs)

    @cached_property
    def goods(self) -> dict:
        """The lines as they are now: asked for once they are held."""
        state = self.request.basket_state = baskets.contents(self.owner)
        return {"basket": state.facts}

    @property
    def total(self) -> Decimal:
        """What the order would cost."""
        return Decimal(self.goods["basket"]["total"])

    # --- What else may be answered ---

    def answer(self, page: str, status: int, title: str, **context) -> HttpResponse:
        """A page that stands in the place of a step."""
        self.template_name = f"orders/checkout_{page}.html"
        context = {"title": title, "form": None} | context
        return self.render_to_response(self.get_context_data(**context), status=status)

    def nothing_to_order(self) -> HttpResponse:
        """Empty, or closed: perhaps because it was ordered a moment ago."""
        placed = Order.objects.filter(basket__in=self.my_baskets())
        last = placed.filter(placed_at__gt=timezone.now() - LATELY).order_by("-pk")
        status = 409 if self.request.method == "POST" else 200
        return self.answer(
            "empty", status, _("There’s nothing to order"), order=last.first()
        )

    def too_few(self, refusal: Shortage) -> HttpResponse:
        lines = self.goods["basket"]["lines"]
        short = [
            line | {"left": min(refusal.left[line["product"]], line["quantity"])}
            for line in lines
            if line["product"] in refusal.left
        ]
        return self.answer(
            "short", 409, _("Some products are no longer available"), short=short
        )

    def too_many(self, refusal: TooManyOrders) -> HttpResponse:
        """Say when to come back; basket, hold and address stay as they are."""
        title = _("Too many orders without an account")
        response = self.answer("limited", 429, title, wait=refusal.wait)
        if refusal.wait:
            response["Retry-After"] = int(refusal.wait.total_seconds())
        return response

    def session_ended(self, end: SessionEnded) -> HttpResponse:
        """Say so, name what was in the basket, and offer to sign in. The address is
        kept for whoever goes on in this browser."""
        goods = end.shown.terms.goods if end.shown else ()
        if end.shown:
            self.request.session[CONTACT] = asdict(end.shown.terms.contact)
        still_sold = Product.objects.active().in_bulk([g.product for g in goods])
        return self.answer(
            "ended",
            409,
            _("Your session has ended"),
            had_account=end.had_account,
            goods=[(units, still_sold.get(units.product)) for units in goods],
        )

    def terms_changed(self, refusal: TermsChanged) -> HttpResponse:
        raise NotImplementedError

    def method_refused(self, refusal: MethodRefused) -> HttpResponse:
        raise NotImplementedError


class ContactView(CheckoutView):
    """Who gets it, and where."""

    template_name = "orders/checkout.html"
    title = gettext_lazy("Checkout")
    form_class = ContactForm
    success_url = reverse_lazy("products:checkout-review")

    def get(self, request: HttpRequest, *args, **kwargs) -> HttpResponse:
        self.hold()
        return super().get(request, *args, **kwargs)

    def post(self, request: HttpRequest, *args, **kwargs) -> HttpResponse:
        mine = self.my_baskets().open()
        if not BasketLine.objects.filter(basket__in=mine).exists():
            self.refuse()
        return super().post(request, *args, **kwargs)

    def refuse(self) -> None:
        """Raise what says why there is nothing to order; what was typed is kept."""
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
        return {"full_name": name} | typed | self.entered()

    def get_form_kwargs(self) -> dict:
        return super().get_form_kwargs() | {"user": self.request.user}

    def form_valid(self, form: ContactForm) -> HttpResponse:
        saved = form.cleaned_data.get("saved")
        entry = asdict(form.contact) | ({"saved": saved} if saved else {})
        self.request.session[CONTACT] = entry
        self.request.session.pop(TYPED, None)
        if form.is_to_be_kept:
            self.keep(form)
        return SeeOther(self.get_success_url())

    def keep(self, form: ContactForm) -> None:
        """Save the address with the person's others; the order goes on if it cannot."""
        try:
            addresses.add(self.request.user, form.instance)
        except addresses.TooManyAddresses as refusal:
            messages.warning(self.request, str(refusal))
            return
        self.request.session[CONTACT] |= {"saved": str(form.instance.pk)}


class ReviewView(CheckoutView):
    """All of it once more; POST places the order, and places it once."""

    template_name = "orders/checkout_review.html"
    title = gettext_lazy("Check your order")
    form_class = PlaceForm

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
            return self.ordered_already(basket.order, form)
        basket = basket or self.another_basket()
        if not self.entered():
            return redirect("products:checkout")
        if "method" in form.errors:
            return self.form_invalid(form)
        if self.seen is None or self.seen.basket != basket.pk:
            raise TermsChanged(self.seen and self.seen.terms, None)
        self.basket = basket
        return self.form_valid(form)

    def basket_shown(self) -> Basket | None:
        """The basket that the form is about, if it is theirs and open or ordered. A
        guest's that was ordered stays theirs when they have signed in."""
        if self.seen is None:
            return None
        pk = self.seen.basket
        mine = self.my_baskets().exclude(status=Basket.Status.MERGED)
        if basket := mine.filter(pk=pk).first():
            return basket
        numbers = list(self.request.session.get(GUESTS, {}))
        ordered = Order.objects.filter(basket_id=pk, number__in=numbers)
        order = ordered.select_related("basket").first()
        return order and order.basket

    def another_basket(self) -> Basket:
        """The visitor's open basket, which is not the one that the form is about.
        Raises `SessionEnded`, `BasketClosed` and `BasketEmpty`."""
        was = self.seen and self.seen.user
        if not self.owner or (was and not self.owner.user_id):
            raise SessionEnded(had_account=bool(was), shown=self.seen)
        if was and was != self.owner.user_id:
            raise BasketClosed  # what somebody else was shown is not told
        if basket := self.my_baskets().open().first():
            return basket
        raise BasketEmpty

    def form_valid(self, form: PlaceForm) -> HttpResponse:
        order = placing.place(
            self.basket,
            self.contact,
            seen=self.seen.terms,
            method=form.cleaned_data["method"],
            language=get_language() or settings.LANGUAGE_CODE,
            user=self.request.user if self.owner.user_id else None,
            visitor=visitor_of(self.request),
        )
        self.request.session.pop(CONTACT, None)
        if not self.is_as_shown(order, form):  # another tab was faster
            return self.ordered_already(order, form)
        if not order.is_prepaid:
            text = _("Thank you. We’ve emailed your order details to %(email)s.")
            if order.awaits_confirmation:
                text = _(
                    "Thank you. We’ve sent an email to %(email)s. Please follow "
                    "the link in it to confirm your order. Then we’ll pack it."
                )
            messages.success(self.request, text % {"email": order.email})
        return self.onward(order)

    def is_as_shown(self, order: Order, form: PlaceForm) -> bool:
        """Whether the order is the one that this form asks for."""
        methods = (form.cleaned_data.get("method", order.method), Order.Method.FREE)
        return order.method in methods and placing.terms_of(order) == self.seen.terms

    def ordered_already(self, order: Order, form: PlaceForm) -> HttpResponse:
        """The form was sent again, or another page's form was sent before it."""
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
        """Who is signed in gets mail where we know that they read it."""
        place = {k: v for k, v in self.entered().items() if k != "saved"}
        if self.owner.user_id:
            place["email"] = self.request.user.email
        return Contact(**place)

    def onward(self, order: Order) -> HttpResponse:
        """To the payment, if there is one to be made, else to the order's page, which a
        guest may see from now on."""
        if order.user_id is None:
            remember(self.request, order)
        if states.START_PAYMENT.allows(order):
            return OrderPayView.as_view()(self.request, number=order.number)
        return SeeOther(reverse("products:order", args=[order.number]))

    def terms_changed(self, refusal: TermsChanged) -> HttpResponse:
        """What was shown and what it is now, and the form once more, which agrees to
        the new terms."""
        try:
            self.basket = self.hold()  # the refusal undid what was claimed
        except (BasketEmpty, BasketClosed):
            return self.nothing_to_order()
        except Shortage as shortage:
            return self.too_few(shortage)
        seen, now = refusal.seen, self.terms
        method = self.request.POST["method"]
        return self.answer(
            "changed",
            409,
            _("Your order has changed"),
            form=self.another_form(),
            method=method if method in dict(self.methods) else None,
            seen=seen,
            changes=seen.changes(now) if seen else [],
            contact_seen=seen.contact if seen and seen.contact != now.contact else None,
        )

    @property
    def terms(self) -> Terms:
        """What this page shows."""
        lines = self.goods["basket"]["lines"]
        return Terms.of(
            self.contact,
            (
                Goods(ln["product"], ln["name"], ln["quantity"], Decimal(ln["price"]))
                for ln in lines
            ),
        )

    def method_refused(self, refusal: MethodRefused) -> HttpResponse:
        """The same page, with the ways to pay that there are."""
        messages.error(self.request, str(refusal))
        with suppress(Shortage, BasketEmpty, BasketClosed):
            self.hold()
        return self.answer("review", 409, self.title, form=self.another_form())

    # --- The form ---

    @cached_property
    def offers(self) -> list[payments.Offer]:
        """How one may pay what the basket costs now, and how one may not."""
        return payments.offers(self.total, settings.CURRENCY)

    @property
    def methods(self) -> list[tuple[str, str]]:
        """How one may pay; the first is chosen unless they choose."""
        return [(o.value, o.label) for o in self.offers if not o.limits]

    def get_form_kwargs(self) -> dict:
        is_sent = self.request.method == "POST"  # `place` looks at it closely
        methods = Order.Method.choices if is_sent else self.methods
        return super().get_form_kwargs() | {"methods": methods}

    def another_form(self) -> PlaceForm:
        """A form for the basket as it is now, in answer to one that was refused."""
        return self.get_form_class()(methods=self.methods, initial=self.get_initial())

    def form_invalid(self, form: PlaceForm) -> HttpResponse:
        form.offer(self.methods)
        return super().form_invalid(form)

    def get_initial(self) -> dict:
        if not hasattr(self, "basket"):
            return {}  # a form that was sent: it says by itself which it is about
        chosen = self.request.POST.get("method")
        is_offered = chosen in dict(self.methods)
        return {
            "shown": Shown(self.basket.pk, self.owner.user_id, self.terms).sign(),
            "method": chosen if is_offered else self.methods[0][0],
        }

    def get_context_data(self, **kwargs) -> dict:
        contact = self.contact if self.entered() else None
        context = {"contact": contact, "offers": self.offers}
        return super().get_context_data(**context | kwargs)
