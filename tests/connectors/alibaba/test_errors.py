"""What each code means on each of the three levels, and that a doubt is never a success."""

from __future__ import annotations

import httpx
import pytest

from connectors.alibaba.errors import MEANINGS, SomeRefused, classify, not_published
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
from tests.connectors.alibaba.shop import BIZ, business, gateway

CODES = [code for code in (*MEANINGS.codes(), *GATEWAY.codes()) if not code.startswith("HTTP")]


def kind_of(code: str) -> type[Exception]:
    return (MEANINGS.of(code) or GATEWAY.of(code)).kind


def of(body: object, status: int = 200) -> Exception | None:
    return classify(httpx.Response(status), body)


LEVELS = {
    "gateway": lambda code: gateway(code, "Giá {x} sai"),
    "sync": lambda code: {"error_response": {"type": "ISV", "code": code, "msg": "Giá {x} sai"}},
    "top": lambda code: {"code": "0", "success": False, "msg_code": code, "message": "Giá {x} sai"},
    "top-as-text": lambda code: {"code": "0", "success": "false", "error_code": code, "error_msg": "Giá {x} sai"},
    "result": lambda code: {"code": "0", "result": {"success": False, "msg_code": code, "message_info": "Giá {x} sai"}},
    "prefixed": lambda code: business(code, "Giá {x} sai"),
}


@pytest.mark.parametrize("level", LEVELS.values(), ids=LEVELS)
@pytest.mark.parametrize("code", ["IllegalAccessToken", "B_PRICE_ALL_NULL"])
def test_a_code_means_the_same_on_every_level(level, code):
    error = of(level(code))

    assert type(error) is kind_of(code)
    assert (error.code, error.words) == (code, "Giá {x} sai")


@pytest.mark.parametrize("code", CODES)
def test_every_code_reads_as_a_sentence_in_both_languages(code):
    error = of(business(code) if code != "Product not found." else {"type": "ISP", "message": code})
    problem = problem_of(error)

    assert type(error) is kind_of(code)
    assert not error.unlisted
    for text in (problem.message, problem.next_step):
        assert text.vi
        assert text.en
        assert "{code}" not in text.vi + text.en


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("AppCallLimit", Throttled), ("ApiCallLimit", Throttled), ("B_PRODUCT_INFO_TRANSLATION_FAILED", Throttled),
        (f"{BIZ}CAT_PUB_LIMIT", Throttled), ("ServiceTimeout", Unanswered), ("ServiceUnavailable", Unanswered),
        ("S_COMMON_INTERNAL_ERROR", Unanswered), ("S_PRODUCT_SEARCH_ERROR", Unanswered), ("-2", Unanswered),
        ("IllegalAccessToken", AuthorisationFailed), ("IllegalRefreshToken", AuthorisationFailed),
        ("IncompleteSignature", Misconfigured), ("InvalidAppKey", Misconfigured), ("AppWhiteIpLimit", Misconfigured),
        ("InsufficientPermission", Misconfigured), ("IllegalTimestamp", ClockSkew),
        (f"{BIZ}PRODUCT_IN_AUDITING", Later), (f"{BIZ}PRODUCT_NOT_EDITABLE", Later),
        ("PUB_EDIT_PROMOTION_LOCK", Later), ("COMP_PROMOTION_LOCK_ERROR", Later),
        (f"{BIZ}AUDITING_COMPANY_INFO", Later), ("B_PRODUCT_NOT_FOUND", Conflict),
        (f"{BIZ}CAT_PUB_RESTRICT", Refused), (f"{BIZ}SUSPICIOUS", Refused), ("CHK_CAT_NOT_LEAF", Refused),
        ("NOCAPACITY", Refused), ("InvalidParameter", Refused),
    ],
)  # fmt: skip
def test_a_code_says_what_happens_next(code, kind):
    assert type(of(gateway(code))) is kind


@pytest.mark.parametrize(
    ("code", "field"),
    [
        ("B_TITLE_NOT_FOUND", "english"), ("B_KEYWORD_NOT_FOUND", "english"), ("B_IMAGE_UPLOAD_FAILED", "images"),
        ("SIZE_TOO_LARGE", "images"), ("B_PRICE_SEQUENCE_INVALID", "price"), (f"{BIZ}INVENTORY_REQUIRED", "stock"),
        (f"{BIZ}PRODUCT_SKU_INVALID", "sku"), (f"{BIZ}CAT_ID_NOTEXIST", "category"),
    ],
)  # fmt: skip
def test_a_refusal_names_the_field(code, field):
    assert of(business(code)).field == field


def test_success_is_said_on_three_levels():
    assert of({"code": "0", "result": {"success": True, "data": 5}}) is None
    assert of({"code": "0", "success": "true", "data": []}) is None
    assert of({"code": "0", "success": True, "result": {"success": False, "msg_code": "B_X"}}) is not None
    assert of({"code": "0", "success": False, "result": {"success": True}}) is not None


