"""What the steps of the checkout share: the hold, and the pages instead of a step."""

from dataclasses import asdict
from datetime import timedelta
from decimal import Decimal

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.generic import FormView

from products.basket import holds
from products.basket.exceptions import BasketClosed, BasketEmpty, HoldPaused, Shortage
from products.live import baskets, viewers
from products.models import Basket, Order, Product
from products.orders.exceptions import MethodRefused, TermsChanged, TooManyOrders
from products.orders.shown import Shown
from products.orders.visitors import visitor_of
from project.mail.addresses import is_email_address
from project.views import TitleMixin

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
