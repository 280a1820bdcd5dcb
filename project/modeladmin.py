"""What every page of the admin has in common."""

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import get_fields_from_path
from django.core.exceptions import BadRequest, ValidationError
from django.db.models import Model, QuerySet
from django.db.models.fields.related import RelatedField
from django.http import HttpRequest, HttpResponse

# What Django's own filters ask of a field that `list_filter` names.
ASKED_BY_FILTERS = ("exact", "in", "isnull", "isempty", "gte", "lt")
# Lookups in the links of a `date_hierarchy`.
ASKED_BY_DATES = ("year", "month", "day", "gte", "lt")


class ListedLookupsMixin(admin.ModelAdmin):
    """A list is filtered by what its `ModelAdmin` names, and by nothing else.

    Django lets staff filter a list by any field of its rows, those they cannot see
    included: with `?access_token__startswith=a`, then `b`, and so on, a token is read
    letter by letter. Here a lookup is refused unless a filter of the page asks it, or
    `more_lookups` names it.

    Use this for every `ModelAdmin`: `tests/project/test_admin_lookups.py` walks them.
    """

    more_lookups: tuple[str, ...] = ()  # those of links on other pages

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        """Whether `lookup` is one of those that this list offers."""
        return lookup in self.more_lookups or lookup in self._offered(request)

    def to_field_allowed(self, request: HttpRequest, to_field: str) -> bool:
        """Whether rows may be referred to by `to_field`: by their key alone."""
        return self.opts.pk.name == to_field

    def response_action(
        self, request: HttpRequest, queryset: QuerySet, *args: Any, **kwargs: Any
    ) -> HttpResponse | None:
        """Raises `BadRequest` if a ticked row has no valid key. Django would fail."""
        for key in request.POST.getlist(ACTION_CHECKBOX_NAME):
            try:
                self.opts.pk.clean(key, None)
            except ValidationError:
                raise BadRequest("The key of a ticked row is not valid.") from None
        return super().response_action(request, queryset, *args, **kwargs)

    def _offered(self, request: HttpRequest) -> set[str]:
        offered: set[str] = set()
        for item in self.get_list_filter(request):
            offered.update(_asked_by(self.model, item))
        if self.date_hierarchy:
            offered |= {f"{self.date_hierarchy}__{name}" for name in ASKED_BY_DATES}
        return offered


def _asked_by(model: type[Model], item: Any) -> Iterator[str]:
    """The lookups of one item of `list_filter`."""
    if isinstance(item, type):  # a filter of our own
        yield getattr(item, "parameter_name")
        return
    path = item[0] if isinstance(item, tuple | list) else item
    yield path
    yield from (f"{path}__{name}" for name in ASKED_BY_FILTERS)
    field = get_fields_from_path(model, path)[-1]
    if isinstance(field, RelatedField):
        key = field.target_field.name
        yield from (f"{path}__{key}__{name}" for name in ("exact", "in"))


class FixedRowsMixin:
    """Nobody adds or deletes rows on this page of the admin.

    Use it for a `ModelAdmin` or an inline whose rows the shop itself creates.
    """

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnlyMixin(FixedRowsMixin):
    """Nobody adds, changes or deletes rows on this page of the admin."""

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
