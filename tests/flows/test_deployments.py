"""What `caybeo up` deploys really runs: schedules, forms, the night with its accounts, and a review that waits."""

import time
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    DeploymentFilter,
    DeploymentFilterId,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import StateType
from prefect.server.events.schemas.automations import EventTrigger as ServerTrigger
from prefect.server.events.schemas.events import ReceivedEvent
from sqlalchemy import select, update

from connectors.registry import names
from flows.choices import ALL
from flows.settings import Settings
from flows.wiring import open_home
from models.database import reading, writing
from models.ledger import LEDGER, PLAN
from models.timetable import STATE

pytestmark = pytest.mark.slow

DEPLOYED = ("nightly", "sync", "resync", "reconcile", "audit", "import", "withdraw", "review")
ACCOUNTS = set(names())
RUN_SECONDS = 120


@pytest.fixture
def database(instance):
    engine = open_home(Settings(home=instance.home))
    yield engine
    engine.dispose()


def run(client, deployment, **parameters):
    """Starts a deployment as its form does, and waits for the end."""
    found = client.read_deployment_by_name(deployment)
    started = client.create_flow_run_from_deployment(found.id, parameters=parameters)
    return wait_until(client, started.id, lambda state: state.is_final())


def wait_until(client, run_id, true):
    latest = time.monotonic() + RUN_SECONDS
    while not true(client.read_flow_run(run_id).state):
        assert time.monotonic() < latest, client.read_flow_run(run_id).state
        time.sleep(0.3)
    return client.read_flow_run(run_id)


def artifacts(client, flow_run):
    chosen = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[flow_run.id]))
    return {one.key: str(one.data) for one in client.read_artifacts(artifact_filter=chosen)}


def test_every_deployment_is_there_and_says_what_it_does(instance):
    with instance.client() as client:
        deployments = [client.read_deployment_by_name(f"{name}/{name}") for name in DEPLOYED]

    assert all(one.enforce_parameter_schema for one in deployments)
    assert all(one.description and one.tags for one in deployments)
    assert all("path" not in str(one.job_variables) for one in deployments)


@pytest.mark.parametrize("name", ["nightly", "reconcile", "audit"])
def test_a_deployed_schedule_yields_scheduled_runs(instance, name):
    """With a newer SQLAlchemy the deployment succeeds and no run is ever created."""
    scheduled = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.SCHEDULED])))
    latest = time.monotonic() + 60
    with instance.client() as client:
        deployment = client.read_deployment_by_name(f"{name}/{name}")
        chosen = DeploymentFilter(id=DeploymentFilterId(any_=[deployment.id]))
        while not (runs := client.read_flow_runs(flow_run_filter=scheduled, deployment_filter=chosen)):
            assert time.monotonic() < latest, "no run was scheduled"
            time.sleep(1)

    assert all(one.state.is_scheduled() for one in runs)
    times = {one.next_scheduled_start_time.strftime("%H:%M") for one in runs}
    assert times == {{"nightly": "18:30", "reconcile": "21:00", "audit": "22:00"}[name]}  # UTC of 01:30, 04:00, 05:00
    assert all(one.parameters.get("account", ALL) == ALL for one in runs)


def test_the_form_offers_the_accounts_and_previews_by_default(instance):
    with instance.client() as client:
        schema = client.read_deployment_by_name("resync/resync").parameter_openapi_schema

    assert set(schema["properties"]["account"]["enum"]) == ACCOUNTS
    assert schema["properties"]["dry_run"]["default"] is True
    assert schema["required"] == ["account"]
    assert "Tài khoản" in schema["properties"]["account"]["description"]


def test_resync_of_one_sku_completes_with_artifacts(instance, database):
    with instance.client() as client:
        done = run(client, "resync/resync", account="postmart", skus=["CM001"], force=True, dry_run=False)
        left = artifacts(client, done)

    assert done.state.name == "Completed", done.state.message
    assert "SANDBOX" in done.state.message
    assert {"report-postmart", "outcomes-postmart"} <= left.keys()
    assert "SANDBOX" in left["report-postmart"]
    with reading(database) as db:
        where = (STATE.c.account == "postmart", STATE.c.sku == "CM001")
        assert db.execute(select(STATE.c.status).where(*where)).scalar_one() == "live"


def test_an_account_that_does_not_exist_is_refused_by_the_form(instance):
    with instance.client() as client:
        deployment = client.read_deployment_by_name("resync/resync")
        with pytest.raises(Exception, match=r"409|422"):
            client.create_flow_run_from_deployment(deployment.id, parameters={"account": "khong-co"})


