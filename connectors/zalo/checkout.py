"""The marks by which a Mini App's orders are known to be genuine: HMAC-SHA256 by the Checkout's private key."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any

import msgspec


def mac(private_key: str, fields: Mapping[str, Any]) -> str:
    """Of an order that is made, and the `overallMac` of a callback: every field, in the order of the names."""
    return _signed(private_key, {name: fields[name] for name in sorted(fields)})


def notify_mac(private_key: str, app_id: str, order_id: str, method: str) -> str:
    """Of the message that an order by cash or bank transfer was placed."""
    return _signed(private_key, {"appId": app_id, "orderId": order_id, "method": method})


def status_mac(private_key: str, app_id: str, order_id: str) -> str:
    """Of the question what became of an order; the key is one of its own fields."""
    return _signed(private_key, {"appId": app_id, "orderId": order_id, "privateKey": private_key})


def _signed(private_key: str, fields: Mapping[str, Any]) -> str:
    text = "&".join(f"{name}={_plain(value)}" for name, value in fields.items())
    return hmac.digest(private_key.encode(), text.encode(), "sha256").hex()


def _plain(value: Any) -> str:
    """Lists and objects as JSON without blanks."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
