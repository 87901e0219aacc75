"""One intended effect on one listing of one account."""

from __future__ import annotations

from enum import StrEnum

from models.listing import Facets
from models.value import Value


class Kind(StrEnum):
    CREATE = "create"
    UPDATE = "update"
    DELIST = "delist"
    RELIST = "relist"
    CLOSE = "close"  # of a second listing of one SKU; a connector is asked for a delist


class ChangeStatus(StrEnum):
    """Where an outbox row stands."""

    PLANNED = "planned"
    SENDING = "sending"
    ACCEPTED = "accepted"
    UNKNOWN = "unknown"
    HELD = "held"
    # From here on nothing happens to the row any more.
    ACKNOWLEDGED = "acknowledged"
    REJECTED = "rejected"
    DEFERRED = "deferred"
    QUARANTINED = "quarantined"
    SUPERSEDED = "superseded"
    CANCELLED = "cancelled"


class Change(Value, frozen=True, kw_only=True):
    """What a connector is asked to do.

    `listing` always holds every facet (a full upsert needs them all); `facets` names those that differ from what the
    marketplace acknowledged. A delist has neither. `token` is unique to the change and stays the same over retries:
    use it as idempotency key.
    """

    key: str
    kind: Kind
    facets: tuple[str, ...]
    listing: Facets
    token: str
    remote_id: str = ""
    revision: str = ""
