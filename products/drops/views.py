"""The pages of drops: the list, a drop's room, its forms, and the order of its line."""

from collections.abc import Iterator

from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.generic import DetailView, ListView, TemplateView, View

from products.basket import holds
from products.basket import services as basket
from products.basket.exceptions import HoldPaused, Shortage
from products.basket.forms import quantity_from
from products.drops import services as drops
from products.drops import shown, steps
from products.drops.exceptions import NotAdmitted, TooManyTickets
from products.exceptions import ShopError
from products.live import viewers
from products.models import Basket, BasketLine, Drop
from products.orders.checkout.steps import SeeOther
from products.orders.visitors import visitor_of
from project.views import TitleMixin
from users.requests import user_of

REFRESH_S = 10  # of a page without a script
RETRY_S = 60 * 10  # after too many tickets for one network


class DropsView(TitleMixin, ListView):
    """The drops that are planned or running."""

    template_name = "drops/list.html"
    context_object_name = "drops"
    title = gettext_lazy("Drops")
    description = gettext_lazy(
        "Products that go on sale at a second, with a fair line for everybody."
    )

    def get_queryset(self) -> QuerySet[Drop]:
        current = Drop.objects.current().filter(product__is_active=True)
        return current.select_related("product").order_by("starts_at", "pk")


class RoomMixin(View):
    """Finds the drop in the address, and the visitor's ticket."""

    @cached_property
    def drop(self) -> Drop:
        rows = Drop.objects.select_related("product").filter(product__is_active=True)
        return get_object_or_404(rows, slug=self.kwargs["slug"])

    @property
    def owner(self) -> viewers.Owner:
        return viewers.owner_of(self.request.session, self.request.user)

    def own(self) -> dict:
        """Return the context of the part that shows the visitor's ticket.

        If no worker makes the drop's steps, this request makes one.
        """
        steps.step_if_late(self.drop)
        owner = self.owner
        ticket = drops.ticket_of(self.drop, owner) if owner else None
        return shown.own_facts(self.drop, ticket, owner)


@method_decorator(never_cache, name="dispatch")
class DropView(RoomMixin, TitleMixin, DetailView):
    """A drop's room. Without a script it refreshes itself."""

    template_name = "drops/drop.html"
    context_object_name = "drop"

    def get_object(self, queryset: QuerySet | None = None) -> Drop:
        return self.drop

    def get_title(self) -> str:
        return self.drop.name

    def get_context_data(self, **kwargs) -> dict:
        own = self.own()
        return super().get_context_data(
            **own,
            facts=self.drop.facts,
            version=self.drop.version,
            now=timezone.now(),
            refresh_s=REFRESH_S,
            **kwargs,
        )


@method_decorator(never_cache, name="dispatch")
class MineView(RoomMixin, TemplateView):
    """The part of the room that shows the visitor's ticket, for the script."""

    template_name = "drops/_mine.html"

    def get_context_data(self, **kwargs) -> dict:
        return super().get_context_data(**self.own(), **kwargs)


class RoomFormView(RoomMixin, View):
    """A form of the room. It redirects to the room, or wherever `change` says."""

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, **kwargs) -> HttpResponse:
        try:
            return SeeOther(self.change() or self.drop.get_absolute_url())
        except TooManyTickets as refusal:
            return self.too_many(refusal)
        except ShopError as refusal:
            messages.error(request, str(refusal))
            return SeeOther(self.drop.get_absolute_url())

    def change(self) -> str | None:
        """Call the service. Return the address to go on to. Raises `ShopError`."""
        raise NotImplementedError

    def too_many(self, refusal: TooManyTickets) -> HttpResponse:
        """Say so in plain text: a program may have asked a thousand times."""
        answer = HttpResponse(f"{refusal}\n", status=429, content_type="text/plain")
        answer["Retry-After"] = RETRY_S
        return answer


class JoinView(RoomFormView):
    """Gives the visitor a ticket. A visitor without a basket gets a token for one."""

    def change(self) -> None:
        is_verified = False
        if self.request.user.is_authenticated:
            is_verified = user_of(self.request).is_verified
        owner = self.owner
        if not owner:
            owner = viewers.Owner(token=basket.new_token())
        network = visitor_of(self.request).network
        drops.join(self.drop, owner, is_verified=is_verified, network=network)
        if owner.token:
            self.request.session[viewers.BASKET_TOKEN] = owner.token


class LeaveView(RoomFormView):
    """Gives up the visitor's place or turn."""

    def change(self) -> None:
        if self.owner and drops.leave(self.drop, self.owner):
            messages.success(self.request, _("You’ve given up your place."))


class ClaimView(RoomFormView):
    """Reserves units for somebody whose turn it is, and goes on to the checkout."""

    def change(self) -> str:
        form = self.request.POST
        quantity = quantity_from(form.get("quantity", "1"))
        variant = form.get("variant", "")
        if not (variant.isascii() and variant.isdigit() and len(variant) < 19):
            raise Http404
        if not self.owner:
            raise NotAdmitted(self.drop.pk)
        with transaction.atomic():
            mine = self.fill(basket.open_for(self.owner), int(variant), quantity)
        try:
            holds.start(mine, network=visitor_of(self.request).network)
        except (Shortage, HoldPaused):
            pass  # the checkout says what is short, or why nothing is reserved
        return reverse("products:checkout")

    def fill(self, mine: Basket, variant_id: int, quantity: int) -> Basket:
        """Put so many units in the basket, whatever it had of the variant."""
        line = BasketLine.objects.filter(basket=mine, variant=variant_id).first()
        if line is None:
            basket.add(mine, variant_id, quantity)
        else:
            basket.set_quantities(mine, {variant_id: quantity})
        return mine


class LineView(RoomMixin, View):
    """The numbers of all tickets in the order of their places, as plain text.

    The script that the page links to checks the order of those that were shuffled.
    """

    def get(self, request: HttpRequest, **kwargs) -> HttpResponse:
        if not self.drop.started_at:
            raise Http404
        return HttpResponse("".join(self.lines()), content_type="text/plain")

    def lines(self) -> Iterator[str]:
        drop = self.drop
        yield f"# {settings.SHOP_NAME}, drop {drop.slug}\n"
        yield f"# seed: {drop.published_seed}\n"
        yield f"# SHA-256 of the seed, as published before: {drop.seed_sha256}\n"
        yield f"# {drop.early} tickets were shuffled.\n"
        rows = drops.line_of(drop).values_list("place", "number")
        for place, number in rows.iterator():
            if place == drop.early + 1:
                yield "# Later: first come, first served.\n"
            yield f"{number}\n"
