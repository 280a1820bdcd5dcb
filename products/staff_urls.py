"""Addresses of the pages for staff, outside the admin.

`users.middleware` asks for a second factor on the pages of this namespace.
"""

from django.urls import path

from products.staff import drops, export, pulse
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
    path("orders/<str:number>/note/", staff.OrderNoteView.as_view(), name="order-note"),
    path(
        "orders/<str:number>/<slug:verb>/",
        staff.OrderMoveView.as_view(),
        name="order-move",
    ),
    path("drops/", drops.DropsView.as_view(), name="drops"),
    path("drops/<slug:slug>/", drops.DropView.as_view(), name="drop"),
    path("drops/<slug:slug>/pace/", drops.DropPaceView.as_view(), name="drop-pace"),
    path(
        "drops/<slug:slug>/<slug:move>/",
        drops.DropMoveView.as_view(),
        name="drop-move",
    ),
    path("pulse/", pulse.PulseView.as_view(), name="pulse"),
]
