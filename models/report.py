"""What a run tells: the JSON that scripts read, and the sentences people read."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

COUNTS = (
    "created",
    "updated",
    "delisted",
    "unchanged",
    "unlistable",
    "accepted",
    "rejected",
    "deferred",
    "unknown",
    "quarantined",
    "held",
)
TROUBLE = ("rejected", "deferred", "unknown", "quarantined")

# Exit codes of the command line, design.md §5.
DONE, PEOPLE, USAGE, REFUSED, HELD, BUSY, AUTHORISE, DOWN = range(8)
URGENCY = (AUTHORISE, DOWN, HELD, BUSY, USAGE, REFUSED, PEOPLE, DONE)


@dataclass(kw_only=True)
class AccountReport:
    """One account's part of a run. `code` is the exit code it alone would give."""

    account: str
    marketplace: str
    mode: str
    status: str = "completed"
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTS, 0))
    requests: int = 0
    throttled: int = 0
    seconds: float = 0.0
    problems: list[dict[str, Any]] = field(default_factory=list)
    notes: dict[str, int] = field(default_factory=dict)  # code -> listings that are fine but worth a word
    withheld: dict[str, int] = field(default_factory=dict)  # code -> listings not shown
    live: int = 0
    plans: list[dict[str, Any]] = field(default_factory=list)  # held ones: id, reasons
    code: int = DONE


@dataclass(kw_only=True)
class RunReport:
    run_id: str
    trigger: str
    started_at: datetime
    finished_at: datetime | None = None
    dry_run: bool = False
    accounts: list[AccountReport] = field(default_factory=list)
    sources: list[dict[str, Any]] = field(default_factory=list)
    source_code: int = DONE

    @property
    def status(self) -> str:
        """completed, partly_failed, held or failed."""
        parts = [a.status for a in self.accounts]
        if parts and all(p == "failed" for p in parts):
            return "failed"
        if "failed" in parts or "partly_failed" in parts or self.source_code == PEOPLE:
            return "partly_failed"
        return "held" if "held" in parts or self.source_code == HELD else "completed"

    @property
    def exit_code(self) -> int:
        codes = {a.code for a in self.accounts} | {self.source_code}
        return next(code for code in URGENCY if code in codes)

    def as_json(self) -> dict[str, Any]:
        return {
            "run_id": self.run_id,
            "trigger": self.trigger,
            "started_at": self.started_at,
            "finished_at": self.finished_at,
            "status": self.status,
            "dry_run": self.dry_run,
            "accounts": [{k: v for k, v in vars(a).items() if k != "code"} for a in self.accounts],
            "sources": self.sources,
        }
