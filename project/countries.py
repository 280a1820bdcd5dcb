"""What addresses in each country consist of, for the script of a form."""

from django.http import HttpRequest, JsonResponse
from django.utils.decorators import method_decorator
from django.views.decorators.cache import cache_control
from django.views.generic import View

from project import postal

DAY_S = 24 * 60 * 60


@method_decorator(cache_control(max_age=DAY_S, public=True), name="dispatch")
class CountriesView(View):
    """`postal.table()`: the same for everybody."""

    def get(self, request: HttpRequest) -> JsonResponse:
        return JsonResponse(postal.table())
