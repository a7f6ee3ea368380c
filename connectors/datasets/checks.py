"""What one field of a dataset file says about another: contradictions that no single field shows.

Belongs here: checks over the whole file, tolerant of fields that are missing or of a wrong type, since those are told by the
model (datasets/model) at the same time. Does not belong here: reading the file and finding lines (yaml_lines).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from cronsim import CronSim, CronSimError

from connectors.datasets.model import FULL_READ_DAYS
from warehouse.yaml_lines import Mistake, Where

_FLOW = {
    "oecd": (r"[\w.]+,[\w@]+,[\d.]*", "AGENCY,DSD@DF,VERSION, where the version may be empty"),
    "worldbank": (r"\d+", "the number of a source, such as 2"),
    "nbs": (r"[0-9a-f]{32}", "the root id of the tree, 32 hexadecimal digits"),
}
_KEY = {
    "worldbank": (r"[A-Z0-9]+(\.[A-Z0-9]+)+", "an indicator code such as SP.POP.TOTL"),
    "nbs": (r"[0-9a-f]{32}", "the cid of a leaf, 32 hexadecimal digits"),
}
_PERIOD = {"A": r"\d{4}", "Q": r"\d{4}-Q[1-4]", "M": r"\d{4}-(0[1-9]|1[0-2])"}
#: Fields that say something about one provider's data only, of a part and of the dataset.
_OF_A_PART = {"unit_code": "oecd", "indicators": "nbs", "folder": "nbs"}
_OF_A_DATASET = {"root": "oecd", "end": "worldbank"}
_ENTITIES, _ITEM = "{entities}", "{item}"


@dataclass(frozen=True)
class Draft:
    """A file as it was written, read with tolerance."""

    fields: Mapping[str, Any]
    path: Path

    def text(self, name: str) -> str:
        """A field as text; "" when it is missing or none."""
        value = self.fields.get(name)
        return value if isinstance(value, str) else ""

    def texts(self, name: str) -> list[str]:
        """A field as a list of texts; [] when it is missing or none."""
        value = self.fields.get(name)
        return [str(item) for item in value] if isinstance(value, list) else []

    def parts(self) -> Iterator[tuple[Where, Mapping[str, Any]]]:
        """The parts that are mappings, each with its place."""
        value = self.fields.get("parts")
        for index, part in enumerate(value if isinstance(value, list) else ()):
            if isinstance(part, dict):
                yield ("parts", index), part

    @property
    def frequency(self) -> str:
        """As written, or what it is by default."""
        return str(self.fields.get("frequency", "A"))

    @property
    def from_api(self) -> bool:
        """Whether the provider is asked, so that keys are the provider's own."""
        return str(self.fields.get("reads", "api")) == "api"


def contradictions(fields: Mapping[str, Any], path: Path, others: Mapping[str, Path]) -> Iterator[Mistake]:
    """Everything that fields of a file say against each other, or against `others` (ids of other files, and where)."""
    draft = Draft(fields, path)
    yield from _identity(draft, others)
    for check in _CHECKS:
        yield from check(draft)


def _identity(draft: Draft, others: Mapping[str, Path]) -> Iterator[Mistake]:
    given = draft.fields.get("id")
    if given != draft.path.stem:
        yield ("id",), f"id: {given!r} is not the name of the file"
    if isinstance(given, str) and given in others:
        yield ("id",), f"id: {given!r} is that of another file, {others[given]}"
    if str(given).split(".")[0] != draft.fields.get("provider"):
        yield ("provider",), f"provider: {draft.fields.get('provider')!r} is not the first word of the id"


def _lists(draft: Draft) -> Iterator[Mistake]:
    for name in ("dimensions", "entities"):
        yield from _repeated(draft.texts(name), (name,))
    for where, part in draft.parts():
        yield from _besides(draft, (*where, "besides"), _list(part.get("besides")))
    ids = [str(part.get("id")) for _, part in draft.parts()]
    yield from _repeated(ids, ("parts",))
    dimensions = draft.texts("dimensions")
    if dimensions and draft.text("entity_dimension") not in dimensions:
        yield ("entity_dimension",), "entity_dimension: not one of the dimensions"
    for where, checks in _all_checks(draft):
        strangers = set(_list(checks.get("entities_required"))) - set(draft.texts("entities"))
        if strangers and draft.texts("entities"):
            yield (
                (*where, "entities_required"),
                f"entities_required: not among the entities: {', '.join(sorted(strangers))}",
            )


