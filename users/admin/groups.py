"""Groups in the admin."""

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.models import Group
from django.http import HttpRequest

from project.edits.admin import SafeEditsMixin
from project.modeladmin import ListedLookupsMixin

admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(SafeEditsMixin, ListedLookupsMixin, DjangoGroupAdmin):
    """Only administrators change groups, because groups give rights."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.is_superuser

    def has_change_permission(self, request: HttpRequest, obj=None) -> bool:
        return request.user.is_superuser

    def has_delete_permission(self, request: HttpRequest, obj=None) -> bool:
        return request.user.is_superuser
