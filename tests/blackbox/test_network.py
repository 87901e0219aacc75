"""Every trouble of the network, over real sockets: a doubt is looked up, nothing is there twice, nothing hangs."""

from __future__ import annotations

import json
import os
import time
from typing import Any

import pytest

from tests.blackbox.proxy import Proxy, bomb
from tests.blackbox.shop import ACCOUNT, DONE, DOWN, FILLED, PEOPLE, PRODUCTS, USAGE, Shop, free_port

MIB = 1024 * 1024
DEEP = b'{"a":' * 100_000 + b"1" + b"}" * 100_000
JSON = "application/json"
GARBAGE = {
    "html-empty-null": ((b"<html><body>502 Bad Gateway</body></html>", "text/html"), (b"", JSON), (b"null", JSON)),
    "list-words-deep": ((b"[]", JSON), (b'{"words": "\xff\xfe"}', JSON), (DEEP, JSON)),
    "nan-digits": ((b'{"revision": NaN, "stock": Infinity}', JSON), (b'{"revision": ' + b"9" * 6000 + b"}", JSON)),
}

LISTS = r"/products\?limit"

pytestmark = pytest.mark.slow


def ends_well(shop: Shop) -> None:
    """After the trouble: each SKU live once, then silence."""
    shop.proxy.calm()
    for _ in range(shop.runs):
        said = shop.here("sync", "-a", ACCOUNT, "--json")
    assert said.code == DONE, said
    asked = shop.requests
    assert shop.shelf == FILLED
    assert shop.here("sync", "-a", ACCOUNT, "--json").code == DONE
    assert shop.requests == asked


@pytest.mark.parametrize("shop", ["madeincamau"], indirect=True)
def test_N01_a_name_that_does_not_resolve_stops_this_account_alone(shop: Shop) -> None:
    secrets = json.dumps({"client_id": "a", "client_secret": "b"})
    lost = "https://khong-co-san-nay.invalid/postmart"
    shop.here(
        "accounts",
        "add",
        "xa",
        "-m",
        "postmart",
        "--base-url",
        lost,
        "--sandbox",
        "--no-check",
        "--stdin",
        stdin=secrets,
    )

    said = shop.here("nightly", "-a", "xa", "-a", ACCOUNT, "--json")
    far, near = said.json["accounts"]

    assert said.code == DOWN
    assert (far["counts"]["created"], far["counts"]["unknown"]) == (0, 0)
    assert far["problems"][-1]["next_step"]
    assert near["counts"]["created"] == len(PRODUCTS)
    assert shop.shelf == FILLED


@pytest.mark.parametrize("kind", ["reset_peer", "reset_late"])
@pytest.mark.parametrize("shop", ["postmart", "voso"], indirect=True)
def test_N05_a_reset_in_the_middle_of_a_request_is_looked_up(shop: Shop, kind: str) -> None:
    fault = shop.proxy.add(kind, times=3, **shop.create)

    said = shop.here("sync", "-a", ACCOUNT, "--json")

    assert fault.met == 3
    assert said.code in (DONE, PEOPLE, DOWN)
    ends_well(shop)


@pytest.mark.parametrize("shop", ["madeincamau", "postmart", "voso"], indirect=True)
def test_N07_an_answer_that_drips_is_given_up_at_the_deadline_and_looked_up(shop: Shop) -> None:
    """Each byte comes well before any timeout of a single read; only a deadline over the whole call ends this."""
    shop.proxy.add("bandwidth", times=3, seconds=0.3, **shop.create)
    begun = time.monotonic()

    said = shop.here("sync", "-a", ACCOUNT, "--json", CAYBEO_REQUEST_SECONDS="1")

    assert time.monotonic() - begun < 60  # the answer itself would take minutes
    assert said.code in (DONE, PEOPLE, DOWN)
    ends_well(shop)


@pytest.mark.parametrize("kind", ["limit_data", "cut"])
@pytest.mark.parametrize("shop", ["postmart", "voso"], indirect=True)
def test_N08_a_body_cut_short_openly_or_silently_is_looked_up(shop: Shop, kind: str) -> None:
    fault = shop.proxy.add(kind, times=3, size=9, **shop.create)

    said = shop.here("sync", "-a", ACCOUNT, "--json")

    assert fault.met == 3
    assert said.code in (DONE, PEOPLE, DOWN)
    ends_well(shop)


