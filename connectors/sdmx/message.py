"""One SDMX data message as a table of strings, whatever form it came in.

Belongs here: that table, and which names are attributes. Does not belong here: reading a form (sdmx/readers.py for CSV,
sdmx/ml.py, sdmx/json.py), or what flags and values mean (oecd/parse.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from connectors.reading import NotReadable

#: Flags of an observation, in their order; then all names that are attributes wherever they stand. What remains beside
#: TIME_PERIOD and OBS_VALUE is a dimension.
STATUS = (
    "OBS_STATUS",
    "OBS_STATUS_2",
    "OBS_STATUS_3",
    "AUX_OBS_STATUS",
    "AUX_OBS_STATUS_2",
    "AUX_OBS_STATUS_3",
    "CONF_STATUS",
)
ATTRIBUTES = frozenset((*STATUS, "UNIT_MULT", "DECIMALS", "BASE_PER", "REF_YEAR_PRICE", "CURRENCY", "TIME_FORMAT"))
TIME_AND_VALUE = ("TIME_PERIOD", "OBS_VALUE")


class NotSdmx(NotReadable):
    """Bytes that are not a message of the form the reader knows; says what is missing."""


@dataclass(frozen=True)
class Message:
    """One data message: `rows` holds only strings: dimensions, TIME_PERIOD, OBS_VALUE, attributes; null: not given.

    `structure` names the dataflow or data structure, as the message does; `labels` are names of codes by dimension.
    """

    structure: str
    dimensions: tuple[str, ...]
    rows: pa.Table
    prepared: datetime | None = None
    labels: dict[str, dict[str, str]] | None = None
    form: str = ""  # "csv" for SDMX-CSV, the form that is asked for

    @property
    def attributes(self) -> tuple[str, ...]:
        """The attribute columns that the message has."""
        return tuple(n for n in self.rows.column_names if n not in (*self.dimensions, *TIME_AND_VALUE))


def merged(messages: Sequence[Message]) -> Message:
    """Several answers to one question, which was cut into pieces, as one; those without rows name nothing.

    Raises NotSdmx when the answers are not of one kind.
    """
    told = [message for message in messages if message.rows.num_rows] or messages[:1]
    first = told[0]
    for other in told[1:]:
        if (other.structure, other.form) != (first.structure, first.form):
            raise NotSdmx(
                f"one question, but answers of {first.structure or 'none'} and of {other.structure or 'none'}"
            )
        if set(other.dimensions) != set(first.dimensions):
            raise NotSdmx(f"one question, but answers by {first.dimensions} and by {other.dimensions}")
    rows = pa.concat_tables([message.rows for message in told], promote_options="default")
    return Message(first.structure, first.dimensions, rows, first.prepared, first.labels, first.form)


def table_of(records: Sequence[Mapping[str, str]], dimensions: Iterable[str]) -> pa.Table:
    """Records as a table of strings: dimensions, TIME_PERIOD, OBS_VALUE, then whatever else they name. Raises NotSdmx."""
    names = dict.fromkeys((*dimensions, *TIME_AND_VALUE))
    names |= dict.fromkeys(name for record in records for name in record)
    try:
        return pa.table({name: pa.array([one.get(name) for one in records], pa.string()) for name in names})
    except (pa.ArrowInvalid, pa.ArrowTypeError, UnicodeEncodeError) as error:
        raise NotSdmx(f"a value that is no text: {error}") from error


def instant(stated: object) -> datetime | None:
    """When a message says that it was prepared; None when it says nothing. Raises NotSdmx for what is no time."""
    if not isinstance(stated, str) or not stated:
        return None
    try:
        return datetime.fromisoformat(stated)
    except ValueError as error:
        raise NotSdmx(f"prepared at {stated[:40]!r}, which is no time") from error