def _besides(draft: Draft, where: Where, codes: list[str]) -> Iterator[Mistake]:
    """Economies that a part names besides the dataset's."""
    if codes and draft.text("provider") != "worldbank":
        yield where, "besides: the World Bank alone is asked for other economies part by part"
    listed = draft.texts("entities")
    for index, code in enumerate(codes):
        if code in listed or code in codes[:index]:
            yield (*where, index), f"besides: {code!r} is listed twice"


def _repeated(values: list[str], where: Where) -> Iterator[Mistake]:
    for index, value in enumerate(values):
        if value in values[:index]:
            yield (*where, index), f"{where[0]}: {value!r} is listed twice"


def _flow(draft: Draft) -> Iterator[Mistake]:
    pattern, form = _FLOW.get(draft.text("provider"), (".*", ""))
    if draft.from_api and draft.text("flow") and not re.fullmatch(pattern, draft.text("flow")):
        yield ("flow",), f"flow: {draft.text('flow')!r} is not {form}"
    period = _PERIOD.get(draft.frequency, ".*")
    for name in ("start", "end"):
        if draft.text(name) and not re.fullmatch(period, draft.text(name)):
            yield (name,), f"{name}: {draft.text(name)!r} is no period of the frequency"
    if draft.text("end") and draft.text("end") < draft.text("start"):
        yield ("end",), f"end: {draft.text('end')} lies before the start"


def _keys(draft: Draft) -> Iterator[Mistake]:
    """Of what is asked of a provider; keys of files are `_names`'s."""
    if not draft.from_api:
        return
    provider = draft.text("provider")
    for where, part in draft.parts():
        key = part.get("key")
        if not isinstance(key, str):
            continue
        if provider == "oecd":
            yield from (((*where, place), what) for place, what in _sdmx_key(draft, part, key))
        elif provider in _KEY and not re.fullmatch(_KEY[provider][0], key):
            yield (*where, "key"), f"key: {key!r} is not {_KEY[provider][1]}"


def _sdmx_key(draft: Draft, part: Mapping[str, Any], key: str) -> Iterator[tuple[str, str]]:
    """Mistakes of one key, each with the field of the part at which it shows."""
    dimensions, segments = draft.texts("dimensions"), key.split(".")
    if _ENTITIES not in segments:
        yield "key", f"key: lacks {_ENTITIES}"
    if not dimensions:
        return
    if len(segments) != len(dimensions):
        yield "key", f"key: {len(segments)} segments for {len(dimensions)} dimensions ({'.'.join(dimensions)})"
        return
    said = dict(zip(dimensions, segments, strict=True))
    misplaced = [name for name, code in said.items() if code == _ENTITIES and name != draft.text("entity_dimension")]
    if misplaced:
        yield "key", f"key: {_ENTITIES} stands for {misplaced[0]}, which is not the entity_dimension"
    frequency = draft.frequency
    if frequency in _PERIOD and said.get("FREQ", frequency) != frequency:
        yield "key", f"key: asks for FREQ {said['FREQ']}, and the frequency is {frequency}"
    code = part.get("unit_code")
    if code is not None and "UNIT_MEASURE" in said and code not in said["UNIT_MEASURE"].split("+"):
        yield "unit_code", f"unit_code: is {code}, and the key asks for UNIT_MEASURE {said['UNIT_MEASURE'] or 'any'}"


def _names(draft: Draft) -> Iterator[Mistake]:
    """Of tables dropped as files: a key is a template for the codes under which `names` files what tables print."""
    for where, part in draft.parts():
        names, key = part.get("names"), part.get("key")
        if draft.from_api:
            if names is not None:
                yield (*where, "names"), "names: say something about datasets that read files only"
            continue
        if isinstance(key, str):
            if _ITEM not in key.split("."):
                yield (*where, "key"), f"key: lacks {_ITEM}"
            if len(key.split(".")) != len(draft.texts("dimensions")):
                yield (*where, "key"), f"key: needs a segment for each of {'.'.join(draft.texts('dimensions'))}"
        if not names:
            yield (*where, "names"), "names: a part that is read from files needs the names that its tables print"
        printed = [name for code in names.values() for name in _list(code)] if isinstance(names, dict) else []
        for name in sorted({name for name in printed if printed.count(name) > 1}):
            yield (*where, "names"), f"names: {name!r} stands under two codes"


