"""Calls of one account: an article is sent as a whole, and counts once its token has become an id."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from connectors.addresses import Addresses
from connectors.contract import Seller
from connectors.errors import (
    Conflict,
    ConnectorError,
    Later,
    Misconfigured,
    NotSent,
    Refused,
    Throttled,
    Unanswered,
    problem_of,
)
from connectors.paging import Page, counted
from connectors.results import accepted, before_writing, judged, one_by_one, result_of
from connectors.standing import sole
from connectors.transport import Reply, Session
from connectors.zalo import articles
from connectors.zalo.articles import Article, Found, facets_of
from connectors.zalo.mapping import offer_of
from models.change import Change, Kind
from models.listing import FACETS, Remote, differing
from models.outcome import Outcome, Result
from models.value import replace

PAGE = 10
NOT_THERE = "-201"  # how an id or a token is answered that Zalo does not know


class ZaloClient:
    def __init__(self, session: Session) -> None:
        self._session = session
        known = session.credentials
        self._ours = Addresses(known.product_page, known.picture)
        self._keys: dict[str, str] = {}  # article id -> SKU, so that a look-up need not open every article again

    def check(self) -> Seller:
        reply = self._get("oa", "/v2.0/oa/getoa")
        profile = reply.held(articles.Profile)
        if not (profile.oa_id or profile.oaid):
            raise reply.other_shape("oa_id", reply.data)
        return Seller(id=profile.oa_id or profile.oaid, name=profile.name)

    def push(self, changes: Sequence[Change]) -> list[Result]:
        with before_writing():
            there = self.fetch([change.key for change in changes if change.kind is Kind.CREATE])
        return one_by_one(changes, lambda change: self._do(change, there), self._judged)

    def poll(self, pending: Sequence[Result]) -> list[Result]:
        """What was heard already is kept where Zalo asks to wait."""
        results: list[Result] = []
        for result in pending:
            try:
                results.append(self._verified(result))
            except (Throttled, NotSent):
                if not results:
                    raise
                break
        return results + list(pending[len(results) :])

    def fetch(self, keys: Sequence[str]) -> list[Remote]:
        """Looks through the list of all articles: nothing finds one by its link."""
        wanted = set(keys)
        if not wanted:
            return []
        ids = (one for page in self._pages() for one in page)
        found = (self._remote(one) for one in ids if self._keys.get(one) is None or self._keys[one] in wanted)
        return [remote for remote in found if remote and remote.key in wanted]

    def everything(self) -> Iterator[list[Remote]]:
        """An OA's own news are no listings."""
        for page in self._pages():
            if found := [remote for one in page if (remote := self._remote(one))]:
                yield found

    def probe_store(self) -> bool:
        """Whether the shop API answers, which closed with Zalo Shop in 2024; nothing else of it is used."""
        try:
            self._get("store", "/v2.0/mstore/product/getproductofoa", offset="0", limit="1")
        except (Refused, Misconfigured):
            return False
        return True

    # Writing

    def _do(self, change: Change, there: Sequence[Remote]) -> Result:
        if change.kind is Kind.CREATE:
            return self._create(change, there)
        if change.kind is Kind.DELIST:
            return self._hide(change)
        show = change.kind is Kind.RELIST
        return self._revise(change, FACETS if show else change.facets, show=show)

    def _create(self, change: Change, there: Sequence[Remote]) -> Result:
        """Goes on from what is there already, whoever made it."""
        mine = [r for r in there if r.key == change.key and change.remote_id in ("", r.remote_id)]
        if known := sole([r for r in mine if r.status == "live"] or mine, "several-articles"):
            return self._revise(replace(change, remote_id=known.remote_id), FACETS, show=True)
        return self._send(change, "create", articles.new_article(change.key, change.listing, self._ours))

    def _revise(self, change: Change, facets: Collection[str], *, show: bool) -> Result:
        """Sends nothing where the article is so already; one hidden by hand stays hidden unless it is to be shown."""
        raw, article = self._article(change)
        there = facets_of(article, self._ours)
        due = differing(there, change.listing, facets)
        status, link = "show" if show else article.status, self._ours.link(change.key)
        if not due and (status, link) == (article.status, article.tracking_link):
            return result_of(change, Outcome.ACKNOWLEDGED)
        body = articles.revised(raw, there, change, due, self._ours)
        return self._send(change, "update", {**body, "id": change.remote_id, "status": status})

    def _hide(self, change: Change) -> Result:
        """Hiding what is not there is done."""
        try:
            raw, article = self._article(change)
        except Conflict:
            if self.fetch([change.key]):
                raise
            return result_of(change, Outcome.ACKNOWLEDGED)
        if article.status == "hide":
            return result_of(change, Outcome.ACKNOWLEDGED)
        return self._send(change, "update", {**articles.writable(raw), "id": change.remote_id, "status": "hide"})

    def _article(self, change: Change) -> tuple[dict[str, Any], Article]:
        """As it was answered, which an update must give back whole, and as a value."""
        if not change.remote_id:
            raise Conflict("no-article-id")
        reply = self._detail(change.remote_id, Conflict("no-such-article"))
        return reply.data["data"], reply.held(Article)

    def _send(self, change: Change, name: str, article: dict[str, Any]) -> Result:
        """A token is no success: it is asked about until it has become an id."""
        self._keys.pop(change.remote_id, None)
        reply = self._session.call(name, "POST", f"/v2.0/article/{name}", json=article)
        token = reply.text("data", "token")
        if not token:
            raise reply.other_shape("token", reply.data)
        return accepted(change, token)

    def _judged(self, change: Change, error: ConnectorError) -> Result:
        return judged(change, error, self._session.clock.now())

    # Asking about a token

    def _verified(self, result: Result) -> Result:
        """After a crash only an id may be left, and an id is no token: such a change is looked up."""
        if result.handle in ("", result.remote_id):
            return replace(result, outcome=Outcome.UNKNOWN)
        token = {"token": result.handle}
        try:
            reply = self._session.call("verify", "POST", "/v2.0/article/verify", json=token, repeatable=True)
            made = reply.held(articles.Named).id
        except (Later, Unanswered):
            return result
        except Refused as error:
            outcome = Outcome.UNKNOWN if error.code == NOT_THERE else Outcome.REJECTED
            return replace(result, outcome=outcome, problem=problem_of(error))
        return replace(result, outcome=Outcome.ACKNOWLEDGED if made else Outcome.UNKNOWN, remote_id=made)

    # Reading

    def _pages(self) -> Iterator[list[str]]:
        """Ids of all articles: one that is missed would be made again."""
        return counted(lambda number, came: self._page(came))

    def _page(self, offset: int) -> Page[str]:
        reply = self._get("list", "/v2.0/article/getslice", offset=str(offset), limit=str(PAGE), type="normal")
        found = reply.held(articles.Slice)
        ids = [one.id for one in found.medias]
        return Page(ids=ids, rows=ids, total=found.total)

    def _remote(self, article_id: str) -> Remote | None:
        """None for an article that shows no product of ours."""
        reply = self._detail(article_id, Unanswered("articles-changed", article_id))
        found = reply.held(Found)
        ours = "text" not in offer_of(found.description)[0]
        if ours and found.tracking_link is None:  # it would pass for gone
            raise reply.other_shape("tracking_link", reply.data)
        key = self._keys[article_id] = self._ours.key(found.tracking_link or "")
        if not key:
            return None
        article = reply.held(Article)
        return Remote(
            key=key,
            remote_id=article_id,
            status="hidden" if article.status == "hide" else "live",
            facets=facets_of(article, self._ours),
        )

    def _detail(self, article_id: str, missing: ConnectorError) -> Reply:
        """Raises `missing` where Zalo knows no such article."""
        try:
            reply = self._get("detail", "/v2.0/article/getdetail", id=article_id)
        except Refused as error:
            raise missing if error.code == NOT_THERE else error from None
        if reply.held(Found).id != article_id:
            raise reply.other_shape("the article that was asked for", reply.data)
        return reply

    def _get(self, operation: str, path: str, **params: str) -> Reply:
        return self._session.call(operation, "GET", path, params=params)