def test_N09_a_gzip_bomb_and_bad_gzip_cost_no_memory_and_are_looked_up(shop: Shop) -> None:
    bomb(200)  # packed beforehand, so that it comes in time
    idle = peak(shop, "status")
    faults = [shop.proxy.add("gzip_bomb", size=200, **shop.create), shop.proxy.add("bad_gzip", **shop.create)]

    bombed = peak(shop, "sync", "-a", ACCOUNT)

    assert [fault.met for fault in faults] == [1, 1]
    assert bombed - idle < 64 * MIB
    ends_well(shop)


def peak(shop: Shop, *words: str) -> int:
    """The most memory that this command had, in bytes."""
    with shop.running(*words) as process:
        said = process.stdout.read()  # to its end: wait4 is the only one to ask for the memory, and only once
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode in (DONE, PEOPLE, DOWN), said
    return usage.ru_maxrss * 1024


@pytest.mark.parametrize("shop", ["madeincamau", "postmart", "voso"], indirect=True)
def test_N10_a_redirect_is_not_followed_and_is_said_to_be_a_wrong_address(shop: Shop) -> None:
    with Proxy("http://127.0.0.1:9") as elsewhere:
        shop.proxy.add("redirect", times=100, location=f"{elsewhere.url}/tron", method="P(OST|UT)")

        said = shop.here("sync", "-a", ACCOUNT, "--json")
        followed = list(elsewhere.log)

    assert said.code == USAGE, said
    assert followed == []
    assert {problem["code"] for problem in said.problems} == {"redirect"}
    assert "--base-url" in said.problems[-1]["next_step"]
    assert shop.requests["write"] == 0
    ends_well(shop)


@pytest.mark.parametrize("name", GARBAGE)
def test_N11_rubbish_with_status_200_is_never_a_success(shop: Shop, name: str) -> None:
    """One create each is answered with it after it was done, and one with the first of them before it ever was."""
    first, *others = GARBAGE[name]
    for body, kind in others:
        shop.proxy.add("garbage", body=body, type=kind, **shop.create)
    shop.proxy.add("refuse", body=first[0], type=first[1], **shop.create)

    said = shop.here("sync", "-a", ACCOUNT, "--json")

    assert said.code in (DONE, PEOPLE, DOWN)
    ends_well(shop)


@pytest.mark.parametrize("shop", ["madeincamau", "postmart", "voso"], indirect=True)
def test_N12_requests_that_a_proxy_delivers_twice_leave_one_listing(shop: Shop) -> None:
    """Every request, logins and reads too. Where keys of ours mean nothing a draft may be left, but nobody sees it."""
    shop.proxy.add("duplicate", times=1000)

    shop.here("sync", "-a", ACCOUNT, "--json")
    shop.proxy.calm()
    shop.here("sync", "-a", ACCOUNT, "--json")

    live = [one for one in shop.shelf if one[1] == "live"]
    assert live == FILLED
    asked = shop.requests["write"]
    assert shop.here("sync", "-a", ACCOUNT, "--json").code == DONE
    assert shop.requests["write"] == asked


def test_N13_proxies_of_the_environment_are_ignored(shop: Shop) -> None:
    dead = f"http://127.0.0.1:{free_port()}"
    everywhere = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"), dead)

    said = shop.run("sync", "-a", ACCOUNT, "--json", **everywhere, NO_PROXY="", no_proxy="")

    assert said.code == DONE, said
    assert shop.shelf == FILLED


@pytest.mark.parametrize("shop", ["madeincamau", "postmart"], indirect=True)
def test_M21_pages_that_go_round_or_end_early_change_nothing(shop: Shop) -> None:
    """The first page again and again; then no page at all, although every listing is there when asked by name."""
    shop.here("sync", "-a", ACCOUNT, "--json")
    before = shop.requests["write"]
    pages: list[dict[str, Any]] = []

    def same_again(body: bytes) -> bytes:
        pages.append(json.loads(body))
        return json.dumps(pages[0] | {"next_cursor": "vong-tron"}).encode()

    shop.proxy.add("rewrite", times=1000, path=LISTS, edit=same_again)
    endless = shop.here("reconcile", "-a", ACCOUNT, "--heal", "--json")
    shop.proxy.calm()
    shop.proxy.add(
        "rewrite", times=1000, path=LISTS, edit=lambda body: json.dumps(pages[0] | {"products": []}).encode()
    )
    short = shop.here("reconcile", "-a", ACCOUNT, "--heal", "--json")

    assert (endless.code, short.code) == (DOWN, DOWN), (endless.problems, short.problems)
    assert pages[0]["products"]
    assert shop.requests["write"] == before
    ends_well(shop)
