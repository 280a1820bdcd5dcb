"""Pages on which shoppers look around."""

import re

from django.conf import settings
from django.core.paginator import Page, Paginator
from django.db.models import F, QuerySet
from django.http import Http404, HttpResponse
from django.utils.cache import patch_cache_control
from django.utils.functional import cached_property
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _
from django.views.generic import DetailView, ListView, TemplateView

from products.catalogue import services as catalogue
from products.catalogue.choices import address, category_choices, chosen, price_choices
from products.catalogue.filters import RELEVANCE, Filters, search_text
from products.models import Product, ProductCategory
from products.pagecache import caching
from products.pagecache.views import SharedPageMixin
from products.search import services as search
from products.waiting.views import has_asked, waits
from project.views import TitleMixin, absolute

NEWEST = 8
LAST_CHANCE = 4
SUGGESTIONS_S = 30
PAGE_NUMBER = re.compile("[1-9][0-9]{0,5}")


class IndexView(SharedPageMixin, TitleMixin, TemplateView):
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


class CountedPaginator(Paginator):
    """Pages of products that have been counted already, each read by its keys."""

    def __init__(self, *args, count: int, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.count = count

    def page(self, number) -> Page:
        number = self.validate_number(number)
        start = (number - 1) * self.per_page
        rows = self.object_list.page(start, start + self.per_page, of=self.count)
        return self._get_page(rows, number, self)


class ProductsListView(SharedPageMixin, TitleMixin, ListView):
    """Products of one category or of all, found, narrowed down, ordered and paged."""

    template_name = "products/list.html"
    context_object_name = "products"
    paginate_by = settings.PRODUCTS_PER_PAGE

    def shared_query(self) -> str | None:
        """Lists are kept. What was searched for or narrowed down is not: there is no
        end of that, and who asks for what is in stock wants it as it is now."""
        if self.filters.query or self.filters.narrows:
            return None
        page = self.request.GET.get("page") or "1"
        if not PAGE_NUMBER.fullmatch(page):
            return None
        return self.filters.querystring(int(page))

    def generations(self) -> list[str]:
        """Of its shelf alone, so that another shelf's changes don't make it stale. How
        many there are on the other shelves may be so for a moment."""
        slug = self.kwargs.get("slug")
        return [caching.SHELVES, caching.category(slug) if slug else caching.CATALOGUE]

    @cached_property
    def filters(self) -> Filters:
        return Filters.read(self.request.GET)

    @cached_property
    def categories(self) -> list[ProductCategory]:
        return catalogue.categories()

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
    def found(self) -> tuple[Filters, search.Facets]:
        """What is shown and how many there are of what. Where a search finds nothing
        anywhere, what was probably meant, if that finds something."""
        filters, facets = self.filters, self.count(self.filters)
        if filters.query and not facets.matching:
            better = search.corrected(filters.query)
            if better and (counted := self.count(filters.but(query=better))).matching:
                return filters.but(query=better), counted
        return filters, facets

    def count(self, filters: Filters) -> search.Facets:
        return search.facets(
            text=filters.query,
            category=self.category.pk if self.category else None,
            price=filters.price,
            in_stock=filters.in_stock,
        )

    def get_queryset(self) -> QuerySet[Product]:
        filters, _facets = self.found
        products = Product.objects.active().priced(*filters.price)
        if filters.query:
            products = products.matching(filters.query)
        if filters.in_stock:
            products = products.available()
        if self.category:
            products = products.filter(category=self.category.pk)
        if filters.sort == RELEVANCE:
            return products.by_relevance(filters.query)
        return products.order_by(*filters.order)

    def get_paginator(self, queryset, per_page: int, **kwargs) -> CountedPaginator:
        _filters, facets = self.found
        return CountedPaginator(queryset, per_page, count=facets.total, **kwargs)

    def get_title(self) -> str:
        if self.filters.query:
            return _("Search: %(query)s") % {"query": self.found[0].query}
        return self.category.name if self.category else _("All products")

    def get_description(self) -> str:
        return self.category.description if self.category else ""

    def canonical_path(self, page: int) -> str:
        """Without the order, which changes no content; with the page, which does."""
        return address(self.request.path, self.found[0].but(asked_sort=""), page)

    def get_context_data(self, **kwargs) -> dict:
        filters, facets = self.found
        path = self.request.path
        context = super().get_context_data(
            categories=self.categories,
            category=self.category,
            query=self.filters.query,
            instead=filters.query if filters.query != self.filters.query else "",
            filters=filters,
            facets=facets,
            category_choices=category_choices(
                filters, facets, self.categories, self.category
            ),
            price_choices=price_choices(path, filters, facets),
            chosen=chosen(path, filters),
            everything=address(path, filters.widest()),
            querystring=filters.querystring(),
            **kwargs,
        )
        page = context["page_obj"]
        context["page_range"] = page.paginator.get_elided_page_range(page.number)
        context["canonical"] = absolute(self.canonical_path(page.number))
        return context


class SuggestView(TemplateView):
    """What the search field offers while one types: options of a list, as HTML."""

    template_name = "products/_suggestions.html"

    def get_context_data(self, **kwargs) -> dict:
        text = search_text(self.request.GET.get("q", ""))
        return super().get_context_data(
            typed=text, suggestions=search.suggest(text), **kwargs
        )

    def render_to_response(self, context: dict, **kwargs) -> HttpResponse:
        """The same for everybody; for a moment, as people delete and type again."""
        response = super().render_to_response(context, **kwargs)
        patch_cache_control(response, private=True, max_age=SUGGESTIONS_S)
        return response


class ProductDetailView(SharedPageMixin, TitleMixin, DetailView):
    """One product. What is not sold any more says so (410) and shows what is."""

    template_name = "products/detail.html"

    def generations(self) -> list[str]:
        return [caching.SHELVES, caching.product(self.kwargs["slug"])]

    def is_personal(self) -> bool:
        """Whether the visitor waits for something: its page says so."""
        return waits(self.request)

    def get_object(self, queryset=None) -> Product:
        """The product, with its neighbours in the same query as `self.related`."""
        slug = self.kwargs["slug"]
        wanted = Product.objects.with_stock().filter(slug=slug)
        neighbours = (
            Product.objects.active()
            .with_stock()
            .filter(category__products__slug=slug)
            .exclude(slug=slug)
            .order_by("-created_at", "-pk")[: settings.RELATED_PRODUCTS]
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
        if not self.object.is_active:
            return ""
        return Truncator(" ".join(self.object.description.split())).chars(155)

    def get_context_data(self, **kwargs) -> dict:
        product = self.object
        is_out = product.stock_facts["state"] == "out"
        return super().get_context_data(
            related=self.related,
            json_ld=offer_ld(product) if product.is_active else None,
            is_waiting=is_out and has_asked(self.request, product),
            **kwargs,
        )


def offer_ld(product: Product) -> dict:
    """A product on sale and its offer for search engines, as they are now.

    Vocabulary: https://schema.org/Product, https://schema.org/ItemAvailability.
    """
    available = {
        "in": "InStock",
        "low": "LimitedAvailability",
        "out": "OutOfStock",
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
