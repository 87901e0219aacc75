"""Our values: immutable, keyword-only, compared by content.

msgspec's structs rather than dataclasses: a product read from its snapshot costs 1.5 µs instead of 7, and a night
reads every due one.
"""

from __future__ import annotations

import msgspec
from msgspec.structs import asdict, replace


class Value(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    pass


__all__ = ["Value", "asdict", "replace"]
