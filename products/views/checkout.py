"""The checkout: who and where, a look at all of it, the order.

Looking at it starts the hold of the basket's units, or prolongs it. What was entered
stays in the session until the order is placed. What the services refuse is a page of
its own, that says what can be done, and is answered with 409.
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

from products import live
from products.exceptions import (
    BasketClosed,
    BasketEmpty,
    MethodRefused,
    PriceChanged,
    Shortage,
)
from products.forms import ContactForm, PlaceForm
from products.models import Basket, Order
from products.services import holds, orders, payments
from products.services.orders import Contact
from products.views.orders import GUESTS, remember
from products.views.payments import OrderPayView
from project.views import TitleMixin
from users import addresses

CONTACT = "checkout"  # in the session: what was entered
LATELY = timedelta(hours=1)


class SeeOther(HttpResponseRedirect):
    """The answer to a form that was sent is elsewhere, and is asked for by GET."""

    status_code = 303


@method_decorator(never_cache, name="dispatch")
class CheckoutView(TitleMixin, FormView):
    """A step of the checkout, or the page that says why there is none."""

    def dispatch(self, request: HttpRequest, *args, **kwargs) -> HttpResponse:
        self.owner = live.owner_of(request.session, request.user)
        if request.user.is_authenticated and not request.user.is_verified:
            return self.answer("unverified", 403, _("Your address comes first"))
        try:
            return super().dispatch(request, *args, **kwargs)
        except (BasketEmpty, BasketClosed):
            return self.nothing_to_order()
        except Shortage as refusal:
            return self.too_few(refusal)
        except PriceChanged as refusal:
            return self.price_changed(refusal)
        except MethodRefused as refusal:
            return self.method_refused(refusal)

    def hold(self) -> Basket:
        """The visitor's basket with its units held. Raises what `holds.start` does,
        and `Shortage` too for what left the shop since it was held."""
        mine = self.my_baskets().open().first()
        if mine is None:
            raise BasketEmpty
        mine = holds.start(mine)
        lines = self.goods["basket"]["lines"]
        gone = [ln["product"] for ln in lines if ln["stock"]["state"] == "gone"]
        if gone:
            raise Shortage(dict.fromkeys(gone, 0))
        return mine

    def my_baskets(self):
        if not self.owner:
            return Basket.objects.none()
        return Basket.objects.filter(user_id=self.owner.user_id, token=self.owner.token)

    def entered(self) -> dict:
        """What the session has of the first step; nothing before it was sent."""
        return self.request.session.get(CONTACT, {})

    # --- What the page shows ---

    def get_context_data(self, **kwargs) -> dict:
        hold = live.all_holds([self.owner]).get(self.owner)
        context = {
            "hold": hold.facts if hold else live.NO_HOLD,
            "hold_version": hold.version if hold else 0,
            "total": self.total,
            "step": self.template_name,
        }
        return super().get_context_data(**self.goods | context | kwargs)

    @cached_property
    def goods(self) -> dict:
        """The lines as they are now: asked for once they are held."""
        state = self.request.basket_state = live.contents(self.owner)
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
            "empty", status, _("There is nothing to order"), order=last.first()
        )

    def too_few(self, refusal: Shortage) -> HttpResponse:
        lines = self.goods["basket"]["lines"]
        short = [
            line | {"left": min(refusal.left[line["product"]], line["quantity"])}
            for line in lines
            if line["product"] in refusal.left
        ]
        return self.answer(
            "short", 409, _("Some of it was sold meanwhile"), short=short
        )

    def price_changed(self, refusal: PriceChanged) -> HttpResponse:
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

    def get_initial(self) -> dict:
        user = self.request.user
        name = user.get_full_name() if user.is_authenticated else ""
        return {"full_name": name} | self.entered()

    def get_form_kwargs(self) -> dict:
        return super().get_form_kwargs() | {"user": self.request.user}

    def form_valid(self, form: ContactForm) -> HttpResponse:
        saved = form.cleaned_data.get("saved")
        entry = asdict(form.contact) | ({"saved": saved} if saved else {})
        self.request.session[CONTACT] = entry
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
    title = gettext_lazy("Look it over")
    form_class = PlaceForm

    def get(self, request: HttpRequest, *args, **kwargs) -> HttpResponse:
        if not self.entered():
            return redirect("products:checkout")
        self.basket = self.hold()
        return super().get(request, *args, **kwargs)

    def post(self, request: HttpRequest, *args, **kwargs) -> HttpResponse:
        form = self.get_form()
        form.is_valid()
        self.basket = self.the_basket(form.cleaned_data.get("basket"))
        if self.basket.status == Basket.Status.ORDERED:
            return self.onward(self.basket.order)  # sent again
        if not self.entered():
            return redirect("products:checkout")
        if "method" in form.errors:
            return self.form_invalid(form)
        return self.form_valid(form)

    def the_basket(self, pk: int | None) -> Basket:
        """The basket that the form is about, if it is theirs; a guest's that was
        ordered stays theirs when they have signed in. Raises `BasketClosed`."""
        mine = self.my_baskets().filter(pk=pk).first()
        if mine is not None:
            return mine
        numbers = list(self.request.session.get(GUESTS, {}))
        ordered = Order.objects.filter(basket_id=pk, number__in=numbers)
        if order := ordered.select_related("basket").first():
            return order.basket
        raise BasketClosed

    def form_valid(self, form: PlaceForm) -> HttpResponse:
        order = orders.place(
            self.basket,
            self.contact,
            seen=form.seen,
            method=form.cleaned_data["method"],
            language=get_language() or settings.LANGUAGE_CODE,
            user=self.request.user if self.owner.user_id else None,
        )
        self.request.session.pop(CONTACT, None)
        if not order.is_prepaid:
            text = _("Thank you. A mail with all of it is on its way to %(email)s.")
            messages.success(self.request, text % {"email": order.email})
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
        if "pay" in order.may:
            return OrderPayView.as_view()(self.request, number=order.number)
        return SeeOther(reverse("products:order", args=[order.number]))

    def price_changed(self, refusal: PriceChanged) -> HttpResponse:
        """Old and new total, and the form once more: it agrees to the new one."""
        with suppress(Shortage, BasketEmpty, BasketClosed):
            self.hold()  # the refusal has undone whatever was claimed for the order
        method = self.request.POST["method"]
        return self.answer(
            "changed",
            409,
            _("The total has changed"),
            form=self.another_form(total=refusal.total),
            method=method if method in dict(self.methods) else None,
            seen=refusal.seen if refusal.seen >= 0 else None,
            total=refusal.total,
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

    def another_form(self, **initial) -> PlaceForm:
        """A form for the basket as it is now, in answer to one that was refused."""
        initial = self.get_initial() | initial
        return self.get_form_class()(methods=self.methods, initial=initial)

    def form_invalid(self, form: PlaceForm) -> HttpResponse:
        form.offer(self.methods)
        return super().form_invalid(form)

    def get_initial(self) -> dict:
        if not hasattr(self, "basket"):
            return {}  # a form that was sent: it says by itself which it is about
        chosen = self.request.POST.get("method")
        is_offered = chosen in dict(self.methods)
        return {
            "basket": self.basket.pk,
            "total": self.total,
            "method": chosen if is_offered else self.methods[0][0],
        }

    def get_context_data(self, **kwargs) -> dict:
        contact = self.contact if self.entered() else None
        context = {"contact": contact, "offers": self.offers}
        return super().get_context_data(**context | kwargs)
