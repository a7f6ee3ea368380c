"""Which single observations papers print, and with how many digits: a revision that changes these digits weighs more.

Belongs here: from a statement to the observation that it prints. Does not belong here: whether it is as printed (verdicts), and
weighing a revision (warehouse/compare.py).
"""

from __future__ import annotations

import math
import re
from decimal import Decimal

from sqlalchemy import select

from warehouse import ledger
from warehouse.papers.catalogue import Catalogue
from warehouse.papers.model import Measure, Reading, Statement
from warehouse.store import Warehouse

_PERIOD = re.compile(r"\d{4}(-Q[1-4]|-\d{2})?")


def texts(warehouse: Warehouse, catalogue: Catalogue) -> dict[tuple[str, str], str]:
    """(series as dataset:key, period) → the number as printed, in the unit and multiplier of the series: 2.2, 537.9E+8.

    Only plain readings of one held observation count; of two statements the one with more digits.
    """
    multipliers = _multipliers(warehouse)
    found: dict[tuple[str, str], str] = {}
    for _, statement in catalogue.statements.values():
        for reading in statement.readings:
            name = _series(catalogue, statement, reading)
            if name is None or name not in multipliers:
                continue
            text = _in_series(catalogue, statement, reading, multipliers[name])
            cell = (name, reading.period or statement.period)
            if text is not None and (cell not in found or _last_digit(text) < _last_digit(found[cell])):
                found[cell] = text
    return found


def _series(catalogue: Catalogue, statement: Statement, reading: Reading) -> str | None:
    """The one series whose observation is printed; None where something is computed or assumed."""
    same = catalogue.definitions[reading.use].sql == catalogue.definitions["value"].sql
    plain = same and not (reading.expect or reading.proxy or reading.assume or reading.changed)
    if not plain or statement.sense != "equals" or not isinstance(statement.printed, str):
        return None
    if not _PERIOD.fullmatch(reading.period or statement.period):
        return None
    entities = catalogue.members(statement.entities if reading.entities is None else reading.entities)
    partners = catalogue.members(statement.partners if reading.partners is None else reading.partners)
    measure = _measure(catalogue, reading)
    if len(entities) != 1 or len(partners) > 1 or "/" in measure.series:
        return None
    name = measure.series.replace("{entity}", _code(measure, entities[0]))
    name = name.replace("{partner}", _code(measure, partners[0])) if partners else name
    return None if "{" in name else name


def _measure(catalogue: Catalogue, reading: Reading) -> Measure:
    return catalogue.measures[next(iter(catalogue.measures_of(reading).values()))]


def _code(measure: Measure, entity: str) -> str:
    """The provider's code of an economy."""
    return measure.world if entity == "WLD" and measure.world else measure.codes.get(entity, entity)


def _in_series(catalogue: Catalogue, statement: Statement, reading: Reading, multiplier: int) -> str | None:
    """The printed number in the series' own unit; None where that is no shift of the point."""
    factor = catalogue.factor(statement.unit, catalogue.unit_of(reading))
    if factor is None or factor <= 0:
        return None
    power = statement.scale - multiplier - _measure(catalogue, reading).multiplier + math.log10(factor)
    if abs(power - round(power)) > 1e-9:
        return None
    return f"{statement.printed}E{round(power):+d}" if round(power) else str(statement.printed)


def _last_digit(text: str) -> int:
    return int(Decimal(text).as_tuple().exponent)


def _multipliers(warehouse: Warehouse) -> dict[str, int]:
    """The power of ten of every series held."""
    index, known = ledger.series_index.c, ledger.datasets.c
    with warehouse.engine.connect() as connection:
        described = dict(connection.execute(select(known.dataset, known.description)).tuples().all())
        series = connection.execute(select(index.dataset, index.part, index.series_key)).tuples().all()
    of_part = {
        (dataset, part["id"]): int(part.get("multiplier", 0))
        for dataset, description in described.items()
        for part in description.get("parts", ())
    }
    return {f"{dataset}:{key}": of_part[dataset, part] for dataset, part, key in series if (dataset, part) in of_part}
