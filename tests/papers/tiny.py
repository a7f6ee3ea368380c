"""A paper of two sentences and a figure, a private one, and a warehouse that holds what they speak of, for tests of the site.

Belongs here: making them. What is asked of them is in the tests.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from tests.warehouse import makers
from warehouse.papers import catalogue
from warehouse.papers.catalogue import Catalogue
from warehouse.papers.model import Cutoff, Drawn, Exhibit, Measure, Paper, Reading, Statement, Words
from warehouse.store import DatasetFacts, Warehouse

ABOUT: dict[str, Any] = {
    **makers.FACTS.description,
    "status": "verified offline",
    "publisher_timezone": "UTC",
    "licence": {"id": "CC0", "url": "https://example.invalid/cc0", "attribution": "Nobody & Co"},
    "calendar": {"stale_after_days": 30, "releases": "in March", "lag": "", "cron": "0 9 * * 1", "timezone": "UTC"},
    "parts": [{"id": "p", "label": "Intensity", "label_zh": "强度", "unit": "percent"}],
}
FACTS = DatasetFacts("oecd.test", "f" * 64, ABOUT, makers.FACTS.equality)
MEASURE = Measure(
    id="test-intensity",
    name=Words(en="intensity", zh="强度"),
    series="oecd.test:{entity}",
    unit="percent of GDP",
    provider_unit="percent",
)


def _statement(number: str, printed: str, period: str = "2017", **fields: Any) -> Statement:
    read = Reading.model_validate({"use": "value", "with": {"x": MEASURE.id}})
    return Statement(
        id=f"tiny-{number}",
        says=Words(en=f"Intensity <{number}>", zh=f"强度 {number}"),
        kind="level",
        entities=("KOR",),
        period=period,
        printed=printed,
        unit="percent of GDP",
        sense="equals",
        machine_readable="yes",
        readings=(read,),
        **fields,
    )


def _paper(name: str = "tiny", *, public: bool = True) -> Paper:
    line = Drawn.model_validate(
        {
            "use": "value",
            "with": {"x": MEASURE.id},
            "entities": ["KOR"],
            "period": "2016:2017",
            "label": {"en": "Intensity", "zh": "强度"},
            "unit": "percent of GDP",
        }
    )
    figure = Exhibit(
        id=f"{name}-fig1",
        number="1",
        kind="figure",
        title=Words(en="Intensity of Korea", zh="韩国的强度"),
        quantitative=True,
        chart="lines",
        drawn=(line,),
    )
    claims = (
        _statement("c001", "4.6"),
        _statement("c002", "4.2", "2016", answer=Words(en="A slip of ours.", zh="系笔误。")),
    )
    cutoff = Cutoff(earliest=date(2020, 1, 1), latest=date(2020, 12, 31), evidence=Words(en="its date", zh="其日期"))
    renamed = tuple(one.model_copy(update={"id": one.id.replace("tiny", name)}) for one in claims)
    title = Words(en=f"A paper called {name}", zh=f"论文 {name}")
    return Paper(id=name, title=title, year=2020, public=public, cutoff=cutoff, exhibits=(figure,), claims=renamed)


def catalogue_of_two() -> Catalogue:
    """One public paper and one private one, on a measure of their own."""
    shipped = catalogue.load()
    own = {one.id: one for one in (_paper(), _paper("secret", public=False))}
    return replace(shipped, papers=own, cross=(), measures={**shipped.measures, MEASURE.id: MEASURE})


def two_vintages(folder: Path) -> Warehouse:
    """Two vintages: one of the paper's year, and one since, in which the value moved."""
    store = makers.store(folder)
    then, now = (4.5531, "P", "4.5531"), (4.073, "E", "4.073")
    makers.load(store, makers.part({("KOR", "2016"): 4.24, ("KOR", "2017"): then}, "2020-03-01"), facts=FACTS)
    makers.load(store, makers.part({("KOR", "2016"): 4.24, ("KOR", "2017"): now}, "2024-03-01"), facts=FACTS)
    return store
