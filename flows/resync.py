"""An operator sends one account again: what is due, what failed, or the SKUs named."""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from flows.choices import Account, skus_of
from flows.endings import ended
from flows.stages import opened, readable
from flows.steps.night import begin, choose, end
from flows.steps.plan import Selection
from flows.sync import run_account


@flow(name="resync", flow_run_name="resync-{account}")
@readable
def resync(
    account: Account,
    skus: list[str] = [],  # noqa: B006  # Prefect draws its form from the default; nobody changes it
    failed_only: bool = False,
    force: bool = False,
    dry_run: bool = True,
) -> State[Any]:
    """Gửi lại một tài khoản. / Sends one account again.

    Args:
        account: Tài khoản (gian hàng) cần gửi lại. / The shop to send to.
        skus: Mã SKU cần gửi, tối đa 500; dán nhiều mã vào một ô cũng được; để trống là mọi thứ đến hạn. / SKUs, at most 500; empty means everything due.
        failed_only: Chỉ những mặt hàng lần trước chưa gửi được. / Only items that did not get through.
        force: Gửi cả khi không có gì thay đổi. / Send even what has not changed.
        dry_run: Chỉ xem trước, không gửi gì. Tắt đi để gửi thật. / Only a preview; switch it off to send.
    """  # noqa: E501  # a form's help must stand on one line
    with opened() as context:
        chosen = choose(context, (account,))[0]
        selection = Selection(skus=skus_of(context.database, skus), failed=failed_only, force=force)
        report = begin(context, "resync", dry_run=dry_run)
        part, planned = run_account(context, chosen, report.run_id, selection, dry_run=dry_run)
        report.accounts.append(part)
        return ended(context, end(context, report), account, planned)
