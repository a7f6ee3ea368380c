"""The OECD's dataflows that the sandbox serves, as data: dimensions, code lists, attributes, and what is held of them.

Belongs here: the description of a flow, read from facts/oecd_flows.yaml, and its observations on a day. Does not belong
here: what a fault makes of them (oecd_changes.py), XML (oecd_structures.py), addresses and keys (oecd_wire.py), a user's
own flows (own_facts.py), the tables (facts.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from typing import Any

from connectors.sandbox import facts
from connectors.sandbox.facts import Cells, Vintage

#: Flags in the order of the columns of oecd.csv.gz; a flow shows those it declares.
FLAGS = ("OBS_STATUS", "OBS_STATUS_2", "OBS_STATUS_3", "AUX_OBS_STATUS", "AUX_OBS_STATUS_2", "CONF_STATUS")
_STATUS_LABELS = {"A": "Normal value", "B": "Time series break", "E": "Estimated value", "P": "Provisional value"}
_ATTRIBUTE_LABELS: dict[str, Mapping[str, str]] = {
    **dict.fromkeys(FLAGS, _STATUS_LABELS),
    "UNIT_MULT": {"0": "Units", "3": "Thousands", "6": "Millions"},
    "DECIMALS": {"0": "Zero", "1": "One", "2": "Two", "3": "Three"},
}


@dataclass(frozen=True)
class Flow:
    """One dataflow: its dimensions with their code lists, its attributes, and the labels known of their codes."""

    dataset: str  # the name under which facts.py keeps it
    agency: str
    id: str
    name: str
    lists: Mapping[str, str]  # dimension → code list, in the order of the structure
    area: str
    attributes: tuple[str, ...]
    codes: Mapping[str, Mapping[str, str]]  # code list → code → label
    constant: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # part → attributes of all its observations
    observed: tuple[str, ...] = FLAGS  # the attributes that facts.Cell.status carries, in its order
    notes: Mapping[str, Mapping[str, str]] = field(
        default_factory=lambda: _ATTRIBUTE_LABELS
    )  # attribute → value → label

    @property
    def structure(self) -> str:
        """The id of the data structure."""
        return self.id.partition("@")[0]

    @property
    def dimensions(self) -> tuple[str, ...]:
        """The dimensions of a key, in order."""
        return tuple(self.lists)

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts of which vintages are held, each with its own."""
        return facts.parts(self.dataset)

    def newest(self, on: date | None) -> Vintage | None:
        """The vintage of any part that is newest at the end of `on`; None: nothing is known of the flow then."""
        return facts.newest(self.dataset, None, on)

    def cells(self, part: str, on: date | None) -> Cells:
        """The cells of a part at the end of `on`, by series key and period."""
        return facts.state(self.dataset, part, on)

    def label(self, column: str, code: str) -> str:
        """The label of a code in a column; "" where none is known, the code itself in a dimension."""
        if column in self.lists:
            return self.codes[self.lists[column]].get(code, code)
        return self.notes.get(column, {}).get(code, "")


@cache
def known() -> tuple[Flow, ...]:
    """The flows of facts/oecd_flows.yaml, which describes their fields."""
    return tuple(_flow(entry) for entry in facts.flow_table())


def _flow(entry: dict[str, Any]) -> Flow:
    agency, _, name = entry["flow"].partition(":")
    lists: dict[str, str] = entry["dimensions"]
    return Flow(
        dataset=entry["dataset"],
        agency=agency,
        id=name,
        name=entry["name"],
        lists=lists,
        area=entry["area"],
        attributes=tuple(entry["attributes"]),
        codes={name: _code_list(name) for name in lists.values()},
        constant=entry.get("constant", {}),
    )


def _code_list(name: str) -> dict[str, str]:
    """The held codes of a code list and their labels."""
    return {row["code"]: row["label"] for row in facts.table("oecd_codes.csv") if row["list"] == name}