def _providers_own(draft: Draft) -> Iterator[Mistake]:
    provider = draft.text("provider")
    for name, owner in _OF_A_DATASET.items():
        if name in draft.fields and provider != owner:
            yield (name,), f"{name}: says something about data of {owner} only"
    for where, part in draft.parts():
        for name, owner in _OF_A_PART.items():
            if part.get(name) is not None and provider != owner:
                yield (*where, name), f"{name}: says something about data of {owner} only"


def _kinds(draft: Draft) -> Iterator[Mistake]:
    ids = [part.get("id") for _, part in draft.parts()]
    for where, part in draft.parts():
        ratio = part.get("ratio")
        for name, value in ratio.items() if isinstance(ratio, dict) else ():
            if value is not None and value not in ids:
                yield (*where, "ratio", name), f"ratio: the dataset has no part {value!r}"
            elif value == part.get("id"):
                yield (*where, "ratio", name), f"ratio: {value!r} is the part itself"
        if part.get("kind") in ("ratio", "share", "index") and part.get("multiplier"):
            yield (*where, "multiplier"), f"multiplier: a {part['kind']} has none"
        if part.get("kind") == "count" and part.get("equal_within") is not None:
            yield (*where, "equal_within"), "equal_within: counts are compared exactly; a kind of level is not"


def _thresholds(draft: Draft) -> Iterator[Mistake]:
    """Of every part, laid over those of the dataset; a contradiction is told where the later word of the two stands."""
    common = dict(_all_checks(draft)).get(("checks",), {})
    for where, own in _all_checks(draft):
        merged = {**common, **{name: value for name, value in own.items() if value is not None}}
        low, high = _number(merged.get("minimum")), _number(merged.get("maximum"))
        if low is not None and high is not None and low > high:
            place = "maximum" if own.get("maximum") is not None else "minimum"
            yield (*where, place), f"{place}: minimum {low:g} is above maximum {high:g}"
        if low is not None and low < 0 and not merged.get("allow_negative"):
            yield (*where, "minimum"), f"minimum: {low:g}, but negative values are not allowed (allow_negative)"


def _calendar(draft: Draft) -> Iterator[Mistake]:
    calendar = draft.fields.get("calendar")
    if not isinstance(calendar, dict):
        return
    days, full = calendar.get("stale_after_days"), calendar.get("full_read_days", FULL_READ_DAYS)
    pause = _longest_pause(str(calendar.get("cron")))
    if isinstance(days, int) and pause is not None and days < pause:
        yield (
            ("calendar", "stale_after_days"),
            f"stale_after_days: {days}, but the cron line leaves {pause:.0f} days between two refreshes",
        )
    if isinstance(days, int) and isinstance(full, int) and full > days:
        yield (
            ("calendar", "full_read_days" if "full_read_days" in calendar else "stale_after_days"),
            f"full_read_days: {full} (left out: {FULL_READ_DAYS}), but the dataset counts as stale after {days} days",
        )


def _longest_pause(cron: str) -> float | None:
    """Days between two firings within about two years; None for a line that is not one."""
    try:
        times = CronSim(cron, datetime(2026, 1, 1, tzinfo=UTC))
        firings = [time for _, time in zip(range(60), times, strict=False)]
    except CronSimError:
        return None
    return max(((later - earlier).total_seconds() / 86400 for earlier, later in pairwise(firings)), default=None)


def _all_checks(draft: Draft) -> Iterator[tuple[Where, Mapping[str, Any]]]:
    """The thresholds of the dataset, then those of each part, with their places."""
    common = draft.fields.get("checks")
    yield ("checks",), common if isinstance(common, dict) else {}
    for where, part in draft.parts():
        if isinstance(part.get("checks"), dict):
            yield (*where, "checks"), part["checks"]


def _list(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


_CHECKS: tuple[Callable[[Draft], Iterator[Mistake]], ...] = (
    _lists,
    _flow,
    _keys,
    _names,
    _providers_own,
    _kinds,
    _thresholds,
    _calendar,
)
