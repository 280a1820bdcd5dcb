"""The import of products in the admin: upload a file, preview it, apply it.

Between these pages the file is in the database, under a name that only the session
knows. `products.importing` does the work, as for `manage.py import_products`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from secrets import token_hex
from typing import IO

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.core.files.base import File
from django.core.files.storage import storages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from products import importing
from products.fetching import services as fetching
from products.fetching.admin import trying_again
from products.importing import exporting
from products.importing.forms import LABELS, TABS, ReadingForm, UploadForm, reading_form
from products.models import PictureJob, Product, ProductCategory
from products.staff.export import csv_response
from project.database_storage import DatabaseStorage
from project.modeladmin import ListedLookupsMixin
from users.requests import user_of

SESSION_KEY = "import"
PREVIEW_ROWS = 20
FAILURES_SHOWN = 200
JOBS_SHOWN = 5
UPLOAD_LIFETIME = timedelta(days=1)
# An import may write all of this.
RIGHTS = [
    "products.add_product",
    "products.change_product",
    "products.add_productcategory",
    "products.change_stock",
]


class ImportMixin(ListedLookupsMixin, admin.ModelAdmin):
    """Adds the pages of the import to the admin of products."""

    change_list_template = "admin/products/product/change_list.html"

    def has_import_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perms(RIGHTS)

    def changelist_view(self, request: HttpRequest, extra_context=None) -> HttpResponse:
        context = {
            "may_import": self.has_import_permission(request),
            "may_export": self.has_view_permission(request),
        }
        return super().changelist_view(request, context | (extra_context or {}))

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path(
                "import/",
                wrap(self.import_view),
                name="products_product_import",
            ),
            path(
                "import/preview/",
                wrap(self.import_preview_view),
                name="products_product_import_preview",
            ),
            path(
                "import/pictures/<int:pk>/",
                wrap(self.import_pictures_view),
                name="products_product_import_pictures",
            ),
            path(
                "export/",
                wrap(self.export_view),
                name="products_product_export",
            ),
            *super().get_urls(),
        ]

    def export_view(self, request: HttpRequest) -> HttpResponseBase:
        """Send all products in Shopify's columns."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return export_response(request, Product.objects.all())

    @admin.action(
        description=gettext_lazy("Export selected products"), permissions=["view"]
    )
    def export(
        self, request: HttpRequest, queryset: QuerySet[Product]
    ) -> HttpResponseBase:
        ids = list(queryset.values_list("pk", flat=True))
        return export_response(request, Product.objects.filter(pk__in=ids))

    def import_view(self, request: HttpRequest) -> HttpResponse:
        """Upload a file."""
        self._check(request)
        form = UploadForm(request.POST or None, request.FILES or None)
        if request.method == "POST" and form.is_valid():
            keep(request, form)
            return redirect("admin:products_product_import_preview")
        context = {
            "form": form,
            "title": _("Import products"),
            "jobs": [
                (job, fetching.progress(job))
                for job in PictureJob.objects.all()[:JOBS_SHOWN]
            ],
        }
        return self._page(request, "import.html", context)

    def import_pictures_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show how far the downloads of an import are.

        A POST tries those again that failed.
        """
        self._check(request)
        job = get_object_or_404(PictureJob, pk=pk)
        failed = fetching.failed(job)
        if request.method == "POST":
            count = fetching.retry(failed.values_list("pk", flat=True))
            messages.success(request, trying_again(count))
            return redirect("admin:products_product_import_pictures", pk)
        context = {
            "title": _("Pictures of %(file)s") % {"file": job.name},
            "job": job,
            "progress": fetching.progress(job),
            "failed": failed[:FAILURES_SHOWN],
        }
        return self._page(request, "import_pictures.html", context)

    def import_preview_view(self, request: HttpRequest) -> HttpResponse:
        """Show what the file would change. A POST applies it."""
        self._check(request)
        upload = request.session.get(SESSION_KEY)
        if upload is None or not storages["imports"].exists(upload["file"]):
            messages.warning(request, _("Please choose the file again."))
            return redirect("admin:products_product_import")
        if "read_again" in request.POST:
            return self._read_again(request, upload)
        try:
            if request.method == "POST":
                return self._apply(request, upload)
            with storages["imports"].open(upload["file"]) as file:
                report = run(request, bytes_of(file), upload, dry_run=True)
        except importing.UnknownEncoding as question:
            return self._ask(request, upload, question)
        except importing.Unreadable as reason:
            messages.error(request, str(reason))
            return redirect("admin:products_product_import")
        except FileNotFoundError:  # another request has claimed the file
            messages.warning(request, _("This file has already been imported."))
            return redirect("admin:products_product_import")
        context = {
            "title": _("Import %(file)s?") % {"file": upload["name"]},
            "token": upload["file"],
            "form": reading_form(report),
        }
        return self._report(request, report, context)

    def _read_again(self, request: HttpRequest, upload: dict) -> HttpResponse:
        """Read the uploaded file in another way. Nothing is written."""
        form = ReadingForm(request.POST)
        if request.POST.get("token") == upload["file"] and form.is_valid():
            request.session[SESSION_KEY] = upload | form.chosen
        else:
            messages.warning(request, _("Please choose from the lists."))
        return redirect("admin:products_product_import_preview")

    def _ask(
        self, request: HttpRequest, upload: dict, question: importing.UnknownEncoding
    ) -> HttpResponse:
        """Ask for the encoding, with lines as each of them would read."""
        choices = [
            (
                choice.encoding,
                LABELS.get(choice.encoding, choice.encoding),
                choice.lines,
            )
            for choice in question.choices
        ]
        context = {
            "title": _("How should %(file)s be read?") % {"file": upload["name"]},
            "question": str(question),
            "choices": choices,
            "token": upload["file"],
            "form": ReadingForm(initial=upload),
        }
        return self._page(request, "import_encoding.html", context)

    def _apply(self, request: HttpRequest, upload: dict) -> HttpResponse:
        if request.POST.get("token") != upload["file"]:
            messages.warning(
                request,
                _("You’ve since uploaded another file. Check what it would change."),
            )
            return redirect("admin:products_product_import_preview")
        with claimed(upload["file"]) as file:
            report = run(request, file, upload, dry_run=False)
        request.session.pop(SESSION_KEY, None)
        self._log(request, upload["name"], report)
        if not report.failed and not report.stopped:
            messages.success(request, report.summary)
            if report.job:
                return redirect("admin:products_product_import_pictures", report.job.pk)
            return redirect("admin:products_product_changelist")
        messages.warning(request, report.summary)
        context = {"title": _("%(file)s was imported") % {"file": upload["name"]}}
        return self._report(request, report, context | {"is_done": True})

    def _check(self, request: HttpRequest) -> None:
        if not self.has_import_permission(request):
            raise PermissionDenied

    def _log(self, request: HttpRequest, name: str, report: importing.Report) -> None:
        LogEntry.objects.create(
            user=user_of(request),
            content_type=ContentType.objects.get_for_model(Product),
            object_repr=name[:200],
            action_flag=CHANGE,
            change_message=report.summary,
        )

    def _report(
        self, request: HttpRequest, report: importing.Report, context: dict
    ) -> TemplateResponse:
        return self._page(request, "import_report.html", context | {"report": report})

    def _page(
        self, request: HttpRequest, template: str, context: dict
    ) -> TemplateResponse:
        request.current_app = self.admin_site.name
        return TemplateResponse(
            request,
            f"admin/products/product/{template}",
            {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "media": self.media,
                **context,
            },
        )


def export_response(
    request: HttpRequest, products: QuerySet[Product]
) -> HttpResponseBase:
    """Return a download of these products."""
    name = f"products-{timezone.localdate():%Y-%m-%d}.csv"
    return csv_response(request, exporting.rows(products), name)


def run(
    request: HttpRequest, file: IO[bytes], upload: dict, *, dry_run: bool
) -> importing.Report:
    """Import an uploaded file, or only report on it. Raises `Unreadable`."""
    category = ProductCategory.objects.filter(pk=upload["category"]).first()
    delimiter = upload.get("delimiter", "")
    return importing.run(
        file,
        importing.Options(
            dry_run=dry_run,
            name=upload["name"],
            pictures="pictures" in request.POST,
            category=category,
            note=f"import {upload['name']}"[:200],
            actor=user_of(request),
            preview=PREVIEW_ROWS,
            most_rows=settings.IMPORT_MAX_ROWS,
            encoding=upload.get("encoding") or None,
            delimiter=TABS.get(delimiter, delimiter) or None,
        ),
    )


# --- Uploaded files ------------------------------------------------------------


def keep(request: HttpRequest, form: UploadForm) -> None:
    """Store an upload for the next page. It replaces the session's earlier one."""
    file, category = form.cleaned_data["file"], form.cleaned_data["category"]
    forget_old()
    request.session[SESSION_KEY] = {
        "file": storages["imports"].save(f"{token_hex(16)}.csv", file),
        "name": Path(file.name).name[:100],
        "category": category.pk if category else None,
        **form.chosen,
    }


@contextmanager
def claimed(name: str) -> Iterator[IO[bytes]]:
    """Open an uploaded file so that no other request can, and delete it at the end.

    Raises `FileNotFoundError` if another request has claimed it.
    """
    storage, claimed_name = storages["imports"], f"{name}.taken"
    assert isinstance(storage, DatabaseStorage)
    storage.rename(name, claimed_name)
    try:
        with storage.open(claimed_name) as file:
            yield bytes_of(file)
    finally:
        storage.delete(claimed_name)


def bytes_of(file: File) -> IO[bytes]:
    """Return the stream of a stored file."""
    assert file.file is not None
    return file.file


def forget_old() -> None:
    """Delete files that were uploaded long ago and never imported."""
    storage = storages["imports"]
    for name in storage.listdir("")[1]:
        if storage.get_modified_time(name) < timezone.now() - UPLOAD_LIFETIME:
            storage.delete(name)
