"""What an answer to a login gives, why it gives nothing, and a request that is sent once more with another token."""

from __future__ import annotations

from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from connectors.errors import AuthorisationFailed, ConnectorError, Misconfigured, NotSent, Throttled, Unanswered
from connectors.tokens import Flow, Granted, OneToken, Renewal, TokenPair, asking, bearing, granted
from tests.scenarios.world import HandClock

NOW = datetime(2026, 11, 23, tzinfo=UTC)
GOOD = {"access_token": "Atza|x", "expires_in": 3600}


def refusal(response: httpx.Response, data: Any) -> ConnectorError | None:
    kinds = {"denied": AuthorisationFailed, "off": Misconfigured, "slower": Throttled, "new": Unanswered}
    code = data.get("error") if isinstance(data, dict) else None
    return kinds[code](code) if code else None


def given(status: int, body: Any, **headers: str) -> Granted:
    return granted(httpx.Response(status, json=body, headers=headers), Granted, HandClock(NOW), refusal)


def test_a_token_lives_from_when_it_was_asked_for() -> None:
    assert given(200, GOOD).pair(NOW) == TokenPair(access="Atza|x", ends=NOW + timedelta(hours=1))


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (429, GOOD, Throttled),
        (302, GOOD, Misconfigured),
        (400, {"error": "denied"}, AuthorisationFailed),
        (200, GOOD | {"error": "denied"}, AuthorisationFailed),
        (200, {"error": "off"}, Misconfigured),
        (200, {"error": "slower"}, Throttled),
        (200, GOOD | {"error": "new"}, NotSent),
        (500, GOOD, NotSent),
        (200, [], NotSent),
        (200, {}, NotSent),
        (200, GOOD | {"access_token": "two\nlines"}, NotSent),
        (200, GOOD | {"access_token": ""}, NotSent),
        (200, GOOD | {"expires_in": 0}, NotSent),
        (200, GOOD | {"expires_in": "3600"}, NotSent),
    ],
)
def test_without_a_token_nothing_was_sent_and_a_refusal_says_why(status: int, body: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        given(status, body)


def test_a_login_that_must_wait_says_how_long() -> None:
    with pytest.raises(Throttled) as caught:
        given(429, {}, **{"Retry-After": "7"})

    assert caught.value.retry_after == 7


def test_a_life_beyond_all_dates_is_a_long_one() -> None:
    assert given(200, GOOD | {"expires_in": 2**62}).pair(NOW).ends == NOW + timedelta(seconds=10**9)


def test_a_token_is_asked_for_under_the_operation_it_is_for() -> None:
    request = httpx.Request("PUT", "https://x/items", extensions={"operation": "put"})

    login = asking(request, httpx.URL("https://x/token"), headers={"Key": "1"}, data={"a": "b c"})

    assert (login.method, login.content, login.headers["Key"]) == ("POST", b"a=b+c", "1")
    assert login.extensions["operation"] == "put"


def carrying(request: httpx.Request, token: str) -> httpx.Request:
    request.headers["Token"] = token
    return request


def told(flow: Flow, *statuses: int) -> list[str]:
    """The tokens that a request went out with, answered by these."""
    sent = [next(flow).headers["Token"]]
    for status in statuses:
        try:
            sent.append(flow.send(httpx.Response(status)).headers["Token"])
        except StopIteration:
            break
    return sent


def numbered() -> OneToken:
    left = iter("123")

    def ask(request: httpx.Request) -> Renewal:
        yield from ()
        return TokenPair(access=next(left))

    return OneToken(HandClock(NOW), ask)


def flow(source: OneToken) -> Generator[httpx.Request, httpx.Response, None]:
    request = httpx.Request("GET", "https://x/items")
    return bearing(source, request, carrying, lambda response: response.status_code == httpx.codes.UNAUTHORIZED)


def test_what_is_refused_for_its_token_goes_once_more_with_another() -> None:
    source = numbered()

    assert told(flow(source), 200) == ["1"]
    assert told(flow(source), 401, 401, 401) == ["1", "2"]
    assert told(flow(source), 200) == ["2"]
