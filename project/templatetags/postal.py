"""Addresses as they stand on a parcel."""

from django import template

from project import postal

register = template.Library()


@register.filter
def postal_lines(address: postal.Address) -> list[str]:
    """The lines below the name and above the country, in the country's order."""
    return postal.lines(address)
