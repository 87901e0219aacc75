"""What each code means, what umbrella codes hide, and that a doubt is never a success."""

from __future__ import annotations

import httpx
import pytest

from connectors.errors import (
    AuthorisationFailed,
    ClockSkew,
    Conflict,
    Later,
    Misconfigured,
    OtherShape,
    Refused,
    Throttled,
    Unanswered,
    problem_of,
)
from connectors.iop import GATEWAY
from connectors.lazada.errors import MEANINGS, RowsRefused, classify


def said(code: object, message: str = "Giá {x} sai", *detail: object, status: int = 200) -> Exception | None:
    body = {"code": code, "type": "ISP", "message": message, "detail": list(detail), "request_id": "1"}
    return classify(httpx.Response(status), body)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("ApiCallLimit", Throttled), ("901", Throttled), ("4154", Throttled), ("998", Throttled),
        ("ServiceTimeout", Unanswered), ("15", Unanswered), ("513", Unanswered), ("6", Unanswered),
        ("IllegalAccessToken", AuthorisationFailed), ("IllegalRefreshToken", AuthorisationFailed),
        ("AppNotSubscribed", AuthorisationFailed), ("IncompleteSignature", Misconfigured),
        ("AppWhiteIpLimit", Misconfigured), ("4128", Misconfigured), ("IllegalTimestamp", ClockSkew),
        ("4126", Conflict), ("4141", Conflict), ("4137", Conflict), ("4147", Conflict), ("E0004", Conflict),
        ("4170", Later), ("4162", Later), ("4134", Refused), ("4138", Refused), ("4160", Refused),
        ("4155", Refused), ("4193", Refused), ("500", Refused), ("4135", Refused), ("5", Refused),
    ],
)  # fmt: skip
def test_M03_a_code_says_what_happens_next(code, kind):
    assert type(said(code)) is kind


@pytest.mark.parametrize("code", [c for c in (*MEANINGS.codes(), *GATEWAY.codes()) if not c.startswith("HTTP")])
def test_every_code_reads_as_a_sentence_in_both_languages(code):
    problem = problem_of(said(code))

    for text in (problem.message, problem.next_step):
        assert text.vi
        assert text.en
        assert "{code}" not in text.vi + text.en


@pytest.mark.parametrize(
    ("code", "message", "kind", "field"),
    [
        ("500", "THD_IC_ERR_F_IC_INFRA_PRODUCT_036:x", Conflict, ""),
        ("4135", "outerId already exists, outer ID:A", Conflict, ""),
        ("500", "BIZ_CHECK_SELLER_SKU_DB_DUPLICATE:BIZ_CHECK_SELLER_SKU_DB_DUPLICATE", Conflict, ""),
        ("501", "THD_IC_ERR_F_IC_ABILITY_PG_004:locked", Later, ""),
        ("501", "negative sellable on channel inventory", Refused, "stock"),
        ("THD_IC_ERR_F_IC_INFRA_PRODUCT_036", "", Unanswered, ""),
    ],
)
def test_umbrella_codes_are_opened_by_their_message(code, message, kind, field):
    error = said(code, message)

    assert (type(error), error.field) == (kind, field)


@pytest.mark.parametrize(("code", "kind"), [("4134", Refused), ("E0004", Conflict), ("998", Throttled)])
def test_other_codes_mean_the_same_whatever_is_said(code, kind):
    assert type(said(code, "outerId already exists, IC_ABILITY_PG_003, negative sellable")) is kind


def test_umbrella_codes_are_opened_by_their_detail():
    inactive = said("501", "E501: Update product failed", {"field": "Product", "message": "Category is inactive"})
    mandatory = said("4108", "E500", {"field": "name", "message": "name is mandatory", "code": "X", "odd": 1})

    assert (inactive.field, inactive.words) == ("category", "Category is inactive")
    assert (mandatory.field, mandatory.words) == ("name", "name is mandatory")
    assert said("4108", "E500", {"field": "brand_name", "message": "?", "code": "X"}).field == ""


@pytest.mark.parametrize("key", ["seller_sku", "sku"])
def test_rows_are_told_apart(key):
    error = said("501", "E501", {key: "A", "message": "negative sellable"}, {key: "B", "code": "1", "message": "x"})

    assert isinstance(error, RowsRefused)
    assert {row: one.field for row, one in error.rows.items()} == {"A": "stock", "B": ""}


@pytest.mark.parametrize("detail", [None, "text", {}, [None, 1, "x"], [{}]])
def test_a_detail_may_have_any_shape(detail):
    assert type(classify(httpx.Response(200), {"code": "501", "message": "m", "detail": detail})) is Refused


@pytest.mark.parametrize(
    ("message", "seconds"), [("this ban will last 17 seconds", 17), ("ban will last 1 second", 1), ("slower", 1)]
)
def test_a_ban_says_how_long_it_lasts(message, seconds):
    assert said("AppCallLimit", message).retry_after == seconds


@pytest.mark.parametrize(
    ("code", "kind"), [("4199", Refused), ("4299", Refused), ("9999", Unanswered), ("X", Unanswered)]
)
def test_an_unlisted_code_is_noted_and_never_a_success(code, kind):
    error = said(code)

    assert (type(error), error.unlisted) == (kind, True)


@pytest.mark.parametrize("code", [0, None, False, ["0"]])
def test_a_code_that_is_no_text_proves_nothing(code):
    assert isinstance(said(code), OtherShape)


def test_the_type_is_never_looked_at():
    kinds = {type(classify(httpx.Response(200), {"code": "4134", "type": t})) for t in ("ISP", "ISV", "SYSTEM", None)}

    assert kinds == {Refused}


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, AuthorisationFailed), (403, AuthorisationFailed), (404, Misconfigured), (413, Unanswered)],
)
def test_http_errors_come_from_something_before_the_marketplace(status, kind):
    assert isinstance(said("0", status=status), kind)
