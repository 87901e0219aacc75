"""Accounts: our shops on the marketplaces, and what each of them is run with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import msgspec
from cryptography.fernet import InvalidToken
from pydantic import SecretStr
from sqlalchemy import Connection, Engine, delete, select, update

from connectors.contract import Connector, Policy
from connectors.gate import LOOPBACK
from connectors.registry import UnknownMarketplace, connector, usable
from connectors.simulator import Sandbox, SandboxTransport
from flows.safe import Safe
from flows.settings import Settings
from flows.steps.context import Account
from flows.steps.tokens import StoredTokens, forget
from models.clock import Clock
from models.database import reading, upsert, writing
from models.ledger import RESTORED, forgetful, record
from models.tables import AccountRow, Credential, core
from models.text import Text, number
from models.timetable import due_account, enrol, rest

ACCOUNT = core(AccountRow)
CREDENTIAL = core(Credential)
# Made up, for trial accounts, and to tell a slip of the finger by: đồng for one unit.
SAMPLE_RATES = {"USD": Decimal(26_000), "SGD": Decimal(20_000), "AUD": Decimal(17_000), "JPY": Decimal(170)}
FAR = Decimal("1.3")  # times the usual rate


class AccountRefused(Exception):
    def __init__(self, message: Text, next_step: Text) -> None:
        super().__init__(message.en)
        self.message, self.next_step = message, next_step


def sandbox_of(settings: Settings, name: str) -> Sandbox:
    """The simulated marketplace whose state lies in the home."""
    folder = settings.place / "sandbox"
    folder.mkdir(exist_ok=True)
    return Sandbox(connector(name, settings.allowed).simulator_class(), folder / f"{name}.sqlite")


def accounts(settings: Settings, database: Engine) -> list[Account]:
    """Every account that runs.

    A marketplace's sandbox account steps back as soon as a real one is there, or its package is no longer allowed.
    """
    with reading(database) as db:
        rows = db.execute(select(ACCOUNT).order_by(ACCOUNT.c.name)).fetchall()
        closed = {r.account: r.ciphertext for r in db.execute(select(CREDENTIAL))}
    shops = {row.marketplace for row in rows if not _simulated(row)}
    ready = set(usable(settings.allowed)) - shops
    running = [row for row in rows if not _simulated(row) or row.marketplace in ready]
    return [_account(settings, database, row, closed.get(row.name)) for row in running]


def ensure_sandboxes(settings: Settings, database: Engine, clock: Clock) -> None:
    """One sandbox account for each connector that has no account yet, named like its marketplace."""
    with reading(database) as db:
        there = {row.marketplace for row in db.execute(select(ACCOUNT.c.marketplace))}
    missing = [name for name in usable(settings.allowed) if name not in there]
    if not missing:
        return
    with writing(database, "sandbox-accounts") as db:
        for name in missing:
            found = connector(name, settings.allowed)
            _insert(db, found, name, clock, sandbox=True, mode="api", base_url="", policy=_made_up(found))


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
    policy = _made_up(found) if trial else Policy(currency=found.currencies[0])
    policy = replace(policy, age_gate=age_gate, cashless_only=age_gate, requests_per_minute=per_minute)
    chosen = mode or ("api" if trial else found.live_mode)
    with writing(database, "account-add") as db:
        policy = _kept(db, name, found, policy)
        _insert(db, found, name, clock, sandbox=trial, mode=chosen, base_url=address, policy=policy)
        ciphertext = Safe(settings).close({field: _opened(value) for field, value in model})
        saved = {"account": name, "ciphertext": ciphertext, "saved_at": clock.now()}
        upsert(db, CREDENTIAL, [saved], ["account"])
        if chosen != "api":
            rest(db, name)
        return AccountRow(**db.execute(select(ACCOUNT).where(ACCOUNT.c.name == name)).one()._mapping)


def settle_rate(
    settings: Settings, database: Engine, clock: Clock, name: str, currency: str, rate: Decimal, *, sure: bool
) -> Policy:
    """What one unit of the account's currency is worth; every price of it is looked at again.

    Raises AccountRefused for a rate far from the last one, or from what is usual, unless someone is `sure`.
    """
    mine = ACCOUNT.c.name == name
    with writing(database, "account-rate") as db:
        row = db.execute(select(ACCOUNT.c.policy, ACCOUNT.c.marketplace).where(mine)).one()
        found, policy = connector(row.marketplace, settings.allowed), msgspec.convert(row.policy, Policy)
        if currency not in found.currencies or currency == "VND":
            raise AccountRefused(OTHER_CURRENCY.fill(title=found.title), _one_of(found.currencies))
        usual = policy.rate if policy.rate and policy.currency == currency else SAMPLE_RATES.get(currency)
        if usual and not sure and not usual / FAR <= rate <= usual * FAR:
            raise AccountRefused(ODD_RATE.fill(rate=number(rate), usual=number(usual), currency=currency), IF_SURE)
        policy = replace(policy, currency=currency, rate=rate)
        db.execute(update(ACCOUNT).where(mine).values(policy=msgspec.to_builtins(policy)))
        due_account(db, name, clock.now(), "mapping")
        return policy


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
        forget(db, name)
        return db.execute(delete(ACCOUNT).where(ACCOUNT.c.name == name)).rowcount == 1


def _made_up(found: Connector) -> Policy:
    """Of a trial account: with a sample rate where its marketplace sells in another currency."""
    currency = found.currencies[0]
    return Policy(sandbox=True, currency=currency, rate=SAMPLE_RATES.get(currency))


def _kept(db: Connection, name: str, found: Connector, policy: Policy) -> Policy:
    """Entering credentials again does not take back what was settled about drift and the rate."""
    row = db.execute(select(ACCOUNT.c.policy, ACCOUNT.c.marketplace).where(ACCOUNT.c.name == name)).one_or_none()
    if row is None:
        return policy
    before = msgspec.convert(row.policy, Policy)
    policy = replace(policy, drift=before.drift, deleted=before.deleted)
    same = row.marketplace == found.name and before.sandbox == policy.sandbox
    return replace(policy, currency=before.currency, rate=before.rate) if same else policy


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
    forget(db, name)
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


def _account(settings: Settings, database: Engine, row: Any, ciphertext: bytes | None) -> Account:
    found = _patient(connector(row.marketplace, settings.allowed), settings.request_seconds)
    policy = msgspec.convert(row.policy, Policy)
    tokens = partial(StoredTokens, database, partial(Safe, settings)) if found.rotates else None
    if _simulated(row):
        return replace(_sandbox_account(settings, row, found, policy), tokens=tokens)
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
        tokens=tokens,
    )


def _sandbox_account(settings: Settings, row: Any, found: Connector, policy: Policy) -> Account:
    """The simulated shop: its own credentials, pace and rate, and no socket."""
    sandbox = sandbox_of(settings, row.marketplace)
    permits, seconds = sandbox.marketplace.quota
    poll_after, settle_after = sandbox.marketplace.pace
    limits = replace(found.limits, poll_after=poll_after, settle_after=settle_after)
    return Account(
        name=row.name,
        connector=replace(found, limits=limits),
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


def _one_of(currencies: Iterable[str]) -> Text:
    names = ", ".join(one for one in currencies if one != "VND") or "–"
    return Text(f"Sàn này nhận: {names}.", f"It takes: {names}.")


OTHER_CURRENCY = Text("{title} không bán bằng loại tiền đó.", "{title} does not sell in that currency.")
ODD_RATE = Text(
    "1 {currency} = {rate} ₫ khác xa mức quen thuộc ({usual} ₫).",
    "1 {currency} = {rate} ₫ is far from the usual {usual} ₫.",
)
IF_SURE = Text(
    "Kiểm tra lại số; nếu đúng, chạy lại lệnh kèm --sure.", "Check the figure; if it is right, repeat with --sure."
)
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
