"""The front page, lists of products, search suggestions and product pages."""

import re
from typing import Any

from django.conf import settings
from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils.cache import patch_cache_control
from django.utils.functional import cached_property
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _
from django.views.generic import DetailView, ListView, TemplateView

from products.catalogue import choices, chooser, galleries
from products.catalogue import services as catalogue
from products.catalogue.filters import RELEVANCE, Filters, search_text
from products.catalogue.models import ProductQuerySet
from products.catalogue.offers import VARIANT, Offer
from products.catalogue.structured import product_ld
from products.models import Product, ProductCategory, Variant
from products.pagecache import caching
from products.pagecache.views import SharedPageMixin, normalised
from products.search import services as search
from products.waiting.views import has_asked, waits
from project.views import TitleMixin, absolute

NEWEST = 8
LAST_CHANCE = 4
SUGGESTIONS_S = 30
PAGE_NUMBER = re.compile("[1-9][0-9]{0,5}")


class IndexView(SharedPageMixin, TitleMixin, TemplateView):
    """The front page: new products, products nearly sold out, and all categories."""

    template_name = "products/index.html"
    description = _(
        "Well-made things for the home. Stock and prices update live, so you "
        "always see what’s available."
    )

    def get_context_data(self, **kwargs) -> dict:
        products = Product.objects.active().with_offers()
        few_left = Variant.objects.few_left().values("product")
        last_chance = products.filter(pk__in=few_left)
        return super().get_context_data(
            new_products=products.order_by("-created_at", "-pk")[:NEWEST],
            last_chance=last_chance.order_by("-created_at", "-pk")[:LAST_CHANCE],
            categories=categories_with_covers(),
            **kwargs,
        )


def categories_with_covers() -> list[ProductCategory]:
    """Return the categories, each with `cover`: a product with a picture, or None.

    The cover is the oldest such product, because the page shows the newest ones anyway.
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
    """A paginator for a list whose count is known; see `ProductQuerySet.page`."""

    def __init__(self, *args, count: int, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.count = count

    object_list: ProductQuerySet

    def page(self, number) -> Page:
        number = self.validate_number(number)
        start = (number - 1) * self.per_page
        rows = self.object_list.page(start, start + self.per_page, of=self.count)
        return Page(rows, number, self)


class ProductsListView(SharedPageMixin, TitleMixin, ListView):
    """Products of one category or of all: searched, filtered, sorted and paged."""

    template_name = "products/list.html"
    context_object_name = "products"
    paginate_by = settings.PRODUCTS_PER_PAGE

    def shared_query(self) -> str | None:
        """Return the canonical query of a list that is cached; None for no caching.

        Searches and filtered lists are not cached: there are too many of them, and
        visitors who filter by "in stock" want the present state.
        """
        if self.filters.query or self.filters.narrows:
            return None
        page = self.request.GET.get("page") or "1"
        if not PAGE_NUMBER.fullmatch(page):
            return None
        return self.filters.querystring(int(page))

    def generations(self) -> list[str]:
        """Depend on this category alone, so that changes in others don't make it stale.

        The counts that it shows for other categories may be old for a moment.
        """
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
        """The category in the address, or None. Raises `Http404` if it is unknown."""
        slug = self.kwargs.get("slug")
        if slug is None:
            return None
        for category in self.categories:
            if category.slug == slug:
                return category
        raise Http404

    @cached_property
    def result(self) -> tuple[Filters, search.Facets]:
        """The filters in use, and their counts.

        If a search finds nothing, this corrects its typos, provided that the correction
        finds something.
        """
        filters = self.filters
        facets = self.count(filters)
        if filters.query and not facets.matching:
            correction = search.corrected(filters.query)
            if correction:
                corrected_filters = filters.but(query=correction)
                corrected_facets = self.count(corrected_filters)
                if corrected_facets.matching:
                    return corrected_filters, corrected_facets
        return filters, facets

    def count(self, filters: Filters) -> search.Facets:
        return search.facets(
            text=filters.query,
            category=self.category.pk if self.category else None,
            price=filters.price,
            in_stock=filters.in_stock,
            options=filters.options,
        )

    def get_queryset(self) -> QuerySet[Product]:
        filters, _facets = self.result
        products = Product.objects.active().priced(*filters.price)
        if filters.query:
            products = products.matching(filters.query)
        products = products.sold_in(filters.options, in_stock=filters.in_stock)
        if self.category:
            products = products.filter(category=self.category.pk)
        if filters.sort == RELEVANCE:
            return products.by_relevance(filters.query)
        return products.order_by(*filters.order)

    def get_paginator(
        self, queryset: Any, per_page: int, *args: Any, **kwargs: Any
    ) -> CountedPaginator:
        _filters, facets = self.result
        return CountedPaginator(queryset, per_page, *args, count=facets.total, **kwargs)

    def get_title(self) -> str:
        if self.filters.query:
            return _("Search: %(query)s") % {"query": self.result[0].query}
        return self.category.name if self.category else str(_("All products"))

    def get_description(self) -> str:
        return self.category.description if self.category else ""

    def canonical_path(self, page: int) -> str:
        """Return the path without the sort order, which doesn't change the content."""
        filters, _facets = self.result
        return choices.address(self.request.path, filters.but(chosen_sort=""), page)

    def get_context_data(self, **kwargs) -> dict:
        filters, facets = self.result
        path = self.request.path
        context = super().get_context_data(
            categories=self.categories,
            category=self.category,
            query=self.filters.query,
            instead=filters.query if filters.query != self.filters.query else "",
            filters=filters,
            facets=facets,
            category_choices=choices.category_choices(
                filters, facets, self.categories, self.category
            ),
            price_choices=choices.price_choices(path, filters, facets),
            option_choices=choices.option_choices(path, filters, facets),
            chosen=choices.chosen(path, filters),
            everything=choices.address(path, filters.widest()),
            querystring=filters.querystring(),
            **kwargs,
        )
        page = context["page_obj"]
        context["page_range"] = page.paginator.get_elided_page_range(page.number)
        context["canonical"] = absolute(self.canonical_path(page.number))
        return context

    def render_to_response(self, context: dict, **kwargs) -> HttpResponse:
        """Open the page of the variant whose SKU was searched for, if it has others."""
        for product in context["products"] if self.filters.query else ():
            address = chooser.address(product, self.filters.query)
            if address != product.get_absolute_url():
                return redirect(address)
        return super().render_to_response(context, **kwargs)


