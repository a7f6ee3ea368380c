"""An OECD flow under the faults that change its data or its structure: what structure messages and data both show.

Belongs here: how each such fault changes a flow's description and its rows, so that messages and data agree. Does not
belong here: the registry of faults and the changes of values alone (faults.py), and the forms of the wire.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from connectors.sandbox import faults
from connectors.sandbox.oecd_flows import Flow
from connectors.sandbox.wire import Question

Observation = dict[str, str]  # column → value: the dimensions, TIME_PERIOD, OBS_VALUE and the attributes
Selects = Callable[[list[str], str], bool]  # whether a series, by its codes, and a period were asked for
_ROLE = "AGENT_ROLE"
_NEW = {"ADJUSTMENT": "_T"}
_MEASURES = ("MEASURE", "VAR")
_UNITS = ("UNIT_MEASURE", "PRICE_BASE")


def shown(flow: Flow, question: Question) -> Flow:
    """The flow as structure messages and the columns of data show it."""
    match question.fault:
        case "new_dimension":
            added = "OECD:CL_ADJUSTMENT(1.0)"
            return replace(
                flow, lists={**flow.lists, "ADJUSTMENT": added}, codes={**flow.codes, added: {"_T": "Total"}}
            )
        case "changed_unit":
            attributes = dict.fromkeys((*flow.attributes, "UNIT_MULT"))
            return replace(flow, attributes=tuple(attributes), codes=_in_thousands(flow))
        case "changed_role" if _ROLE in flow.lists:
            roles = {"APPLICANT": "Applicant(s)", "INVENTOR": "Inventor(s)"}
            return replace(flow, codes={**flow.codes, flow.lists[_ROLE]: roles})
        case "renamed_code" | "vanished_code":
            return _touched_list(flow, question)
    return flow


def _in_thousands(flow: Flow) -> dict[str, Mapping[str, str]]:
    """The code lists with the labels of units changed: those of UNIT_MEASURE, or the millions that a label names."""
    units = flow.lists.get("UNIT_MEASURE")
    return {
        name: {
            code: f"Thousands: {label}" if name == units else label.replace("million", "thousand")
            for code, label in labels.items()
        }
        for name, labels in flow.codes.items()
    }


def version(stated: str, question: Question) -> str:
    """The version of the flow: the stated one, or the next minor one under `version_bump`."""
    above, dot, last = stated.rpartition(".")
    return f"{above}{dot}{int(last) + 1}" if question.fault == "version_bump" else stated


def observations(
    flow: Flow, question: Question, selects: Selects = lambda codes, period: True
) -> Iterator[Observation]:
    """What is held and asked for on the day, by part, series and period. Questions know the flow without the fault."""
    gone = touched(flow, question) if question.fault == "vanished_code" else None
    for part in flow.parts:
        cells = faults.change(
            question.fault, flow.dataset, part, flow.cells(part, question.on), question.today.year + 1
        )
        constant = flow.constant.get(part, {})
        for (key, period), cell in sorted(cells.items()):
            codes = key.split(".")
            if not selects(codes, period) or (gone and codes[flow.dimensions.index(gone[0])] == gone[1]):
                continue
            row = dict(zip(flow.dimensions, codes, strict=True)) | {"TIME_PERIOD": period, "OBS_VALUE": cell.value}
            attributes = {**constant, **dict(zip(flow.observed, cell.status, strict=False))}
            row |= {name: attributes.get(name, "") for name in flow.attributes}
            yield _changed(row, question.fault)


def _changed(row: Observation, fault: str | None) -> Observation:
    match fault:
        case "new_dimension":
            return row | _NEW
        case "changed_unit":
            return row | {"UNIT_MULT": "3"}
        case "changed_role" if _ROLE in row:
            return row | {_ROLE: "APPLICANT" if row[_ROLE] == "INVENTOR" else "INVENTOR"}
    return row


def touched(flow: Flow, question: Question) -> tuple[str, str]:
    """Dimension and code that `renamed_code` and `vanished_code` touch: of the part in faults.SCALED, else of the first.

    The dimension is the first in which several codes are in use, so that other data remain, else the first of all: what
    is measured before anything else, never the economies, and for a new name never the units.
    """
    used = {part: sorted({key for key, _ in flow.cells(part, question.on)}) for part in flow.parts}
    held = [part for part, keys in used.items() if keys]
    part = faults.SCALED.get(flow.dataset, held[0])
    example = dict(zip(flow.dimensions, used[part if part in held else held[0]][0].split("."), strict=True))
    codes = zip(*(key.split(".") for keys in used.values() for key in keys), strict=True)
    in_use = dict(zip(flow.dimensions, map(set, codes), strict=True))
    left_out = {flow.area, *(_UNITS if question.fault == "renamed_code" else ())}
    names = sorted(in_use.keys() - left_out, key=lambda name: (name not in _MEASURES, flow.dimensions.index(name)))
    dimension = next((name for name in names if len(in_use[name]) > 1), names[0])
    return dimension, example[dimension]


def _touched_list(flow: Flow, question: Question) -> Flow:
    dimension, code = touched(flow, question)
    listed = flow.lists[dimension]
    labels = {one: label for one, label in flow.codes[listed].items() if one != code}
    if question.fault == "renamed_code":
        labels = dict(sorted((labels | {code: f"Another concept than before ({code})"}).items()))
    return replace(flow, codes={**flow.codes, listed: labels})
