"""Errors of fetching pictures."""

from django.utils.translation import gettext as _

from products.exceptions import ShopError


class FetchFailed(ShopError):
    """A picture could not be fetched. `str()` tells staff why."""

    @classmethod
    def forbidden(cls) -> "FetchFailed":
        return cls(_("The address is in a private network, or isn’t a web address."))

    @classmethod
    def unreachable(cls) -> "FetchFailed":
        return cls(_("The server can’t be reached."))

    @classmethod
    def status(cls, code: int) -> "FetchFailed":
        return cls(_("The server answered with status %(code)d.") % {"code": code})

    @classmethod
    def not_a_picture(cls, media_type: str) -> "FetchFailed":
        text = _("The server sent “%(type)s”. We take JPEG, PNG and WebP pictures.")
        return cls(text % {"type": media_type[:60]})

    @classmethod
    def too_large(cls, limit: str) -> "FetchFailed":
        return cls(_("The picture is larger than %(limit)s.") % {"limit": limit})

    @classmethod
    def too_slow(cls, seconds: int) -> "FetchFailed":
        text = _("The download took longer than %(seconds)d seconds.")
        return cls(text % {"seconds": seconds})
