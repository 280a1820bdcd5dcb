"""The staff's board, and the page of one order.

Every step is a plain form that redirects with a message. The client script posts the
same forms and asks for JSON. The live topic "board" pushes the cards that move; the
script fetches the board anew (`?fragment=1`) where it missed some.
"""

from datetime import timedelta
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.mixins import PermissionRequiredMixin
from django.contrib.messages import get_messages
from django.db.models import prefetch_related_objects
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
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import DetailView, TemplateView, View

from products.exceptions import ShopError
from products.live.registry import registry
from products.models import Order
from products.orders import services as orders
from products.payments import services as payments
from products.staff import board, moves
from products.staff.forms import BoardForm, ExportForm, NoteForm, ReasonForm
from project.http.redirects import next_page
from project.views import TitleMixin

MONTH = timedelta(days=30)


class StaffMixin(PermissionRequiredMixin):
    """Open to staff with a permission; others are told so, visitors may sign in."""

    permission_required = "products.view_order"

    def has_permission(self) -> bool:
        return self.request.user.is_staff and super().has_permission()


class LiveMixin:
    """What staff pages show of live topics, and whether only the inner part of the
    page is asked for."""

    fragment_name = ""

    @property
    def is_fragment(self) -> bool:
        return "fragment" in self.request.GET

    def get_template_names(self) -> list[str]:
        if self.is_fragment:
            return [self.fragment_name]
        return super().get_template_names()

    def get_context_data(self, **kwargs) -> dict:
        # The version before the orders: what changes in between is fetched again.
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
        """Where a form's answer leads back to: this page with its filters."""
        query = self.request.GET.copy()
        query.pop("fragment", None)
        return f"{self.request.path}?{query.urlencode()}".rstrip("?")


class BoardView(StaffMixin, TitleMixin, LiveMixin, TemplateView):
    """All orders that are somebody's work, in columns by what is to be done."""

    template_name = "staff/board.html"
    fragment_name = "staff/_board.html"
    title = gettext_lazy("Orders")

    def get_context_data(self, **kwargs) -> dict:
        context = super().get_context_data(**kwargs)
        asked = self.form.asked
        page = self.request.GET.get("page", "")
        context |= {
            "form": self.form,
            "asked": asked,
            "is_filtered": bool(asked),
            "columns": board.fill(asked, self.request.user, page, self.prefetch),
            "query": urlencode({k: v for k, v in asked.items() if k != "status"}),
        }
        if not self.is_fragment:
            context |= {"export": _export_form(), **self.shelves()}
        return context

    def prefetch(self, shown: list[Order]) -> None:
        """What the cards need: those of the script may have been rendered already."""
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
        """What is low, for who may see stock."""
        if not self.request.user.has_perm("products.view_stock"):
            return {}
        state = registry.load(["shelves:"])["shelves:"]
        return {"shelves": state.facts, "shelves_version": state.version}


def _export_form() -> ExportForm:
    today = timezone.localdate()
    return ExportForm(initial={"since": today - MONTH, "until": today})


class OrderView(StaffMixin, TitleMixin, LiveMixin, DetailView):
    """One order: what, for whom, and what became of it."""

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
        return super().get_context_data(
            lines=self.object.lines.select_related("product"),
            events=events[::-1],
            payments=received.prefetch_related("refunds", "disputes"),
            note_form=NoteForm(),
            **kwargs,
        )


class SlipView(OrderView):
    """What lies in the parcel: no prices, ready to be printed."""

    template_name = fragment_name = "staff/slip.html"

    def get_title(self) -> str:
        return _("Packing slip %(number)s") % {"number": self.object.number}

    def get_context_data(self, **kwargs) -> dict:
        context = super().get_context_data(**kwargs)
        units = sum(line.quantity for line in context["lines"])
        return context | {"units": units}


class OrderMoveView(StaffMixin, View):
    """One step of an order: who is second hears who was first."""

    permission_required = ("products.view_order", "products.change_order")
    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, number: str, verb: str) -> HttpResponse:
        if verb not in VERBS or "\0" in number:
            raise Http404
        order = get_object_or_404(Order, number=number)
        onward = next_page(request, reverse("staff:order", args=[order.number]))
        status = self.move(order, verb)
        if request.headers.get("Accept", "").startswith("application/json"):
            said = [
                {"level": message.level_tag, "text": str(message)}
                for message in get_messages(request)
            ]
            return JsonResponse({"messages": said}, status=status)
        return HttpResponseRedirect(onward)

    def move(self, order: Order, verb: str) -> int:
        """Do it and leave a message. Out: the answer's status."""
        service, form_class, done = VERBS[verb]
        form = form_class(self.request.POST) if form_class else None
        if form and not form.is_valid():
            for errors in form.errors.values():
                messages.error(self.request, f"{WHY[verb]} {errors[0]}")
            return 422
        options = {"note": form.cleaned_data["note"]} if form else {}
        try:
            service(order, actor=self.request.user, **options)
        except ShopError as refusal:
            messages.error(self.request, str(refusal))
            return 409
        messages.success(self.request, done % {"number": order.number})
        return 200


# What a form may ask for: the service, what must be said with it, and the answer.
VERBS = {
    "confirm": (orders.confirm, None, gettext_lazy("%(number)s is confirmed.")),
    "pack": (orders.pack, None, gettext_lazy("%(number)s is packed.")),
    "ship": (orders.ship, None, gettext_lazy("%(number)s is on its way.")),
    "deliver": (orders.deliver, None, gettext_lazy("%(number)s has arrived.")),
    "cancel": (orders.cancel, ReasonForm, gettext_lazy("%(number)s is cancelled.")),
    "go-on": (
        payments.go_on,
        ReasonForm,
        gettext_lazy("%(number)s is no longer on hold."),
    ),
    "note": (orders.note, NoteForm, gettext_lazy("Noted on %(number)s.")),
}
WHY = {
    "cancel": gettext_lazy("A cancellation needs a reason."),
    "go-on": gettext_lazy("Please say why you release it."),
    "note": gettext_lazy("The note was not taken."),
}
