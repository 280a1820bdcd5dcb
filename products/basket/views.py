"""The basket's page, and the forms that change it.

Each form works as a plain POST that redirects with a message. The client script posts
the same forms and asks for JSON: the messages, and the basket as the socket would
push it, so that the page is right even while the socket is down.
"""

from django.conf import settings
from django.contrib import messages
from django.contrib.messages import get_messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.generic import TemplateView, View

from products.basket import services as basket
from products.basket.exceptions import NotInBasket
from products.basket.forms import quantity_from
from products.exceptions import ShopError
from products.live import baskets, kinds, viewers
from products.models import Basket
from project.http.redirects import next_page
from project.views import TitleMixin


class BasketView(TitleMixin, TemplateView):
    """What the visitor has chosen, with today's prices and stock."""

    template_name = "products/basket.html"
    title = gettext_lazy("Your basket")

    def get_context_data(self, **kwargs) -> dict:
        owner = viewers.owner_of(self.request.session, self.request.user)
        state = self.request.basket_state = baskets.contents(owner)
        return super().get_context_data(
            basket=state.facts,
            version=state.version,
            limit=settings.BASKET_LINE_LIMIT,
            **kwargs,
        )


class BasketFormView(View):
    """One change of the basket, refused with a sentence or done as a whole."""

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, **kwargs) -> HttpResponse:
        self.is_new = False
        onward = next_page(request, reverse("products:basket"))
        try:
            with transaction.atomic():
                self.change(**kwargs)
            status = 200
        except ShopError as refusal:
            self.forget_new_basket()
            messages.error(request, str(refusal))
            status = 422
        if wants_json(request):
            return self.as_json(status)
        return HttpResponseRedirect(onward)

    def change(self, **kwargs) -> None:
        """Call the service and leave a message. Raises `ShopError`."""
        raise NotImplementedError

    def open_basket(self) -> Basket:
        """The visitor's basket; the first one gives their session its token."""
        session = self.request.session
        owner = viewers.owner_of(session, self.request.user)
        if not owner:
            session[viewers.BASKET_TOKEN] = basket.new_token()
            owner = viewers.owner_of(session, self.request.user)
            self.is_new = True
        return basket.open_for(owner)

    def forget_new_basket(self) -> None:
        """A refusal changes nothing: who had no basket has none now."""
        if self.is_new:
            del self.request.session[viewers.BASKET_TOKEN]
            self.is_new = False

    def as_json(self, status: int) -> JsonResponse:
        """The messages, the basket's topics, and whether sockets must ask again who
        they are (the session has just got its first basket)."""
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
    """The basket's topics as the socket sends them: [name, version, facts, html].

    `parts` names those the page shows: "basket", or "basket:lines" for both.
    """
    states = {"basket": baskets.summary(owner)}
    if parts == "basket:lines":
        states["basket:lines"] = baskets.contents(owner)
    language = get_language()
    return [
        [name, state.version, state.facts, kinds.render(f"{name}:", state, language)]
        for name, state in states.items()
    ]


class BasketAddView(BasketFormView):
    """Put a product in."""

    def change(self, product_id: int) -> None:
        quantity = quantity_from(self.request.POST.get("quantity", "1"))
        line = basket.add(self.open_basket(), product_id, quantity)
        available = line.product.stock.available
        messages.success(
            self.request,
            _("%(name)s is in your basket.") % {"name": line.product.name},
        )
        if available < line.quantity:
            messages.warning(
                self.request,
                ngettext(
                    "Only %(available)d is left; your basket asks for %(asked)d.",
                    "Only %(available)d are left; your basket asks for %(asked)d.",
                    available,
                )
                % {"available": available, "asked": line.quantity},
            )


class BasketUpdateView(BasketFormView):
    """Set quantities, take a line out, or clear the whole basket."""

    def change(self) -> None:
        form = self.request.POST
        mine = self.open_basket()
        if "clear" in form:
            basket.clear(mine)
            messages.success(self.request, _("Your basket is empty."))
        elif "remove" in form:
            basket.remove(mine, product_id_from(form["remove"]))
            messages.success(self.request, _("Taken out of your basket."))
        else:
            basket.set_quantities(mine, asked_quantities(form))
            messages.success(self.request, _("Your basket is up to date."))


def asked_quantities(form) -> dict[int, int]:
    """Product id → quantity for the lines that the shopper changed.

    A field `was-<id>` says what the page showed: a line that another tab changed
    meanwhile is left as that tab set it. Raises `BadQuantity`, `NotInBasket`.
    """
    prefix = "quantity-"
    return {
        product_id_from(name.removeprefix(prefix)): quantity_from(value)
        for name, value in form.items()
        if name.startswith(prefix)
        and value != form.get(f"was-{name.removeprefix(prefix)}")
    }


def product_id_from(text: str) -> int:
    """The number in a form's field. Raises `NotInBasket` for what can be none."""
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise NotInBasket
    return int(text)
