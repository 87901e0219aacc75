"""Accounts: our shops on the marketplaces, and their credentials encrypted at rest."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from pydantic import BaseModel, SecretStr
from sqlalchemy import Connection, Engine, delete, select, update

from connectors.contract import Connector, Policy
from connectors.gate import LOOPBACK
from connectors.registry import UnknownMarketplace, connector, names
from connectors.simulator import Sandbox, SandboxTransport
from flows.settings import Settings
from flows.steps.context import Account
from models.clock import Clock
from models.database import reading, upsert, writing
from models.faultpoint import fp
from models.ledger import RESTORED, forgetful, record
from models.tables import AccountRow, Credential, core
from models.text import Text
from models.timetable import due_account, enrol, rest

ACCOUNT = core(AccountRow)
CREDENTIAL = core(Credential)


class AccountRefused(Exception):
    def __init__(self, message: Text, next_step: Text) -> None:
        super().__init__(message.en)
        self.message, self.next_step = message, next_step


class Safe:
    """Encrypts credentials with a key that does not lie in the database; older keys still open what they closed."""

    def __init__(self, settings: Settings) -> None:
        given = settings.key.get_secret_value()
        keys = given.split(",") if given else [_key_file(settings.place / "secret.key")]
        self._fernet = MultiFernet([Fernet(key.strip()) for key in keys])

    def close(self, credentials: BaseModel) -> bytes:
        opened = {name: _opened(value) for name, value in credentials}
        return self._fernet.encrypt(msgspec.json.encode(opened))

    def open(self, ciphertext: bytes) -> dict[str, Any]:
        return msgspec.json.decode(self._fernet.decrypt(ciphertext), type=dict[str, Any])


def sandbox_of(settings: Settings, name: str) -> Sandbox:
    """The simulated marketplace whose state lies in the home."""
    folder = settings.place / "sandbox"
    folder.mkdir(exist_ok=True)
    return Sandbox(connector(name, settings.allowed).simulator_class(), folder / f"{name}.sqlite")


def accounts(settings: Settings, database: Engine) -> list[Account]:
    """Every account that runs: a marketplace's sandbox account steps back as soon as a real one is there."""
    with reading(database) as db:
        rows = db.execute(select(ACCOUNT).order_by(ACCOUNT.c.name)).fetchall()
        closed = {r.account: r.ciphertext for r in db.execute(select(CREDENTIAL))}
    shops = {row.marketplace for row in rows if not _simulated(row)}
    running = [row for row in rows if not (_simulated(row) and row.marketplace in shops)]
    return [_account(settings, row, closed.get(row.name)) for row in running]


def ensure_sandboxes(settings: Settings, database: Engine, clock: Clock) -> None:
    """One sandbox account for each connector that has no account yet, named like its marketplace."""
    with reading(database) as db:
        there = {row.marketplace for row in db.execute(select(ACCOUNT.c.marketplace))}
    missing = [name for name in names() if name not in there]
    if not missing:
        return
    with writing(database, "sandbox-accounts") as db:
        for name in missing:
            _insert(
                db, connector(name), name, clock, sandbox=True, mode="api", base_url="", policy=Policy(sandbox=True)
            )


def add(
    settings: Settings,
    database: Engine,
    clock: Clock,
    name: str,
    marketplace: str,
    credentials: dict[str, str],
    *,
    base_url: str,
    sandbox: bool,
    age_gate: bool,
    mode: str,
    per_minute: int = 0,
) -> AccountRow:
    """Stores a shop; what was there under that name is replaced, its listings stay known."""
    found = _connector(settings, marketplace)
    address = base_url or found.base_url
    if not address:
        raise AccountRefused(NO_ADDRESS.fill(title=found.title), GIVE_ADDRESS)
    trial = sandbox or urlsplit(address).hostname in LOOPBACK
    model = found.credentials(**credentials)
    policy = Policy(sandbox=trial, age_gate=age_gate, cashless_only=age_gate, requests_per_minute=per_minute)
    chosen = mode or ("api" if trial else found.live_mode)
    with writing(database, "account-add") as db:
        policy = _kept(db, name, policy)
        _insert(db, found, name, clock, sandbox=trial, mode=chosen, base_url=address, policy=policy)
        saved = {"account": name, "ciphertext": Safe(settings).close(model), "saved_at": clock.now()}
        upsert(db, CREDENTIAL, [saved], ["account"])
        if chosen != "api":
            rest(db, name)
        return AccountRow(**db.execute(select(ACCOUNT).where(ACCOUNT.c.name == name)).one()._mapping)


def settle_drift(database: Engine, name: str, drift: Mapping[str, str], deleted: str = "") -> Policy | None:
    """Changes what happens to listings that were edited or deleted there; None for an account nobody knows."""
    mine = ACCOUNT.c.name == name
    with writing(database, "account-policy") as db:
        row = db.execute(select(ACCOUNT.c.policy).where(mine)).one_or_none()
        if row is None:
            return None
        stored = row.policy | {"drift": row.policy.get("drift", {}) | drift}
        stored |= {"deleted": deleted} if deleted else {}
        policy = msgspec.convert(stored, Policy)
        db.execute(update(ACCOUNT).where(mine).values(policy=msgspec.to_builtins(policy)))
        return policy


