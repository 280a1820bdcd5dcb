"""Validators for text that people enter."""

from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _

# Control characters, line breaks, and marks that change the direction of text. A name
# appears on labels, in mails and on staff pages.
no_control_characters = RegexValidator(
    "[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]",
    _("Remove line breaks and control characters."),
    code="control_characters",
    inverse_match=True,
)
