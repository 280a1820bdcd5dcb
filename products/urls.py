"""Addresses of the shop's pages."""

from django.urls import path

from products.basket import views as basket
from products.catalogue import views as catalogue
from products.drops import views as drops
from products.orders import views as orders
from products.orders.checkout.contact import ContactView
from products.orders.checkout.delivery import DeliveryView
from products.orders.checkout.review import ReviewView
from products.payments import views as payments
from products.waiting import views as waiting
from project.replicas.routing import from_replica

app_name = "products"

urlpatterns = [
    path("", from_replica(catalogue.IndexView.as_view()), name="index"),
    path(
        "products/",
        from_replica(catalogue.ProductsListView.as_view()),
        name="list",
    ),
    path(
        "products/category/<slug:slug>/",
        from_replica(catalogue.ProductsListView.as_view()),
        name="category",
    ),
    path(
        "products/<slug:slug>/",
        from_replica(catalogue.ProductDetailView.as_view()),
        name="detail",
    ),
    path(
        "search/suggest/",
        from_replica(catalogue.SuggestView.as_view()),
        name="suggest",
    ),
    path("drops/", drops.DropsView.as_view(), name="drops"),
    path("drops/<slug:slug>/", drops.DropView.as_view(), name="drop"),
    path("drops/<slug:slug>/mine/", drops.MineView.as_view(), name="drop-mine"),
    path("drops/<slug:slug>/join/", drops.JoinView.as_view(), name="drop-join"),
    path("drops/<slug:slug>/leave/", drops.LeaveView.as_view(), name="drop-leave"),
    path("drops/<slug:slug>/claim/", drops.ClaimView.as_view(), name="drop-claim"),
    path("drops/<slug:slug>/line.txt", drops.LineView.as_view(), name="drop-line"),
    path("basket/", basket.BasketView.as_view(), name="basket"),
    path(
        "basket/add/<int:variant_id>/",
        basket.BasketAddView.as_view(),
        name="basket-add",
    ),
    path("basket/update/", basket.BasketUpdateView.as_view(), name="basket-update"),
    path("basket/code/", basket.BasketCodeView.as_view(), name="basket-code"),
    path("checkout/", ContactView.as_view(), name="checkout"),
    path("checkout/delivery/", DeliveryView.as_view(), name="checkout-delivery"),
    path("checkout/review/", ReviewView.as_view(), name="checkout-review"),
    path("orders/", orders.OrdersView.as_view(), name="orders"),
    path("orders/claim/", orders.OrdersClaimView.as_view(), name="orders-claim"),
    path(
        "orders/confirm/<str:token>/",
        orders.OrderConfirmView.as_view(),
        name="order-confirm",
    ),
    path("orders/<str:number>/", orders.OrderView.as_view(), name="order"),
    path(
        "orders/<str:number>/cancel/",
        orders.OrderCancelView.as_view(),
        name="order-cancel",
    ),
    path("orders/<str:number>/pay/", payments.OrderPayView.as_view(), name="order-pay"),
    path(
        "orders/<str:number>/pay-on-delivery/",
        payments.PayOnDeliveryView.as_view(),
        name="order-pay-on-delivery",
    ),
    path(
        "payments/stripe/webhook/",
        payments.StripeWebhookView.as_view(),
        name="stripe-webhook",
    ),
    path(
        "products/<int:variant_id>/tell-me/",
        waiting.TellMeView.as_view(),
        name="tell-me",
    ),
    path(
        "products/<int:variant_id>/tell-me/seen/",
        waiting.TellSeenView.as_view(),
        name="tell-seen",
    ),
    path("tell-me/stop/<str:token>/", waiting.TellStopView.as_view(), name="tell-stop"),
]
