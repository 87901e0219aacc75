"""One token for all threads, fetched again when it ends or is refused; secrets stay inside."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from pydantic import ValidationError

from connectors.errors import AuthorisationFailed, Misconfigured, NotSent, Throttled
from connectors.madeincamau import CONNECTOR
from connectors.simulator import SandboxTransport
from tests.connectors.madeincamau.shop import open_session, unread


def tokens_asked(sandbox):
    return [e["status"] for e in sandbox.log() if e["path"].endswith("/oauth/token")]


def answering(status, clock, **response):
    """The client of a marketplace whose token address always answers like this."""
    transport = httpx.MockTransport(lambda request: unread(httpx.Response(status, **response)))
    return CONNECTOR.client(open_session(transport, clock, None))


def test_says_whose_credentials_these_are(client):
    assert str(client.check()) == "Gian hàng thử nghiệm Cà Mau (CM-SANDBOX)"


def test_one_token_serves_many_calls(client, sandbox):
    client.check()
    client.check()

    assert tokens_asked(sandbox) == [200]


def test_eight_threads_that_start_together_ask_for_one_token(client, sandbox):
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: client.check(), range(8)))

    assert len(set(answers)) == 1
    assert tokens_asked(sandbox) == [200]


def test_M09_a_refused_token_is_renewed_once_and_the_call_repeated(client, sandbox):
    client.check()
    for token, _ in sandbox.state.items("token"):
        sandbox.state.delete("token", token)

    assert client.check()
    assert [e["status"] for e in sandbox.log()] == [200, 200, 401, 200, 200]


def test_an_old_token_is_given_up_before_it_is_refused(client, sandbox, clock):
    client.check()
    clock.sleep(3541)
    client.check()

    assert [e["status"] for e in sandbox.log()] == [200, 200, 200, 200]


def test_wrong_credentials_stop_the_account(sandbox, clock, pictures):
    session = open_session(SandboxTransport(sandbox), clock, pictures, client_secret="sai")

    with pytest.raises(AuthorisationFailed, match="invalid_client"):
        CONNECTOR.client(session).check()


def test_M12_a_token_that_is_never_accepted_stops_the_account(sandbox, clock, pictures):
    class Forgetful(SandboxTransport):
        def handle_request(self, request):
            request.headers["Authorization"] = "Bearer khac"
            return super().handle_request(request)

    with pytest.raises(AuthorisationFailed, match="invalid_token"):
        CONNECTOR.client(open_session(Forgetful(sandbox), clock, pictures)).check()
    assert [e["status"] for e in sandbox.log()] == [200, 401, 200, 401]


@pytest.mark.parametrize(
    ("status", "response", "error"),
    [
        (429, {"headers": {"Retry-After": "7"}}, Throttled),
        (503, {}, NotSent),
        (200, {"text": "<html>"}, NotSent),
        (200, {"json": {"access_token": 1}}, NotSent),
        (302, {"headers": {"Location": "https://elsewhere.example/"}}, Misconfigured),
        (403, {"text": "no"}, AuthorisationFailed),
    ],
)
def test_without_a_token_nothing_was_sent(clock, status, response, error):
    with pytest.raises(error):
        answering(status, clock, **response).check()


def test_the_secret_shows_nowhere():
    credentials = CONNECTOR.credentials(client_id="sandbox", client_secret="cha-la-ca-mau")

    assert "cha-la-ca-mau" not in repr(credentials) + credentials.model_dump_json()
    with pytest.raises(ValidationError):
        CONNECTOR.credentials(client_id="", client_secret="x", other="y")
