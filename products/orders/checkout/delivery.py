"""Changes how the order is delivered, from the review page."""

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from products.orders.checkout.steps import CheckoutView, SeeOther


class DeliveryView(CheckoutView):
    """Notes the chosen method. The review page then shows the new total."""

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, *args, **kwargs) -> HttpResponse:
        self.remember_delivery()
        return SeeOther(reverse("products:checkout-review"))
