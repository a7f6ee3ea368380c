"""A picture put to paper with matplotlib: title, key, panels and notes from top to bottom.

sheet   the paper, its inks, texts measured and broken into lines
lines   panels of lines over time
bars    panels of bars, and rankings

What tells things apart is never colour alone: lines have their own markers, what was known then is hollow, dashed or hatched,
what is printed is outlined; years that are not held are not joined. A chart is laid out from its own words, so that it is the
same whichever fonts a machine has. Does not belong here: what is drawn (pictures) and into which file (charts).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from warehouse.papers.figures.drawing import bars, lines
from warehouse.papers.figures.drawing.sheet import INK, MARGIN, PAPER, SOFT, Place, Sheet, ems, wrap
from warehouse.papers.figures.pictures import Picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(picture: Picture, sheet: Sheet) -> Figure:
    """The whole chart as a figure of matplotlib; its height follows from what it holds."""
    from matplotlib.figure import Figure

    title = wrap(picture.title, sheet.inner, sheet.type + 1)
    notes = [line for note in picture.notes for line in wrap(note, sheet.inner, sheet.type - 1)]
    blocks = lines.blocks(picture, sheet) if picture.form == "lines" else bars.blocks(picture, sheet)
    title_high, key_high = len(title) * (sheet.type + 1) * 1.4, sheet.line * 1.7
    height = (
        MARGIN + title_high + key_high + sum(block.height for block in blocks) + (len(notes) + 1) * (sheet.line - 1)
    )
    place = Place(Figure(figsize=(sheet.width / 72, height / 72), facecolor=PAPER), sheet, height)
    top = height - MARGIN
    place.lines(title, top, sheet.type + 1, INK)
    top -= title_high
    _key(place, picture, top - key_high * 0.4)
    top -= key_high
    for block in blocks:
        block.draw(place, top)
        top -= block.height
    place.lines(notes, top, sheet.type - 1, SOFT)
    return place.figure


def _key(place: Place, picture: Picture, bottom: float) -> None:
    """What is printed, then and now look like, in the ink of the text."""
    put = lines.sample if picture.form == "lines" else bars.sample
    size, x = place.sheet.type, 0.0
    for origin, name in picture.origins.items():
        put(place, picture, origin, x, bottom)
        place.text(x + 3 * size, bottom, name, size, INK, va="center")
        x += (4.5 + ems(name)) * size
