"""Why a record of an answer is not among the observations: all reasons that there are, each counted.

Belongs here: the reasons, and which of them count records. Does not belong here: deciding (each provider's parser).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Skip(StrEnum):
    """A reason, in the words that the batch keeps and shows; behind ": " it may name which.

    PSEUDO_PERIOD: the OECD repeats the latest year of some flows as 2999.
    OTHER_ECONOMY, OTHER_PERIOD: the provider sent more than was asked for.
    OTHER_SERIES: a cell of a table for people, in a line or column that the manifest does not take.
    OTHER_PART: a stored message may hold several parts; each reads its own.
    REPEATED: the same record once more, in every field.
    BLANK: years before the first and after the last value, with which providers pad their answers.
    NO_VALUES: the NBS names a period and gives no cell for it.
    BLANK_SLICE: the NBS splits some series over slices of time and leaves a slice blank outside its years.
    ABSENT: no record at all, but an economy that was asked for and did not come. Not a warning: many standing absences are
    known, and the dataset file names the economies that must be there.
    """

    PSEUDO_PERIOD = "pseudo period 2999"
    OTHER_ECONOMY = "economy not asked for"
    OTHER_PERIOD = "period not asked for"
    OTHER_SERIES = "series of a table that was not asked for"
    OTHER_PART = "record of another part"
    REPEATED = "row repeated word for word"
    BLANK = "placeholder of a period in which nothing is published"
    NO_VALUES = "period without values"
    BLANK_SLICE = "blank cell of a slice of time where another slice has the value"
    ABSENT = "economies asked for and not in the answer"

    def naming(self, which: list[str]) -> str:
        """The reason with those whom it concerns."""
        return f"{self}: {', '.join(which)}"


def reason_of(told: str) -> Skip:
    """The reason behind words that may name which. Raises ValueError for words that are none."""
    return Skip(told.partition(": ")[0])


def records(skipped: Mapping[str, int]) -> int:
    """How many records of an answer these counts stand for."""
    return sum(count for told, count in skipped.items() if reason_of(told) is not Skip.ABSENT)
