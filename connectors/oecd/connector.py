"""The OECD's SDMX service: data as SDMX-CSV, one query a part, and the content constraint as their time stamp.

Belongs here: how the OECD is asked, and when. Does not belong here: what its answers mean (oecd/errors.py) and hold
(oecd/parse.py), SDMX itself (sdmx/readers.py), HTTP (http/transport.py).

Old vintages are asked for by day with `asOf` of SDMX-REST, where the server is found to grant it; `includeHistory` is not
used, since SDMX-CSV has no place for the versions that it returns.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import NamedTuple
from zoneinfo import ZoneInfo

from connectors.contract import Ask, Fetched, PartFetch, chosen_parts, part_or_error
from connectors.datasets import Dataset
from connectors.errors import (
    BadRequest,
    Moved,
    NoData,
    NotFound,
    NotGranted,
    ProviderError,
    ServerFault,
    UnexpectedPayload,
)
from connectors.http.answers import asked
from connectors.http.request import Request, bundled
from connectors.http.transport import Transport
from connectors.oecd.errors import classify
from connectors.oecd.parse import flow_of, parse
from connectors.sdmx.message import NotSdmx
from connectors.sdmx.readers import read_valid_from
from warehouse.clock import stated_stamp
from warehouse.schema import Basis, PartData, Payload, Precision, Scope, Stamp

CSV = "application/vnd.sdmx.data+csv;version=1.0.0"
STRUCTURE = "application/vnd.sdmx.structure+xml;version=2.1"
READS = 3
#: Characters of an address below the base URL. The OECD states no limit; servers between it and us refuse 2,048 and more.
MAX_ADDRESS = 1800
#: A day on which no dataflow was published yet.
BEFORE_ALL = "1990-01-01"


class _Reading(NamedTuple):
    """One reading of the content constraint: its validFrom as given, the stamp it makes, and what is odd about it."""

    text: str | None
    stamp: Stamp | None
    notes: tuple[str, ...] = ()


class Oecd:
    """The connector of the OECD."""

    provider = "oecd"

    def plan(self, dataset: Dataset, ask: Ask) -> list[Request]:
        """The downloads of every part (and day), between two readings of the content constraint; before those of old days,
        the two by which it is found out whether the server grants them."""
        data = [
            request
            for part in chosen_parts(dataset, ask, archive=True)
            for day in ask.versions or (None,)
            for request in _data_requests(dataset, part, ask.scope, day)
        ]
        if ask.versions:
            return [*_samples(dataset), *data]
        return [_constraint_request(dataset), *data, _constraint_request(dataset)]

    def fetch(self, dataset: Dataset, ask: Ask, transport: Transport) -> Fetched:
        """All parts between two readings of the content constraint; read again when it moved meanwhile, else Moved. None of
        them when it is still what `ask.known` says.

        A constraint that cannot be read, or whose time is no time or in the future, dates nothing: the parts come without a
        stamp.
        """
        if ask.versions:
            return self._fetch_days(dataset, ask, transport)
        probes: list[Payload] = []
        for _ in range(READS):
            recalled = self._undated(dataset, ask, probes)
            before = recalled or self._stamp(dataset, transport, probes)
            if ask.known is not None and before.stamp is not None and before.text == ask.known.probe:
                return Fetched((), tuple(probes), before.text, unmoved=True)
            self._forget_other_states(dataset, ask, before.text, transport)
            parts = tuple(
                part_or_error(dataset, part, ask.scope, partial(self._part, dataset, part, ask.scope, transport))
                for part in chosen_parts(dataset, ask)
            )
            untold = recalled is not None or before.text is None
            after = before if untold else self._stamp(dataset, transport, probes, last=True)
            if after.text is None or before.text == after.text:
                stamp = before.stamp if before.text == after.text else None
                notes = before.notes or after.notes
                stamped = (PartFetch(p.part, p.payloads, stamp, p.scope, p.error, notes) for p in parts)
                return Fetched(tuple(stamped), tuple(probes), before.text if stamp is not None else None)
        raise Moved(
            f"the data moved in each of {READS} readings (content constraint {before.text} → {after.text})",
            dataset=dataset.id,
            next_step="a release is under way: run the refresh again in an hour",
        )

    def parse(self, dataset: Dataset, fetched: PartFetch) -> PartData:
        """Read the answers of one part; connectors.oecd.parse.parse."""
        return parse(dataset, fetched)

    def _part(
        self, dataset: Dataset, part: str, scope: Scope, transport: Transport, day: str | None = None
    ) -> PartFetch:
        """The downloads of one part, with the stamp of the old day asked for. A bundle of economies without data is none."""
        payloads: list[Payload] = []
        empty: NoData | None = None
        for request in _data_requests(dataset, part, scope, day):
            try:
                payloads.append(transport.get(request, classify))
            except NoData as error:
                empty = error
        if empty is not None and not payloads:
            raise empty
        return PartFetch(part, tuple(payloads), _end_of(dataset, day) if day is not None else None, scope)

    def _fetch_days(self, dataset: Dataset, ask: Ask, transport: Transport) -> Fetched:
        """Every part as it was at the end of every day asked for. Raises NotGranted when the server gives the present
        whatever day is asked for, or refuses."""
        probes = self._granted(dataset, ask, transport)
        parts = (
            part_or_error(dataset, part, ask.scope, partial(self._part, dataset, part, ask.scope, transport, day))
            for part in chosen_parts(dataset, ask, archive=True)
            for day in ask.versions
        )
        return Fetched(tuple(parts), probes)

    def _granted(self, dataset: Dataset, ask: Ask, transport: Transport) -> tuple[Payload, ...]:
        """The two answers that prove that the server goes back in time: of the present, and other data, or none, of a day
        before all. They are found out together, or both recalled: of different days they would prove nothing."""
        requests = _samples(dataset)
        recalled = [kept for request in requests if (kept := ask.recall(request)) is not None]
        try:
            both = len(recalled) == len(requests)
            present, past = recalled if both else [transport.get(one, _classify_sample) for one in requests]
        except BadRequest as error:
            raise _not_granted(dataset, f"it refuses the parameter asOf ({error.what})", error.request) from error
        if present.status >= 300:
            raise _not_granted(dataset, "its first series has no data now, so nothing is proved", asked(present))
        if sorted(present.content.splitlines()) == sorted(past.content.splitlines()):
            raise _not_granted(dataset, f"as of {BEFORE_ALL} it answers with the present", asked(past))
        return present, past

    def _forget_other_states(self, dataset: Dataset, ask: Ask, text: str | None, transport: Transport) -> None:
        """Of what is kept of cut off runs only the state of now may stand beside new answers, and where the publisher dates
        nothing only parts of one download each."""
        if text is not None:
            transport.kept.only_where(_constraint_request(dataset), lambda payload: _says(payload) == text)
        elif any(len(_data_requests(dataset, part, ask.scope)) > 1 for part in chosen_parts(dataset, ask)):
            transport.kept.forget()

    def _undated(self, dataset: Dataset, ask: Ask, probes: list[Payload]) -> _Reading | None:
        """A content constraint read some days ago that stated no time: it is not asked again so soon."""
        kept = ask.recall(_constraint_request(dataset)) if not probes else None
        try:
            reading = _reading(dataset, kept) if kept is not None else None
        except NotSdmx:
            return None
        if kept is None or reading is None or _instant(reading.text, dataset.publisher_timezone) is not None:
            return None
        probes.append(kept)
        return reading

    def _stamp(self, dataset: Dataset, transport: Transport, probes: list[Payload], *, last: bool = False) -> _Reading:
        """A reading of the content constraint. After the parts (`last`) no failure may cost what was read."""
        try:
            payload = transport.get(_constraint_request(dataset), classify)
            probes.append(payload)
            return _reading(dataset, payload)
        except (ProviderError, NotSdmx) as error:
            if last or isinstance(error, (NotFound, NoData, BadRequest, ServerFault, UnexpectedPayload, NotSdmx)):
                return _Reading(None, None, (f"no stamp: the content constraint could not be read ({error})",))
            raise


CONNECTOR = Oecd()


def _reading(dataset: Dataset, payload: Payload) -> _Reading:
    text = read_valid_from(payload.content)
    at = _instant(text, dataset.publisher_timezone)
    if at is None:
        return _Reading(text, None, (f"no stamp: the content constraint says validFrom {text!r}",))
    if at > payload.fetched_at:
        return _Reading(text, None, (f"no stamp: validFrom {text} lies in the future",))
    return _Reading(text, Stamp(at, Precision.INSTANT, Basis.PUBLISHER, str(text)))


def _says(payload: Payload) -> str | None:
    try:
        return read_valid_from(payload.content)
    except NotSdmx:
        return None


def _constraint_request(dataset: Dataset) -> Request:
    agency, flow, _ = flow_of(dataset)
    path = f"contentconstraint/{agency}/CR_A_{flow}/"
    return Request(None, "GET", path, headers=(("Accept", STRUCTURE),), cost="structure", anew=True)


def _data_requests(dataset: Dataset, part: str, scope: Scope, day: str | None = None) -> list[Request]:
    """The downloads of one part: one, or as many as keep every address short."""
    room = MAX_ADDRESS - len(_data_request(dataset, part, "", scope, day).address)
    codes = bundled(scope.entities or dataset.entities, "+", room)
    return [_data_request(dataset, part, some, scope, day) for some in codes]


def _data_request(dataset: Dataset, part: str | None, codes: str, scope: Scope, day: str | None) -> Request:
    key = dataset.part(part or dataset.parts[0].id).key.replace("{entities}", codes)
    params = [("format", "csvfile"), ("startPeriod", scope.start or dataset.start)]
    if scope.end:
        params.append(("endPeriod", scope.end))
    if day is not None:
        # An instant, since a bare day may mean its beginning; in UTC, since servers read the + of an offset as a blank.
        params.append(("asOf", f"{_end_of(dataset, day).at:%Y-%m-%dT%H:%M:%SZ}"))
    return Request(part, "GET", f"data/{dataset.flow}/{key}", tuple(params), (("Accept", CSV),), cost="data")


def _end_of(dataset: Dataset, day: str) -> Stamp:
    """An old day as a stamp: its end in the publisher's time zone."""
    return stated_stamp(day, dataset.publisher_timezone, Basis.ARCHIVE)


def _samples(dataset: Dataset) -> list[Request]:
    """One series now, and as of a day before all."""
    days = (None, BEFORE_ALL)
    return [replace(_data_request(dataset, None, dataset.entities[0], Scope(), day), anew=True) for day in days]


def _classify_sample(payload: Payload) -> ProviderError | None:
    error = classify(payload)
    return None if isinstance(error, NoData) else error


def _not_granted(dataset: Dataset, why: str, request: str | None) -> NotGranted:
    return NotGranted(
        f"the OECD does not grant old vintages of this dataset: {why}",
        dataset=dataset.id,
        request=request,
        next_step="load stored messages of that day instead, with `figurekeeper load`; nothing was taken for an old vintage",
    )


def _instant(text: str | None, timezone: str) -> datetime | None:
    """A validFrom as UTC; without an offset it is the publisher's local time. None for 9999-12-31 and the like."""
    try:
        at = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    if at.year >= 9999:
        return None
    return (at if at.tzinfo else at.replace(tzinfo=ZoneInfo(timezone))).astimezone(UTC)
