"""Connectors broken on purpose, and the scenario that must catch each; run as a module it prints them all."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from dataclasses import replace as with_parts
from html import escape
from itertools import count
from typing import Any

import httpx

from connectors.amazon import CONNECTOR as AMAZON
from connectors.conformance.scenario import Scenario
from connectors.conformance.suite import SCENARIOS, Verdict, judge
from connectors.conformance.template import CONNECTOR as TEMPLATE
from connectors.conformance.template import simulator
from connectors.conformance.template.mapping import _facets
from connectors.contract import Client, Connector, Seller
from connectors.errors import AuthorisationFailed, Conflict, ConnectorError, Refused, Throttled, Unanswered, problem_of
from connectors.facebook import CONNECTOR as FACEBOOK
from connectors.madeincamau import CONNECTOR as MADEINCAMAU
from connectors.postmart import CONNECTOR as POSTMART
from connectors.postmart.client import PostmartClient
from connectors.transport import Session
from connectors.voso import CONNECTOR as VOSO
from connectors.voso.auth import VosoAuth
from models.change import Change, Kind
from models.listing import FACETS, Listing, Remote
from models.outcome import Outcome, Result
from models.value import replace
from tests.connectors.conformance.rotating import CONNECTOR as ROTATING
from tests.connectors.conformance.rotating import Rotating, asked, authorised

BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}


@dataclass(frozen=True)
class Mutant:
    name: str
    connector: Connector
    scenario: Scenario

    def verdict(self) -> Verdict:
        return judge(self.connector, self.scenario)


# --- clients ----------------------------------------------------------------------------------------------------------


class Sound:
    """A client as it is; the broken ones below differ from it in one method."""

    def __init__(self, session: Session, inner: Callable[[Session], Client]) -> None:
        self._session, self._inner = session, inner(session)

    def check(self) -> Seller:
        return self._inner.check()

    def push(self, changes: Sequence[Change]) -> list[Result]:
        return self._inner.push(changes)

    def poll(self, pending: Sequence[Result]) -> list[Result]:
        return self._inner.poll(pending)

    def fetch(self, keys: Sequence[str]) -> list[Remote]:
        return self._inner.fetch(keys)

    def everything(self) -> Iterator[list[Remote]]:
        return self._inner.everything()


def broken(base: Connector, kind: type[Sound]) -> Connector:
    return with_parts(base, client=lambda session: kind(session, base.client))


class Sending(Sound):
    """Sends something other than it was asked to."""

    def push(self, changes):
        return self._inner.push([self.sent(change) for change in changes])

    def sent(self, change: Change) -> Change:
        return change


class Shortens(Sending):
    def sent(self, change):
        content = change.listing.get("content")
        return change if content is None else facet(change, "content", content | {"description": "Tôm"})


class Rounds(Sending):
    def sent(self, change):
        price = change.listing.get("price")
        return change if price is None else facet(change, "price", price | {"price": round(price["price"], -3)})


class Decomposes(Sending):
    def sent(self, change):
        content = change.listing.get("content")
        return change if content is None else facet(change, "content", {k: nfd(v) for k, v in content.items()})


class LeavesOutNothings(Sending):
    def sent(self, change):
        price = change.listing.get("price")
        return change if price is None else facet(change, "price", {k: v for k, v in price.items() if v is not None})


class ForgetsIds(Sending):
    def sent(self, change):
        return replace(change, remote_id="") if change.kind is Kind.CREATE else change


class SendsMore(Sending):
    def sent(self, change):
        if change.kind is not Kind.UPDATE:
            return change
        emptied = facet(change, "content", change.listing["content"] | {"description": ""})
        return replace(emptied, facets=(*change.facets, "content"))


class DropsPrices(Sending):
    def sent(self, change):
        return replace(change, facets=tuple(f for f in change.facets if f != "price"))


class TakesZeroForNothing(Sending):
    def sent(self, change):
        known = tuple(f for f in change.facets if f != "stock" or change.listing["stock"]["stock"])
        return replace(change, facets=known)


class SendsOnePicture(Sending):
    def sent(self, change):
        return facet(change, "images", change.listing["images"][:1]) if change.listing else change


class TurnsPicturesRound(Sending):
    def sent(self, change):
        return facet(change, "images", change.listing["images"][::-1]) if change.listing else change


class RelistsAsItWas(Sending):
    def sent(self, change):
        return replace(change, facets=()) if change.kind is Kind.RELIST else change


class Escapes(Sending):
    def sent(self, change):
        content = change.listing.get("content")
        return change if content is None else facet(change, "content", {k: escape(v) for k, v in content.items()})


class TakesAll(Sound):
    def preview(self, listing):
        return None


class KeepsWhatItWasAsked(Sound):
    def preview(self, listing):
        self.push([Change(key=listing.key, kind=Kind.CREATE, facets=FACETS, listing=listing.facets, token="t")])
        return self._inner.preview(listing)


def facet(change: Change, name: str, value: Any) -> Change:
    return replace(change, listing=change.listing | {name: value})


def nfd(value: Any) -> Any:
    return unicodedata.normalize("NFD", value) if isinstance(value, str) else value


class TakesRefusalForSuccess(Sound):
    def push(self, changes):
        return [acknowledged(r, Outcome.REJECTED) for r in self._inner.push(changes)]

    def poll(self, pending):
        return [acknowledged(r, Outcome.REJECTED) for r in self._inner.poll(pending)]


class DoesNotWait(Sound):
    def push(self, changes):
        return [acknowledged(r, Outcome.ACCEPTED) for r in self._inner.push(changes)]


def acknowledged(result: Result, wrongly: Outcome) -> Result:
    return replace(result, outcome=Outcome.ACKNOWLEDGED) if result.outcome is wrongly else result


class TakesConflictForSuccess(Sound):
    def push(self, changes):
        try:
            return self._inner.push(changes)
        except Conflict:
            return [Result(key=change.key, outcome=Outcome.ACKNOWLEDGED) for change in changes]


class LosesTheReason(Sound):
    def poll(self, pending):
        told = self._inner.poll(pending)
        return [replace(r, problem=problem_of(Refused("review"))) if r.problem else r for r in told]


class TakesConflictForRefusal(Sound):
    def push(self, changes):
        try:
            return self._inner.push(changes)
        except Conflict as error:
            return [Result(key=c.key, outcome=Outcome.REJECTED, problem=problem_of(error)) for c in changes]


class TakesGoneForDone(Sound):
    def poll(self, pending):
        return [acknowledged(r, Outcome.UNKNOWN) for r in self._inner.poll(pending)]


class LooksAtTheFirst(Sound):
    def push(self, changes):
        """Sends what is of the kind of the first one."""
        alike = [change for change in changes if change.kind is changes[0].kind]
        rest = [Result(key=change.key, outcome=Outcome.ACKNOWLEDGED) for change in changes if change not in alike]
        return self._inner.push(alike) + rest


class LeavesWhatIsThere(Sound):
    def push(self, changes):
        if changes[0].kind is Kind.CREATE and changes[0].remote_id:
            return [Result(key=change.key, outcome=Outcome.ACKNOWLEDGED) for change in changes]
        return self._inner.push(changes)


class RejectsTheWholeBatch(Sound):
    def push(self, changes):
        try:
            return self._inner.push(changes)
        except Refused as error:
            return [Result(key=c.key, outcome=Outcome.REJECTED, problem=problem_of(error)) for c in changes]


class TakesDoubtForUnsent(Sound):
    def push(self, changes):
        return without_doubt(self._inner, changes, Outcome.DEFERRED)


class TakesDoubtForSuccess(Sound):
    def push(self, changes):
        return without_doubt(self._inner, changes, Outcome.ACKNOWLEDGED)


def without_doubt(client: Client, changes: Sequence[Change], outcome: Outcome) -> list[Result]:
    try:
        results = client.push(changes)
    except Unanswered:
        return [Result(key=change.key, outcome=outcome) for change in changes]
    return [replace(r, outcome=outcome) if r.outcome is Outcome.UNKNOWN else r for r in results]


class RepeatsBlindly(Sound):
    def push(self, changes):
        try:
            return self._inner.push(changes)
        except Unanswered:
            return self._inner.push(changes)


class RefusesTheGone(Sound):
    def push(self, changes):
        for change in changes:
            there = {r.key: r.status for r in self._inner.fetch([change.key])}
            if change.kind is Kind.DELIST and there.get(change.key) != "live":
                raise Refused("gone")
        return self._inner.push(changes)


class DoesNotRelist(Sound):
    def push(self, changes):
        if changes[0].kind is Kind.RELIST:
            return [Result(key=change.key, outcome=Outcome.ACKNOWLEDGED) for change in changes]
        return self._inner.push(changes)


class HidesTheGroup(Sound):
    def push(self, changes):
        if changes[0].kind is Kind.DELIST:
            for remote in [r for page in self._inner.everything() for r in page]:
                self._inner.push([replace(changes[0], key=remote.key)])
        return self._inner.push(changes)


class TellsTheSecret(Sound):
    def push(self, changes):
        return [self._told(result) for result in self._inner.push(changes)]

    def _told(self, result: Result) -> Result:
        token = self._session.credentials.token.get_secret_value()
        return replace(result, problem=problem_of(Refused("token", token))) if result.problem else result


class NewSellerEachTime(Sound):
    numbers = count()

    def check(self):
        return Seller(id=f"S{next(self.numbers)}", name=self._inner.check().name)


class MakesUp(Sound):
    def fetch(self, keys):
        found = {remote.key: remote for remote in self._inner.fetch(keys)}
        return [found.get(key) or Remote(key=key, remote_id="?", status="hidden") for key in keys]


class SeesLate(Sound):
    asked = False

    def fetch(self, keys):
        late, self.asked = not self.asked, True
        return [] if late else self._inner.fetch(keys)


class Remembers(Sound):
    def __init__(self, session, inner) -> None:
        super().__init__(session, inner)
        self._known: dict[tuple[str, ...], list[Remote]] = {}

    def fetch(self, keys):
        return self._known.setdefault(tuple(keys), self._inner.fetch(keys))


class ReadsWhatItSent(Sound):
    def __init__(self, session, inner) -> None:
        super().__init__(session, inner)
        self._sent: dict[str, Any] = {}

    def push(self, changes):
        self._sent |= {change.key: change.listing for change in changes}
        return self._inner.push(changes)

    def fetch(self, keys):
        return [replace(remote, facets=self._sent[remote.key]) for remote in self._inner.fetch(keys)]


class ReadsHiddenAsLive(Sound):
    def fetch(self, keys):
        return [replace(remote, status="live") for remote in self._inner.fetch(keys)]


class ListsWithoutStock(Sound):
    def everything(self):
        for page in self._inner.everything():
            yield [replace(remote, facets=remote.facets | {"stock": {"stock": 0}}) for remote in page]


class ShowsOneOfTwo(Sound):
    def fetch(self, keys):
        return list({remote.key: remote for remote in self._inner.fetch(keys)}.values())


class TakesErrorsForNothing(Sound):
    def fetch(self, keys):
        try:
            return self._inner.fetch(keys)
        except ConnectorError:
            return []


class ReadsOnePage(Sound):
    def everything(self):
        yield next(self._inner.everything())


class EndsQuietly(Sound):
    def everything(self):
        try:
            yield from self._inner.everything()
        except ConnectorError:
            return


class NeverEnds(Sound):
    def everything(self):
        """As the template's, without a look at where it has been."""
        after: str | None = ""
        while after is not None:
            reply = self._session.call("list", "GET", "products", params={"limit": "50", "after": after})
            yield [Remote(key=p["sku"], remote_id=p["sku"], status="live") for p in reply.data["products"]]
            after = reply.data["next"]


