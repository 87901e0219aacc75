"""Asks a person about one held plan, waits without a process, and does what the answer says."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.flow_runs import suspend_flow_run
from prefect.input import RunInput
from prefect.states import Completed
from pydantic import Field

from flows.artifacts import plan_page
from flows.endings import ended
from flows.stages import both, lang, opened, readable, stage
from flows.steps.approve import SHORT, PlanRefused, approve, refuse, show
from flows.steps.context import Context
from models.report import RunReport
from models.text import Text, number

YES: Literal["duyệt / approve"] = "duyệt / approve"
NO: Literal["từ chối / refuse"] = "từ chối / refuse"
LEAST_SECONDS = 60


class Answer(RunInput):
    """What the person who decides fills in."""

    decision: Literal["duyệt / approve", "từ chối / refuse"] = Field(title="Quyết định / Decision")
    who: str = Field(title="Người quyết định / Your name", min_length=2, max_length=100)
    reason: str = Field(title="Lý do / Reason", min_length=3, max_length=500)


@flow(name="review", flow_run_name="review-plan-{plan_id}")
@readable
def review(plan_id: int) -> State[Any]:
    """Hỏi người có trách nhiệm về một kế hoạch đang chờ duyệt. / Asks about one plan that waits.

    Args:
        plan_id: Số của kế hoạch đang chờ. / Number of the plan that waits.
    """
    with opened() as context:
        try:
            return _decide(context, plan_id, *_ask(context, plan_id))
        except PlanRefused as refused:  # answered elsewhere, too old, or unknown: nothing is left to do
            return Completed(name="Not open", message=both(refused.message, refused.next_step).to(lang()))


def _ask(context: Context, plan_id: int) -> tuple[Answer, str]:
    """Suspends the run until someone answers; resumed, the run comes here again and gets the answer.

    The answer is kept under the digest of what was shown: to another plan nobody has answered yet.
    """
    plan = show(context, plan_id)
    page = plan_page(plan, lang())
    left = _seconds_left(plan["expires_at"], context.clock.now())
    if plan["status"] == "held":
        create_markdown_artifact(page, key="review")
    else:
        raise PlanRefused(CLOSED.fill(plan=plan_id), NOTHING_TO_DO)
    question = Answer.with_initial_data(description=page)
    key = f"plan-{plan_id}-{plan['digest'][:SHORT]}"
    return suspend_flow_run(wait_for_input=question, key=key, timeout=left), plan["digest"]


def _decide(context: Context, plan_id: int, answer: Answer, digest: str) -> State[Any]:
    if answer.decision == NO:
        stage("refuse", refuse, context, plan_id, answer.who, answer.reason)
        return Completed(name="Refused", message=REFUSED.fill(plan=plan_id, who=answer.who).to(lang()))
    done = stage("approve", approve, context, plan_id, answer.who, answer.reason, digest=digest)
    if isinstance(done, RunReport):
        return ended(context, done, done.accounts[0].account)
    changed = number(done.new + done.changed + done.removed)
    return Completed(message=TAKEN.fill(source=done.source, changed=changed).to(lang()))


def _seconds_left(expires_at: datetime | None, now: datetime) -> int:
    """As long as the plan itself waits."""
    return max(LEAST_SECONDS, int((expires_at - now).total_seconds())) if expires_at else LEAST_SECONDS


CLOSED = Text("Kế hoạch {plan} không còn chờ duyệt.", "Plan {plan} does not wait any more.")
NOTHING_TO_DO = Text("Không cần làm gì thêm.", "Nothing is left to do.")
REFUSED = Text(
    "{who} đã từ chối kế hoạch {plan}; không gửi gì. Sửa danh mục, đêm sau hệ thống lập kế hoạch mới.",
    "{who} refused plan {plan}; nothing is sent. Correct the catalogue; the next night plans anew.",
)
TAKEN = Text(
    "Đã nhận nguồn {source}: {changed} mặt hàng thay đổi. Lần chạy đêm tới sẽ gửi lên các sàn.",
    "Source {source} was taken in: {changed} items changed. The next nightly run sends them.",
)
