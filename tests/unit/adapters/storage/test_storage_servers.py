"""What storage servers say, and what may be said to them: URLs, errors, listings, tokens."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey

from dpps.adapters.storage.credentials import GivenTokens, LocalTokens, mint_token
from dpps.adapters.storage.server_errors import TRANSPORT_MEANINGS, server_errors, spoken_error, status_error
from dpps.adapters.storage.server_urls import ServerUrls, server_of
from dpps.adapters.storage.webdav_listing import read_listing
from dpps.domain.errors import (
    Conflict,
    DppsError,
    InvalidInput,
    NotAuthorized,
    NotFound,
    StorageFull,
    Unavailable,
)

URL = "https://127.0.0.1:15000/ctao/dpps/a.dat"
URLS = ServerUrls(["https", "davs"], ["127.0.0.1:15000"])


def subclasses(kind: type[BaseException]) -> Iterator[type[BaseException]]:
    for one in kind.__subclasses__():
        yield one
        yield from subclasses(one)


def test_every_error_of_the_http_library_has_a_meaning() -> None:
    abstract = {
        httpx.RequestError,
        httpx.TransportError,
        httpx.TimeoutException,
        httpx.NetworkError,
        httpx.ProtocolError,
    }
    assert set(subclasses(httpx.HTTPError)) - abstract == set(TRANSPORT_MEANINGS)


@pytest.mark.parametrize("kind", TRANSPORT_MEANINGS)
def test_errors_on_the_way_name_the_file_and_the_next_step(kind: type[httpx.HTTPError]) -> None:
    wrong: Any = kind
    request = httpx.Request("GET", URL)
    failure = (
        wrong("x", request=request, response=httpx.Response(500))
        if kind is httpx.HTTPStatusError
        else wrong("x")
    )
    with pytest.raises(DppsError) as raised, server_errors(URL):
        raise failure
    assert raised.value.identifiers == {"url": URL}
    assert URL in raised.value.message
    assert raised.value.next_step
    assert isinstance(raised.value, Unavailable)


@pytest.mark.parametrize(
    ("status", "text", "kind"),
    [
        (401, "", NotAuthorized),
        (403, "Unable to open /a; permission denied", NotAuthorized),
        (404, "", NotFound),
        (409, "is a directory", Conflict),
        (409, "", Conflict),
        (409, "Unable to create /a; no such file or directory", NotFound),
        (423, "", Unavailable),
        (500, "Unable to write /a; no space left on device", StorageFull),
        (500, "Unable to create /a; file name too long", InvalidInput),
        (500, "anything", Unavailable),
        (507, "", StorageFull),
        (418, "", Unavailable),
    ],
)
def test_answers_of_servers(status: int, text: str, kind: type[DppsError]) -> None:
    error = status_error(status, text, URL)

    assert type(error) is kind
    assert str(status) in error.message
    assert error.identifiers["url"] == URL
    assert error.next_step


@pytest.mark.parametrize(
    ("text", "kind", "code"),
    [
        ("failure: Remote side failed with status code 404 (no such file)", NotFound, "file-missing"),
        ("SSL certificate problem: self signed certificate", NotAuthorized, "storage-untrusted"),
        ("Couldn't connect to server", Unavailable, "storage-no-answer"),
        ("Transfer stalled", Unavailable, "storage-connection-broken"),
        ("who knows", Unavailable, "storage-failed"),
    ],
)
def test_words_of_servers(text: str, kind: type[DppsError], code: str) -> None:
    error = spoken_error(text, URL)

    assert (type(error), error.code) == (kind, code)


@given(st.text(max_size=60))
def test_a_url_names_a_path_below_the_root_or_is_refused(text: str) -> None:
    try:
        address = URLS.address(f"https://127.0.0.1:15000/{text}")
    except InvalidInput:
        return
    parts = address.path.split("/")[1:]
    assert all(parts)
    assert not {".", ".."} & set(parts)
    assert httpx.URL(address.https).path == address.path
    assert httpx.URL(address.https).host == "127.0.0.1"


@given(st.text(max_size=40))
def test_no_credential_goes_to_another_server(server: str) -> None:
    with pytest.raises(InvalidInput):
        URLS.address(f"https://{server}x/ctao/a.dat")


def test_a_temporary_name_lies_beside_the_file() -> None:
    beside = URLS.address(URL).beside("7-1")

    assert beside.path == "/ctao/dpps/.dpps-7-1"
    assert beside.url == URL
    assert server_of(URL) == beside.server == "127.0.0.1:15000"


@given(st.binary(max_size=200))
def test_a_listing_is_read_or_refused(document: bytes) -> None:
    try:
        assert isinstance(read_listing(document, URL), list)
    except Unavailable:
        assert b"<!" in document or not document.startswith(b"<D:multistatus")


def test_a_listing_with_entities_is_refused() -> None:
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa">]><D:multistatus xmlns:D="DAV:">&a;</D:multistatus>'
    with pytest.raises(Unavailable):
        read_listing(bomb, URL)


def test_a_token_says_who_what_and_how_long() -> None:
    key = ECKey.generate_key("P-256")
    pem = key.as_pem(private=True).decode()
    token = mint_token(
        pem,
        issuer="https://i",
        subject="job:1",
        scopes=["storage.read:/ctao"],
        audiences=["https://a:1"],
        lifetime_seconds=60,
        now_seconds=1e6,
    )
    claims = jwt.decode(token, key, algorithms=["ES256"]).claims

    assert (claims["sub"], claims["scope"], claims["wlcg.ver"]) == ("job:1", "storage.read:/ctao", "1.0")
    assert claims["aud"] == "https://a:1"
    assert claims["exp"] == 1e6 + 60
    assert claims["nbf"] < claims["iat"] == 1e6


def test_a_service_renews_its_token_in_time_also_when_the_clock_is_set_back() -> None:
    now = 1e6
    pem = ECKey.generate_key("P-256").as_pem(private=True).decode()
    tokens = LocalTokens(
        pem, "https://i", "transfers", ["storage.read:/"], lifetime_seconds=100, clock=lambda: now
    )
    first = tokens.bearer("a:1")
    now += 49
    assert tokens.bearer("a:1") == first
    now += 2
    second = tokens.bearer("a:1")
    assert second != first
    now -= 51
    assert tokens.bearer("a:1") != second


def test_each_server_gets_a_token_of_its_own() -> None:
    key = ECKey.generate_key("P-256")
    tokens = LocalTokens(key.as_pem(private=True).decode(), "https://i", "transfers", ["storage.modify:/"])

    def claims(token: str | None) -> dict[str, Any]:
        assert token is not None
        return jwt.decode(token, key, algorithms=["ES256"]).claims

    assert claims(tokens.bearer("a:1"))["aud"] == "https://a:1"
    assert claims(tokens.bearer("b:1"))["aud"] == "https://b:1"
    handed = claims(tokens.for_reader("a:1", "/ctao/a"))
    assert (handed["aud"], handed["scope"]) == ("https://a:1", "storage.read:/ctao/a")


def test_a_given_token_goes_to_its_server_only_and_is_never_handed_on() -> None:
    given = GivenTokens({"a:1": "secret"})

    assert (given.bearer("a:1"), given.bearer("b:1")) == ("secret", None)
    with pytest.raises(NotAuthorized) as refused:
        given.for_reader("a:1", "/ctao/a")
    assert refused.value.next_step
    assert "secret" not in repr(given) + str(refused.value)
