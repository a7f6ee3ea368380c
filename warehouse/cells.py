"""Two states of a part side by side, cell by cell: which are the same number, and how many are not.

Belongs here: the meaning of "equal", and the counts that follow from it; quick for a dozen cells and for a million. Of which
kind a change is, and what it weighs, is in warehouse/compare.py.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from warehouse.redefinition import redefinitions

#: Relative difference below which two values that are no counts are the same number: single-precision noise is 6e-8.
RELATIVE_NOISE = 1e-6
#: A text of so many significant digits may be a shorter print of the other one.
_TRUSTED_DIGITS = 6
#: A difference of half a unit, as floating point may have it.
_HALF = 0.5 * (1 + 1e-9)
_PLAIN = r"^-?[0-9]+([.][0-9]+)?$"


@dataclass(frozen=True)
class Equality:
    """When two values of a part are the same number.

    In this order: within `equal_within` of the old value, when the dataset file says so; exact for counts; within half a unit
    of the last of `decimals` published digits, when they are declared; else within 1e-6 of the old value, or half a unit of
    the last digit of the shorter of two texts that carry at least six significant digits (downloads print the same number with
    6 or with 15).
    """

    counts: bool = False
    decimals: int | None = None
    equal_within: float | None = None

    @property
    def absolute(self) -> float:
        """How far two values may lie apart, whatever they are."""
        if self.equal_within is not None or self.counts or self.decimals is None:
            return 0.0
        return float(_HALF * 10.0**-self.decimals)

    @property
    def relative(self) -> float:
        """How far two values may lie apart, as a share of the old one."""
        if self.equal_within is not None:
            return self.equal_within
        return RELATIVE_NOISE if self.by_digits else 0.0

    @property
    def by_digits(self) -> bool:
        """True when a text with fewer digits may be a shorter print of the other one."""
        return self.equal_within is None and not self.counts and self.decimals is None

    def tolerance(self, old: pa.Array, old_text: pa.Array, new_text: pa.Array) -> pa.Array:
        """How far a new value may lie from the old one and be the same number; for values where both are known."""
        allowed = pc.max_element_wise(pc.multiply(pc.abs(old), self.relative), self.absolute)
        return pc.max_element_wise(allowed, _half_unit(old_text, new_text)) if self.by_digits else allowed


@dataclass(frozen=True)
class Tally:
    """What differs between two states, counted in cells; `equal` are those with a value that is the same number."""

    revised: int
    added: int
    withdrawn: int
    status_changed: int
    equal: int
    redefined: bool

    @property
    def material(self) -> bool:
        """True when something other than noise differs."""
        return self.redefined or self.revised + self.added + self.withdrawn + self.status_changed > 0


def tally(old: pa.Table, old_series: pa.Table, new: pa.Table, new_series: pa.Table, equality: Equality) -> Tally:
    """Count what differs between two complete states of a part; tables and rules as in warehouse.compare.compare.

    A fraction of the time that a comparison takes, and the same verdict.
    """
    cells = side_by_side(old, new, equality)
    valued = pc.add(cells["ov"].is_valid().cast(pa.int8()), pc.multiply(cells["nv"].is_valid().cast(pa.int8()), 2))
    common, same = pc.equal(valued, 3), cells["same"]
    return Tally(
        revised=_count(pc.and_not(common, same)),
        added=_count(pc.equal(valued, 2)),
        withdrawn=_count(pc.equal(valued, 1)),
        status_changed=_count(pc.and_(same, cells["reflagged"])),
        equal=equal_cells(cells),
        redefined=redefinitions(old_series, new_series).num_rows > 0,
    )


def side_by_side(old: pa.Table, new: pa.Table, equality: Equality) -> pa.Table:
    """The cells of both states: series_key, period, ov, nv (values), ot, nt (texts), os, ns (status; null: no such row).

    `same`: the same number, or none on either side. `reflagged`: other flags (none equals A), or another kind of absence.
    `differs`: not equal to the letter, noise included. Keys are unique on each side.
    """
    before, after = _keys(old), _keys(new)
    place = pc.index_in(after, value_set=before)
    gone = old.filter(pc.invert(pc.is_in(before, value_set=after)))
    columns = {name: _joined([new.column(name), gone.column(name)]) for name in ("series_key", "period")}
    for short, name in (("v", "value"), ("t", "value_text"), ("s", "status")):
        own, left = new.column(name), gone.column(name)
        columns[f"o{short}"] = _joined([old.column(name).take(place), left])
        columns[f"n{short}"] = _joined([own, pa.nulls(len(left), own.type)])
    same = _same(columns, equality)
    absent = pc.and_(columns["ov"].is_null(), columns["nv"].is_null())
    other_text = pc.not_equal(*(pc.fill_null(columns[name], "") for name in ("ot", "nt")))
    reflagged = pc.or_(pc.and_(absent, other_text), pc.not_equal(*(_flags(columns[name]) for name in ("os", "ns"))))
    moved = pc.fill_null(pc.not_equal(columns["ov"], columns["nv"]), False)
    differs = pc.or_(pc.or_(pc.invert(same), reflagged), moved)
    return pa.table({**columns, "same": same, "reflagged": reflagged, "differs": differs})


def equal_cells(cells: pa.Table) -> int:
    """How many cells of side_by_side have the same number on both sides."""
    return _count(pc.and_(cells["same"], cells["nv"].is_valid()))


def _keys(table: pa.Table) -> pa.Array:
    keys = pc.binary_join_element_wise(table.column("series_key"), table.column("period"), "\x1f")
    return keys.combine_chunks()


def _joined(columns: list[pa.ChunkedArray | pa.Array]) -> pa.Array:
    chunks = [chunk for one in columns for chunk in (one.chunks if isinstance(one, pa.ChunkedArray) else [one])]
    return pa.concat_arrays(chunks)


def _flags(status: pa.Array) -> pa.Array:
    """Flags as they are compared: no row, no flag, and A for a normal value are the same."""
    plain = pc.fill_null(status, "")
    return pc.if_else(pc.equal(plain, "A"), "", plain)


def _same(columns: dict[str, pa.Array], equality: Equality) -> pa.Array:
    old, new = columns["ov"], columns["nv"]
    both_absent = pc.and_(old.is_null(), new.is_null())
    alike = pc.or_(pc.equal(old, new), pc.and_(pc.is_nan(old), pc.is_nan(new)))
    same = pc.or_(both_absent, pc.fill_null(alike, False))
    near = pc.fill_null(pc.invert(alike), False)
    if not pc.any(near).as_py():
        return same
    ov, nv, ot, nt = (columns[name].filter(near) for name in ("ov", "nv", "ot", "nt"))
    within = pc.less_equal(pc.abs(pc.subtract(nv, ov)), equality.tolerance(ov, ot, nt))
    return pc.replace_with_mask(same, near, within)


def _half_unit(first: pa.Array, second: pa.Array) -> pa.Array:
    """Half a unit of the last digit of the text with fewer decimals, where both texts can be trusted; else 0."""
    trusted = pc.and_(_trusted(first), _trusted(second))
    places = pc.min_element_wise(_places(first), _places(second))
    return pc.if_else(trusted, pc.multiply(pc.power(10.0, pc.negate(places).cast(pa.float64())), _HALF), 0.0)


def _trusted(text: pa.Array) -> pa.Array:
    plain = pc.match_substring_regex(text, _PLAIN)
    digits = pc.utf8_length(pc.utf8_ltrim(pc.replace_substring_regex(text, r"[-.]", ""), "0"))
    return pc.fill_null(pc.and_(plain, pc.greater_equal(digits, _TRUSTED_DIGITS)), False)


def _places(text: pa.Array) -> pa.Array:
    """Digits behind the point."""
    point = pc.find_substring(text, ".")
    return pc.if_else(pc.less(point, 0), 0, pc.subtract(pc.subtract(pc.utf8_length(text), point), 1))


def _count(mask: pa.Array) -> int:
    return int(pc.sum(mask).as_py() or 0)
