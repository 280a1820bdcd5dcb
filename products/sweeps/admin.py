"""Admin fields and filter for rows that sweeps work on."""

from django.contrib import admin

PROBLEM = ("problem", "retry_at")  # of rows that sweeps work on
HAS_PROBLEM = ("problem", admin.EmptyFieldListFilter)
