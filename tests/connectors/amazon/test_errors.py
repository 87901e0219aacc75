"""What each code means, of a whole call and of one listing; a code that is new is never a success."""

from __future__ import annotations

import httpx
import pytest

from connectors.amazon.errors import MEANINGS, Issue, Resting, classify, login_error, ours, refused_for
from connectors.errors import (
    AuthorisationFailed,
    Conflict,
    Misconfigured,
    OtherShape,
    Refused,
    Throttled,
    Unanswered,
    problem_of,
)

CALLS = {
    "Unauthorized": AuthorisationFailed,
    "AccessDenied": AuthorisationFailed,
    "MissingAuthenticationToken": AuthorisationFailed,
    "InvalidInput": Refused,
    "BAD_REQUEST": Refused,
    "InvalidSku": Refused,
    "NOT_FOUND": Conflict,
    "NotFound": Conflict,
    "too-large": Refused,
    "415": Refused,
    "QuotaExceeded": Throttled,
    "InternalFailure": Unanswered,
    "ServiceUnavailable": Unanswered,
}
ISSUES = {
    **dict.fromkeys(
        ("90220", "90000900", "4000001", "99022", "99300", "99005", "18155", "18027", "18448", "18742"), Refused
    ),
    "13013": Resting,
}
CATEGORIES = (
    "QUALIFICATION_REQUIRED", "DUPLICATE", "MISSING_PRICE", "INVALID_PRICE", "MISSING_IMAGE", "INVALID_IMAGE",
    "MISSING_ATTRIBUTE", "INVALID_ATTRIBUTE",
)  # fmt: skip
LOGINS = ("invalid_grant", "invalid_client", "unauthorized_client")


def told(status, code="", message="words", details=None):
    fault = {"code": code, "message": message} | ({"details": details} if details is not None else {})
    return classify(httpx.Response(status), {"errors": [fault]})


def an_issue(code="1", severity="ERROR", **more):
    return Issue(code=code, severity=severity, message=f"words of {code}", **more)


def test_every_code_of_the_file_is_tried_here():
    tried = {*CALLS, *ISSUES, *CATEGORIES, *LOGINS}

    assert {code for code in MEANINGS.codes() if not code.startswith("HTTP ")} == tried


@pytest.mark.parametrize(("code", "kind"), CALLS.items(), ids=CALLS)
def test_every_row_of_the_table_has_its_class_and_its_sentences(code, kind):
    error = told(400, code)

    assert type(error) is kind
    assert not error.unlisted
    problem = problem_of(error)
    assert problem.message.vi
    assert "{" not in problem.message.vi + problem.next_step.en


@pytest.mark.parametrize(("code", "kind"), ISSUES.items(), ids=ISSUES)
def test_every_issue_we_know_has_its_sentence(code, kind):
    error = refused_for([an_issue(code)])

    assert type(error) is kind
    assert (error.code, error.unlisted) == (code, False)
    assert f"words of {code}" in problem_of(error).message.vi


@pytest.mark.parametrize("category", CATEGORIES)
def test_an_issue_with_a_new_code_is_sorted_by_its_category(category):
    error = refused_for([an_issue("77", categories=[category])])

    assert isinstance(error, Refused)
    assert not error.unlisted
    assert problem_of(error).message.en != problem_of(refused_for([an_issue("77")])).message.en


@pytest.mark.parametrize("code", LOGINS)
def test_every_refusal_of_the_login_says_what_to_do(code):
    error = login_error(400, {"error": code})

    assert isinstance(error, AuthorisationFailed)
    assert "caybeo accounts add" in problem_of(error).next_step.vi


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "SomethingNew", Refused),
        (401, "SomethingNew", AuthorisationFailed),
        (403, "SomethingNew", AuthorisationFailed),
        (404, "SomethingNew", Conflict),
        (415, "SomethingNew", Refused),
        (418, "SomethingNew", Unanswered),
        (409, "SomethingNew", Unanswered),
        (204, "SomethingNew", Unanswered),
        (400, "", Refused),
    ],
)
def test_a_code_that_is_new_is_noted_and_judged_by_its_status(status, code, kind):
    error = told(status, code)

    assert type(error) is kind
    assert error.unlisted


