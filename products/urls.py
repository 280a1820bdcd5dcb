from django.urls import path

from products.views import basket, catalogue

app_name = "products"

urlpatterns = [
    path("", catalogue.IndexView.as_view(), name="index"),
    path("products/", catalogue.ProductsListView.as_view(), name="list"),
    path(
        "products/category/<slug:slug>/",
        catalogue.ProductsListView.as_view(),
        name="category",
    ),
    path("products/<slug:slug>/", catalogue.ProductDetailView.as_view(), name="detail"),
    path("basket/", basket.BasketView.as_view(), name="basket"),
    path(
        "basket/add/<int:product_id>/",
        basket.BasketAddView.as_view(),
        name="basket-add",
    ),
    path("basket/update/", basket.BasketUpdateView.as_view(), name="basket-update"),
]