@pytest.mark.parametrize(
    "body",
    [None, [], "OK", 5, {}, {"success": True}, {"code": 0}, {"code": None}, {"code": ["0"]}, {"type": "ISP"},
     {"message": "m"}, {"result": {"success": True, "data": 5}}],
)  # fmt: skip
def test_what_has_no_envelope_proves_nothing(body):
    assert isinstance(of(body), OtherShape)


def test_an_error_may_have_no_code_at_all():
    gone, other = of({"type": "ISP", "message": "Product not found."}), of({"type": "ISP", "message": "x: y"})

    assert type(gone) is Conflict
    assert (type(other), other.code, other.unlisted) == (Unanswered, "no-code", True)


@pytest.mark.parametrize("inner", [{}, {"msg_code": ""}, {"msg_code": None, "message": None}, {"code": "0"}])
def test_a_refusal_without_a_code_is_a_doubt(inner):
    assert type(of({"code": "0", "result": {"success": False, **inner}})) is Unanswered


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (f"isp.system-service-error:{BIZ}CAT_PUB_RESTRICT;", f"{BIZ}CAT_PUB_RESTRICT"),
        (f"{BIZ}PRODUCT_IN_AUDITING;B_TITLE_NOT_FOUND", "B_TITLE_NOT_FOUND"),
        ("ApiCallLimit;ServiceTimeout", "ServiceTimeout"),
        (f" a:b:{BIZ}PRODUCT_IN_AUDITING ; ", f"{BIZ}PRODUCT_IN_AUDITING"),
        ("B_PRICE_ALL_NULL;B_TITLE_NOT_FOUND", "B_PRICE_ALL_NULL"),
    ],
)
def test_of_several_codes_the_one_that_refuses_for_good_counts(raw, code):
    assert of({"code": "0", "result": {"success": False, "msg_code": raw}}).code == code


@pytest.mark.parametrize(
    ("code", "kind"),
    [("B_NEW", Refused), ("CHK_NEW", Refused), (f"{BIZ}NEW", Refused), ("S_NEW", Unanswered), ("X", Unanswered)],
)
def test_an_unlisted_code_is_noted_and_never_a_success(code, kind):
    error = of(business(code))

    assert (type(error), error.unlisted) == (kind, True)


@pytest.mark.parametrize(
    ("message", "seconds"), [("this ban will last 17 seconds", 17), ("ban will last 1 second", 1), ("slower", 2)]
)
def test_a_ban_says_how_long_it_lasts(message, seconds):
    assert of(gateway("ApiCallLimit", message)).retry_after == seconds


@pytest.mark.parametrize("where", ["top", "result"])
@pytest.mark.parametrize("success", [True, False])
def test_errors_of_single_products_are_told_apart(where, success):
    nested = {"product_id": 5, "errors": [{"msg_code": f"{BIZ}PRODUCT_IN_AUDITING", "message": "m"}]}
    flat = {"product_id": "6", "msg_code": "NOCAPACITY", "message": "n"}
    inner = {"success": success, "updated_product_ids": [7], "errors": [nested, flat, "rubbish"]}

    error = of({"code": "0", **(inner if where == "top" else {"result": inner})})

    assert isinstance(error, SomeRefused)
    assert error.done == {"7"}
    assert {number: type(one) for number, one in error.refused.items()} == {"5": Later, "6": Refused}


@pytest.mark.parametrize("errors", [["x"], [None], [{}], [{"product_id": 5}], [{"errors": []}], [{"errors": ["x"]}]])
def test_errors_of_any_shape_are_no_success(errors):
    assert isinstance(of({"code": "0", "success": True, "errors": errors}), SomeRefused)


@pytest.mark.parametrize("errors", [[], None, {}])
def test_no_errors_are_none(errors):
    assert of({"code": "0", "success": True, "errors": errors}) is None


@pytest.mark.parametrize(
    ("code", "hours"),
    [(f"{BIZ}PRODUCT_IN_AUDITING", 0.5), ("PUB_EDIT_PROMOTION_LOCK", 6), (f"{BIZ}AUDITING_COMPANY_INFO", 24)],
)
def test_a_lock_is_a_refusal_that_ends(code, hours):
    error = of(business(code))

    assert isinstance(error, Later)
    assert error.seconds == hours * 3600


@pytest.mark.parametrize("reason", ["", "draft", f"{BIZ}SUSPICIOUS;", f"{BIZ}PRODUCT_IN_AUDITING", "something {odd}"])
def test_a_verdict_is_a_refusal_whatever_its_code_means_elsewhere(reason):
    error = not_published(reason)
    problem = problem_of(error)

    assert type(error) is Refused
    assert "duyệt không đạt" in problem.message.vi
    assert problem.next_step.en


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, AuthorisationFailed), (403, AuthorisationFailed), (404, Misconfigured), (413, Unanswered)],
)
def test_http_errors_come_from_something_before_the_marketplace(status, kind):
    assert isinstance(of({"code": "0"}, status), kind)
