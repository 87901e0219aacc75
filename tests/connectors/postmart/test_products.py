"""Reading back: pages, cursors and look-ups."""

import unicodedata

import httpx
import pytest

from connectors.errors import Misconfigured, Unanswered, problem_of
from connectors.postmart.errors import MEANINGS, Fault, classify, error_of
from connectors.postmart.simulator import WORDS, Simulator


def test_everything_is_read_page_by_page(shop):
    for start in range(0, 230, 46):
        shop.settle(shop.create(*[f"Khô/{n:03}" for n in range(start, start + 46)]))

    pages = list(shop.client.everything())

    assert [len(page) for page in pages] == [100, 100, 30]
    assert [r.key for page in pages for r in page] == [f"Khô/{n:03}" for n in range(230)]


def test_an_empty_shop_is_one_empty_page(shop):
    assert list(shop.client.everything()) == [[]]


class Circling(Simulator):
    def _page(self, asked):
        return super()._page(asked) | {"next_cursor": "41"}


def test_M21_a_repeated_cursor_is_no_end(open_shop):
    with pytest.raises(Unanswered, match="repeated-cursor"):
        list(open_shop(Circling).client.everything())


def test_many_keys_are_looked_up_fifty_at_a_time(shop):
    shop.settle(shop.create(*[f"SP{n}" for n in range(120)]))

    found = shop.client.fetch([*[f"SP{n}" for n in range(120)], "không có"])

    assert {r.key for r in found} == {f"SP{n}" for n in range(120)}
    assert len(shop.requests("products")) == 3


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=101",
        "limit=x",
        "cursor=zz",
        "page=2",
        "limit=1&limit=2",
        "external_ids=",
        "external_ids=a,a",
        "external_ids=%FF",
        "external_ids=a&limit=2",
        "external_ids=" + ",".join(map(str, range(51))),
    ],
)
def test_parameters_the_page_does_not_allow_are_refused(shop, query):
    response = shop.raw("GET", f"products?{query}")

    assert (response.status_code, response.json()["error"]["code"]) == (400, "bad_parameter")


def test_categories_are_those_the_mapping_uses(shop):
    slugs = {c["slug"] for c in shop.raw("GET", "categories").json()["categories"]}

    assert slugs == {"san-pham-ocop", "thuc-pham-bo-duong", "suc-khoe-va-lam-dep", "thuc-pham-va-dac-san", "do-uong"}


@pytest.mark.parametrize(("method", "path"), [("GET", "nothing"), ("DELETE", "products"), ("GET", "batches")])
def test_a_wrong_address_is_called_that(shop, method, path):
    with pytest.raises(Misconfigured):
        shop.session.call("x", method, path)


def test_a_refusal_without_the_documented_body_cannot_be_trusted():
    assert isinstance(classify(httpx.Response(403), {"detail": "no"}), Unanswered)


def test_what_is_read_back_is_nfc(shop):
    shop.settle(shop.create("A", name="Mắm cá lóc đồng"))

    (remote,) = shop.client.fetch(["A"])

    assert unicodedata.is_normalized("NFC", remote.facets["content"]["name"])


def test_every_code_the_simulator_knows_has_its_meaning():
    assert set(WORDS) - set(MEANINGS.codes()) == {"rate_limited"}  # a 429 is judged by its status


@pytest.mark.parametrize("code", sorted(MEANINGS.codes()))
def test_every_code_tells_an_operator_what_to_do(code):
    problem = problem_of(error_of(Fault(code=code, message_vi="abc", field="stock.qty")))

    sentences = (problem.message.vi, problem.message.en, problem.next_step.vi, problem.next_step.en)
    assert (problem.code, problem.field) == (code, "stock")
    assert all(text and "{" not in text for text in sentences)