class ByPosition(PostmartClient):
    def _settled(self, keys, lines):
        return [self._result(key, line) for key, line in zip(keys, lines, strict=False)]


class TakesSilenceForSuccess(PostmartClient):
    def _settled(self, keys, lines):
        return [acknowledged(result, Outcome.UNKNOWN) for result in super()._settled(keys, lines)]


class TakesSilenceForUnsent(PostmartClient):
    def _settled(self, keys, lines):
        unsure = super()._settled(keys, lines)
        return [replace(r, outcome=Outcome.DEFERRED) if r.outcome is Outcome.UNKNOWN else r for r in unsure]


class OneForEachLine(PostmartClient):
    def _settled(self, keys, lines):
        return [self._result(line.external_id, line) for line in lines]


class OneForEachName(PostmartClient):
    def _settled(self, keys, lines):
        return [self._result(key, line) for key, line in {line.external_id: line for line in lines}.items()]


# --- other parts ------------------------------------------------------------------------------------------------------


def never_twice_the_same() -> Callable[..., Any]:
    numbers = count()

    def project(item, policy):
        return TEMPLATE.project(replace(item, brand=f"{item.brand} {next(numbers)}"), policy)

    return project


def letting_all_through(item, policy):
    return Listing(key=item.sku, facets=_facets(item))