@pytest.mark.parametrize(
    ("code", "words", "field"),
    [("InvalidInput", "Invalid 'sku' provided.", "sku"), ("BAD_REQUEST", "Invalid 'sku' provided.", "sku"),
     ("InvalidInput", "other", ""), ("BAD_REQUEST", "other", "")],
)  # fmt: skip
def test_both_codes_of_a_bad_request_mean_the_same(code, words, field):
    error = told(400, code, words)

    assert (type(error), error.field) == (Refused, field)


@pytest.mark.parametrize(
    ("details", "words"),
    [
        ("The access token you provided has expired.", "Authorise the app again"),
        ("The access token you provided is revoked, malformed or invalid.", "Authorise the app again"),
        ("", "Product Listing"),
        (None, "Product Listing"),
    ],
)
def test_a_denial_says_whether_the_token_or_the_role_is_at_fault(details, words):
    error = told(403, "Unauthorized", "Access to requested resource is denied.", details)

    assert isinstance(error, AuthorisationFailed)
    assert words in problem_of(error).next_step.en


@pytest.mark.parametrize("data", [None, [], {}, {"errors": []}, {"errors": [{}]}, {"errors": "no"}, "no"])
@pytest.mark.parametrize("status", [204, 301, 400, 403, 404])
def test_a_refusal_of_another_shape_is_none(status, data):
    error = classify(httpx.Response(status), data)

    assert isinstance(error, OtherShape)


def test_too_large_is_told_by_its_status_alone():
    error = classify(httpx.Response(413), None)

    assert (type(error), error.code) == (Refused, "too-large")


@pytest.mark.parametrize("status", [200, 201, 202])
def test_what_was_taken_is_left_to_the_reader(status):
    assert classify(httpx.Response(status), {"anything": 1}) is None


def test_a_quota_bears_no_time():
    error = told(400, "QuotaExceeded")

    assert (type(error), error.retry_after) == (Throttled, None)


def test_errors_go_before_warnings_and_their_words_come_together():
    issues = [an_issue("18448", "WARNING"), an_issue("90220", attribute_names=["unit_count"]), an_issue("4000001")]

    error = refused_for(issues)

    assert (error.code, error.field) == ("90220", "pack")
    assert error.words == "words of 90220; words of 4000001"


def test_a_deleted_sku_is_the_sharpest_of_all():
    assert refused_for([an_issue("90220"), an_issue("13013")]).code == "13013"


@pytest.mark.parametrize(
    ("names", "field"),
    [
        (["item_name"], "name"),
        (["brand"], "brand"),
        (["unknown", "list_price"], "list_price"),
        (["brand_name"], ""),
        ([], ""),
    ],
)
def test_an_attribute_is_named_as_a_shop_owner_calls_it(names, field):
    assert refused_for([an_issue("4000001", attribute_names=names)]).field == field


def test_a_report_names_one_attribute():
    assert refused_for([an_issue("4000001", attribute_name="brand")]).field == "brand"


@pytest.mark.parametrize("issues", [[], [an_issue("", "ERROR")], [an_issue("1", "NEWS")]])
def test_a_refusal_without_a_known_reason_is_a_refusal_all_the_same(issues):
    error = refused_for(issues)

    assert isinstance(error, Refused)
    assert error.unlisted


def test_long_words_are_cut():
    assert len(refused_for([Issue(code="1", severity="ERROR", message="x" * 9_000)]).words) == 500
    assert len(told(400, "InvalidInput", "x" * 9_000).words) == 500


@pytest.mark.parametrize(("status", "data"), [(500, {"error": "x"}), (400, {}), (400, []), (403, {"error": "x"})])
def test_a_login_that_says_nothing_may_be_asked_again(status, data):
    assert login_error(status, data) is None


def test_another_region_is_a_matter_of_the_address():
    error = ours("other-region", "sellingpartnerapi-fe.amazon.com")

    assert (type(error), error.field) == (Misconfigured, "base_url")
    assert "--base-url https://sellingpartnerapi-fe.amazon.com" in problem_of(error).next_step.vi
