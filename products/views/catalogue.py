"""Pages on which shoppers look around."""

from urllib.parse import urlencode

from django.conf import settings
from django.db.models import F, QuerySet
from django.http import Http404, HttpResponse
from django.utils.functional import cached_property
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _
from django.views.generic import DetailView, ListView, TemplateView

from products.models import Product, ProductCategory
from products.views.waiting import has_asked
from project.views import TitleMixin, absolute

RELATED = 4
NEWEST = 8
LAST_CHANCE = 4
MAX_QUERY = 100  # characters of a search

SORTS = {
    "name": (_("Name"), ["name", "pk"]),
    "new": (_("Newest"), ["-created_at", "-pk"]),
    "price": (_("Price: low to high"), ["price", "pk"]),
    "-price": (_("Price: high to low"), ["-price", "-pk"]),
}
DEFAULT_SORT = "name"


class IndexView(TitleMixin, TemplateView):
    """The front window: what is new, what is nearly gone, every shelf."""

    template_name = "products/index.html"
    description = _(
        "Well-made things for the home, with stock you can trust: every number on the"
        " page moves by itself."
    )

    def get_context_data(self, **kwargs) -> dict:
        products = Product.objects.active().with_stock()
        few_left = products.filter(
            stock__on_hand__gt=F("stock__reserved"),
            stock__on_hand__lte=F("stock__reserved") + settings.LOW_STOCK,
        )
        return super().get_context_data(
            new_products=products.order_by("-created_at", "-pk")[:NEWEST],
            last_chance=few_left.order_by("-created_at", "-pk")[:LAST_CHANCE],
            categories=shelves(),
            **kwargs,
        )


def shelves() -> list[ProductCategory]:
    """The categories, each with `cover`: its oldest product with a picture, or None.

    The oldest, for the newest are shown below already.
    """
    covers = {
        product.category_id: product
        for product in Product.objects.active()
        .exclude(image="")
        .order_by("category_id", "created_at", "pk")
        .distinct("category_id")
    }
    categories = list(ProductCategory.objects.all())
    for category in categories:
        category.cover = covers.get(category.pk)
    return categories


class ProductsListView(TitleMixin, ListView):
    """Products of one category or of all, found, ordered and paged."""

    template_name = "products/list.html"
    context_object_name = "products"
    paginate_by = settings.PRODUCTS_PER_PAGE

    @cached_property
    def categories(self) -> list[ProductCategory]:
        return list(ProductCategory.objects.all())

    @cached_property
    def category(self) -> ProductCategory | None:
        """The category in the address, found among those the navigation shows."""
        slug = self.kwargs.get("slug")
        if slug is None:
            return None
        for category in self.categories:
            if category.slug == slug:
                return category
        raise Http404

    @cached_property
    def query(self) -> str:
        text = self.request.GET.get("q", "").replace("\x00", "")
        return " ".join(text.split())[:MAX_QUERY]

    @cached_property
    def sort(self) -> str:
        asked = self.request.GET.get("sort")
        return asked if asked in SORTS else DEFAULT_SORT

    def get_queryset(self) -> QuerySet[Product]:
        products = Product.objects.active().with_stock().matching(self.query)
        if self.category:
            products = products.filter(category=self.category)
        return products.order_by(*SORTS[self.sort][1])

    def get_title(self) -> str:
        if self.query:
            return _("Search: %(query)s") % {"query": self.query}
        return self.category.name if self.category else _("All products")

    def get_description(self) -> str:
        return self.category.description if self.category else ""

    def canonical_path(self, page: int) -> str:
        """Without the order, which changes no content; with the page, which does."""
        asked = {"q": self.query, "page": page if page > 1 else ""}
        query = urlencode({name: value for name, value in asked.items() if value})
        return f"{self.request.path}?{query}" if query else self.request.path

    def get_context_data(self, **kwargs) -> dict:
        context = super().get_context_data(
            categories=self.categories,
            category=self.category,
            query=self.query,
            sort=self.sort,
            sorts=[(value, label) for value, (label, _order) in SORTS.items()],
            querystring=self.querystring(),
            **kwargs,
        )
        page = context["page_obj"]
        context["page_range"] = page.paginator.get_elided_page_range(page.number)
        context["canonical"] = absolute(self.canonical_path(page.number))
        return context

    def querystring(self) -> str:
        """What links to other pages of this list carry besides the page."""
        sort = self.sort if self.sort != DEFAULT_SORT else ""
        asked = {"q": self.query, "sort": sort}
        return urlencode({name: value for name, value in asked.items() if value})


class ProductDetailView(TitleMixin, DetailView):
    """One product. What is not sold any more says so (410) and shows what is."""

    template_name = "products/detail.html"

    def get_object(self, queryset=None) -> Product:
        """The product, with its neighbours in the same query as `self.related`."""
        slug = self.kwargs["slug"]
        wanted = Product.objects.with_stock().filter(slug=slug)
        neighbours = (
            Product.objects.active()
            .with_stock()
            .filter(category__products__slug=slug)
            .exclude(slug=slug)
            .order_by("-created_at", "-pk")[:RELATED]
        )
        found = list(wanted.union(neighbours, all=True))
        product = next((p for p in found if p.slug == slug), None)
        if product is None:
            raise Http404
        self.related = [p for p in found if p.slug != slug]
        return product

    def get_template_names(self) -> list[str]:
        return [self.template_name if self.object.is_active else "products/gone.html"]

    def render_to_response(self, context: dict, **kwargs) -> HttpResponse:
        status = 200 if self.object.is_active else 410
        return super().render_to_response(context, status=status, **kwargs)

    def get_title(self) -> str:
        return self.object.name

    def get_description(self) -> str:
        return Truncator(" ".join(self.object.description.split())).chars(155)

    def get_context_data(self, **kwargs) -> dict:
        product = self.object
        is_out = product.stock_facts["state"] == "out"
        return super().get_context_data(
            related=self.related,
            json_ld=offer_ld(product),
            is_waiting=is_out and has_asked(self.request, product),
            **kwargs,
        )


def offer_ld(product: Product) -> dict:
    """The product and its offer for search engines, availability as it is now.

    Vocabulary: https://schema.org/Product, https://schema.org/ItemAvailability.
    """
    available = {
        "in": "InStock",
        "low": "LimitedAvailability",
        "out": "OutOfStock",
        "gone": "Discontinued",
    }[product.stock_facts["state"]]
    address = absolute(product.get_absolute_url())
    data = {
        "@context": "https://schema.org",
        "@type": "Product",
        "name": product.name,
        "sku": product.sku,
        "description": product.description,
        "category": product.category.name,
        "url": address,
        "offers": {
            "@type": "Offer",
            "url": address,
            "price": f"{product.price:.2f}",
            "priceCurrency": settings.CURRENCY,
            "availability": f"https://schema.org/{available}",
            "seller": {"@type": "Organization", "name": settings.SHOP_NAME},
        },
    }
    if product.image:
        data["image"] = absolute(product.image_large.url)
    return data
