"""Pages to download personal data and to delete the account."""

from allauth.account.decorators import reauthentication_required
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.generic import FormView, TemplateView, View

from project.transactions import AtomicView
from project.views import TitleMixin
from users import deletion, download
from users.forms.personal import DeleteAccountForm
from users.requests import user_of


class DataView(LoginRequiredMixin, TitleMixin, TemplateView):
    template_name = "users/data.html"
    title = gettext_lazy("Your data")


@method_decorator(never_cache, name="dispatch")
class DataDownloadView(LoginRequiredMixin, View):
    """The file with all personal data. It requires a recent authentication."""

    http_method_names = ["get", "head", "options"]

    @method_decorator(reauthentication_required)
    def get(self, request: HttpRequest) -> HttpResponse:
        text = "".join(download.as_json(user_of(request)))
        response = HttpResponse(text, content_type="application/json; charset=utf-8")
        name = f"{settings.SHOP_NAME}-data.json".replace('"', "").replace("\\", "")
        response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
        return response


@AtomicView
class AccountDeleteView(LoginRequiredMixin, TitleMixin, FormView):
    """Explains the deletion, and does it after a recent authentication."""

    template_name = "users/account_confirm_delete.html"
    title = gettext_lazy("Delete your account")
    form_class = DeleteAccountForm

    @method_decorator(reauthentication_required)
    def get(self, request: HttpRequest, *args, **kwargs) -> HttpResponse:
        return super().get(request, *args, **kwargs)

    @method_decorator(reauthentication_required)
    def post(self, request: HttpRequest, *args, **kwargs) -> HttpResponse:
        return super().post(request, *args, **kwargs)

    def get_context_data(self, **kwargs) -> dict:
        return super().get_context_data(
            is_last=deletion.is_last_administrator(user_of(self.request)),
            invoice_years=settings.INVOICE_YEARS,
            **kwargs,
        )

    def form_valid(self, form: DeleteAccountForm) -> HttpResponse:
        user = user_of(self.request)
        email = user.email
        try:
            deletion.delete(user)
        except deletion.LastAdministrator as refusal:
            form.add_error(None, str(refusal))
            return self.form_invalid(form)
        logout(self.request)
        text = _(
            "Your account has been deleted. We have sent a confirmation to %(email)s."
        )
        messages.success(self.request, text % {"email": email})
        return redirect("products:index")