class Paceless(simulator.Simulator):
    pace: Any = None


class GivesUp(httpx.Auth):
    """Takes being told to wait for a refusal; that it sends too early the transport forbids by itself."""

    def __init__(self, credentials, clock) -> None:
        self._sound = TEMPLATE.auth(credentials, clock)

    def auth_flow(self, request):
        response = yield next(self._sound.auth_flow(request))
        if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
            raise Refused("429")


class LogsInOnce(VosoAuth):
    def auth_flow(self, request):
        request.headers["Token"] = yield from self._other_than("", request)
        yield request


class KeepsAfterUse(Rotating):
    def auth_flow(self, request):
        response = yield authorised(request, self.pair)
        if response.status_code == httpx.codes.UNAUTHORIZED:
            self.pair = yield from asked(request, self.stored())
            yield authorised(request, self.pair)
            self._tokens.save(self.pair)


class NeverLooksAgain(Rotating):
    def auth_flow(self, request):
        response = yield authorised(request, self.pair)
        if response.status_code == httpx.codes.UNAUTHORIZED:
            yield from self.renew(request)
            yield authorised(request, self.pair)


def refusing_throttles(response, data):
    error = FACEBOOK.classify(response, data)
    return Refused(error.code) if isinstance(error, Throttled) else error


def refusing_logins(response, data):
    error = TEMPLATE.classify(response, data)
    return Refused(error.code) if isinstance(error, AuthorisationFailed) else error


