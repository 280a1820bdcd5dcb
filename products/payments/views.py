"""The way to the provider's payment page, and the webhook for its reports."""

import logging

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.generic import View

from products.models import Order
from products.orders.exceptions import StatusConflict
from products.orders.views import own_order
from products.payments import providers
from products.payments import services as payments
from products.payments import webhooks
from products.payments.exceptions import (
    PaymentRefused,
    PaymentUnavailable,
    PaymentUnderWay,
)
from products.payments.interface import BadEvent, BadSignature

logger = logging.getLogger(__name__)
MAX_EVENT_BYTES = 256 * 1024


@method_decorator(never_cache, name="dispatch")
class OrderPayView(View):
    """Sends the shopper to the provider's page.

    A page of ours does the redirect. Browsers apply the `form-action` policy, which
    allows only this site, to redirects of forms too.
    """

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, number: str) -> HttpResponse:
        order = own_order(request, number, Order.objects.all())
        try:
            address = payments.start(order)
        except (PaymentRefused, PaymentUnavailable) as refusal:
            messages.error(request, str(refusal))
        except StatusConflict as conflict:
            messages.info(request, str(conflict))
        else:
            context = {
                "title": _("Taking you to the payment page"),
                "redirect_to": address,
            }
            return render(request, "orders/pay.html", context | {"order": order})
        return redirect("products:order", number=order.number)


class PayOnDeliveryView(View):
    """Changes an order to payment on delivery."""

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, number: str) -> HttpResponse:
        order = own_order(request, number, Order.objects.all())
        actor = request.user if request.user.is_authenticated else None
        try:
            order = payments.pay_on_delivery(order, actor=actor)
        except (PaymentUnderWay, StatusConflict) as refusal:
            messages.info(request, str(refusal))
        else:
            text = _("You’ll pay when your order is delivered.")
            if order.awaits_confirmation:
                text = _(
                    "You’ll pay when your order is delivered. We’ve sent an email "
                    "to %(email)s. Please follow the link in it to confirm your "
                    "order. Then we’ll pack it."
                )
            messages.success(request, text % {"email": order.email})
        return redirect("products:order", number=order.number)


@method_decorator(csrf_exempt, name="dispatch")
class StripeWebhookView(View):
    """Takes events that Stripe has signed; others get 400.

    After 200, Stripe does not send the event again.
    """

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest) -> HttpResponse:
        body = request.read(MAX_EVENT_BYTES + 1)
        if len(body) > MAX_EVENT_BYTES:
            return HttpResponse(status=413)
        try:
            stripe = providers.provider(Order.Method.STRIPE)
        except PaymentUnavailable:
            raise Http404 from None
        try:
            event = stripe.event(body, request.headers.get("Stripe-Signature", ""))
        except BadSignature:
            return HttpResponse(status=400)
        except BadEvent as error:
            logger.warning("An event that Stripe signed cannot be read: %s", error)
            return HttpResponse(status=400)
        webhooks.hear(event)
        return HttpResponse(status=200)
