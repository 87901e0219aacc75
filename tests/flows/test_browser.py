"""An operator's way through the UI, in a real browser: what is scheduled, starting a resync, reading the result."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
SLOW = 60_000  # ms: lists are seldom renewed

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="there is no /usr/bin/chromium to drive"),
]


@pytest.fixture
def page(instance):
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        opened = browser.new_page(base_url=instance.ui, viewport={"width": 1400, "height": 1000})
        opened.set_default_timeout(SLOW)
        yield opened
        browser.close()


def test_deployments_show_their_schedules(page, tmp_path):
    page.goto("/v2/deployments")
    expect(page.get_by_text("At 01:30 AM")).to_be_visible(timeout=SLOW)

    for name in ("nightly", "resync", "reconcile", "import", "withdraw", "review"):
        expect(page.get_by_role("link", name=name, exact=True).first).to_be_visible()
    page.screenshot(path=tmp_path / "deployments.png")


def test_a_resync_is_started_from_its_form_and_its_report_read(page, tmp_path):
    fill_in_the_form(page)
    page.screenshot(path=tmp_path / "form.png", full_page=True)
    page.get_by_role("button", name="Submit").click()
    page.get_by_role("link", name="View run").click()
    expect(page.get_by_text("Completed", exact=True).first).to_be_visible(timeout=SLOW)

    report = read_the_report(page)
    expect(report.get_by_role("heading", name="Kết quả lượt chạy", level=1)).to_be_visible()
    expect(report.get_by_text("SANDBOX – sàn mô phỏng: voso.")).to_be_visible()
    expect(report.get_by_role("row", name=re.compile("voso SANDBOX xong"))).to_be_visible()
    page.screenshot(path=tmp_path / "report.png", full_page=True)


def fill_in_the_form(page):
    """One SKU of one account, really sent."""
    page.goto("/v2/deployments")
    page.get_by_role("link", name="resync", exact=True).first.click()
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Custom run").click()
    expect(page.get_by_text("Tài khoản (gian hàng) cần gửi lại.")).to_be_visible()
    page.get_by_role("button", name="Select account").click()
    page.get_by_role("option", name="voso").click()
    page.get_by_role("button", name="Add item").click()
    page.get_by_role("group").get_by_role("textbox").fill("CM004-250ML")
    page.get_by_role("switch", name="dry_run (Optional)").click()


def read_the_report(page):
    """From the run to its Markdown, over the list of all reports of that name."""
    page.get_by_role("tab", name="Artifacts").click()
    page.get_by_role("link", name="report-voso").click()
    page.locator("a[href*='/artifacts/artifact/']").first.click()
    return page.get_by_test_id("markdown-display")
