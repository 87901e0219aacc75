"""Each flow in this process against the simulated marketplaces, and what it leaves for people to read."""

import json
import logging
from datetime import UTC, datetime

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
from sqlalchemy import select, update

from flows import audit, endings, import_file, nightly, reconcile, resync, sync, withdraw
from flows.artifacts import plain, slug, summary
from flows.choices import ALL, inbox_file, known, skus_of
from flows.settings import Settings
from flows.stages import InputRefused
from flows.wiring import open_home
from models.database import reading, writing
from models.report import AccountReport, RunReport
from models.timetable import STATE

ACCOUNT = "postmart"
SKUS = ("CM001", "CM002", "CM003")


@pytest.fixture
def database(home):
    engine = open_home(Settings())
    yield engine
    engine.dispose()


@pytest.fixture
def artifacts(prefect_api):
    """The text of the latest artifact under a key."""

    def read(key):
        with get_client(sync_client=True) as client:
            chosen = ArtifactFilter(key=ArtifactFilterKey(any_=[key]))
            found = client.read_artifacts(artifact_filter=chosen, limit=200)
        latest = max(found, key=lambda artifact: artifact.created)
        return latest.data if latest.type == "markdown" else json.dumps(json.loads(latest.data), ensure_ascii=False)

    return read


def live(database):
    with reading(database) as db:
        where = (STATE.c.account == ACCOUNT, STATE.c.status == "live")
        return {row.sku for row in db.execute(select(STATE.c.sku).where(*where))}


def test_sync_lists_what_is_due_and_says_so(database, artifacts):
    state = sync.sync(account=ACCOUNT, return_state=True)

    assert state.is_completed()
    assert "đăng mới" in state.message
    assert "SANDBOX" in state.message
    assert set(SKUS) <= live(database)
    report = artifacts(f"report-{ACCOUNT}")
    assert "SANDBOX – sàn mô phỏng: postmart" in report
    assert "vì sao chưa đăng" in report
    assert "rượu bia" in report  # CM005 and CM015 are spirits
    assert ACCOUNT in artifacts(f"outcomes-{ACCOUNT}")
    assert "Cần làm gì" in artifacts(f"problems-{ACCOUNT}")


def test_resync_previews_unless_told_otherwise(database, artifacts):
    state = resync.resync(account=ACCOUNT, skus=["CM001, cm002\nCM003"], return_state=True)

    assert state.is_completed()
    assert state.message == "Chạy thử, chưa gửi gì · 3 đăng mới · SANDBOX"
    assert live(database) == set()
    assert "đăng mới: **3**" in artifacts(f"preview-{ACCOUNT}")
    assert "CM003" in artifacts(f"changes-{ACCOUNT}")


def test_resync_sends_only_the_skus_asked_for(database, prefect_api):
    state = resync.resync(account=ACCOUNT, skus=["CM002"], dry_run=False, return_state=True)

    assert state.is_completed()
    assert live(database) == {"CM002"}


def test_an_unknown_sku_is_refused_with_a_sentence(home, prefect_api):
    state = resync.resync(account=ACCOUNT, skus=["CM001", "CM999"], return_state=True)

    assert state.is_failed()
    assert "cm999" in state.message
    assert "Kiểm tra lại mã" in state.message


def test_an_unknown_account_is_refused_with_a_sentence(home, prefect_api):
    state = sync.sync(account="khong-co", return_state=True)

    assert state.is_failed()
    assert state.message == "Không có tài khoản “khong-co”. Chọn một tài khoản trong danh sách."


def test_an_unexpected_error_shows_its_kind_and_never_its_words(home, prefect_api, monkeypatch, caplog):
    def broken(*_):
        raise ValueError("mật khẩu: s3cret")

    monkeypatch.setattr("flows.steps.account.AccountRun.recover", broken)
    with caplog.at_level(logging.DEBUG):
        state = sync.sync(account=ACCOUNT, return_state=True)

    assert state.is_failed()
    assert "ValueError" in state.message
    assert "s3cret" not in state.message + caplog.text
    assert "ValueError at" in caplog.text


def test_a_price_jump_is_held_and_a_missing_review_deployment_does_not_matter(database, artifacts, caplog):
    sync.sync(account=ACCOUNT, return_state=True)
    with writing(database) as db:
        db.execute(update(STATE).where(STATE.c.sku == "CM001").values(price=1_000))
        db.execute(update(STATE).where(STATE.c.sku == "CM001").values(baseline={}))
    with caplog.at_level(logging.INFO, logger=endings.__name__):
        state = resync.resync(account=ACCOUNT, skus=["CM001"], dry_run=False, return_state=True)

    assert state.name == "Held"
    assert state.is_completed()
    assert "1 chờ duyệt" in state.message
    assert "no review deployment" in caplog.text
    report = artifacts(f"report-{ACCOUNT}")
    assert "chờ duyệt" in report
    assert "review-plan-" in report


def test_reconcile_of_all_accounts_finds_nothing_after_a_sync(database, prefect_api):
    sync.sync(account=ACCOUNT, return_state=True)

    state = reconcile.reconcile(account=ALL, return_state=True)

    assert state.name == "Completed"


