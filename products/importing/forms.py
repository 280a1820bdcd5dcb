"""The forms of the import in the admin."""

from django import forms
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from products import importing
from products.models import ProductCategory

TABS = {"tab": "\t"}  # as a form's value
DETECT = ("", gettext_lazy("Detect automatically"))
DELIMITERS = [
    DETECT,
    (",", gettext_lazy("comma ,")),
    (";", gettext_lazy("semicolon ;")),
    ("tab", gettext_lazy("tab")),
    ("|", gettext_lazy("bar |")),
]
# Names of encodings for people.
LABELS = {
    "utf-8": "UTF-8",
    "cp1252": gettext_lazy("Windows, Western Europe (cp1252)"),
    "cp1250": gettext_lazy("Windows, Central Europe (cp1250)"),
    "cp1251": gettext_lazy("Windows, Cyrillic (cp1251)"),
    "cp1253": gettext_lazy("Windows, Greek (cp1253)"),
    "cp1254": gettext_lazy("Windows, Turkish (cp1254)"),
    "cp1255": gettext_lazy("Windows, Hebrew (cp1255)"),
    "cp1256": gettext_lazy("Windows, Arabic (cp1256)"),
    "cp1257": gettext_lazy("Windows, Baltic (cp1257)"),
    "cp1258": gettext_lazy("Windows, Vietnamese (cp1258)"),
    "cp874": gettext_lazy("Windows, Thai (cp874)"),
    "mac-roman": gettext_lazy("Macintosh, Western Europe"),
    "mac-latin2": gettext_lazy("Macintosh, Central Europe"),
    "gb18030": gettext_lazy("Chinese, simplified (GB 18030, GBK)"),
    "big5": gettext_lazy("Chinese, traditional (Big5)"),
    "cp932": gettext_lazy("Japanese (Shift-JIS)"),
    "euc-jp": gettext_lazy("Japanese (EUC-JP)"),
    "cp949": gettext_lazy("Korean (cp949)"),
}


def encoding_choices() -> list[tuple[str, str]]:
    """Return the choices of the field: "Detect", then each encoding."""
    encodings = [(name, str(LABELS.get(name, name))) for name in importing.ENCODINGS]
    return [("", str(DETECT[1])), *encodings]


class ReadingForm(forms.Form):
    """How to read a file; empty fields are detected."""

    encoding = forms.ChoiceField(
        choices=encoding_choices,
        required=False,
        label=gettext_lazy("Encoding"),
        help_text=gettext_lazy(
            "How the file stores its characters. If we can’t be sure, we’ll ask you."
        ),
    )
    delimiter = forms.ChoiceField(
        choices=DELIMITERS,
        required=False,
        label=gettext_lazy("Delimiter"),
        help_text=gettext_lazy("The character between two cells."),
    )

    @property
    def chosen(self) -> dict[str, str]:
        """The values for the session."""
        return {name: self.cleaned_data[name] for name in ("encoding", "delimiter")}


class UploadForm(ReadingForm):
    """A file, how to read it, and a category for products without one."""

    field_order = ["file", "category", "encoding", "delimiter"]

    file = forms.FileField(
        label=gettext_lazy("CSV file"),
        widget=forms.FileInput(attrs={"accept": ".csv,.tsv,.txt,text/csv"}),
        help_text=gettext_lazy(
            "A Shopify product export, or a file with the columns sku, name, "
            "category, price, description, stock and active. You’ll see what would "
            "change before anything is saved."
        ),
    )
    category = forms.ModelChoiceField(
        ProductCategory.objects.all(),
        label=gettext_lazy("Category"),
        required=False,
        help_text=gettext_lazy("For new products without a category in the file."),
    )

    def clean_file(self) -> UploadedFile:
        file = self.cleaned_data["file"]
        if file.size > settings.IMPORT_MAX_BYTES:
            raise forms.ValidationError(
                _(
                    "The file is %(size)s. You can upload at most %(limit)s here. "
                    "Use “manage.py import_products” for larger files."
                ),
                params={
                    "size": filesizeformat(file.size),
                    "limit": filesizeformat(settings.IMPORT_MAX_BYTES),
                },
            )
        return file


def reading_form(report: importing.Report) -> ReadingForm:
    """Return a form that shows how the file was read."""
    encoding = report.encoding.removesuffix("-sig")
    delimiter = "tab" if report.delimiter == "\t" else report.delimiter
    return ReadingForm(initial={"encoding": encoding, "delimiter": delimiter})
