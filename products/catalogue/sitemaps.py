"""The sitemap: pages that search engines should index."""

from django.contrib.sitemaps import Sitemap
from django.db.models import QuerySet
from django.urls import reverse

from products.models import Product, ProductCategory


class PagesSitemap(Sitemap):
    def items(self) -> list[str]:
        return ["products:index", "products:list"]

    def location(self, item: str) -> str:
        return reverse(item)


class CategoriesSitemap(Sitemap):
    def items(self) -> QuerySet[ProductCategory]:
        return ProductCategory.objects.all()


class ProductsSitemap(Sitemap):
    limit = 10_000

    def items(self) -> QuerySet[Product]:
        return Product.objects.active().order_by("pk").only("slug")


SITEMAPS = {
    "pages": PagesSitemap,
    "categories": CategoriesSitemap,
    "products": ProductsSitemap,
}