def test_an_audit_says_how_many_were_compared_and_names_what_was_forgotten(database, artifacts):
    sync.sync(account=ACCOUNT, return_state=True)
    healthy = audit.audit(account=ALL, return_state=True)
    with writing(database) as db:
        where = (STATE.c.account == ACCOUNT, STATE.c.sku == SKUS[0])
        db.execute(update(STATE).where(*where).values(baseline={}, due_at=None))

    state = audit.audit(account=ACCOUNT, return_state=True)

    assert healthy.name == "Completed"
    assert "không bỏ sót gì" in healthy.message
    assert state.name == "Partly failed"
    assert "bỏ sót 1 mục" in state.message
    assert SKUS[0] in artifacts("problems-audit")


def test_import_checks_a_file_of_the_inbox_without_taking_it(database, artifacts):
    state = import_file.import_file(path="offers.csv", return_state=True)

    assert state.is_completed()
    assert "dòng" in state.message
    assert "Chạy thử" in artifacts("report-import")


@pytest.mark.parametrize("path", ["/etc/passwd", "../caybeo.sqlite", "link.csv", "khong-co.csv", "", "."])
def test_import_reads_no_other_file(home, prefect_api, path):
    (home / "inbox" / "link.csv").symlink_to("/etc/passwd")

    state = import_file.import_file(path=path, return_state=True)

    assert state.is_failed()
    assert "inbox" in state.message


def test_a_registered_file_may_be_imported(database, stocked):
    place = str(stocked / "inbox" / "offers.csv")

    assert str(inbox_file(database, Settings().place, place)) == place


def test_withdraw_previews_then_takes_down(database, artifacts):
    sync.sync(account=ACCOUNT, return_state=True)
    asked = {"skus": ["CM001"], "reason": "lô hàng lỗi", "who": "Chị Lan"}

    preview = withdraw.withdraw(**asked, return_state=True)
    assert "1 tin đang bán" in preview.message
    assert "CM001" in live(database)

    done = withdraw.withdraw(**asked, dry_run=False, return_state=True)
    assert done.is_completed()
    assert "CM001" not in live(database)


def test_withdraw_wants_a_reason_and_a_name(home, prefect_api):
    state = withdraw.withdraw(skus=["CM001"], reason=" ", who="", dry_run=False, return_state=True)

    assert state.is_failed()
    assert "Điền đủ các ô" in state.message


def test_the_night_gathers_what_the_accounts_wrote(database, artifacts, monkeypatch):
    """The accounts' runs are started in this process here; test_deployments.py starts real ones."""
    runs = []

    def start(_deployment, parameters, **_):
        runs.append(sync.sync(**parameters, return_state=True).state_details.flow_run_id)
        return runs[-1]

    monkeypatch.setattr(nightly, "start", start)
    monkeypatch.setattr(nightly, "POLL_SECONDS", 0.01)
    state = nightly.nightly(return_state=True)

    assert state.is_completed()
    assert len(runs) == len(known())
    report = artifacts("report-nightly")
    assert all(account in report for account in known())
    assert "Nguồn dữ liệu" in report


def test_an_account_whose_run_was_lost_does_not_hide_the_others(database, artifacts, monkeypatch):
    def start(_deployment, parameters, **_):
        account = parameters["account"]
        name = "khong-co" if account == ACCOUNT else account
        return sync.sync(**parameters | {"account": name}, return_state=True).state_details.flow_run_id

    monkeypatch.setattr(nightly, "start", start)
    monkeypatch.setattr(nightly, "POLL_SECONDS", 0.01)
    state = nightly.nightly(dry_run=True, return_state=True)

    assert state.name == "Partly failed"
    assert f"không chạy được: {ACCOUNT}" in state.message
    assert "bị ngắt giữa chừng" in artifacts("report-nightly")


@pytest.mark.parametrize(
    ("statuses", "name"),
    [
        (("completed", "completed"), "Completed"),
        (("completed", "held"), "Held"),
        (("completed", "failed"), "Partly failed"),
        (("failed", "failed"), "Failed"),
    ],
)
def test_the_state_names_the_worst_that_a_person_must_know(home, statuses, name):
    accounts = [AccountReport(account=str(n), marketplace="x", mode="live", status=s) for n, s in enumerate(statuses)]

    state = endings.state_of(RunReport(run_id="r", trigger="t", started_at=None, accounts=accounts))

    assert state.name == name
    assert state.is_failed() == (name == "Failed")


def test_skus_are_taken_as_people_paste_them(database):
    assert skus_of(database, ["cm001;CM002", " CM003\tCM001 ", ""]) == SKUS


def test_more_skus_than_500_are_refused(database):
    with pytest.raises(InputRefused, match="501"):
        skus_of(database, [",".join(f"X{n}" for n in range(501))])


def test_a_home_that_does_not_exist_offers_the_sandbox_accounts_and_stays_absent(tmp_path, monkeypatch):
    monkeypatch.setenv("CAYBEO_HOME", str(tmp_path / "none"))

    assert ACCOUNT in known()
    assert not (tmp_path / "none" / "caybeo.sqlite").exists()


def test_text_from_outside_stays_text():
    assert plain("a|b\n<script>[x](javascript:1)`") == "a\\|b &lt;script&gt;\\[x\\](javascript:1)\\`"


def test_artifact_keys_are_plain():
    assert slug("Cửa hàng Đất Mũi #2") == "cua-hang-dat-mui-2"


def test_a_summary_of_nothing_is_still_a_sentence():
    report = RunReport(run_id="r", trigger="t", started_at=datetime.now(UTC), dry_run=True)

    assert "Chạy thử: chưa gửi gì lên sàn." in summary(report, "vi")
    assert "Dry run" in summary(report, "en")
