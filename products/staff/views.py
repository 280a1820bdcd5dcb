"""The board, and the page of one order.

Each move is a plain form that redirects with a message. The script posts the same forms
and asks for JSON. The live topic "board" pushes cards that have moved. If the script
missed some, it fetches the board again (`?fragment=1`).
"""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.mixins import PermissionRequiredMixin
from django.contrib.messages import get_messages
from django.db.models import prefetch_related_objects
from django.forms import Form
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    JsonResponse,
)
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise, cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import DetailView, TemplateView, View
from django.views.generic.base import ContextMixin, TemplateResponseMixin

from products.exceptions import ShopError
from products.live.registry import registry
from products.models import Order
from products.orders import services as orders
from products.orders import states
from products.orders.machine import Actor, Move
from products.payments import services as payments
from products.pricing.baskets import sums_of
from products.staff import board, moves
from products.staff.forms import BoardForm, ExportForm, NoteForm, ReasonForm
from project.http.redirects import next_page
from project.views import TitleMixin
from users.requests import user_of

MONTH = timedelta(days=30)


class StaffMixin(PermissionRequiredMixin, View):
    """Lets in staff with a permission. Visitors may sign in; others see why not."""

    permission_required: str | tuple[str, ...] = "products.view_order"

    def has_permission(self) -> bool:
        return self.request.user.is_staff and super().has_permission()


class LiveMixin(TemplateResponseMixin, ContextMixin, View):
    """Adds live topics to a page. With `?fragment=1`, renders only its inner part."""

    fragment_name = ""

    @property
    def is_fragment(self) -> bool:
        return "fragment" in self.request.GET

    def get_template_names(self) -> list[str]:
        if self.is_fragment:
            return [self.fragment_name]
        return super().get_template_names()

    def get_context_data(self, **kwargs) -> dict:
        # Read before the orders, so that a change in between is fetched again.
        state = registry.load(["orders:"])["orders:"]
        context = {
            "orders": state.facts,
            "version": state.version,
            "now": timezone.now(),
            "may_change": self.request.user.has_perm("products.change_order"),
            "here": self.get_here(),
            "is_fragment": self.is_fragment,
        }
        return super().get_context_data(**context | kwargs)

    def get_here(self) -> str:
        """Return the address of this page with its filters, for redirects back."""
        query = self.request.GET.copy()
        query.pop("fragment", None)
        return f"{self.request.path}?{query.urlencode()}".rstrip("?")


class BoardView(StaffMixin, TitleMixin, LiveMixin, TemplateView):
    """The board: all orders that are in work, in columns."""

    template_name = "staff/board.html"
    fragment_name = "staff/_board.html"
    title = gettext_lazy("Orders")

    def get_context_data(self, **kwargs) -> dict:
        context = super().get_context_data(**kwargs)
        filters = self.form.filters
        page = self.request.GET.get("page", "")
        context |= {
            "form": self.form,
            "filters": filters,
            "is_filtered": bool(filters),
            "columns": board.fill(filters, user_of(self.request), page, self.prefetch),
            "query": urlencode({k: v for k, v in filters.items() if k != "status"}),
        }
        if not self.is_fragment:
            context |= {"export": _export_form(), **self.shelves()}
        return context

    def prefetch(self, shown: list[Order]) -> None:
        """Load what the cards need. Cards for the script may be rendered already."""
        if self.is_fragment:
            may_change = self.request.user.has_perm("products.change_order")
            moves.prefetch_lines(shown, may_change=may_change)
        else:
            prefetch_related_objects(shown, "lines")

    @cached_property
    def form(self) -> BoardForm:
        statuses = [(column.key, column.title) for column in board.columns()]
        return BoardForm(self.request.GET, statuses=statuses)

    def shelves(self) -> dict:
        """Return what is low in stock, if the user may see that."""
        if not self.request.user.has_perm("products.view_stock"):
            return {}
        state = registry.load(["shelves:"])["shelves:"]
        return {"shelves": state.facts, "shelves_version": state.version}


def _export_form() -> ExportForm:
    today = timezone.localdate()
    return ExportForm(initial={"since": today - MONTH, "until": today})