def test_the_night_starts_a_run_per_account_and_gathers_them(instance):
    with instance.client() as client:
        done = run(client, "nightly/nightly")
        left = artifacts(client, done)

    assert done.state.is_completed(), done.state.message
    assert all(account in left["report-nightly"] for account in ACCOUNTS)
    assert "không chạy được" not in left["report-nightly"]


def test_a_held_plan_waits_for_an_answer_and_is_then_sent(instance, database):
    """The price the marketplace acknowledged is changed here, so that ours looks like a mistake."""
    with instance.client() as client:
        run(client, "resync/resync", account="postmart", skus=["CM002"], dry_run=False)
        plan_id = hold_a_plan(client, database, "CM002")
        review = waiting_review(client, plan_id)
        assert "chênh hơn 3 lần" in artifacts(client, review)["review"]
        answer = {"decision": "duyệt / approve", "who": "Chị Lan", "reason": "giá đúng"}
        client.resume_flow_run(review.id, run_input=answer)
        done = wait_until(client, review.id, lambda state: state.is_final())

    assert done.state.name == "Completed", done.state.message
    with reading(database) as db:
        status = db.execute(select(PLAN.c.status).where(PLAN.c.id == plan_id)).scalar_one()
        written = db.execute(select(LEDGER.c.detail).where(LEDGER.c.event == "approved")).scalars().all()
    assert status == "applied"
    assert [(one["plan"], one["who"], one["why"]) for one in written] == [(plan_id, "Chị Lan", "giá đúng")]


def test_a_refused_plan_is_not_sent_and_its_review_ends_cleanly(instance, database):
    with instance.client() as client:
        run(client, "resync/resync", account="postmart", skus=["CM003"], dry_run=False)
        plan_id = hold_a_plan(client, database, "CM003")
        review = waiting_review(client, plan_id)
        answer = {"decision": "từ chối / refuse", "who": "Anh Tư", "reason": "gõ nhầm giá"}
        client.resume_flow_run(review.id, run_input=answer)
        done = wait_until(client, review.id, lambda state: state.is_final())
        again = run(client, "review/review", plan_id=plan_id)

    assert done.state.name == "Refused"
    assert again.state.name == "Not open"
    assert again.state.is_completed()


def hold_a_plan(client, database, sku):
    with writing(database) as db:
        ours = (STATE.c.account == "postmart", STATE.c.sku == sku)
        db.execute(update(STATE).where(*ours).values(price=1_000, baseline={}))
    held = run(client, "resync/resync", account="postmart", skus=[sku], dry_run=False)
    assert held.state.name == "Held", held.state.message
    with reading(database) as db:
        return db.execute(select(PLAN.c.id).where(PLAN.c.status == "held")).scalar_one()


def waiting_review(client, plan_id):
    """The review that the run started by itself, suspended."""
    latest = time.monotonic() + RUN_SECONDS
    while time.monotonic() < latest:
        runs = [r for r in client.read_flow_runs(limit=50) if r.name == f"review-plan-{plan_id}"]
        if runs and runs[0].state.is_paused():
            return runs[0]
        time.sleep(0.5)
    raise AssertionError("no review waits")


@pytest.mark.parametrize(("flow", "watched"), [("sync", True), ("nightly", True), ("review", False)])
def test_P18_runs_without_a_process_are_found_but_a_waiting_review_is_none(instance, flow, watched):
    """A review's single heartbeat may arrive after its suspension; 90 s later the server would call it crashed."""
    heartbeat = ReceivedEvent(
        id=uuid4(),
        occurred=datetime.now(UTC),
        event="prefect.flow-run.heartbeat",
        resource={"prefect.resource.id": f"prefect.flow-run.{uuid4()}"},
        related=[
            {"prefect.resource.id": f"prefect.flow.{uuid4()}", "prefect.resource.role": "flow"}
            | {"prefect.resource.name": flow},
            {"prefect.resource.id": "prefect.tag.x", "prefect.resource.role": "tag"},
        ],
    )
    with instance.client() as client:
        (automation,) = client.read_automations()

    assert automation.name == "crash-zombie-runs"
    assert ServerTrigger(**automation.trigger.model_dump()).covers(heartbeat) == watched


def test_nothing_in_the_servers_log_speaks_of_a_broken_combination(instance):
    assert "Can't evaluate bulk DML statement" not in instance.log("server")
    assert "Traceback" not in instance.log("worker")