class SuggestView(TemplateView):
    """Suggestions for the search field while somebody types, as HTML options."""

    template_name = "products/_suggestions.html"

    def get_context_data(self, **kwargs) -> dict:
        text = search_text(self.request.GET.get("q", ""))
        return super().get_context_data(
            typed=text, suggestions=search.suggest(text), **kwargs
        )

    def render_to_response(self, context: dict, **kwargs) -> HttpResponse:
        """Let the browser cache it briefly, as people delete letters and type again."""
        response = super().render_to_response(context, **kwargs)
        patch_cache_control(response, private=True, max_age=SUGGESTIONS_S)
        return response


class ProductDetailView(SharedPageMixin, TitleMixin, DetailView):
    """A product's page, with one variant chosen: that in the address, or the first.

    An inactive product answers 410 and shows alternatives. A SKU that the product does
    not have is answered with the first variant and a note.
    """

    template_name = "products/detail.html"

    def shared_query(self) -> str | None:
        """Return the query with the chosen variant; None for no caching.

        A page with an unknown SKU is not cached: there is no end of different ones.
        """
        sku = self.request.GET.get(VARIANT)
        if not sku:
            return ""
        name = f"skus:{self.request.path}"
        known = caching.cached(name, self.generations(), self.skus)
        if known is None:
            return ""
        return normalised(variant=sku) if sku in known else None

    def skus(self) -> list[str] | None:
        """Return the SKUs that visitors can choose; None if there are no options."""
        product = Product.objects.filter(slug=self.kwargs["slug"]).with_offers().first()
        if product is None:
            raise Http404
        skus = [offer.sku for offer in chooser.for_sale(product)]
        return skus if product.option_names else None

    def generations(self) -> list[str]:
        return [caching.SHELVES, caching.product(self.kwargs["slug"])]

    def is_personal(self) -> bool:
        """Return whether the visitor waits for a product, which its page mentions."""
        return waits(self.request)

    def get_object(self, queryset=None) -> Product:
        """Return the product; set `self.related` to its neighbours. Takes one query."""
        slug = self.kwargs["slug"]
        wanted = Product.objects.with_offers().with_gallery().filter(slug=slug)
        neighbours = (
            Product.objects.active()
            .with_offers()
            .without_gallery()
            .select_related("category")
            .filter(category__products__slug=slug)
            .exclude(slug=slug)
            .order_by("-created_at", "-pk")[: settings.RELATED_PRODUCTS]
        )
        product, self.related = None, []
        for row in wanted.select_related("category").union(neighbours, all=True):
            if row.slug == slug:
                product = row
            else:
                self.related.append(row)
        if product is None:
            raise Http404
        return product

    def get_template_names(self) -> list[str]:
        return [self.template_name if self.object.is_in_shop else "products/gone.html"]

    def render_to_response(self, context: dict, **kwargs) -> HttpResponse:
        status = 200 if self.object.is_in_shop else 410
        return super().render_to_response(context, status=status, **kwargs)

    @cached_property
    def wanted(self) -> str:
        """The SKU in the address; empty if the product has no options."""
        return self.request.GET.get(VARIANT, "") if self.object.option_names else ""

    @cached_property
    def chosen(self) -> Offer | None:
        """The offer that the address chooses, or None."""
        return chooser.with_sku(self.object, self.wanted)

    def get_title(self) -> str:
        values = self.chosen.option_values if self.chosen else []
        return ", ".join([self.object.name, *values])

    def get_description(self) -> str:
        if not self.object.is_in_shop:
            return ""
        return Truncator(" ".join(self.object.description.split())).chars(155)

    def get_context_data(self, **kwargs) -> dict:
        product = self.object
        offer = self.chosen or chooser.first_choice(product)
        is_out = offer.facts["state"] == "out"
        return super().get_context_data(
            related=self.related,
            offer=offer,
            options=chooser.groups(product, offer) if offer.is_for_sale else [],
            is_unknown=bool(self.wanted) and self.chosen is None,
            gallery=galleries.of_offer(product, offer),
            json_ld=product_ld(product, offer) if offer.is_for_sale else None,
            is_waiting=is_out and has_asked(self.request, offer.variant),
            **kwargs,
        )
