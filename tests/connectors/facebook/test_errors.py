"""Codes and what follows from them."""

import httpx
import pytest

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
from connectors.facebook.errors import MEANINGS, classify, item_error, seconds_to_wait


def judged(status=400, **fault):
    return classify(httpx.Response(status), {"error": {"message": "words", "type": "OAuthException", **fault}})


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        *(({"code": code}, Throttled) for code in (4, 17, 32, 341, 613, 80000, 80004, 80009, 80014)),
        *(({"code": code}, Unanswered) for code in (1, 2)),
        *(({"code": code}, AuthorisationFailed) for code in (3, 10, 102, 104, 190, 200, 294, 299, 368)),
        *(({"code": 190, "error_subcode": sub}, AuthorisationFailed) for sub in (452, 458, 460, 463, 464, 467)),
        ({"code": 100}, Refused),
        ({"code": 100, "error_subcode": 33}, Misconfigured),
        ({"code": 100, "message": "Invalid appsecret_proof provided"}, AuthorisationFailed),
        ({"code": 506}, Refused),
        ({"code": 10800}, Refused),
        ({"code": 100, "is_transient": True}, Unanswered),
    ],
)
def test_what_a_code_means(fault, kind):
    error = judged(**fault)

    assert type(error) is kind
    assert not error.unlisted
    assert "{" not in problem_of(error).message.vi


def test_a_code_that_the_table_lacks_is_a_refusal_and_is_noted():
    error = judged(code=987654)

    assert (type(error), error.unlisted, error.code) == (Refused, True, "987654")
    assert type(judged(code=987654, is_transient=True)) is Unanswered


def test_an_error_counts_with_HTTP_200_too():
    assert type(judged(200, code=190)) is AuthorisationFailed


@pytest.mark.parametrize("data", [{"error": "no"}, {"error": {"code": "x"}}])
def test_an_error_of_another_shape_is_no_success(data):
    assert type(classify(httpx.Response(200), data)) is OtherShape


def test_X02_a_token_that_the_message_repeats_is_cut_out_and_the_trace_stays():
    error = judged(code=190, message="Malformed access token EAAGsecret123", fbtrace_id="AbC")

    assert error.words == "Malformed access token … [AbC]"


@pytest.mark.parametrize("code", sorted(MEANINGS.codes()))
def test_every_sentence_is_there_in_both_languages(code):
    problem = problem_of(MEANINGS.error(code, "words"))

    assert problem.message.vi
    assert problem.next_step.en


@pytest.mark.parametrize(
    ("words", "field"),
    [("image_link could not be fetched", "images"), ("sale_price is odd", "list_price"), ("Title too long", "name")],
)
def test_an_items_words_name_our_field(words, field):
    error = item_error(words)

    assert (type(error), error.field) == (Refused, field)


def test_an_item_that_is_not_there_is_looked_up():
    assert type(item_error("(#100) Could not find Product Item for catalog id 1, retailer id 2")) is Conflict


@pytest.mark.parametrize("said", ["", "[]", '{"a": 5}', '{"a":[{"estimated_time_to_regain_access":"x"}]}', "{" * 9])
def test_rubbish_in_the_usage_header_says_nothing(said):
    assert seconds_to_wait(httpx.Headers({"X-Business-Use-Case-Usage": said})) is None
