"""The state of the live core, for staff. The live topic "pulse" updates the page."""

from django.utils.translation import gettext_lazy
from django.views.generic import TemplateView

from products.live.registry import registry
from products.staff.views import LiveMixin, StaffMixin
from project.views import TitleMixin
from realtime import pulse


class PulseView(StaffMixin, TitleMixin, LiveMixin, TemplateView):
    """Sockets, waiting times and refusals as small drawings.

    There is no personal data, so everybody who packs may see why a board stands still.
    """

    template_name = fragment_name = "staff/pulse.html"
    title = gettext_lazy("Pulse")

    def get_context_data(self, **kwargs) -> dict:
        pulse.load_others()
        state = registry.load([registry.pulse_key])[registry.pulse_key]
        shown = {"pulse_version": state.version, **(state.context or {})}
        return super().get_context_data(**shown, **kwargs)
