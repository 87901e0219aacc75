"""Signatures by the published vectors, forms on the wire, and tokens that no longer count."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from connectors.errors import AuthorisationFailed, ClockSkew, Misconfigured, NotRecorded, NotSent, problem_of
from connectors.iop import is_genuine, sign
from connectors.lazada.auth import token_root
from connectors.lazada.simulator import Simulator
from connectors.tokens import InMemory
from tests.connectors.lazada.shop import BEGIN, create, listing

XML = (
    "<Request><Product><PrimaryCategory>12345</PrimaryCategory><Images><Image>https://vn-live-02.slatic.net/p/aa11.jpg"
    "</Image></Images><Attributes><name>Tôm khô Rạch Gốc loại 1 – 500g</name><brand>No Brand</brand></Attributes><Skus>"
    "<Sku><SellerSku>CM-TOMKHO-500</SellerSku><quantity>120</quantity><price>650000</price><package_height>8"
    "</package_height><package_length>20</package_length><package_width>15</package_width><package_weight>0.55"
    "</package_weight></Sku></Skus></Product></Request>"
)
JSON = (
    '{"Request":{"Product":{"Skus":{"Sku":[{"ItemId":"2374791958","SkuId":"13896560193","Price":"650000",'
    '"Quantity":"75"}]}}}}'
)
OURS = {"access_token": "50000001a1", "app_key": "100001", "sign_method": "sha256"}
VECTORS = [
    (
        "helloworld",
        "/order/get",
        {"access_token": "test", "app_key": "123456", "order_id": "1234", "sign_method": "sha256",
         "timestamp": "1517820392000"},
        "4190D32361CFB9581350222F345CB77F3B19F0E31D162316848A2C1FFD5FAB4A",
    ),
    (
        "1234",
        "/test/api",
        {"foo": "1", "bar": "2", "foo_bar": "3", "foobar": "4"},
        "988085883BF9D32D251478D23122C7ECC91518CDF63BA22F792000A378F52409",
    ),
    (
        "s3cr3t-vn",
        "/auth/token/create",
        {"app_key": "100001", "code": "0_100001_AbCdEf", "sign_method": "sha256", "timestamp": "1767225600000"},
        "797C31E5379826640D08BDFC33F099F98F56C8DCB7083653C46A17AA4C2EA611",
    ),
    (
        "s3cr3t-vn",
        "/product/create",
        OURS | {"partner_id": "lazop-sdk-python-20181207", "payload": XML, "timestamp": "1767225601000"},
        "282745474FB621A2DD4BE7A4FCE660F2B04FA4EF4BD233D2A3631E915F745168",
    ),
    (
        "s3cr3t-vn",
        "/product/price_quantity/update",
        OURS | {"payload": JSON, "timestamp": "1767225602000"},
        "FBA6E5FB8C87E45E101D268543E2118E6939CD13A10B4C29B866CC8474A70D74",
    ),
    (
        "s3cr3t-vn",
        "/products/get",
        OURS | {"filter": "all", "limit": "50", "offset": "0", "timestamp": "1767225603000",
                "sku_seller_list": '["CM-TOMKHO-500","CM-MATONG-01"]', "update_after": "2026-01-01T00:00:00+07:00"},
        "885260817EC06D5AB68AEBA5BC8B3D0D9F4FF55C204D4FBE728B683926526B6F",
    ),
    (
        "s3cr3t-vn",
        "/image/upload",
        OURS | {"timestamp": "1767225604000"},
        "FD337D8951A94C27CBCCC2EEC9B03FF69B9439DFB2636F971F1972A9F220EA66",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("secret", "path", "fields", "wanted"), VECTORS)
def test_signatures_are_those_of_the_vectors(secret, path, fields, wanted):
    assert sign(secret, path, fields) == wanted
    assert sign(secret, path, fields | {"sign": "of itself"}) == wanted


def test_a_push_message_is_genuine_only_over_its_raw_bytes():
    body = (
        b'{"seller_id":"200168201","message_type":1,"data":{"itemId":2374791958,"status":"APPROVED","reason":""},'
        b'"timestamp":1767225700,"site":"lazada_vn"}'
    )
    said = "5e3c44828303cf931e9b9cb6430d524529f4b578bc4f8bc050a2d417bdc2aa41"

    assert is_genuine("100001", "s3cr3t-vn", body, said)
    assert not is_genuine("100001", "s3cr3t-vn", body + b" ", said)
    assert not is_genuine("100001", "s3cr3t-vn", body, said.upper())
    assert not is_genuine("100001", "s3cr3t-vn", body, "ế")


def test_a_get_bears_its_parameters_in_the_query_and_a_post_in_its_form(shop):
    seen = []
    shop.wire.before = lambda request: seen.append((request.method, request.url.query, request.headers))

    shop.push(create(listing()))

    kinds = {method: headers.get("Content-Type", "") for method, _, headers in seen}
    assert all((method == "GET") == bool(query) for method, query, _ in seen)
    assert kinds["POST"].startswith("application/x-www-form-urlencoded")


def test_an_expired_token_is_renewed_once_and_the_refused_call_alone_repeated(shop):
    shop.simulator.expire()

    shop.client.check()
    shop.client.check()

    assert shop.wire.calls == ["/seller/get", "/auth/token/refresh", "/seller/get", "/seller/get"]


def test_an_expired_token_without_another_asks_to_authorise_again_and_stops_the_account(shop):
    shop.simulator.expire()
    client = shop.open(refresh_token=None)

    with pytest.raises(AuthorisationFailed) as caught:
        client.check()
    with pytest.raises(AuthorisationFailed):
        client.check()

    assert "ủy quyền lại" in problem_of(caught.value).next_step.vi
    assert shop.wire.calls == ["/seller/get"]


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
    assert shop.wire.calls == ["/seller/get", "/auth/token/refresh"]


def test_a_token_is_renewed_two_days_before_its_end(shop):
    shop.simulator.expire()
    shop.client.check()
    shop.clock.advance(seconds=shop.simulator.token_seconds - 48 * 3600)
    shop.wire.calls.clear()

    shop.client.check()
    shop.client.check()

    assert shop.wire.calls == ["/auth/token/refresh", "/seller/get", "/seller/get"]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_token_that_still_works_does_until_its_end_where_no_other_is_to_be_had(shop, status):
    shop.simulator.expire()
    shop.client.check()
    shop.clock.advance(seconds=shop.simulator.token_seconds - 3600)
    shop.wire.before = lambda request: httpx.Response(status) if "/auth/" in request.url.path else None

    shop.client.check()


def test_a_renewal_without_an_answer_is_tried_once_more_and_no_oftener(shop):
    shop.simulator.expire()
    shop.wire.before = lambda request: httpx.Response(503) if "/auth/" in request.url.path else None
    for _ in range(4):
        with pytest.raises(NotSent):
            shop.client.check()

    assert shop.count("/auth/token/refresh") == 2


def test_a_life_beyond_all_dates_is_a_long_one(shop):
    shop.simulator.expire()
    body = {"code": "0", "access_token": "x", "refresh_token": "y", "expires_in": 2**62, "refresh_expires_in": "9" * 18}
    shop.wire.before = lambda request: httpx.Response(200, json=body) if "/auth/" in request.url.path else None
    tokens = InMemory()

    with pytest.raises(AuthorisationFailed):  # made up here, so no call takes it
        shop.open(tokens=tokens).check()

    assert tokens.read().ends > BEGIN + timedelta(days=3_650)


@pytest.mark.parametrize("body", [{"code": "0"}, {"code": "0", "access_token": 5}, {}, []])
def test_a_renewal_of_another_shape_gives_no_token(shop, body):
    shop.simulator.expire()
    shop.wire.before = lambda request: httpx.Response(200, json=body) if "/auth/" in request.url.path else None

    with pytest.raises(NotSent):
        shop.client.check()


def test_a_pair_is_kept_before_it_is_used(shop):
    shop.simulator.expire()
    tokens, seen = InMemory(), []
    shop.wire.before = lambda request: seen.append((shop.wire.calls[-1], tokens.read()))
    client = shop.open(tokens=tokens)

    client.check()

    asked, used = seen[-2:]
    assert asked == ("/auth/token/refresh", None)
    assert used[1].access in shop.wire.forms[-1]["access_token"]
    assert used[1].ends - shop.clock.now() == timedelta(seconds=shop.simulator.token_seconds)


def test_a_pair_that_could_not_be_kept_is_not_used_and_kept_once_there_is_room(shop):
    class Full(InMemory):
        full = True

        def save(self, pair):
            if self.full:
                raise NotRecorded("full")
            super().save(pair)

    shop.simulator.expire()
    tokens = Full()
    client = shop.open(tokens=tokens)
    with pytest.raises(NotRecorded):
        client.check()
    assert shop.count("/auth/token/refresh") == 1
    used = {form.get("access_token") for form in shop.wire.forms} - {None}
    assert used == {Simulator.credentials["access_token"]}

    tokens.full = False
    client.check()

    assert shop.count("/auth/token/refresh") == 1
    assert tokens.read().access == shop.wire.forms[-1]["access_token"]


def test_another_process_may_have_renewed_the_tokens_meanwhile(shop):
    tokens = InMemory()
    first, second = shop.open(tokens=tokens), shop.open(tokens=tokens)
    second.check()
    shop.simulator.expire()
    first.check()
    shop.wire.calls.clear()

    second.check()

    assert shop.wire.calls == ["/seller/get", "/seller/get"]


def test_the_earlier_end_of_the_same_refresh_token_counts(shop):
    tokens = InMemory()
    client = shop.open(tokens=tokens)
    same = {"code": "0", "access_token": "x", "refresh_token": Simulator.credentials["refresh_token"]}
    answers = [same | {"expires_in": 60, "refresh_expires_in": seconds} for seconds in ("86400", 864_000, 9_000_000)]

    def answer(request):
        if "/auth/" in request.url.path:
            return httpx.Response(200, json=answers.pop(0))
        return httpx.Response(200, json={"code": "IllegalAccessToken"})

    shop.wire.before = answer
    for _ in range(2):
        with pytest.raises(AuthorisationFailed):
            client.check()
        client = shop.open(tokens=tokens)

    assert tokens.read().refresh_ends == BEGIN + timedelta(days=1)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("app_key", Misconfigured), ("app_secret", Misconfigured)],
)
def test_each_wrong_credential_stops_the_account(shop, name, kind):
    with pytest.raises(kind):
        shop.open(**{name: "wrong"}).check()


def test_a_wrong_clock_is_put_right_by_the_marketplaces_own(shop):
    right = shop.clock.now
    shop.sessions[0]._theirs._clock = type("Late", (), {"now": lambda self: datetime(2026, 11, 22, tzinfo=UTC)})()

    assert str(shop.client.check()).endswith("(200168201)")
    assert right() == shop.clock.now()


def test_a_clock_that_stays_wrong_says_so(shop):
    wrong = shop.sessions[0]._theirs
    wrong._clock = type("Late", (), {"now": lambda self: datetime(2026, 11, 22, tzinfo=UTC)})()
    wrong.learn = lambda headers: False

    with pytest.raises(ClockSkew):
        shop.client.check()


def test_tokens_have_a_host_of_their_own_where_lazada_is_the_real_one():
    assert token_root(httpx.URL("https://api.lazada.vn/rest/seller/get")) == "https://auth.lazada.com/rest"
    assert (
        token_root(httpx.URL("http://127.0.0.1:8800/lazada/rest/seller/get?a=b")) == "http://127.0.0.1:8800/lazada/rest"
    )


def test_seconds_are_no_timestamp(shop):
    fields = {"app_key": "100001", "timestamp": "1795392000", "sign_method": "sha256", "sign": "x"}

    answer = shop.sandbox.handle(httpx.Request("GET", "https://x/lazada/rest/seller/get", params=fields))

    assert answer.json()["code"] == "IllegalTimestamp"
