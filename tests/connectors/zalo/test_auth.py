"""The bare token, its renewal by a key that works once, and signatures by their vectors."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from urllib.parse import parse_qs

import httpx
import pytest
from pydantic import ValidationError

from connectors.errors import AuthorisationFailed, Misconfigured, NotRecorded, NotSent, problem_of
from connectors.tokens import InMemory, TokenPair, proof
from connectors.zalo import CONNECTOR
from connectors.zalo.auth import is_genuine, token_url
from connectors.zalo.simulator import Simulator
from models.outcome import Outcome
from tests.connectors.zalo.shop import create, listing, outcomes, said

TOKEN_CALL = "v4/oa/access_token"
EVENT = (
    '{"app_id":"431234567890123456","event_name":"oa_send_text","timestamp":"1764590400000",'
    '"message":{"text":"Tôm khô Cà Mau"}}'
).encode()
SIGNATURE = "mac=ab76f3924c3363ffbfba63086b556e4b9354b11700c66e057cceb3163283b852"


def renewals(shop):
    return shop.wire.calls.count(TOKEN_CALL)


def pair(shop):
    found = shop.tokens.read()
    assert found is not None
    return found


# --- what is sent -----------------------------------------------------------------------------------------------------


def test_the_token_is_a_bare_header_and_never_in_an_address(shop):
    shop.live(listing())
    list(shop.client.everything())

    token = Simulator.credentials["access_token"]
    assert all(request.headers["access_token"] == token for request in shop.wire.sent)
    assert all("authorization" not in request.headers for request in shop.wire.sent)
    assert all(token not in str(request.url) for request in shop.wire.sent)


def test_the_proof_of_the_documents():
    known = proof("zaloAppSecretExample01", "zalo-access-token-example-1")

    assert known == "b60f8df72ae7cebbaffa9b16f865da36dc0742d532bac8f7b8c9ee15c005e2e2"


def test_the_proof_is_sent_where_the_app_asks_for_it_and_renewed_with_the_token(shop):
    shop.simulator.settle_on("proof", True)
    client = shop.open(appsecret_proof=True)
    client.check()
    shop.simulator.expire()

    assert client.check().id
    assert shop.wire.sent[-1].headers["appsecret_proof"] == proof("zaloAppSecretSandbox01", pair(shop).access)


def test_without_a_proof_that_is_asked_for_nothing_works(shop):
    shop.simulator.settle_on("proof", True)

    with pytest.raises(Misconfigured, match="-242"):
        shop.client.check()


def test_without_the_switch_no_proof_is_sent(shop):
    shop.client.check()

    assert "appsecret_proof" not in shop.wire.sent[0].headers


# --- renewing ---------------------------------------------------------------------------------------------------------


def test_an_expired_token_is_renewed_once_and_the_refused_call_repeated(shop):
    shop.simulator.expire()

    assert outcomes(shop.push(create(listing()))) == [Outcome.ACCEPTED]
    assert (renewals(shop), shop.count("create")) == (1, 1)
    assert pair(shop).ends == shop.clock.now() + timedelta(hours=25)
    assert pair(shop).refresh_ends == shop.clock.now() + timedelta(days=90)


def test_a_create_whose_token_ends_just_then_makes_one_article(shop):
    shop.client.check()

    def end(request: httpx.Request) -> None:
        if request.url.path.endswith("create") and not renewals(shop):
            with shop.sandbox.state.transaction():
                shop.simulator.expire()

    shop.wire.before = end
    shop.settle(create(listing()))

    assert (len(shop.shown()), renewals(shop)) == (1, 1)


def test_a_renewal_is_a_form_with_the_secret_in_a_header(shop):
    shop.simulator.expire()
    shop.client.check()

    sent = next(request for request in shop.wire.sent if request.url.path.endswith(TOKEN_CALL))
    form = {name: values[0] for name, values in parse_qs(sent.content.decode()).items()}

    assert str(sent.url) == "https://sandbox.invalid/zalo/v4/oa/access_token"
    assert sent.headers["secret_key"] == Simulator.credentials["app_secret"]
    assert form == {
        "refresh_token": "rT-sandbox-0", "app_id": Simulator.credentials["app_id"], "grant_type": "refresh_token"
    }  # fmt: skip
    assert Simulator.credentials["app_secret"] not in sent.content.decode()


def test_the_new_pair_is_stored_before_its_first_use(shop):
    shop.simulator.expire()
    stored = []
    shop.wire.before = lambda request: stored.append((request.headers.get("access_token"), shop.tokens.read()))

    shop.client.check()

    token, kept = stored[-1]
    assert kept is not None
    assert token == kept.access


def test_a_pair_that_could_not_be_stored_is_not_used_and_not_lost(shop):
    full = [True, True]

    class Disk(InMemory):
        def save(self, pair: TokenPair) -> None:
            if full:
                full.pop()
                raise NotRecorded("disk full")
            super().save(pair)

    shop.simulator.expire()
    shop.tokens = Disk()

    assert shop.open().check().id
    assert (renewals(shop), pair(shop).access) == (1, "aT-sandbox-1")


def test_a_stored_pair_goes_before_that_of_the_credentials(shop):
    shop.simulator.expire()
    shop.client.check()
    shop.wire.sent.clear()

    shop.open().check()

    assert (renewals(shop), shop.wire.sent[0].headers["access_token"]) == (0, pair(shop).access)


def test_a_token_that_comes_to_its_end_is_renewed_before_it_is_refused(shop):
    shop.simulator.expire()
    shop.client.check()
    shop.clock.advance(hours=24, minutes=56)
    shop.wire.sent.clear()

    shop.client.check()

    assert shop.wire.calls == [TOKEN_CALL, "oa/getoa"]


def test_a_year_of_weekly_runs_never_asks_for_consent(shop):
    shop.client.check()
    for _ in range(52):
        shop.clock.advance(days=7)
        assert shop.open().check().id
    assert renewals(shop) == 52


def test_a_token_that_is_said_to_live_for_years_is_renewed_within_a_week(shop):
    shop.simulator.expire()
    shop.instead(TOKEN_CALL, {"access_token": "aT", "refresh_token": "rT", "expires_in": 10**12})
    with pytest.raises(AuthorisationFailed):  # made up here, so the OA does not take it
        shop.client.check()

    assert pair(shop).ends == shop.clock.now() + timedelta(days=5)


@pytest.mark.parametrize(
    ("expires_in", "seconds"),
    [("9" * 5_000, 432_000), ("90000", 90_000), (90000, 90_000), ("3600", 3_600), ("soon", 432_000), (None, 432_000)],
)
def test_how_long_a_token_lives_is_a_text_or_a_number(shop, expires_in, seconds):
    shop.simulator.expire()
    shop.instead(TOKEN_CALL, {"access_token": "aT", "refresh_token": "rT", "expires_in": expires_in})
    with pytest.raises(AuthorisationFailed):
        shop.client.check()

    assert pair(shop).ends == shop.clock.now() + timedelta(seconds=seconds)


def test_many_threads_renew_once(shop):
    shop.simulator.expire()

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: shop.client.check().id, range(8)))

    assert (len(set(found)), renewals(shop)) == (1, 1)


def test_a_pair_that_another_process_renewed_is_used(shop):
    shop.client.check()
    other = shop.open()
    shop.simulator.expire()
    other.check()
    shop.wire.sent.clear()

    shop.client.check()

    assert renewals(shop) == 0


def test_a_pair_that_another_process_renewed_is_used_where_ours_has_ended(shop):
    shop.simulator.expire()
    shop.client.check()
    shop.clock.advance(days=2)
    shop.open().check()
    shop.wire.sent.clear()

    assert shop.client.check().id
    assert renewals(shop) == 0


# --- where it fails ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [-216, -220, -124])
def test_a_token_refused_again_stops_the_account(shop, code):
    shop.instead("getoa", *[{"error": code, "message": "no"}] * 2)

    with pytest.raises(AuthorisationFailed, match=str(code)) as caught:
        shop.client.check()
    asked = len(shop.wire.sent)
    with pytest.raises(AuthorisationFailed):
        shop.client.check()

    assert (renewals(shop), len(shop.wire.sent)) == (1, asked)
    assert "cấp quyền lại" in problem_of(caught.value).next_step.vi


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"refresh_token": "rT-old", "access_token": "aT-old"}, "-14014"),
        ({"app_id": "1", "access_token": "aT-old"}, "-14002"),
        ({"app_secret": "other", "access_token": "aT-old"}, "-14004"),
    ],
)
def test_credentials_that_are_refused_stop_the_account(shop, wrong, code):
    with pytest.raises(AuthorisationFailed, match=code) as caught:
        shop.open(**wrong).check()

    assert "developers.zalo.me" in problem_of(caught.value).next_step.vi


def test_a_wrong_access_token_alone_is_mended_by_a_renewal(shop):
    assert shop.open(access_token="other").check().id


def test_after_three_months_of_rest_an_administrator_must_consent(shop):
    shop.simulator.expire()
    shop.client.check()
    shop.clock.advance(days=91)

    with pytest.raises(AuthorisationFailed, match="-14014"):
        shop.open().check()


def test_a_renewal_whose_answer_was_lost_is_tried_once_more_and_then_never_again(shop):
    """The first one had arrived: its refresh token is used up, and Zalo says so."""
    shop.simulator.expire()
    shop.lose(TOKEN_CALL)

    with pytest.raises(AuthorisationFailed, match="-14014"):
        shop.client.check()
    assert renewals(shop) == 2


def test_a_renewal_that_is_never_answered_is_sent_twice(shop):
    shop.simulator.expire()
    shop.lose(TOKEN_CALL, times=9)
    shop.instead(TOKEN_CALL, *[{}] * 9)

    with pytest.raises(NotSent):
        shop.client.check()
    assert renewals(shop) == 2


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ((429, {}), NotSent),
        ((500, {}), NotSent),
        ((302, {}), Misconfigured),
        ((200, {}), NotSent),
        ((200, []), NotSent),
        ((200, {"access_token": ""}), NotSent),
        ((200, {"access_token": 5}), NotSent),
        ((200, {"error": -14014, "error_name": "Invalid refresh token"}), AuthorisationFailed),
        ((400, {"error": -14014, "error_name": "Invalid refresh token"}), AuthorisationFailed),
        ((200, {"error_name": "Invalid refresh token"}), AuthorisationFailed),
    ],
)
def test_only_an_access_token_makes_a_renewal(shop, answer, kind):
    """Nothing of the caller's own request has left then, so no doubt remains about it."""
    shop.simulator.expire()
    status, body = answer
    shop.wire.before = lambda request: said(body, status) if request.url.path.endswith(TOKEN_CALL) else None

    with pytest.raises(kind):
        shop.push(create(listing()))
    assert shop.tokens.read() is None
    assert shop.count("create") == 0


