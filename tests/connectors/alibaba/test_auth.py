"""Signatures by the published vectors, forms on the wire, and tokens that renew themselves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from pydantic import ValidationError

from connectors.alibaba import CONNECTOR
from connectors.alibaba.auth import Credentials
from connectors.alibaba.simulator import Simulator
from connectors.errors import AuthorisationFailed, ClockSkew, Misconfigured, NotRecorded, NotSent, problem_of
from connectors.iop import is_genuine, sign, token_root
from connectors.tokens import InMemory
from tests.connectors.alibaba.shop import (
    BEGIN,
    CREATE,
    REFRESH,
    SEARCH,
    UPLOAD,
    api_of,
    create,
    english,
    gateway,
    listing,
)

CODE = {"app_key": "12345678", "code": "3_500102_JxZ05Ux3cnnSSUm6dCxYg6Q26", "timestamp": "1517820392000"}
OURS = {"access_token": "5000000x", "app_key": "500001", "sign_method": "sha256"}
VECTORS = [
    (
        "helloworld",
        "/auth/token/create",
        CODE | {"sign_method": "sha256", "simplify": "true"},
        "0B409A354C6FB222EE2C8095002ACDB2D30566151D1A2361AEE7D2627B9BCBEA",
    ),
    (
        "helloworld",
        "/auth/token/create",
        CODE | {"sign_method": "sha256"},
        "35607762342831B6A417A0DED84B79C05FEFBF116969C48AD6DC00279A9F4D81",
    ),
    (
        "icbu-secret",
        "/alibaba/icbu/product/listing/v2",
        OURS | {"product_info": '{"basic_info":{"title":"Ca Mau Dried Shrimp 500g","language":"en_US"}}',
                "timestamp": "1767225600000"},
        "1965A38024FCB0A70C211921269777BD2170A145CCF0066BE213FA3E588ADA28",
    ),
    (
        "icbu-secret",
        "/icbu/product/edit-inventory",
        OURS | {"product_id": "1601314875038", "sku_inventory": '[{"sku_id":105712345678,"inventory":40}]',
                "timestamp": "1767225601000"},
        "B36C9E442D022900ABB41F921C8DDC2DBDBA8D49039087E5A5AEF01C95B2608F",
    ),
    (
        "icbu-secret",
        "",
        {"app_key": "500001", "cat_id": "100009031", "format": "json", "language": "en_US",
         "method": "alibaba.icbu.product.schema.get", "session": "5000000x", "sign_method": "sha256",
         "timestamp": "1767225602000"},
        "ED9516F736EFA01BBA9057C73FA8F9C98B409DF9C6E96E047F2312A7F6734225",
    ),
    (
        "icbu-secret",
        "/alibaba/icbu/photobank/upload",
        OURS | {"file_name": "tom-kho.jpg", "group_id": "1", "timestamp": "1767225603000"},
        "E4B0353BEB3F7D51A25A0CBA34955505D09F27CFFF3E973B0F377F4B685755D6",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("secret", "path", "fields", "wanted"), VECTORS)
def test_signatures_are_those_of_the_vectors(secret, path, fields, wanted):
    assert sign(secret, path, fields) == wanted
    assert sign(secret, path, fields | {"sign": "of itself"}) == wanted


def test_a_push_message_is_genuine_only_over_its_raw_bytes():
    body = b'{"event":"PRODUCT_CHANGE_TAG","product_id":1601314875038}'
    said = "53d363929eebb726b75649b223aa71136414ed33c74da7f65f7cf1af8e52374f"

    assert is_genuine("500001", "icbu-secret", body, said)
    assert not is_genuine("500001", "icbu-secret", body + b" ", said)
    assert not is_genuine("500001", "icbu-secret", body, said.upper())
    assert not is_genuine("500001", "icbu-secret", body, "ế")


def test_everything_is_a_form_and_only_a_picture_is_in_parts(shop):
    seen = []
    shop.wire.before = lambda request: seen.append(request)

    shop.push(create(listing()))

    kinds = {api_of(request): request.headers["Content-Type"].partition(";")[0] for request in seen}
    assert {request.method for request in seen} == {"POST"}
    assert not any(request.url.query for request in seen)
    assert kinds.pop(UPLOAD) == "multipart/form-data"
    assert set(kinds.values()) == {"application/x-www-form-urlencoded"}


def test_every_call_names_who_when_and_how(shop):
    shop.client.check()

    [form] = shop.wire.forms
    assert form["app_key"] == "500001"
    assert form["sign_method"] == "sha256"
    assert form["timestamp"] == str(int(BEGIN.timestamp() * 1000))
    assert form["access_token"] == Simulator.credentials["access_token"]
    assert "" not in form.values()


def test_a_text_longer_than_an_address_may_be_is_sent(shop):
    long = listing(english=english(description='"ế" ' * 9_000))

    shop.push(create(long))

    assert len(shop.form(CREATE)["product_info"]) > 36_000


def test_the_account_is_the_one_that_the_credentials_name(shop):
    assert shop.client.check().id == "200042360"
    assert shop.open(account_id="200099999").check().id == "200099999"
    assert shop.wire.calls == [SEARCH] * 2


@pytest.mark.parametrize("changes", [{"account_id": ""}, {"account_id": "a b"}, {"app_key": ""}, {"access_token": ""},
                                     {"shipping_template_id": "Sea"}, {"more": "x"}])  # fmt: skip
def test_credentials_that_cannot_be_right_are_none(changes):
    with pytest.raises(ValidationError):
        Credentials(**{**Simulator.credentials, **changes})


def test_secrets_are_never_shown():
    credentials = Credentials(**Simulator.credentials)

    assert not any(value in repr(credentials) for name, value in Simulator.credentials.items() if "sandbox" in value)


@pytest.mark.parametrize("name", ["app_key", "app_secret"])
def test_each_wrong_key_stops_the_account(shop, name):
    with pytest.raises(Misconfigured) as caught:
        shop.open(**{name: "wrong"}).check()

    assert "app key" in problem_of(caught.value).next_step.vi


def test_an_expired_token_is_renewed_once_and_the_refused_call_alone_repeated(shop):
    shop.simulator.expire()

    shop.client.check()
    shop.client.check()

    assert shop.wire.calls == [SEARCH, REFRESH, SEARCH, SEARCH]
    assert "access_token" not in shop.wire.forms[1]


def test_an_expired_token_without_another_asks_to_authorise_again_and_stops_the_account(shop):
    shop.simulator.expire()
    client = shop.open(refresh_token=None)

    with pytest.raises(AuthorisationFailed) as caught:
        client.check()
    with pytest.raises(AuthorisationFailed):
        client.check()

    assert "ủy quyền lại" in problem_of(caught.value).next_step.vi
    assert shop.wire.calls == [SEARCH]


def test_a_used_refresh_token_asks_to_authorise_again_and_is_not_tried_twice(shop):
    shop.simulator.expire()
    shop.open().check()
    shop.wire.calls.clear()
    client = shop.open()  # knows only the first pair

    with pytest.raises(AuthorisationFailed) as caught:
        client.check()
    with pytest.raises(AuthorisationFailed):
        client.check()

    assert caught.value.code == "IllegalRefreshToken"
    assert shop.wire.calls == [SEARCH, REFRESH]


def test_a_token_is_renewed_half_an_hour_before_its_end(shop):
    shop.simulator.expire()
    shop.client.check()
    shop.clock.advance(seconds=shop.simulator.token_seconds - 1801)
    shop.client.check()
    shop.clock.advance(seconds=2)
    shop.wire.calls.clear()

    shop.client.check()
    shop.client.check()

    assert shop.wire.calls == [REFRESH, SEARCH, SEARCH]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_token_that_still_works_does_until_its_end_where_no_other_is_to_be_had(shop, status):
    shop.simulator.expire()
    shop.client.check()
    shop.clock.advance(seconds=shop.simulator.token_seconds - 60)
    shop.answers(REFRESH, {}, status=status)

    shop.client.check()


def test_a_renewal_without_an_answer_is_tried_once_more_and_no_oftener(shop):
    shop.simulator.expire()
    shop.answers(REFRESH, {}, status=503)
    for _ in range(4):
        with pytest.raises(NotSent):
            shop.client.check()

    assert shop.count(REFRESH) == 2


PAIR = {"access_token": "x", "refresh_token": "y", "expires_in": 60, "refresh_expires_in": 60}


@pytest.mark.parametrize(
    "body",
    [
        {"code": "0"},
        {},
        [],
        PAIR,
        {"code": "0", **PAIR, "access_token": 5},
        {"code": "0", **PAIR, "expires_in": "soon"},
    ],
)
def test_a_renewal_of_another_shape_gives_no_token(shop, body):
    shop.simulator.expire()
    shop.answers(REFRESH, body)

    with pytest.raises(NotSent):
        shop.client.check()


@pytest.mark.parametrize("code", ["IllegalRefreshToken", "InvalidCode"])
def test_a_refused_renewal_stops_the_account(shop, code):
    shop.simulator.expire()
    shop.answers(REFRESH, gateway(code))

    with pytest.raises(AuthorisationFailed):
        shop.client.check()


def test_a_pair_that_cannot_be_renewed_again_is_not_tried(shop):
    """`refresh_expires_in` of 0 says so."""
    shop.simulator.expire()
    shop.simulator.refresh_seconds = 0
    tokens = InMemory()
    client = shop.open(tokens=tokens)
    client.check()
    shop.clock.advance(seconds=shop.simulator.token_seconds)
    shop.wire.calls.clear()

    with pytest.raises(AuthorisationFailed):
        client.check()

    assert tokens.read().refresh == ""
    assert tokens.read().refresh_ends == tokens.read().ends
    assert shop.wire.calls == [SEARCH]


def test_a_pair_is_kept_before_it_is_used(shop):
    shop.simulator.expire()
    tokens, seen = InMemory(), []
    shop.wire.before = lambda request: seen.append((shop.wire.calls[-1], tokens.read()))
    client = shop.open(tokens=tokens)

    client.check()

    asked, used = seen[-2:]
    assert asked == (REFRESH, None)
    assert used[1].access == shop.wire.forms[-1]["access_token"]
    assert used[1].ends - shop.clock.now() == timedelta(seconds=shop.simulator.token_seconds)
    assert used[1].refresh_ends - shop.clock.now() == timedelta(seconds=shop.simulator.refresh_seconds)


def test_a_pair_that_could_not_be_kept_is_not_used(shop):
    class Full(InMemory):
        def save(self, pair):
            raise NotRecorded("full")

    shop.simulator.expire()

    with pytest.raises(NotRecorded):
        shop.open(tokens=Full()).check()

    used = {form.get("access_token") for form in shop.wire.forms} - {None}
    assert used == {Simulator.credentials["access_token"]}


def test_another_process_may_have_renewed_the_tokens_meanwhile(shop):
    tokens = InMemory()
    first, second = shop.open(tokens=tokens), shop.open(tokens=tokens)
    second.check()
    shop.simulator.expire()
    first.check()
    shop.wire.calls.clear()

    second.check()

    assert shop.wire.calls == [SEARCH, SEARCH]


def test_tokens_are_renewed_beside_everything_else():
    live = httpx.URL(f"{CONNECTOR.base_url}/rest{SEARCH}")

    assert token_root(live) == "https://openapi-api.alibaba.com/rest"
    assert token_root(httpx.URL("http://127.0.0.1:8800/alibaba/rest/a?b=c")) == "http://127.0.0.1:8800/alibaba/rest"


def late(shop) -> object:
    """A session whose machine is a day behind."""
    wrong = shop.sessions[0]._theirs
    wrong._clock = type("Late", (), {"now": lambda self: datetime(2026, 11, 22, tzinfo=UTC)})()
    return wrong


def test_a_wrong_clock_is_put_right_by_the_marketplaces_own(shop):
    late(shop)

    assert shop.client.check().id == "200042360"


def test_a_clock_that_stays_wrong_says_so(shop):
    late(shop).learn = lambda headers: False

    with pytest.raises(ClockSkew):
        shop.client.check()


# The simulator's own door


def asked(shop, api: str, root: str = "rest", **fields: str) -> dict:
    """One signed call, as any client might send it."""
    fields = {"app_key": "500001", "sign_method": "sha256", "timestamp": str(int(BEGIN.timestamp() * 1000))} | fields
    path = "" if root == "sync" else api
    fields.setdefault("sign", sign("sandbox-alibaba-secret", path, fields))
    url = f"https://x/alibaba/{root}{path}"
    return shop.sandbox.handle(httpx.Request("GET", url, params=fields)).json()


TOKEN = {"access_token": "sandbox-alibaba-access"}


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"app_key": ""}, "MissingParameter"),
        ({"sign": ""}, "MissingParameter"),
        ({"timestamp": "1795392000"}, "IllegalTimestamp"),
        ({"timestamp": "2026-11-23 07:00:00"}, "IllegalTimestamp"),
        ({"timestamp": str(int(BEGIN.timestamp() * 1000) - 7_201_000)}, "IllegalTimestamp"),
        ({"app_key": "1"}, "InvalidAppKey"),
        ({"sign": "0" * 64}, "IncompleteSignature"),
        ({"sign_method": "md5"}, "IncompleteSignature"),
        ({"access_token": "other"}, "IllegalAccessToken"),
    ],
)
def test_the_gateway_lets_nobody_in(shop, fields, code):
    assert asked(shop, SEARCH, **TOKEN | fields)["code"] == code


def test_the_gateway_knows_no_other_path(shop):
    assert asked(shop, "/alibaba/icbu/product/nothing", **TOKEN)["code"] == "InvalidApiPath"
    assert asked(shop, SEARCH, root="api", **TOKEN)["code"] == "InvalidApiPath"


def test_the_other_style_is_signed_without_a_path_and_wraps_its_errors(shop):
    method = {"method": "alibaba.icbu.product.search.v2", "session": TOKEN["access_token"]}
    right = asked(shop, "", root="sync", **method)
    wrong = asked(shop, "", root="sync", **method | {"sign": "0" * 64})

    assert right["msg_code"] == "B_PRODUCT_NOT_FOUND"
    assert (wrong["error_response"]["code"], "code" in wrong) == ("IncompleteSignature", False)


def test_a_code_works_once_and_for_half_an_hour(shop):
    first, second = shop.simulator.authorise(), shop.simulator.authorise()
    pair = asked(shop, "/auth/token/create", code=first)
    again = asked(shop, "/auth/token/create", code=first)
    shop.clock.advance(minutes=30)
    late = asked(shop, "/auth/token/create", code=second)

    assert pair["account_id"] == "200042360"
    assert (again["code"], late["code"]) == ("InvalidCode", "InvalidCode")
    shop.open(access_token=pair["access_token"]).check()


def test_a_token_that_was_renewed_ends(shop):
    pair = asked(shop, REFRESH, refresh_token="sandbox-alibaba-refresh")
    shop.clock.advance(seconds=shop.simulator.token_seconds)
    now = str(int(shop.clock.now().timestamp() * 1000))

    assert asked(shop, SEARCH, access_token=pair["access_token"], timestamp=now)["code"] == "IllegalAccessToken"
