"""Signatures: one published vector on both sides, and nothing tampered gets in."""

import random
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from pydantic import ValidationError

from connectors.errors import AuthorisationFailed, Misconfigured
from connectors.postmart.auth import Credentials, SignedRequests, sign
from connectors.postmart.simulator import Simulator, signature
from connectors.simulator import State, below

# The vector of the README; openssl agrees: printf … | openssl dgst -sha256 -hmac bi-mat
BODY = '{"external_id":"MẬT/ONG","op":"hide"}\n'.encode()
AT = datetime.fromtimestamp(1_795_392_000, UTC)
KNOWN = "3e8e53e2122669086d97a4e02249f3f2bdec07960e0412109ba0bddda008507e"


class Stopped:
    def now(self):
        return AT


def signed(method="POST", url="https://san.example/postmart/batches", content=BODY):
    auth = SignedRequests(Credentials(client_id="ca-mau", client_secret="bi-mat"), Stopped())
    return next(auth.sync_auth_flow(httpx.Request(method, url, content=content)))


def test_our_side_signs_the_published_vector():
    assert sign(b"bi-mat", "POST", b"/postmart/batches", "1795392000", BODY) == KNOWN


def test_the_simulator_signs_the_published_vector_with_its_own_code():
    assert signature("bi-mat", "POST", b"/postmart/batches", "1795392000", BODY) == KNOWN


def test_the_published_vector_is_what_a_request_carries():
    headers = signed().headers

    assert (headers["X-Client-Id"], headers["X-Timestamp"]) == ("ca-mau", "1795392000")
    assert headers["X-Signature"] == KNOWN


def test_the_query_is_signed_as_it_is_sent():
    request = signed("GET", "https://san.example/postmart/products?external_ids=a%2Cb,c", b"")

    expected = signature("bi-mat", "GET", b"/postmart/products?external_ids=a%2Cb,c", "1795392000", b"")
    assert request.headers["X-Signature"] == expected


@pytest.mark.parametrize(
    ("method", "target", "content"),
    [
        ("POST", "/postmart/offers", b"{}"),
        ("POST", "/postmart/media", b"{}"),
        ("PUT", "/postmart/batches", b"{}"),
        ("POST", "/postmart/batches", b"{} "),
        ("POST", "/postmart/batches?x=1", b"{}"),
    ],
)
def test_whatever_was_changed_behind_the_signature_is_refused(shop, method, target, content):
    auth = SignedRequests(shop.credentials, shop.clock)
    original = next(auth.sync_auth_flow(httpx.Request("POST", "https://san.example/postmart/batches", content=b"{}")))
    tampered = httpx.Request(method, f"https://san.example{target}", content=content, headers=original.headers)

    response = shop.sandbox.handle(tampered)

    assert (response.status_code, response.json()["error"]["code"]) == (401, "bad_signature")


@pytest.mark.parametrize(("minutes", "status"), [(-6, 401), (-5, 200), (5, 200), (6, 401)])
def test_five_minutes_of_skew_are_the_limit(shop, minutes, status):
    marketplace = Simulator(State(), shop.clock, random.Random(0))
    auth = SignedRequests(shop.credentials, shop.clock)
    request = next(auth.sync_auth_flow(httpx.Request("GET", "https://san.example/postmart/account")))
    shop.clock.at += timedelta(minutes=minutes)

    response = marketplace.handle(request, below(request, "postmart")).response

    assert response.status_code == status
    assert status == 200 or response.json()["error"]["code"] == "clock_skew"


def test_a_wrong_clock_is_called_that_and_not_a_wrong_secret(shop):
    class Late:
        def now(self):
            return shop.clock.now() - timedelta(hours=1)

        monotonic, sleep = shop.clock.monotonic, shop.clock.sleep

    client = type(shop.client)(shop.open(clock=Late()))

    with pytest.raises(Misconfigured, match="Đồng hồ") as caught:
        client.check()
    assert caught.value.code == "clock_skew"


@pytest.mark.parametrize(
    ("given", "code"),
    [({"client_id": "ai-do"}, "unknown_client"), ({"client_secret": "sai"}, "bad_signature")],
)
def test_wrong_credentials_stop_the_account(shop, given, code):
    credentials = Credentials(**{**Simulator.credentials, **given})
    client = type(shop.client)(shop.open(credentials=credentials))

    with pytest.raises(AuthorisationFailed) as caught:
        client.check()
    assert caught.value.code == code
    assert "sai" not in str(caught.value)


def test_the_secret_is_never_printed():
    assert "bi-mat" not in repr(Credentials(client_id="ca-mau", client_secret="bi-mat"))


@pytest.mark.parametrize("client_id", ["", "có dấu", "hai\ndòng"])
def test_a_client_id_that_cannot_stand_in_a_header_is_refused(client_id):
    with pytest.raises(ValidationError):
        Credentials(client_id=client_id, client_secret="x")


def test_check_tells_whose_shop_it_is(shop):
    assert str(shop.client.check()) == "Đặc sản Cà Mau (thử nghiệm)"