class OrderView(StaffMixin, TitleMixin, LiveMixin, DetailView):
    """The page of one order for staff."""

    queryset = Order.objects.select_related("handler", "user")
    context_object_name = "order"
    slug_field = slug_url_kwarg = "number"
    template_name = "staff/order.html"
    fragment_name = "staff/_order.html"

    def get_object(self, queryset=None) -> Order:
        if "\0" in self.kwargs["number"]:
            raise Http404
        return super().get_object(queryset)

    def get_title(self) -> str:
        return _("Order %(number)s") % {"number": self.object.number}

    def get_context_data(self, **kwargs) -> dict:
        events = list(self.object.events.select_related("actor").order_by("version"))
        before = None
        for event in events:
            event.is_note = event.status == before
            before = event.status
        received = self.object.payments.filter(received__isnull=False).order_by("pk")
        prefetch_related_objects([self.object], "lines")
        lines = list(self.object.lines.all())
        return super().get_context_data(
            lines=lines,
            sums=sums_of(self.object, lines).facts,
            events=events[::-1],
            payments=received.prefetch_related("refunds", "disputes"),
            note_form=NoteForm(),
            **kwargs,
        )


class SlipView(OrderView):
    """The packing slip of an order, without prices."""

    template_name = fragment_name = "staff/slip.html"

    def get_title(self) -> str:
        return _("Packing slip %(number)s") % {"number": self.object.number}

    def get_context_data(self, **kwargs) -> dict:
        context = super().get_context_data(**kwargs)
        units = sum(line.quantity for line in context["lines"])
        return context | {"units": units}


class OrderPostView(StaffMixin, View):
    """Changes an order, and answers a plain form or the script."""

    permission_required = ("products.view_order", "products.change_order")
    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, number: str, **kwargs) -> HttpResponse:
        if "\0" in number:
            raise Http404
        order = get_object_or_404(Order, number=number)
        onward = next_page(request, reverse("staff:order", args=[order.number]))
        status = self.act(order)
        if request.headers.get("Accept", "").startswith("application/json"):
            return JsonResponse({"messages": self.messages()}, status=status)
        return HttpResponseRedirect(onward)

    def act(self, order: Order) -> int:
        """Change the order and add a message. Return the status of the answer."""
        raise NotImplementedError

    def refuse(self, form: Form, why: str | Promise) -> int:
        """Add a message for each error of the form. Return the status of the answer."""
        for errors in form.errors.values():
            messages.error(self.request, f"{why} {errors[0]}")
        return 422

    def messages(self) -> list[dict]:
        return [
            {"level": message.level_tag, "text": str(message)}
            for message in get_messages(self.request)
        ]


class OrderMoveView(OrderPostView):
    """Makes a move with an order. If two people try at once, the second one reads who
    was first."""

    def act(self, order: Order) -> int:
        move = states.moves_by(Actor.STAFF).get(self.kwargs["verb"])
        reason: dict[str, Any] = {}
        if move is None:
            raise Http404
        if move.reason:
            form = ReasonForm(self.request.POST)
            if not form.is_valid():
                return self.refuse(form, move.reason)
            reason = form.cleaned_data
        service = SERVICES.get(move) or partial(orders.advance, move=move)
        try:
            service(order, actor=user_of(self.request), **reason)
        except ShopError as refusal:
            messages.error(self.request, str(refusal))
            return 409
        messages.success(self.request, move.done % {"number": order.number})
        return 200


# These do more than change the status.
SERVICES: dict[Move, Callable[..., object]] = {
    states.CONFIRM: orders.confirm,
    states.RELEASE: payments.go_on,
}


class OrderNoteView(OrderPostView):
    """Adds a note to an order's history."""

    def act(self, order: Order) -> int:
        form = NoteForm(self.request.POST)
        if not form.is_valid():
            return self.refuse(form, _("The note was not saved."))
        orders.note(order, actor=user_of(self.request), **form.cleaned_data)
        text = _("Note added to %(number)s.")
        messages.success(self.request, text % {"number": order.number})
        return 200
