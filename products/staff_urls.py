"""Behind the counter, beside the admin. The namespace is one of those whose pages ask
for a second factor (`users.middleware`)."""

from django.urls import path

from products.staff import export, pulse
from products.staff import views as staff

app_name = "staff"

urlpatterns = [
    path("orders/", staff.BoardView.as_view(), name="orders"),
    path(
        "orders/export.csv",
        export.OrdersExportView.as_view(),
        name="orders-export",
    ),
    path("orders/<str:number>/", staff.OrderView.as_view(), name="order"),
    path("orders/<str:number>/slip/", staff.SlipView.as_view(), name="order-slip"),
    path(
        "orders/<str:number>/<slug:verb>/",
        staff.OrderMoveView.as_view(),
        name="order-move",
    ),
    path("pulse/", pulse.PulseView.as_view(), name="pulse"),
]
