"""A run whose process was killed says Running for ever in Prefect; the server itself notices the silence."""

import time
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from prefect.client.schemas.objects import StateType
from prefect.events.schemas.automations import AutomationCore
from prefect.states import Completed, Running

from flows.zombies import automation

pytestmark = pytest.mark.slow

LONGEST = 90


@pytest.fixture
def hasty(instance):
    """The automation of `caybeo up`, which waits ten seconds rather than ninety."""
    made = automation()
    made.name = "crash-zombie-runs-soon"
    made.trigger.within = timedelta(seconds=10)
    with instance.client() as client:
        there = client.create_automation(AutomationCore(**made.model_dump(exclude={"id"})))
        yield client
        client.delete_automation(there)


def begun(client):
    """A sync whose process has shown one sign of life."""
    deployment = client.read_deployment_by_name("sync/sync")
    run = client.create_flow_run_from_deployment(deployment.id, state=Running(), parameters={"account": "voso"})
    heartbeat = {
        "id": str(uuid4()),
        "occurred": datetime.now(UTC).isoformat(),
        "event": "prefect.flow-run.heartbeat",
        "resource": {"prefect.resource.id": f"prefect.flow-run.{run.id}"},
        "related": [
            {"prefect.resource.id": f"prefect.flow.{run.flow_id}", "prefect.resource.role": "flow"}
            | {"prefect.resource.name": "sync"}
        ],
        "payload": {},
    }
    client.request("POST", "/events", json=[heartbeat])
    return run.id


def test_P18_a_run_whose_process_was_killed_becomes_crashed(hasty):
    killed, ended = begun(hasty), begun(hasty)
    hasty.set_flow_run_state(ended, Completed(), force=True)
    latest = time.monotonic() + LONGEST

    while hasty.read_flow_run(killed).state.type is not StateType.CRASHED:
        assert time.monotonic() < latest, hasty.read_flow_run(killed).state
        time.sleep(1)

    assert "mất" in hasty.read_flow_run(killed).state.message
    assert hasty.read_flow_run(ended).state.is_completed()