def test_a_pair_without_a_refresh_token_serves_until_it_is_refused(shop):
    shop.tokens.save(TokenPair(access="aT-dead"))

    with pytest.raises(AuthorisationFailed, match="-216"):
        shop.open().check()
    assert renewals(shop) == 0


def test_secrets_never_reach_a_message(shop):
    shop.simulator.expire()
    reply = {"error": -14014, "error_name": "Invalid refresh token", "error_description": "rT-sandbox-0 was used"}
    shop.instead(TOKEN_CALL, reply)

    with pytest.raises(AuthorisationFailed) as caught:
        shop.client.check()
    assert "rT-sandbox" not in repr(caught.value) + str(problem_of(caught.value))


# --- addresses and credentials ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "wanted"),
    [
        ("https://openapi.zalo.me/v2.0/oa/getoa", "https://oauth.zaloapp.com/v4/oa/access_token"),
        ("https://openapi.zalo.me/v2.0/article/getslice?a=/v2.0/", "https://oauth.zaloapp.com/v4/oa/access_token"),
        ("https://openapi.zaloapp.com/v2.0/oa/getoa", "https://oauth.zaloapp.com/v4/oa/access_token"),
        ("http://127.0.0.1:8800/zalo/v2.0/article/x?id=1", "http://127.0.0.1:8800/zalo/v4/oa/access_token"),
        ("https://sandbox.invalid/v2.0/oa/getoa", "https://sandbox.invalid/v4/oa/access_token"),
    ],
)
def test_tokens_are_renewed_at_zalos_own_host_and_beside_a_sandbox(address, wanted):
    assert str(token_url(httpx.URL(address))) == wanted
    assert CONNECTOR.hosts == ("oauth.zaloapp.com",)


