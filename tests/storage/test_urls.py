"""No form of a url shows a password, a key or a token when it is printed."""

import pytest

from symmv_builder.errors import StopRun
from symmv_builder.settings import read_settings
from symmv_builder.storage.ledger import Ledger
from symmv_builder.storage.root import Root
from symmv_builder.storage.urls import shown_text, shown_url, without_secrets

SECRET = "s3cret"
HOLDING = [
    "postgresql://me:s3cret@host/db",
    "postgresql://me:s3cret@host:5432/db?sslmode=require",
    "postgresql+psycopg://me:s3cret@/db?host=/var/run",
    "postgresql://:s3cret@host/db",
    "postgresql://me:s3cret/with/slashes@host/db",
    "postgresql://me:s3cret@s3cret@host/db",
    "postgresql://me:a:s3cret@host/db",
    "postgresql://me:what?s3cret@host/db",
    "postgresql://me:12?s3cret@host/db",
    "postgresql://me:x?token=s3cret@host/db",
    "postgresql://me:#s3cret@host/db",
    "postgresql://host/db?password=s3cret",
    "postgresql://host/db?user=me&password=s3cret&sslmode=require",
    "postgresql://host:5432/db?password=p@s3cret",
    "postgresql://host/db?sslpassword=s3cret",
    "postgresql://host/db?PassWord=s3cret",
    "postgresql://host/db?pass%77ord=s3cret",
    "postgresql://host/db?application_name=x;password=s3cret",
    "mssql+pyodbc://?odbc_connect=DRIVER%3Dx%3BPWD%3Ds3cret",
    "sqlite:///ledger.sqlite?key=s3cret",
    "s3://AKIAKEY:s3cret@bucket/folder",
    "s3://AKIAKEY:s3cret/with+signs=@bucket/folder",
    "simplecache::s3://AKIAKEY:s3cret@bucket",
    "https://host/folder?token=s3cret",
    "https://host/folder?X-Amz-Signature=s3cret&x=1",
    "https://host/folder?sig=s3cret",
]


@pytest.mark.parametrize("url", HOLDING)
def test_no_form_of_url_shows_its_secret(url: str) -> None:
    assert SECRET not in shown_url(url)
    assert "***" in shown_url(url)
    assert SECRET not in shown_text(f"cannot open {url}: refused")
    assert SECRET not in shown_text(f"cannot open '{url}'")


@pytest.mark.parametrize(
    "url",
    [
        "data", "/srv/data", "s3://bucket/folder", "memory://x", "sqlite:////srv/a@b/ledger.sqlite",
        "postgresql://me@host:5432/db?sslmode=require", "postgresql:///db", "file:///srv/data",
        "https://host:8080/folder?page=2",
    ],
)  # fmt: skip
def test_a_url_without_a_secret_is_shown_as_it_is(url: str) -> None:
    assert shown_url(url) == url
    assert shown_text(f"cannot open {url}") == f"cannot open {url}"


def test_who_quotes_parts_of_a_url_is_not_passed_on() -> None:
    url = "postgresql://me:a%40s3cret@host/db"
    for said in ("bad password a@s3cret", "no host s3cret@host", "a%40s3cret", f"parse {url}"):
        assert SECRET not in without_secrets(said, url)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:s3cret@127.0.0.1:1/db",
        "postgresql://me:p@s3cret@127.0.0.1:1/db",
        "postgresql://127.0.0.1:1/db?password=s3cret",
        "postgresql://me:s3cret@127.0.0.1:1/db?nosuchoption=1",
        "postgresql://me:%zzs3cret@127.0.0.1:port/db",
        "nosuch://me:s3cret@host/db",
        "sqlite:////nowhere/at/all/ledger.sqlite?password=s3cret",
        "s3cret",
    ],
)
def test_a_ledger_that_cannot_be_opened_says_so_without_the_password(url: str) -> None:
    with pytest.raises(StopRun) as caught:
        Ledger(url)
    assert SECRET not in str(caught.value) or url == SECRET


@pytest.mark.parametrize("url", ["nosuch://key:s3cret@bucket", "nosuch://bucket?token=s3cret"])
def test_a_root_that_cannot_be_opened_says_so_without_the_key(url: str) -> None:
    with pytest.raises(StopRun) as caught:
        Root(url)
    assert SECRET not in str(caught.value)
    assert "nosuch" in str(caught.value)


def test_settings_are_printed_without_secrets() -> None:
    settings = read_settings(
        {"SYMMV_LEDGER": "postgresql://me:s3cret@host/db", "SYMMV_ROOT": "s3://key:s3cret@bucket"}
    )
    assert SECRET not in repr(settings)
