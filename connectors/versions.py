"""How old vintages are named at each provider that keeps them: the World Bank by month, the OECD by day.

Belongs here: the ids of a span that a person gives. Whether a provider holds them is found out when it is asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

from warehouse.errors import UsageError

_MONTH = re.compile(r"[0-9]{4}(0[1-9]|1[0-2])")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def versions(provider: str, span: str | None) -> tuple[str, ...]:
    """The ids of the old vintages in a span "A" or "A:B", oldest first; () for None.

    Raises UsageError for a provider without an archive, and for a span that is not of its kind or runs backwards.
    """
    if not span:
        return ()
    if provider not in _IDS:
        raise UsageError(
            f"{provider} keeps no old vintages",
            next_step=f"leave them out, or choose datasets of {' or '.join(_IDS)} only",
        )
    first, _, last = span.partition(":")
    return _IDS[provider](span, first, last or first)


def _months(span: str, first: str, last: str) -> tuple[str, ...]:
    if not (_MONTH.fullmatch(first) and _MONTH.fullmatch(last)) or last < first:
        raise UsageError(
            f"'{span}' is no span of months, in which the World Bank's archive counts",
            next_step="write 202109 or 202109:202112, oldest first",
        )
    start = int(first[:4]) * 12 + int(first[4:]) - 1
    count = int(last[:4]) * 12 + int(last[4:]) - start
    return tuple(f"{(start + i) // 12:04d}{(start + i) % 12 + 1:02d}" for i in range(count))


def _days(span: str, first: str, last: str) -> tuple[str, ...]:
    try:
        if not (_DAY.fullmatch(first) and _DAY.fullmatch(last)):
            raise ValueError("not of the form 2024-03-13")
        begin, end = date.fromisoformat(first), date.fromisoformat(last)
        if end < begin:
            raise ValueError("it runs backwards")
        if end > datetime.now(UTC).date():
            raise ValueError("it lies in the future")
    except ValueError as error:
        raise UsageError(
            f"'{span}' is no span of days, for which the OECD is asked: {error}",
            next_step="write 2024-03-13 or 2024-03-13:2024-03-15, oldest first; every day is a reading of all parts",
        ) from None
    return tuple((begin + timedelta(days=n)).isoformat() for n in range((end - begin).days + 1))


_IDS: dict[str, Callable[[str, str, str], tuple[str, ...]]] = {"worldbank": _months, "oecd": _days}
