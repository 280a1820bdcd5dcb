"""The basket's page, and the forms that change it.

Each form works as a plain POST that redirects with a message. The script posts the same
forms and asks for JSON. The answer has the messages, and the basket as the socket would
push it, so that the page is right even without a socket.
"""

from django.conf import settings
from django.contrib import messages
from django.contrib.messages import get_messages
from django.db import transaction
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    JsonResponse,
    QueryDict,
)
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.generic import TemplateView, View

from products.basket import services as basket
from products.basket.exceptions import NotInBasket
from products.basket.forms import quantity_from
from products.exceptions import ShopError
from products.live import baskets, viewers
from products.live.baskets import owner_of_basket
from products.live.registry import registry
from products.models import Basket
from products.orders.visitors import visitor_of
from products.pricing import guesses
from products.pricing.exceptions import NoCode
from products.pricing.models.discounts import CODE_LENGTH
from project.http.redirects import next_page
from project.views import TitleMixin


class BasketView(TitleMixin, TemplateView):
    """The visitor's basket, with present prices and stock."""

    template_name = "products/basket.html"
    title = gettext_lazy("Your basket")

    def get_context_data(self, **kwargs) -> dict:
        owner = viewers.owner_of(self.request.session, self.request.user)
        state = baskets.contents(owner)
        setattr(self.request, "basket_state", state)  # for the badge
        return super().get_context_data(
            basket=state.facts,
            version=state.version,
            limit=settings.BASKET_LINE_LIMIT,
            **kwargs,
        )


class BasketFormView(View):
    """A form that changes the basket: completely, or not at all with a message."""

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, **kwargs) -> HttpResponse:
        self.is_new = False
        onward = next_page(request, reverse("products:basket"))
        try:
            with transaction.atomic():
                self.change()
            status = 200
        except ShopError as refusal:
            self.forget_new_basket()
            messages.error(request, str(refusal))
            status = 422
        if wants_json(request):
            return self.as_json(status)
        return HttpResponseRedirect(onward)

    def change(self) -> None:
        """Call the service and leave a message. Raises `ShopError`."""
        raise NotImplementedError

    def open_basket(self) -> Basket:
        """Return the visitor's basket. A new one puts a token into the session."""
        session = self.request.session
        owner = viewers.owner_of(session, self.request.user)
        if not owner:
            session[viewers.BASKET_TOKEN] = basket.new_token()
            owner = viewers.owner_of(session, self.request.user)
            self.is_new = True
            return basket.open_first(owner)
        return basket.open_for(owner)

    def forget_new_basket(self) -> None:
        """Remove the token of a basket that a refused change created."""
        if self.is_new:
            del self.request.session[viewers.BASKET_TOKEN]
            self.is_new = False

    def as_json(self, status: int) -> JsonResponse:
        """Answer with the messages, the basket's topics, and `identity`.

        `identity` is true if the session has just got its first basket. Then the page's
        socket must identify itself again.
        """
        owner = viewers.owner_of(self.request.session, self.request.user)
        answer = {
            "messages": [
                {"level": message.level_tag, "text": str(message)}
                for message in get_messages(self.request)
            ],
            "items": basket_items(owner, self.request.POST.get("parts", "basket")),
            "identity": self.is_new,
        }
        return JsonResponse(answer, status=status)


def wants_json(request: HttpRequest) -> bool:
    return request.headers.get("Accept", "").startswith("application/json")


def basket_items(owner: viewers.Owner, parts: str) -> list[list]:
    """Return the basket's topics like the socket: [name, version, facts, html].

    `parts` says what the page shows: "basket" for the badge, "basket:lines" for both.
    """
    states = {"basket": baskets.summary(owner)}
    if parts == "basket:lines":
        states["basket:lines"] = baskets.contents(owner)
    language = get_language()
    return [
        [name, state.version, state.facts, registry.render(f"{name}:", state, language)]
        for name, state in states.items()
    ]


class BasketAddView(BasketFormView):
    """Add a variant."""

    def change(self) -> None:
        quantity = quantity_from(self.request.POST.get("quantity", "1"))
        line = basket.add(self.open_basket(), self.kwargs["variant_id"], quantity)
        available = line.variant.stock.available
        messages.success(
            self.request,
            _("%(name)s is in your basket.") % {"name": line.variant.name},
        )
        if available < line.quantity:
            messages.warning(
                self.request,
                ngettext(
                    "Only %(available)d is left. You have %(wanted)d in your basket.",
                    "Only %(available)d are left. You have %(wanted)d in your basket.",
                    available,
                )
                % {"available": available, "wanted": line.quantity},
            )


class BasketUpdateView(BasketFormView):
    """Set quantities, remove a line, or clear the basket."""

    def change(self) -> None:
        form = self.request.POST
        mine = self.open_basket()
        if "clear" in form:
            basket.clear(mine)
            messages.success(self.request, _("We’ve emptied your basket."))
        elif "remove" in form:
            basket.remove(mine, variant_id_from(form["remove"]))
            messages.success(self.request, _("Removed from your basket."))
        else:
            basket.set_quantities(mine, changed_quantities(form))
            messages.success(self.request, _("Your basket is up to date."))


class BasketCodeView(BasketFormView):
    """Apply a code, or remove it."""

    def change(self) -> None:
        form = self.request.POST
        mine = self.open_basket()
        if "remove-code" in form:
            basket.remove_code(mine)
            messages.success(self.request, _("We’ve removed the code."))
            return
        code = form.get("code", "").strip()[:CODE_LENGTH]
        if not code:
            raise NoCode
        network = visitor_of(self.request).network
        limits = guesses.limits_of(owner_of_basket(mine).key, network)
        guesses.count(limits)
        discount = basket.apply_code(mine, code)
        guesses.forgive(limits)
        text = _("We’ve added the code %(code)s to your basket.")
        messages.success(self.request, text % {"code": discount.code})


def changed_quantities(form: QueryDict) -> dict[int, int]:
    """Return variant id → quantity for the lines that the shopper changed.

    The field `was-<id>` has the quantity that the page showed. If it equals the entered
    one, the line is left out, so that a change in another tab is kept. Raises
    `BadQuantity` or `NotInBasket`.
    """
    prefix = "quantity-"
    quantities = {}
    for name in form:
        key, value = name.removeprefix(prefix), form.get(name)
        if name.startswith(prefix) and value != form.get(f"was-{key}"):
            quantities[variant_id_from(key)] = quantity_from(value)
    return quantities


def variant_id_from(text: str) -> int:
    """Return the variant id in a form field. Raises `NotInBasket` if it is none."""
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise NotInBasket
    return int(text)
