"""What the steps of the checkout share: the hold, and the pages instead of a step."""

from dataclasses import asdict
from datetime import timedelta
from decimal import Decimal

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.generic import FormView

from products.basket import holds, reading, services
from products.basket.exceptions import BasketClosed, BasketEmpty, HoldPaused, Shortage
from products.drops.exceptions import NotAdmitted, NotForThisPerson
from products.live import baskets, viewers
from products.models import Basket, Drop, Order, ShippingMethod, Variant
from products.orders.exceptions import (
    MethodRefused,
    NotDelivered,
    TermsChanged,
    TooManyOrders,
)
from products.orders.forms import DeliveryForm
from products.orders.shown import Shown
from products.orders.visitors import visitor_of
from products.pricing.exceptions import CodeUsedBefore
from project.mail.addresses import is_email_address
from project.views import TitleMixin

# In the session: what was entered, and what was typed after a session had ended.
CONTACT, TYPED = "checkout", "checkout_typed"
LATELY = timedelta(hours=1)  # an order this new is shown instead of an empty basket


class SeeOther(HttpResponseRedirect):
    """Redirects a form that was sent to a page that the browser requests with GET."""

    status_code = 303


class SessionEnded(Exception):
    """The page and its basket belong to a session that has ended.

    `had_account` says whether the visitor was signed in. `shown` is what the page
    showed, if it says so.
    """

    def __init__(self, *, had_account: bool, shown: Shown | None = None) -> None:
        self.had_account, self.shown = had_account, shown


