"""Private files in the database."""

from io import StringIO

import pytest
from django.core.files.base import ContentFile, File
from django.core.files.storage import storages
from django.db import transaction

from project import database_storage
from project.database_storage import DatabaseStorage
from project.models import PrivateFile, PrivateFilePart
from tests.support.concurrency import together

pytestmark = pytest.mark.django_db


@pytest.fixture
def storage(monkeypatch):
    """With small parts."""
    monkeypatch.setattr(database_storage, "PART", 4)
    return DatabaseStorage("tests")


def read(storage, name: str) -> bytes:
    with storage.open(name) as file:
        return file.read()


@pytest.mark.parametrize("data", [b"", b"abc", b"abcd", b"abcde\x00\xff" * 9])
def test_file_is_read_as_it_was_stored(storage, data):
    name = storage.save("a/b.csv", ContentFile(data))

    with storage.open(name) as file:
        assert (file.read(), file.seek(0), file.read()) == (data, 0, data)
    assert storage.size(name) == len(data)
    assert (
        max(map(len, PrivateFilePart.objects.values_list("data", flat=True)), default=0)
        <= 4
    )


def test_file_of_text_is_stored_as_utf8(storage):
    text = File(StringIO("größe"), "a.txt")
    text.size = 7

    storage.save("a.txt", text)

    assert read(storage, "a.txt") == "größe".encode()


def test_name_that_is_taken_is_not_overwritten(storage):
    names = [storage.save("a.csv", ContentFile(data)) for data in (b"one", b"two")]

    assert names[0] == "a.csv" != names[1]
    assert [read(storage, name) for name in names] == [b"one", b"two"]


def test_folders_are_apart(storage):
    storage.save("a.csv", ContentFile(b"one"))
    other = DatabaseStorage("others")

    assert not other.exists("a.csv") and other.listdir("") == ([], [])
    other.delete("a.csv")
    with pytest.raises(FileNotFoundError):
        other.rename("a.csv", "b.csv")
    assert storage.exists("a.csv")


def test_files_are_listed_and_deleted_with_their_parts(storage):
    for name in ("a.csv", "x/b.csv", "x/y/c.csv"):
        storage.save(name, ContentFile(b"data of it"))

    assert storage.listdir("") == (["x"], ["a.csv"])
    assert storage.listdir("x") == (["y"], ["b.csv"])
    for name in ("a.csv", "x/b.csv", "x/y/c.csv"):
        storage.delete(name)
    assert not PrivateFilePart.objects.exists()


@pytest.mark.parametrize("ask", ["open", "size", "get_modified_time"])
def test_file_that_is_not_there_is_not_found(storage, ask):
    with pytest.raises(FileNotFoundError):
        getattr(storage, ask)("nothing.csv")


def test_file_has_no_address(storage):
    storage.save("a.csv", ContentFile(b"one"))

    with pytest.raises(NotImplementedError):
        storage.url("a.csv")


def test_file_of_a_transaction_that_fails_is_not_stored(storage):
    with pytest.raises(RuntimeError), transaction.atomic():
        storage.save("a.csv", ContentFile(b"one"))
        raise RuntimeError

    assert not PrivateFile.objects.exists()


def test_name_of_another_file_is_given_to_none(storage):
    for name in "ab":
        storage.save(name, ContentFile(name.encode()))

    with pytest.raises(FileExistsError):
        storage.rename("a", "b")
    assert read(storage, "b") == b"b"


@pytest.mark.django_db(transaction=True)
def test_of_many_who_rename_a_file_at_once_one_succeeds():
    storage = storages["imports"]
    storage.save("a.csv", ContentFile(b"one"))

    def rename() -> bool:
        try:
            storage.rename("a.csv", "a.csv.taken")
        except FileNotFoundError:
            return False
        return True

    assert sorted(together([rename] * 6)) == [False] * 5 + [True]