def keeping_to_itself(response, data):
    error = TEMPLATE.classify(response, data)
    if isinstance(error, ConnectorError):
        error.unlisted = False
    return error


# --- all of them ------------------------------------------------------------------------------------------------------

CLIENTS: list[tuple[str, type[Sound], Connector]] = [
    ("read-back", Shortens, TEMPLATE),
    ("same-batch-twice", ForgetsIds, VOSO),
    ("duplicate-sku", ShowsOneOfTwo, VOSO),
    ("part-rejected", TakesRefusalForSuccess, POSTMART),
    ("batch-refused-whole", RejectsTheWholeBatch, POSTMART),
    ("time-out-after-commit", TakesDoubtForUnsent, VOSO),
    ("time-out-after-commit", RepeatsBlindly, VOSO),
    ("lost-update", TakesDoubtForUnsent, MADEINCAMAU),
    ("accepted-then-rejected", TakesRefusalForSuccess, VOSO),
    ("accepted-then-rejected", LosesTheReason, VOSO),
    ("accepted-never-finished", DoesNotWait, POSTMART),
    ("delist-of-what-is-gone", RefusesTheGone, TEMPLATE),
    ("relist", DoesNotRelist, TEMPLATE),
    ("variant-removed", HidesTheGroup, TEMPLATE),
    ("only-the-facet", SendsMore, TEMPLATE),
    ("null-absent-and-empty", LeavesOutNothings, VOSO),
    ("composed-and-decomposed", Decomposes, TEMPLATE),
    ("whole-dong", Rounds, TEMPLATE),
    ("one-facet-at-a-time", DropsPrices, TEMPLATE),
    ("sold-out", TakesZeroForNothing, TEMPLATE),
    ("pictures-in-order", SendsOnePicture, TEMPLATE),
    ("pictures-in-order", TurnsPicturesRound, TEMPLATE),
    ("relist-with-changes", RelistsAsItWas, TEMPLATE),
    ("hidden-is-read-as-hidden", ReadsHiddenAsLive, TEMPLATE),
    ("delist-without-an-answer", TakesDoubtForSuccess, TEMPLATE),
    ("refused-update", TakesRefusalForSuccess, TEMPLATE),
    ("mixed-batch", LooksAtTheFirst, POSTMART),
    ("create-of-what-is-there", LeavesWhatIsThere, VOSO),
    ("update-of-what-is-gone", TakesConflictForSuccess, TEMPLATE),
    ("update-of-what-is-gone", TakesConflictForRefusal, TEMPLATE),
    ("gone-while-under-way", TakesGoneForDone, VOSO),
    ("let-through-is-taken", Escapes, TEMPLATE),
    ("preview-keeps-nothing", TakesAll, AMAZON),
    ("preview-keeps-nothing", KeepsWhatItWasAsked, AMAZON),
    ("html-instead-of-json", TakesErrorsForNothing, TEMPLATE),
    ("html-instead-of-json", TakesDoubtForSuccess, TEMPLATE),
    ("secrets-in-no-output", TellsTheSecret, TEMPLATE),
    ("same-seller", NewSellerEachTime, TEMPLATE),
    ("nothing-made-up", MakesUp, TEMPLATE),
    ("seen-after-settling", SeesLate, TEMPLATE),
    ("reads-are-fresh", Remembers, TEMPLATE),
    ("description-rewritten", ReadsWhatItSent, TEMPLATE),
    ("every-page", ReadsOnePage, TEMPLATE),
    ("every-page-as-fetched", ListsWithoutStock, TEMPLATE),
    ("repeated-page", EndsQuietly, TEMPLATE),
    ("repeated-page", NeverEnds, TEMPLATE),
    ("schema-change", TakesErrorsForNothing, TEMPLATE),
    ("schema-change-of-a-write", TakesDoubtForSuccess, TEMPLATE),
]
PARTS: list[tuple[str, str, Connector]] = [
    ("mapping-repeats", "NeverTwiceTheSame", with_parts(TEMPLATE, project=never_twice_the_same())),
    ("whole-simulator", "Paceless", with_parts(TEMPLATE, simulator="tests.connectors.conformance.mutants.Paceless")),
    ("results-shuffled", "ByPosition", with_parts(POSTMART, client=ByPosition)),
    ("let-through-is-taken", "LettingAllThrough", with_parts(TEMPLATE, project=letting_all_through)),
    ("results-missing", "TakesSilenceForUnsent", with_parts(POSTMART, client=TakesSilenceForUnsent)),
    ("results-missing", "TakesSilenceForSuccess", with_parts(POSTMART, client=TakesSilenceForSuccess)),
    ("results-doubled", "OneForEachLine", with_parts(POSTMART, client=OneForEachLine)),
    ("results-extra", "OneForEachName", with_parts(POSTMART, client=OneForEachName)),
    ("throttled-with-seconds", "GivesUp", with_parts(TEMPLATE, auth=GivesUp)),
    ("throttled-with-a-date", "GivesUp", with_parts(TEMPLATE, auth=GivesUp)),
    ("throttled-with-rubbish", "GivesUp", with_parts(TEMPLATE, auth=GivesUp)),
    ("throttled-with-nothing", "GivesUp", with_parts(TEMPLATE, auth=GivesUp)),
    ("quota-spent", "RefusingThrottles", with_parts(FACEBOOK, classify=refusing_throttles)),
    ("unknown-error-code", "KeepingToItself", with_parts(TEMPLATE, classify=keeping_to_itself)),
    ("wrong-credentials", "RefusingLogins", with_parts(TEMPLATE, classify=refusing_logins)),
    ("token-ends-in-mid-batch", "LogsInOnce", with_parts(VOSO, auth=LogsInOnce)),
    ("refresh-raced", "KeepsAfterUse", with_parts(ROTATING, auth=KeepsAfterUse)),
    ("refresh-raced", "NeverLooksAgain", with_parts(ROTATING, auth=NeverLooksAgain)),
]
MUTANTS: list[Mutant] = [
    *(Mutant(kind.__name__, broken(base, kind), BY_NAME[name]) for name, kind, base in CLIENTS),
    *(Mutant(name, connector, BY_NAME[scenario]) for scenario, name, connector in PARTS),
]


def unwatched(mutants: Iterable[Mutant] = MUTANTS) -> set[str]:
    """Scenarios without a connector that they must catch."""
    return set(BY_NAME) - {mutant.scenario.name for mutant in mutants}


def main() -> int:
    survived = 0
    for mutant in MUTANTS:
        verdict = mutant.verdict()
        caught = verdict.status == "failed" and verdict.sentence
        survived += not caught
        told = verdict.sentence.en[:120] if caught and verdict.sentence else verdict.status
        print(f"{'caught  ' if caught else 'SURVIVED'} {mutant.name} by {mutant.scenario.name}: {told}")
    print(
        f"{len(MUTANTS)} broken connectors, {survived} survived; scenarios without one: {sorted(unwatched()) or 'none'}"
    )
    return 1 if survived or unwatched() else 0


if __name__ == "__main__":
    sys.exit(main())
