"""The pages on which staff watch a drop's room, slow it down and stop it."""

from django.contrib import messages
from django.db.models import Count, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import DetailView, ListView, View

from products.drops import services as drops
from products.drops import steps
from products.drops.forms import PaceForm
from products.drops.states import LIVE, STAFF_MOVES
from products.exceptions import ShopError
from products.models import Drop
from products.staff.views import LiveMixin, StaffMixin
from project.views import TitleMixin


class DropsView(StaffMixin, TitleMixin, LiveMixin, ListView):
    """All drops, the newest first."""

    permission_required = ("products.view_order", "products.view_drop")
    template_name = fragment_name = "staff/drops.html"
    title = gettext_lazy("Drops")
    context_object_name = "drops"
    paginate_by = 50

    def get_queryset(self) -> QuerySet[Drop]:
        tickets = Count("tickets", filter=Q(tickets__state__in=LIVE))
        counted = Drop.objects.select_related("product").annotate(people=tickets)
        return counted.order_by("-starts_at", "-pk")


class DropView(StaffMixin, TitleMixin, LiveMixin, DetailView):
    """The room of one drop. The live topic `drop:<id>` updates it."""

    permission_required = ("products.view_order", "products.view_drop")
    template_name = fragment_name = "staff/drop.html"
    queryset = Drop.objects.select_related("product")
    context_object_name = "drop"

    def get_title(self) -> str:
        return self.object.name

    def get_context_data(self, **kwargs) -> dict:
        drop = self.object
        steps.step_if_late(drop)
        facts = drop.facts
        if not drop.started_at:  # no step has counted yet
            facts["waiting"] = drop.tickets.filter(state__in=LIVE).count()
        return super().get_context_data(
            facts=facts,
            drop_version=drop.version,
            pace_form=PaceForm(instance=drop),
            may_change_drop=self.request.user.has_perm("products.change_drop"),
            **kwargs,
        )


class DropPostView(StaffMixin, View):
    """Changes a drop, and goes back to its room."""

    permission_required = ("products.view_drop", "products.change_drop")
    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, slug: str, **kwargs) -> HttpResponse:
        drop = get_object_or_404(Drop, slug=slug)
        try:
            messages.success(request, self.change(drop))
        except ShopError as refusal:
            messages.error(request, str(refusal))
        return HttpResponseRedirect(reverse("staff:drop", args=[slug]))

    def change(self, drop: Drop) -> str:
        """Call the service; return the message. Raises `ShopError`."""
        raise NotImplementedError


class DropMoveView(DropPostView):
    """Pauses, resumes or stops a drop."""

    def change(self, drop: Drop) -> str:
        move = STAFF_MOVES.get(self.kwargs["move"])
        if move is None:
            raise Http404
        drops.move(drop, move)
        return str(move.done)


class DropPaceView(DropPostView):
    """Changes how many people are let in, and for how long."""

    def change(self, drop: Drop) -> str:
        form = PaceForm(self.request.POST, instance=drop)
        if not form.is_valid():
            first = next(iter(form.errors.values()))
            raise ShopError(" ".join(str(text) for text in first))
        values = form.cleaned_data
        drops.set_pace(
            drop, at_once=values["admitted_at_once"], turn_s=values["turn_s"]
        )
        return _("The pace has changed.")
