"""Lazada's part of the gateway: the host that renews tokens, and how long before their end."""

from __future__ import annotations

from datetime import timedelta

import httpx

from connectors import iop
from connectors.iop import Credentials, Gateway, SignedForms
from connectors.lazada.errors import classify
from connectors.tokens import Tokens
from models.clock import Clock

LIVE, TOKENS = "api.lazada.vn", "https://auth.lazada.com/rest"
EARLY = timedelta(hours=48)  # Lazada itself warns of a token's end so long before


def signed_forms(credentials: Credentials, clock: Clock, tokens: Tokens) -> SignedForms:
    return SignedForms(credentials, clock, tokens, Gateway(classify=classify, token_root=token_root, early=EARLY))


def token_root(url: httpx.URL) -> str:
    """A host of its own where Lazada is the real one."""
    return TOKENS if url.host == LIVE else iop.token_root(url)
