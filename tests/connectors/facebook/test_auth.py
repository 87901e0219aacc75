"""The proof, and where the token goes."""

import httpx
import pytest
from pydantic import ValidationError

from connectors.errors import AuthorisationFailed, Misconfigured
from connectors.facebook import CONNECTOR
from connectors.facebook.simulator import Simulator
from connectors.simulator import SandboxTransport
from connectors.tokens import proof
from models.change import Kind
from tests.connectors.facebook.conftest import BASE, CATALOG


def test_the_proof_of_the_documents():
    known = proof("0123456789abcdef0123456789abcdef", "EAAGexampleSystemUserToken")

    assert known == "72783c7f83428905bf80aa2bb9f6d6728b9905db0c525c6bad5ef04734b8c5ee"


def test_X02_the_token_is_in_a_header_and_never_in_an_address(shop):
    shop.settle(shop.change(Kind.CREATE))
    list(shop.client.everything())

    token = Simulator.credentials["access_token"]
    assert all(token not in str(request.url) for request in shop.wire.sent)
    assert all(request.headers["Authorization"] == f"Bearer {token}" for request in shop.wire.sent)
    assert all(request.url.params["appsecret_proof"] for request in shop.wire.sent)


@pytest.mark.parametrize(
    ("changed", "code", "kind"),
    [
        ({"access_token": "other"}, "190", AuthorisationFailed),
        ({"app_secret": "other"}, "100/proof", AuthorisationFailed),
        ({"catalog_id": "1"}, "100/33", Misconfigured),
    ],
)
def test_wrong_credentials_stop_the_account(shop, changed, code, kind):
    client = CONNECTOR.client(shop.open(**changed))

    with pytest.raises(kind) as caught:
        client.check()
    assert caught.value.code == code


def test_who_the_credentials_belong_to(shop):
    assert shop.client.check().id == Simulator.credentials["catalog_id"]


@pytest.mark.parametrize(
    "changed",
    [
        {"product_page": "https://cuahang.example/"},
        {"picture": "http://cuahang.example/{sha256}"},
        {"api_version": "latest"},
        {"catalog_id": "1/2"},
        {"access_token": "hai dòng"},
    ],
)
def test_credentials_that_cannot_work_are_refused_at_once(changed):
    with pytest.raises(ValidationError):
        CONNECTOR.credentials(**{**Simulator.credentials, **changed})


@pytest.mark.parametrize("path", [CATALOG.partition("/")[2], CATALOG.replace("v25.0", "v2.0")])
def test_a_call_without_a_living_version_is_refused(shop, path):
    headers = {"Authorization": f"Bearer {Simulator.credentials['access_token']}"}
    params = {"appsecret_proof": proof(Simulator.credentials["app_secret"], Simulator.credentials["access_token"])}
    with httpx.Client(base_url=BASE, transport=SandboxTransport(shop.sandbox)) as client:
        answer = client.get(path, headers=headers, params=params)

    assert answer.status_code == 400


def test_a_call_without_the_proof_is_refused(shop):
    headers = {"Authorization": f"Bearer {Simulator.credentials['access_token']}"}
    with httpx.Client(base_url=BASE, transport=SandboxTransport(shop.sandbox)) as client:
        answer = client.get(CATALOG, headers=headers)

    assert answer.json()["error"]["code"] == 100
