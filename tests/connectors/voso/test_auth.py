"""Login, the long token's lifetime, and what a refused login does."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from connectors.errors import AuthorisationFailed, NotSent, Throttled
from connectors.simulator import respond
from models.change import Kind
from tests.connectors.voso.shop import change, create, item, listing


def test_logs_in_once_for_many_calls(shop):
    shop.client.check()
    shop.client.check()

    assert shop.wire.calls == ["user/Login", "user/ownerconnect", "user/info", "user/info"]


def test_M09_an_expired_token_is_renewed_once_and_the_refused_call_repeated(shop):
    done = shop.live(listing())
    shop.clock.sleep(shop.simulator.token_seconds + 1)
    shop.wire.calls.clear()

    shop.push(change(Kind.UPDATE, listing(stock=3), done.remote_id, ("stock",)))

    again = ["product/updatePrice", "user/Login", "user/ownerconnect", "product/updatePrice"]
    assert shop.wire.calls == again
    assert shop.shown()[0]["stock"] == 3


def test_a_create_with_an_expired_token_makes_one_product(shop):
    shop.client.check()
    shop.clock.sleep(shop.simulator.token_seconds + 1)

    shop.push(create(listing()))

    assert len(shop.shown()) == 1


def test_a_picture_upload_with_an_expired_token_arrives_whole(shop):
    shop.client.check()
    shop.clock.sleep(shop.simulator.token_seconds + 1)

    shop.push(create(listing()))

    pictures = shop.shown()[0]["payload"]["images"]
    assert [p["sha256"] for p in pictures] == listing().facets["images"]


def test_M12_a_token_refused_again_stops_the_account(shop):
    shop.simulator.token_seconds = 0

    with pytest.raises(AuthorisationFailed, match="202"):
        shop.client.check()
    assert shop.wire.calls.count("user/Login") == 2


def test_a_wrong_password_stops_the_account_without_the_secret_in_the_error(shop):
    with pytest.raises(AuthorisationFailed) as caught:
        shop.open("wrong-secret").check()
    assert caught.value.code == "201"
    assert "wrong-secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (httpx.Response(503), NotSent),
        (httpx.Response(200, text="<html>"), NotSent),
        (respond(429, headers={"Retry-After": "7"}), Throttled),
        (respond(200, {"status": 500, "error": True, "message": "System error", "data": None}), NotSent),
    ],
)
def test_a_login_without_an_answer_sent_nothing_of_the_change(shop, answer, error):
    shop.wire.before = lambda request: answer if request.url.path.endswith("Login") else None

    with pytest.raises(error):
        shop.push(create(listing(images=item().images[:1])))
    assert shop.shown() == []


def test_M09_threads_share_one_renewal(shop):
    shop.client.check()
    shop.clock.sleep(shop.simulator.token_seconds + 1)
    shop.wire.calls.clear()

    with ThreadPoolExecutor(4) as pool:
        names = list(pool.map(lambda _: shop.client.check(), range(8)))

    assert len(set(names)) == 1
    assert shop.wire.calls.count("user/Login") == 1


def test_a_login_has_the_timeouts_of_every_other_call(shop):
    shop.client.check()

    assert shop.wire.timeouts == [{"connect": 10.0, "read": 20.0, "write": 20.0, "pool": 20.0}] * 3


def test_a_long_answer_reaches_its_reader_whole(shop):
    shop.push(create(listing(description="ố" * 4_000)))

    assert shop.client.fetch([listing().key])[0].facets["content"]["description"].startswith("ố" * 4_000)
