"""Pages of the user's profile: name, picture and postal addresses."""

from allauth.mfa.utils import is_mfa_enabled
from allauth.usersessions.models import UserSession
from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.contrib.messages.views import SuccessMessageMixin
from django.db.models import QuerySet
from django.forms import Form, ModelForm
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _
from django.views.generic import CreateView, DeleteView, UpdateView, View
from django.views.generic.detail import (
    SingleObjectMixin,
    SingleObjectTemplateResponseMixin,
)
from django.views.generic.edit import ModelFormMixin

from project.pictures import PictureRefused
from project.transactions import AtomicView
from project.views import TitleMixin
from users import addresses
from users.forms.profile import AddressForm, ProfileForm
from users.models import Address, User
from users.requests import user_of

PROFILE = reverse_lazy("users:profile")


class UserProfileView(LoginRequiredMixin, TitleMixin, SuccessMessageMixin, UpdateView):
    template_name = "users/profile.html"
    title = _("Your profile")
    context_object_name = "person"  # `user` stays the saved one
    form_class = ProfileForm
    success_url = PROFILE
    success_message = _("Your profile has been saved.")

    def get_object(self, queryset: QuerySet[User] | None = None) -> User:
        """Return a copy of the user, as the page's header shows the saved values.

        The row is not locked here, because processing a picture takes time.
        `ProfileForm.save` locks it.
        """
        return User.objects.get(pk=user_of(self.request).pk)

    def get_form_kwargs(self) -> dict:
        return super().get_form_kwargs() | {"request": self.request}

    def form_valid(self, form: ModelForm) -> HttpResponse:
        try:
            return super().form_valid(form)
        except PictureRefused as refusal:
            form.add_error("picture", refusal)
            return self.form_invalid(form)

    def get_context_data(self, **kwargs) -> dict:
        own_addresses = list(self.object.addresses.all())
        return super().get_context_data(
            addresses=own_addresses,
            address_limit_reached=len(own_addresses) >= addresses.LIMIT,
            verified=self.object.is_verified,
            has_password=self.object.has_usable_password(),
            second_factor=is_mfa_enabled(self.object),
            session_count=UserSession.objects.filter(user=self.object).count(),
            accounts=list(self.object.socialaccount_set.all()),
            **kwargs,
        )


# --- Postal addresses -------------------------------------------------------------


class OwnAddressMixin(LoginRequiredMixin, TitleMixin, SingleObjectMixin):
    """Finds the user's own addresses only; other addresses answer 404."""

    def get_queryset(self) -> QuerySet[Address]:
        return Address.objects.filter(user=user_of(self.request))


class AddressFormMixin(
    SuccessMessageMixin,
    OwnAddressMixin,
    SingleObjectTemplateResponseMixin,
    ModelFormMixin,
):
    form_class = AddressForm
    template_name = "users/address_form.html"
    success_url = PROFILE

    def get_form_kwargs(self) -> dict:
        return super().get_form_kwargs() | {"user": self.request.user}


@AtomicView
class AddressAddView(AddressFormMixin, CreateView):
    title = _("Add address")
    success_message = _("Address added.")

    def form_valid(self, form: ModelForm) -> HttpResponse:
        try:
            return super().form_valid(form)
        except addresses.TooManyAddresses as refusal:
            form.add_error(None, str(refusal))
            return self.form_invalid(form)


@AtomicView
class AddressEditView(AddressFormMixin, UpdateView):
    title = _("Edit address")
    success_message = _("Address saved.")

    def get_queryset(self) -> QuerySet[Address]:
        queryset = super().get_queryset()
        is_change = self.request.method == "POST"
        return queryset.select_for_update(no_key=True) if is_change else queryset


@AtomicView
class AddressDeleteView(OwnAddressMixin, DeleteView):
    template_name = "users/address_confirm_delete.html"
    title = _("Delete address")
    success_url = PROFILE

    def form_valid(self, form: Form) -> HttpResponse:
        addresses.remove(self.object)
        messages.success(self.request, _("Address deleted."))
        return redirect(PROFILE)


@AtomicView
class AddressMakeDefaultView(OwnAddressMixin, View):
    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        try:
            addresses.make_default(self.get_object())
        except Address.DoesNotExist as error:  # deleted in another tab
            raise Http404 from error
        messages.success(request, _("This is now your default address."))
        return redirect(PROFILE)