@pytest.mark.parametrize(
    "changed",
    [
        {"app_id": "abc"},
        {"app_secret": ""},
        {"access_token": "hai dòng"},
        {"refresh_token": "ế"},
        {"product_page": "https://cuahang.example/"},
        {"product_page": "https://cửahàng.example/{sku}"},
        {"picture": "http://cuahang.example/{sha256}"},
        {"picture": "https://cuahang.example/{sha256}/{sha256}"},
        {"oa_id": "1"},
    ],
)
def test_credentials_that_cannot_work_are_refused_at_once(changed):
    with pytest.raises(ValidationError):
        CONNECTOR.credentials(**{**Simulator.credentials, **changed})


# --- events and orders ------------------------------------------------------------------------------------------------


def test_an_event_is_genuine_only_over_its_raw_bytes():
    known = ("431234567890123456", "oaSecretExample")

    assert is_genuine(*known, EVENT, "1764590400000", SIGNATURE)
    assert not is_genuine(*known, EVENT + b" ", "1764590400000", SIGNATURE)
    assert not is_genuine(*known, EVENT, "1764590400001", SIGNATURE)
    assert not is_genuine("1", known[1], EVENT, "1764590400000", SIGNATURE)
    assert not is_genuine(known[0], "x", EVENT, "1764590400000", SIGNATURE)
    assert not is_genuine(*known, EVENT, "1764590400000", SIGNATURE.removeprefix("mac="))
    assert not is_genuine(*known, EVENT, "1764590400000", "ế")
