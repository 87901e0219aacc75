"""Logging in: an hour's token, renewed in time, once more where it is refused, and never shown."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qsl

import httpx
import pytest
from pydantic import ValidationError

from connectors.amazon.auth import Credentials, LwaToken, token_address
from connectors.amazon.simulator import Simulator
from connectors.errors import AuthorisationFailed, ConnectorError, Misconfigured, NotSent, Throttled
from tests.connectors.amazon.shop import create, listing

TOKEN = "/auth/o2/token"


def logins(shop):
    return shop.wire.count("POST", TOKEN)


def instead_of_logins(shop, status, body):
    shop.wire.before = lambda request: httpx.Response(status, json=body) if TOKEN in request.url.path else None


def test_one_login_serves_an_hour_but_for_its_last_minute(shop):
    shop.client.check()
    shop.clock.advance(seconds=3_539)
    shop.client.check()
    before = logins(shop)
    shop.clock.advance(seconds=1)
    shop.client.check()

    assert (before, logins(shop)) == (1, 2)


def test_the_form_is_escaped_as_the_documents_have_it(shop):
    shop.client.check()

    body = shop.wire.calls[0].request.content
    known = Simulator.credentials
    assert b"refresh_token=Atzr%7CIwEBIThuNghiem%2B%2F%3D%3D" in body
    assert dict(parse_qsl(body.decode())) == {
        "grant_type": "refresh_token", **{n: known[n] for n in ("refresh_token", "client_id", "client_secret")}
    }  # fmt: skip


def test_every_call_carries_what_the_documents_ask_for_and_no_more(shop):
    shop.client.check()

    headers = shop.wire.calls[-1].request.headers
    assert headers["x-amz-access-token"].startswith("Atza|")
    assert headers["x-amz-date"] == "20261123T013000Z"
    assert "Language=Python" in headers["User-Agent"]
    assert "Authorization" not in headers


def test_a_token_that_is_refused_is_renewed_once_and_the_call_repeated(shop):
    shop.client.check()
    for token, _ in shop.sandbox.state.items("token"):
        shop.sandbox.state.delete("token", token)

    shop.client.check()

    assert logins(shop) == 2


def test_a_refused_write_is_repeated_with_the_new_token(shop):
    shop.client.push([create(listing(sku="CM-0"))])
    for token, _ in shop.sandbox.state.items("token"):
        shop.sandbox.state.put("token", token, 0)

    (result,) = shop.client.push([create(listing())])

    assert result.outcome == "accepted"


def test_a_second_refusal_is_final(shop):
    shop.client.check()
    denied = {"errors": [{"code": "Unauthorized", "message": "denied", "details": "has expired"}]}
    shop.wire.before = lambda request: None if TOKEN in request.url.path else httpx.Response(403, json=denied)

    with pytest.raises(AuthorisationFailed):
        shop.client.check()
    calls = len(shop.wire.calls)
    with pytest.raises(AuthorisationFailed):
        shop.client.check()

    assert logins(shop) == 2
    assert len(shop.wire.calls) == calls, "the account has stopped"


def test_a_token_that_is_new_is_not_renewed_for_a_refusal(shop):
    with pytest.raises(AuthorisationFailed):
        shop.open(seller_id="A1SOMEBODYELSE").check()

    assert logins(shop) == 1


def test_many_threads_log_in_once(shop):
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: shop.client.check(), range(4)))

    assert logins(shop) == 1


@pytest.mark.parametrize(
    ("credentials", "code"),
    [({"refresh_token": "Atzr|other"}, "invalid_grant"), ({"client_secret": "other"}, "invalid_client"),
     ({"client_id": "other"}, "invalid_client")],
)  # fmt: skip
def test_wrong_credentials_stop_the_account(shop, credentials, code):
    with pytest.raises(AuthorisationFailed) as caught:
        shop.open(**credentials).check()

    assert caught.value.code == code
    assert caught.value.message is not None


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"error": "invalid_grant"}, AuthorisationFailed),
        (401, {"error": "invalid_client"}, AuthorisationFailed),
        (400, {"error": "unauthorized_client"}, AuthorisationFailed),
        (400, {"error": "something_new", "error_description": "?"}, AuthorisationFailed),
        (429, {}, Throttled),
        (500, {}, NotSent),
        (503, {"error": "server_error"}, NotSent),
        (400, {}, NotSent),
        (302, {}, Misconfigured),
        (200, {}, NotSent),
        (200, [], NotSent),
        (200, {"access_token": "", "token_type": "bearer", "expires_in": 3600}, NotSent),
        (200, {"access_token": "Atza|x", "token_type": "mac", "expires_in": 3600}, NotSent),
        (200, {"access_token": "Atza|x", "token_type": "bearer", "expires_in": "3600"}, NotSent),
        (200, {"access_token": "Atza|x", "token_type": "bearer", "expires_in": 0}, NotSent),
        (200, {"access_token": "Atza\n", "token_type": "bearer", "expires_in": 3600}, NotSent),
    ],
)
def test_an_answer_of_the_login_is_a_token_a_refusal_or_nothing(shop, status, body, kind):
    instead_of_logins(shop, status, body)

    with pytest.raises(kind):
        shop.client.check()


def test_a_login_that_is_not_answered_leaves_nothing_in_doubt(shop):
    def lose(request):
        if TOKEN in request.url.path:
            raise httpx.ReadTimeout("lost", request=request)

    shop.wire.before = lose

    with pytest.raises(ConnectorError):
        shop.client.check()
    shop.wire.before = lambda request: None
    shop.clock.advance(hours=1)
    assert shop.client.check().id == "A1CAMAUSELLER/US"


@pytest.mark.parametrize(
    ("base", "wanted"),
    [
        ("https://sellingpartnerapi-na.amazon.com/feeds/2021-06-30/feeds", "https://api.amazon.com/auth/o2/token"),
        ("https://sandbox.sellingpartnerapi-fe.amazon.com/feeds/2021-06-30", "https://api.amazon.com/auth/o2/token"),
        (
            "http://127.0.0.1:8000/amazon/listings/2021-08-01/items/A/B?x=1",
            "http://127.0.0.1:8000/amazon/auth/o2/token",
        ),
        ("http://127.0.0.1:8000/definitions/2020-09-01/x", "http://127.0.0.1:8000/auth/o2/token"),
    ],
)
def test_the_login_is_amazons_own_only_for_a_live_account(base, wanted):
    assert str(token_address(httpx.URL(base))) == wanted


@pytest.mark.parametrize("operation", ["upload", "download", "schema"])
def test_a_signed_address_gets_no_token(shop, operation):
    request = httpx.Request("GET", "https://store.example/x", extensions={"operation": operation})

    (sent,) = LwaToken(shop.session.credentials, shop.clock).auth_flow(request)

    assert "x-amz-access-token" not in sent.headers


@pytest.mark.parametrize(
    "wrong",
    [{"marketplace": "VN"}, {"seller_id": ""}, {"seller_id": "A/../B"}, {"client_secret": ""}, {"refresh_token": ""},
     {"picture": "https://example.vn/"}, {"picture": "http://example.vn/{sha256}"}, {"more": "x"}],
)  # fmt: skip
def test_credentials_that_cannot_be_right_are_not_taken(wrong):
    with pytest.raises(ValidationError):
        Credentials(**{**Simulator.credentials, **wrong})


def test_secrets_do_not_show():
    shown = repr(Credentials(**Simulator.credentials))

    assert Simulator.credentials["client_secret"] not in shown
    assert Simulator.credentials["refresh_token"] not in shown
