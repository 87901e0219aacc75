"""Tells the server to mark runs whose process is gone."""

from __future__ import annotations

from datetime import timedelta

from prefect.automations import Automation
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification

from flows.endings import NAMES

NAME = "crash-zombie-runs"
SILENCE = timedelta(seconds=90)  # three heartbeats: a busy loop or a slow exit looks dead for a while too
ENDINGS = ("Completed", "Failed", "Cancelled", "Crashed", *NAMES.values())


async def install() -> None:
    """Makes the automation, or brings an earlier one to this version."""
    wanted = automation()
    try:
        wanted.id = (await Automation.aread(name=NAME)).id
    except ValueError:  # Prefect's word for "not there"
        await wanted.acreate()
    else:
        await wanted.aupdate()


def automation() -> Automation:
    """Our lease, not this state, says who may write: a run so marked may still be alive.

    Reviews are left out: they are suspended at once, and where the only heartbeat arrives after the news of that,
    the server would take a day of waiting for silence.
    """
    return Automation(
        name=NAME,
        description="Lượt chạy mất tiến trình được ghi là Crashed. / A run whose process is gone becomes Crashed.",
        trigger=EventTrigger(
            posture=Posture.Proactive,
            threshold=1,
            within=SILENCE,
            after={"prefect.flow-run.heartbeat"},
            for_each={"prefect.resource.id"},
            match=ResourceSpecification({"prefect.resource.id": ["prefect.flow-run.*"]}),
            match_related=ResourceSpecification({"prefect.resource.role": "flow", "prefect.resource.name": "!review"}),
            expect={f"prefect.flow-run.{name}" for name in ("heartbeat", *ENDINGS)},
        ),
        actions=[ChangeFlowRunState(name=None, force=False, state=StateType.CRASHED, message=MESSAGE)],
    )


MESSAGE = "Tiến trình của lượt chạy đã mất hơn 90 giây. / No heartbeat for 90 s: its process is gone."
