"""Charts of exhibits as SVG for pages and downloads, and as PNG at 300 dpi: 17 cm or 8 cm wide, English or Chinese.

A chart is drawn without a clock: the same rows give the same bytes. A PNG needs a font with Chinese characters on this
machine; where there is none, there is no Chinese PNG (`chinese_font`), and never boxes. Belongs here: files. Does not belong
here: what is drawn (pictures), and how (drawing).
"""

from __future__ import annotations

import html
import io
import re
import warnings
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from warehouse.papers.figures import pictures
from warehouse.papers.figures.citations import Language
from warehouse.papers.figures.drawing import draw
from warehouse.papers.figures.drawing.sheet import INK, PAPER, RULE, SERIES, SOFT, Sheet
from warehouse.papers.figures.pictures import Picture

if TYPE_CHECKING:
    from warehouse.papers.figures.exhibits import Told

Width = Literal["wide", "narrow"]
#: Width of a chart in centimetres, and its size of type in points: a text column, and half of one.
WIDTHS: dict[Width, float] = {"wide": 17.0, "narrow": 8.0}
_TYPE: dict[Width, float] = {"wide": 8.0, "narrow": 7.0}
_POINT = 72 / 2.54
#: Ink on paper, and the variables of templates/base.html that a page puts in its place, so that both schemes suit.
_PRINT = {INK: "#000000", SOFT: "#333333", RULE: "#cccccc", PAPER: "#ffffff"}
_PAGE = {INK: "ink", SOFT: "soft", RULE: "rule", PAPER: "paper"} | {ink: f"s{n}" for n, ink in enumerate(SERIES)}
FONTS = (
    "'Helvetica Neue', Arial, 'Noto Sans', 'Noto Sans CJK SC', 'Source Han Sans SC', 'PingFang SC', 'Microsoft YaHei', "
    "sans-serif"
)
_CHINESE = ("Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "Source Han Sans CN", "WenQuanYi Zen Hei",
            "WenQuanYi Micro Hei", "PingFang SC", "Microsoft YaHei", "SimHei")  # fmt: skip
#: What an operator is told where Chinese pictures cannot be drawn.
NO_CHINESE = "no Chinese PNG: this machine has no font for it; install one, such as Debian's fonts-noto-cjk"


@dataclass(frozen=True)
class Chart:
    """One chart of one width in its three forms.

    inline: SVG to be put into a page, of no fixed size, coloured by the page's variables, with ids of its own, a title and a
    description; file: SVG by itself, black on white, as wide as it will be printed; png: at 300 dpi, None in Chinese where the
    machine has no font for it (`chinese_font`).
    """

    inline: str
    file: bytes
    png: bytes | None


def drawn(told: Told, language: Language) -> dict[Width, Chart]:
    """The exhibit's chart in every width; nothing where it declares no chart, or holds no number."""
    picture = pictures.of(told, language)
    return of(picture, language) if picture else {}


def of(picture: Picture, language: Language) -> dict[Width, Chart]:
    """A picture in every width."""
    return {width: _chart(picture, language, width) for width in WIDTHS}


@cache
def chinese_font() -> str | None:
    """The name of a font with Chinese characters that this machine has; None: NO_CHINESE says what to do."""
    from matplotlib import font_manager

    names = {entry.name for entry in font_manager.fontManager.ttflist}
    return next((name for name in _CHINESE if name in names), None)


def _chart(picture: Picture, language: Language, width: Width) -> Chart:
    font = chinese_font()
    vector, pixels = io.StringIO(), io.BytesIO()
    with style(font or "DejaVu Sans"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # in SVG the reader's own font draws it
        figure = draw(picture, Sheet(WIDTHS[width] * _POINT, _TYPE[width], language))
        figure.savefig(vector, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
        if language == "en" or font:
            figure.savefig(pixels, format="png", dpi=300, metadata={"Software": None})
    name = f"{picture.id}-{language}-{width}"
    text = _named(_bare(vector.getvalue()), name, picture, language)
    return Chart(_inline(text, width), _file(text), pixels.getvalue() or None)


def _bare(text: str) -> str:
    """What matplotlib wrote, without prologue, metadata and a style that would reach over the whole page, in our fonts."""
    text = text[text.index("<svg") :]
    text = re.sub(r"\s*<metadata>.*?</metadata>|\s*<defs>\s*<style.*?</style>\s*</defs>", "", text, flags=re.DOTALL)
    return re.sub(r"font-family: [^;\"]*", f"font-family: {FONTS}", text)


def _named(text: str, name: str, picture: Picture, language: Language) -> str:
    """With ids that no other chart has, and a title and a description for those who do not see it."""
    text = re.sub(r'\bid="(.*?)"', rf'id="{name}-\1"', text)
    text = re.sub(r'(href="#|url\(#)', rf"\g<1>{name}-", text)
    spoken = "zh-CN" if language == "zh" else "en"
    head, rest = text.split(">", 1)
    title, notes = html.escape(picture.title), html.escape(" ".join(picture.notes))
    return (
        f'{head} role="img" aria-labelledby="{name}-title {name}-desc" lang="{spoken}">\n'
        f'<title id="{name}-title">{title}</title><desc id="{name}-desc">{notes}</desc>{rest}'
    )


def _inline(text: str, width: Width) -> str:
    text = re.sub(r"<svg [^>]*?viewBox", f'<svg class="{width}" viewBox', text, count=1).replace("xlink:href", "href")
    for ink, name in _PAGE.items():
        text = text.replace(ink, f"var(--{name}, {ink})")
    return text


def _file(text: str) -> bytes:
    for ink, printed in _PRINT.items():
        text = text.replace(ink, printed)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode()


def style(font: str) -> Any:
    """The settings of matplotlib under which a chart is drawn, with texts in a font; a context manager."""
    import matplotlib

    return matplotlib.rc_context(
        {
            "font.family": font, "svg.fonttype": "none", "svg.hashsalt": "figurekeeper", "text.parse_math": False,
            "text.color": INK, "axes.edgecolor": SOFT, "axes.labelcolor": INK, "xtick.color": SOFT, "ytick.color": SOFT,
            "axes.linewidth": 0.6, "xtick.major.width": 0.6, "ytick.major.width": 0.6, "hatch.linewidth": 0.6,
            "xtick.major.size": 2.5, "ytick.major.size": 0, "axes.unicode_minus": True,
        }
    )  # fmt: skip