def remove(database: Engine, clock: Clock, name: str) -> bool:
    """Forgets a shop and its credentials; its listings on the marketplace stay as they are.

    That it must be read back before anything is sent outlives it: a new account of that name is the same shop.
    """
    with writing(database, "account-remove") as db:
        if db.execute(select(ACCOUNT.c.needs_reconcile).where(ACCOUNT.c.name == name)).scalar():
            record(db, clock.now(), "", name, RESTORED, [("", None, None)])
        db.execute(delete(CREDENTIAL).where(CREDENTIAL.c.account == name))
        return db.execute(delete(ACCOUNT).where(ACCOUNT.c.name == name)).rowcount == 1


def _kept(db: Connection, name: str, policy: Policy) -> Policy:
    """Entering credentials again does not take back what was settled about drift."""
    stored = db.execute(select(ACCOUNT.c.policy).where(ACCOUNT.c.name == name)).scalar()
    before = msgspec.convert(stored or {}, Policy)
    return replace(policy, drift=before.drift, deleted=before.deleted)


def _insert(
    db: Connection,
    found: Connector,
    name: str,
    clock: Clock,
    *,
    sandbox: bool,
    mode: str,
    base_url: str,
    policy: Policy,
) -> None:
    db.execute(delete(CREDENTIAL).where(CREDENTIAL.c.account == name))
    row = {
        "name": name,
        "marketplace": found.name,
        "sandbox": sandbox,
        "mode": mode,
        "base_url": base_url,
        "policy": msgspec.to_builtins(policy),
        "seller": "",
        "mapping_version": found.mapping_version,
        "created_at": clock.now(),
    }
    there = db.execute(select(ACCOUNT.c.needs_reconcile).where(ACCOUNT.c.name == name)).scalar()
    forgot = forgetful(db, name) if there is None else bool(there)  # new credentials prove nothing was sent
    upsert(db, ACCOUNT, [row | {"needs_reconcile": forgot}], ["name"])
    enrol(db, clock.now())
    due_account(db, name, clock.now(), "mapping")


def _simulated(row: Any) -> bool:
    """A sandbox account without an address: its marketplace answers in this process."""
    return bool(row.sandbox and not row.base_url)


def _account(settings: Settings, row: Any, ciphertext: bytes | None) -> Account:
    found = _patient(connector(row.marketplace, settings.allowed), settings.request_seconds)
    policy = msgspec.convert(row.policy, Policy)
    if _simulated(row):
        return _sandbox_account(settings, row, found, policy)
    try:
        credentials = found.credentials(**(Safe(settings).open(ciphertext) if ciphertext else {}))
    except InvalidToken:
        raise AccountRefused(WRONG_KEY.fill(name=row.name), BRING_KEY) from None
    return Account(
        name=row.name,
        connector=found,
        sandbox=row.sandbox,
        mode=row.mode,
        base_url=row.base_url,
        policy=policy,
        credentials=credentials,
        seller=row.seller,
    )


def _sandbox_account(settings: Settings, row: Any, found: Connector, policy: Policy) -> Account:
    """The simulated shop: its own credentials, the rate it grants, and no socket."""
    sandbox = sandbox_of(settings, row.marketplace)
    permits, seconds = sandbox.marketplace.quota
    return Account(
        name=row.name,
        connector=found,
        sandbox=True,
        mode=row.mode,
        base_url=f"https://sandbox.invalid/{row.marketplace}",
        policy=_granted(policy, int(permits * 60 / seconds)),
        credentials=found.credentials(**sandbox.marketplace.credentials),
        transport=SandboxTransport(sandbox),
    )


def _patient(found: Connector, seconds: float) -> Connector:
    """The connector with the operator's own deadline for a request, where one is set."""
    return replace(found, limits=replace(found.limits, request_seconds=seconds)) if seconds else found


def _granted(policy: Policy, per_minute: int) -> Policy:
    return replace(policy, requests_per_minute=policy.requests_per_minute or per_minute)


def _connector(settings: Settings, name: str) -> Connector:
    try:
        return connector(name, settings.allowed)
    except UnknownMarketplace:
        raise AccountRefused(UNKNOWN.fill(name=name), SEE_CONNECTORS) from None


def _opened(value: Any) -> Any:
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def _key_file(path: Path) -> str:
    """The key beside the database's folder, made once with mode 0600: under its name it is whole, or not there."""
    if not path.exists():
        part = path.with_name(f"{path.name}.{os.getpid()}")
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(Fernet.generate_key())
            os.fsync(file.fileno())
        fp("key.written")
        with suppress(FileExistsError):  # another process was faster: its key is the one
            path.hardlink_to(part)
        part.unlink()
        fp("key.placed")
    return path.read_text()


NO_ADDRESS = Text("{title} chưa có địa chỉ máy chủ được công bố.", "{title} has no published server address.")
GIVE_ADDRESS = Text(
    "Thêm --base-url với địa chỉ do sàn cung cấp.", "Add --base-url with the address the operator gave you."
)
UNKNOWN = Text("Không có sàn tên “{name}”.", "There is no marketplace called “{name}”.")
SEE_CONNECTORS = Text("Xem tên các sàn bằng “caybeo connectors”.", "“caybeo connectors” lists their names.")
WRONG_KEY = Text(
    "Không mở được thông tin đăng nhập của tài khoản {name}.", "The credentials of {name} cannot be opened."
)
BRING_KEY = Text(
    "Đặt lại khóa cũ (CAYBEO_KEY hoặc secret.key), hoặc nhập lại bằng “caybeo accounts add”.",
    "Bring back the old key (CAYBEO_KEY or secret.key), or enter them again with “caybeo accounts add”.",
)
