"""Lazada's part of the gateway: the host that renews tokens, and how long before their end."""

from datetime import timedelta

import httpx

from connectors import iop
from connectors.lazada.errors import classify

LIVE, TOKENS = "api.lazada.vn", "https://auth.lazada.com/rest"


def token_root(url: httpx.URL) -> str:
    """A host of its own where Lazada is the real one."""
    return TOKENS if url.host == LIVE else iop.token_root(url)


# Lazada itself warns of a token's end 48 hours before.
GATEWAY = iop.Gateway(classify=classify, token_root=token_root, early=timedelta(hours=48))