@method_decorator(never_cache, name="dispatch")
class CheckoutView(TitleMixin, FormView):
    """A step of the checkout, or the page that says why it is not possible."""

    pause: HoldPaused | None = None  # set if nothing is reserved
    held: Basket | None = None  # as it was when it was held
    rules_version: str | None = None  # of pricing, when the basket was held

    def dispatch(self, request: HttpRequest, *args, **kwargs) -> HttpResponseBase:
        self.owner = viewers.owner_of(request.session, request.user)
        if request.user.is_authenticated and not request.user.is_verified:
            return self.answer("unverified", 403, _("Verify your email address first"))
        try:
            return self.guarded(request, *args, **kwargs)
        except NotForThisPerson as refusal:
            return self.not_for_this_person(refusal)

    def guarded(self, request: HttpRequest, *args, **kwargs) -> HttpResponseBase:
        """Take the step, or show the page that says why not."""
        try:
            return super().dispatch(request, *args, **kwargs)
        except (BasketEmpty, BasketClosed):
            return self.nothing_to_order()
        except Shortage as refusal:
            return self.shortage(refusal)
        except MethodRefused as refusal:
            return self.method_refused(refusal)
        except NotDelivered:
            return self.not_delivered()
        except TooManyOrders as refusal:
            return self.too_many_orders(refusal)
        except TermsChanged as refusal:
            return self.terms_changed(refusal)
        except CodeUsedBefore as refusal:
            return self.code_used_before(refusal)
        except SessionEnded as end:
            return self.session_ended(end)

    def hold(self) -> Basket:
        """Hold the units of the visitor's basket and return the basket.

        It has the taxes and the delivery of where it is sent. Raises what
        `holds.start_for` raises, and `Shortage` if a product is no longer sold.
        """
        network = visitor_of(self.request).network
        basket, lines, self.pause = holds.start_for(
            self.owner, network=network, destination=self.destination()
        )
        self.held, self.rules_version = basket, reading.version_of(lines)
        self.show(baskets.contents_of(basket, lines))
        if left := self.units_left(self.goods["basket"]["lines"]):
            raise Shortage(left)
        return basket

    def destination(self) -> holds.Destination | None:
        """Return where the order goes, if that was entered."""
        entered = self.entered()
        if not entered:
            return None
        return holds.Destination(
            entered["country"],
            entered.get("postcode", ""),
            entered.get("vat_number", ""),
        )

    def remember_delivery(self) -> None:
        """Note the method of delivery that was sent. One that is gone changes nothing.

        Raises `BasketClosed`.
        """
        chosen = DeliveryForm(self.request.POST)
        basket = self.visitors_baskets().open().first()
        if basket is None or not chosen.is_valid():
            return
        pk = chosen.cleaned_data["delivery"]
        if pk is None or pk == basket.shipping_method_id:
            return
        method = ShippingMethod.objects.filter(pk=pk).first()
        if method is not None:
            services.set_shipping_method(basket, method)

    def units_left(self, lines: list[dict]) -> dict[int, int]:
        """Return how many units are left of each variant that is short.

        Units that are held are not short, unless the product is no longer sold.
        """
        return {
            ln["variant"]: ln["stock"]["available"] or 0
            for ln in lines
            if ln["stock"]["state"] == "gone"
            or (self.pause and (ln["stock"]["available"] or 0) < ln["quantity"])
        }

    def visitors_baskets(self):
        if not self.owner:
            return Basket.objects.none()
        return Basket.objects.filter(user_id=self.owner.user_id, token=self.owner.token)

    def entered(self) -> dict:
        """Return what was entered in the first step, or {}.

        An address to which no mail can be sent counts as not entered. An earlier
        release may have accepted it.
        """
        entry = self.request.session.get(CONTACT, {})
        if entry.get("email") and not is_email_address(entry["email"]):
            return {}
        return entry

    # --- Context ---

    def get_context_data(self, **kwargs) -> dict:
        hold = baskets.hold_of(self.held) if self.held else baskets.hold(self.owner)
        context = {
            "hold": hold.facts,
            "hold_version": hold.version,
            "pause": self.pause,
            "total": self.total,
            "step": self.template_name,
        }
        return super().get_context_data(**self.goods | context | kwargs)

    @cached_property
    def goods(self) -> dict:
        """The basket as it is now. It must not be read before it is held."""
        self.show(baskets.contents(self.owner))
        return self.__dict__["goods"]

    def show(self, state: baskets.State) -> None:
        """Show the basket in this state."""
        setattr(self.request, "basket_state", state)  # for the badge
        self.__dict__["goods"] = {"basket": state.facts}

    @property
    def total(self) -> Decimal:
        """The price of the order."""
        return Decimal(self.goods["basket"]["total"])

    # --- Pages instead of a step ---

    def answer(self, page: str, status: int, title: str, **context) -> HttpResponse:
        """Return a page instead of a step."""
        self.template_name = f"orders/checkout_{page}.html"
        context = {"title": title, "form": None} | context
        return self.render_to_response(self.get_context_data(**context), status=status)

    def nothing_to_order(self) -> HttpResponse:
        """Say that the basket is empty or closed, and show an order placed lately."""
        placed = Order.objects.filter(basket__in=self.visitors_baskets())
        last = placed.filter(placed_at__gt=timezone.now() - LATELY).order_by("-pk")
        status = 409 if self.request.method == "POST" else 200
        return self.answer(
            "empty", status, _("There’s nothing to order"), order=last.first()
        )

    def shortage(self, refusal: Shortage) -> HttpResponse:
        """Show which products are short, and how many units are left."""
        lines = self.goods["basket"]["lines"]
        short = [
            line | {"left": min(refusal.left[line["variant"]], line["quantity"])}
            for line in lines
            if line["variant"] in refusal.left
        ]
        return self.answer(
            "short", 409, _("Some products are no longer available"), short=short
        )

    def not_delivered(self) -> HttpResponse:
        """Say that the order cannot be delivered to the address."""
        return self.answer("undelivered", 409, _("We can’t deliver this order"))

    def not_for_this_person(self, refusal: NotForThisPerson) -> HttpResponse:
        """Go back to the basket and say why. For a drop, go to its page."""
        messages.error(self.request, str(refusal))
        if isinstance(refusal, NotAdmitted):
            return SeeOther(Drop.objects.get(pk=refusal.drop_id).get_absolute_url())
        return SeeOther(reverse("products:basket"))

    def too_many_orders(self, refusal: TooManyOrders) -> HttpResponse:
        """Say when to come back. Basket, hold and address stay as they are."""
        title = _("Too many orders without an account")
        response = self.answer("limited", 429, title, wait=refusal.wait)
        if refusal.wait:
            response["Retry-After"] = int(refusal.wait.total_seconds())
        return response

    def session_ended(self, end: SessionEnded) -> HttpResponse:
        """Name what was in the basket, and offer to sign in.

        The session keeps the address, so nobody has to enter it again.
        """
        goods = end.shown.terms.goods if end.shown else ()
        if end.shown:
            self.request.session[CONTACT] = asdict(end.shown.terms.contact)
        variants = Variant.objects.for_sale().select_related("product")
        still_sold = variants.in_bulk([g.variant for g in goods])
        return self.answer(
            "ended",
            409,
            _("Your session has ended"),
            had_account=end.had_account,
            goods=[(line, still_sold.get(line.variant)) for line in goods],
        )

    def terms_changed(self, refusal: TermsChanged) -> HttpResponse:
        raise NotImplementedError

    def method_refused(self, refusal: MethodRefused) -> HttpResponse:
        raise NotImplementedError

    def code_used_before(self, refusal: CodeUsedBefore) -> HttpResponse:
        raise NotImplementedError
