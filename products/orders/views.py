"""A shopper's orders: the list, and the page of one order with its buttons."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.db.models import Prefetch, QuerySet, Sum
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.crypto import constant_time_compare
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.cache import never_cache
from django.views.generic import DetailView, ListView, TemplateView, View

from products.models import Order, OrderLine
from products.orders import claims
from products.orders import services as orders
from products.orders import states
from products.orders.exceptions import StatusConflict
from products.orders.numbers import NUMBER_LENGTH
from products.pricing.baskets import sums_of
from project.views import TitleMixin
from users.requests import user_of

GUESTS = "orders"  # in the session: number → access token of a guest's orders
REMEMBERED = 20  # of a guest's orders, the newest


def own_order(request: HttpRequest, number: str, queryset: QuerySet[Order]) -> Order:
    """Return the visitor's order with this number.

    It belongs to their account, or their session holds its token. Otherwise raises
    `Http404`, whether there is such an order or not.
    """
    if len(number) == NUMBER_LENGTH and number.isalnum():
        order = queryset.filter(number=number).first()
        if order and _is_theirs(request, order):
            return order
    raise Http404


def _is_theirs(request: HttpRequest, order: Order) -> bool:
    user = request.user
    if user.is_authenticated and order.user_id == user.pk:
        return True
    held = request.session.get(GUESTS, {}).get(order.number, "")
    return constant_time_compare(held, order.access_token)


def remember(request: HttpRequest, order: Order) -> None:
    """Keep the order's token in the session, so that the visitor may see the order."""
    held = {**request.session.get(GUESTS, {}), order.number: order.access_token}
    request.session[GUESTS] = dict(list(held.items())[-REMEMBERED:])


@method_decorator(never_cache, name="dispatch")
class OrderView(TitleMixin, DetailView):
    """The page of one order.

    The link in a mail holds the order's token. The view keeps the token in the session
    and redirects to an address without it.
    """

    template_name = "orders/order.html"
    context_object_name = "order"

    def get(self, request: HttpRequest, *args, **kwargs) -> HttpResponse:
        if "t" in request.GET:
            return self.enter(request.GET["t"])
        return super().get(request, *args, **kwargs)

    def enter(self, token: str) -> HttpResponse:
        number = self.kwargs["number"]
        order = Order.objects.filter(number=number.replace("\x00", "")).first()
        is_right = constant_time_compare(token, order.access_token if order else "")
        if order is None or not is_right:
            raise Http404
        remember(self.request, order)
        return redirect("products:order", number=order.number)

    def get_object(self, queryset=None) -> Order:
        lines = OrderLine.objects.select_related("variant__product")
        rows = Order.objects.prefetch_related(Prefetch("lines", lines), "payments")
        return own_order(self.request, self.kwargs["number"], rows)

    def get_title(self) -> str:
        return _("Order %(number)s") % {"number": self.object.number}

    def get_context_data(self, **kwargs) -> dict:
        order = self.object
        sums = sums_of(order, order.lines.all()).facts
        return super().get_context_data(facts=order.facts, sums=sums, **kwargs)


@method_decorator(never_cache, name="dispatch")
class OrderConfirmView(TitleMixin, TemplateView):
    """The page behind the link in a guest's mail, with a button to confirm the order.

    A GET changes nothing, because mail programs follow links. Anyone with the mail may
    see the order.
    """

    template_name = "orders/confirm.html"
    title = gettext_lazy("Confirm your order")

    def get(self, request: HttpRequest, *args, **kwargs) -> HttpResponse:
        order = orders.to_confirm(self.kwargs["token"])
        if order and not order.awaits_confirmation:
            return self.to_order(order)
        status = 200 if order else 404
        context = self.get_context_data(order=order)
        return self.render_to_response(context, status=status)

    def post(self, request: HttpRequest, *args, **kwargs) -> HttpResponse:
        order = orders.to_confirm(self.kwargs["token"])
        if order is None:
            return self.get(request)
        try:
            orders.confirm(order)
        except StatusConflict:
            order.refresh_from_db()
            if not order.confirmed_at:
                messages.error(request, _("It’s too late to confirm this order."))
        else:
            messages.success(request, _("Thank you. Your order is confirmed."))
        return self.to_order(order)

    def to_order(self, order: Order) -> HttpResponse:
        """Redirect to the order's page, and let the visitor see it."""
        remember(self.request, order)
        return redirect("products:order", number=order.number)


class OrderCancelView(View):
    """Cancels an order for its shopper."""

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, number: str) -> HttpResponse:
        order = own_order(request, number, Order.objects.all())
        actor = request.user if request.user.is_authenticated else None
        try:
            orders.cancel_by_shopper(order, actor=actor)
        except StatusConflict:
            self.say_why_not(order)
        else:
            messages.success(request, _("Your order has been cancelled."))
        return redirect("products:order", number=order.number)

    def say_why_not(self, order: Order) -> None:
        order.refresh_from_db()
        if order.status == states.CANCEL.to:
            messages.info(self.request, _("Your order has already been cancelled."))
            return
        text = _("It’s too late to cancel. Your order is already “%(status)s”.")
        status = order.get_status_display()
        messages.error(self.request, text % {"status": status})


class OrdersView(LoginRequiredMixin, TitleMixin, ListView):
    """The shopper's orders, the newest first."""

    template_name = "orders/history.html"
    context_object_name = "orders"
    paginate_by = settings.ORDERS_PER_PAGE
    title = gettext_lazy("Your orders")

    def get_queryset(self) -> QuerySet[Order]:
        own = Order.objects.filter(user=user_of(self.request))
        newest_first = own.order_by("-placed_at", "-pk")
        return newest_first.annotate(units=Sum("lines__quantity"))

    def get_context_data(self, **kwargs) -> dict:
        context = super().get_context_data(**kwargs)
        page = context["page_obj"]
        context["page_range"] = page.paginator.get_elided_page_range(page.number)
        context["claimable"] = claims.claimable(user_of(self.request)).count()
        return context


class OrdersClaimView(LoginRequiredMixin, View):
    """Adds orders to the account that were placed as a guest with its address."""

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest) -> HttpResponse:
        number = claims.claim(user_of(request))
        if number:
            text = ngettext(
                "%(n)d order has been added to your account.",
                "%(n)d orders have been added to your account.",
                number,
            )
            messages.success(request, text % {"n": number})
        else:
            messages.info(request, _("There are no orders to add."))
        return redirect("products:orders")
