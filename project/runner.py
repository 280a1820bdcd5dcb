"""`manage.py test` hands over to pytest."""

from pathlib import Path

from django.conf import settings


class PytestRunner:
    """Django's test runner interface, served by pytest.

    Labels are paths (`tests/products`), dotted names (`tests.products.test_stock`) or
    an app's name (`products`, which stands for `tests/products`).
    """

    def __init__(self, verbosity: int = 1, failfast: bool = False, **kwargs) -> None:
        self.verbosity, self.failfast = verbosity, failfast
        self.keyword = kwargs.get("keyword")

    @classmethod
    def add_arguments(cls, parser) -> None:
        parser.add_argument("-k", dest="keyword", help="As pytest's -k EXPRESSION.")

    def run_tests(self, labels: list[str], **kwargs) -> int:
        """Run pytest on `labels`; its exit code, 0 when all passed."""
        import pytest

        arguments = [path_of(label) for label in labels]
        arguments += ["-v"] if self.verbosity > 1 else []
        arguments += ["--exitfirst"] if self.failfast else []
        arguments += ["-k", self.keyword] if self.keyword else []
        return int(pytest.main(arguments))


def path_of(label: str) -> str:
    """The path that pytest wants for a label of Django's kind."""
    if (settings.BASE_DIR / label).exists() and label.startswith("tests"):
        return label
    path = Path(*label.split("."))
    for candidate in (path, Path("tests") / path):
        if candidate.parts[0] == "tests":
            for place in (candidate, candidate.with_suffix(".py")):
                if (settings.BASE_DIR / place).exists():
                    return str(place)
    return label
