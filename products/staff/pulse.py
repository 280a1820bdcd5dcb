"""How the live core does, for staff. The live topic "pulse" moves the page."""

from django.utils.translation import gettext_lazy
from django.views.generic import TemplateView

from products.live import kinds
from products.staff.views import LiveMixin, StaffMixin
from project.views import TitleMixin
from realtime import pulse


class PulseView(StaffMixin, TitleMixin, LiveMixin, TemplateView):
    """Sockets, waits and refusals, drawn small. Nothing about persons: whoever packs
    may see why a board stands still."""

    template_name = fragment_name = "staff/pulse.html"
    title = gettext_lazy("Pulse")

    def get_context_data(self, **kwargs) -> dict:
        pulse.ask()
        state = kinds.load([kinds.PULSE])[kinds.PULSE]
        shown = {"pulse_version": state.version, **state.shown}
        return super().get_context_data(**shown, **kwargs)
