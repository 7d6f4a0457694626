"""How the checks went, drawn: SVG without scripts, which any browser shows offline."""

from collections.abc import Sequence
from typing import NamedTuple
from xml.etree.ElementTree import Element, SubElement, tostring

from storage.quality import RunCounts

_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM = 640, 170, 30, 12, 26
#: Few runs do not become broad bars.
_LEAST_SLOTS = 12
#: What an image has to bring along, as no page lends it colours.
_STYLE = """
svg { background: #fff; font: 11px system-ui, sans-serif }
.error { fill: #d92d20 } .warning { fill: #f79009 } .info { fill: #2e90fa } .good { fill: #12b76a }
.grid { stroke: #e4e7ec } text { fill: #667085 }
"""


class _Plot(NamedTuple):
    """Where things lie."""

    slot: float
    most: int

    def x(self, number: int) -> float:
        return round(_LEFT + number * self.slot, 1)

    def y(self, value: float) -> float:
        return round(_HEIGHT - _BOTTOM - value / self.most * (_HEIGHT - _TOP - _BOTTOM), 1)


def trend_chart(runs: Sequence[RunCounts], *, alone: bool = False) -> str:
    """A bar for each run: how many checks found something, by severity; a dot where none did.

    An image that stands `alone` brings its colours along; on a page, they are the page's.
    """
    told = f"Checks that found something, in the last {len(runs)} runs"
    svg = _svg(_WIDTH, _HEIGHT, told)
    if alone:
        # As the only size that a browser knows of a picture without a page.
        svg.attrib |= {"width": str(_WIDTH), "height": str(_HEIGHT)}
        SubElement(svg, "style").text = _STYLE
    slots = max(len(runs), _LEAST_SLOTS)
    most = max((run.errors + run.warnings + run.infos for run in runs), default=0)
    plot = _Plot((_WIDTH - _LEFT) / slots, max(most, 2))
    _grid(svg, plot)
    for number, run in enumerate(runs, slots - len(runs)):
        _bar(svg, plot, number, run)
    _dates(svg, runs, plot.x(slots - len(runs)))
    return tostring(svg, encoding="unicode")


def small_chart(values: Sequence[int | None]) -> str:
    """A check's bad rows, run by run, as small as a word."""
    svg = _svg(120, 28, f"Bad rows, run by run: {', '.join(map(_number, values))}")
    most, width = max((value or 0 for value in values), default=0) or 1, 120 / max(len(values), 1)
    for number, value in enumerate(values):
        height = round(2 + (value or 0) / most * 26, 1)
        kind = "unknown" if value is None else "bad" if value else "good"
        _box(svg, kind, (number * width, 28 - height), (width * 0.7, height))
    return tostring(svg, encoding="unicode")


def _svg(width: int, height: int, told: str) -> Element:
    about = {"viewBox": f"0 0 {width} {height}", "role": "img", "aria-label": told}
    return Element("svg", {"xmlns": "http://www.w3.org/2000/svg", **about})


def _grid(svg: Element, plot: _Plot) -> None:
    for value in sorted({0, plot.most // 2, plot.most}):
        y = plot.y(value)
        ends = {"x1": str(_LEFT), "x2": str(_WIDTH), "y1": str(y), "y2": str(y)}
        SubElement(svg, "line", {"class": "grid", **ends})
        _text(svg, _LEFT - 6, y + 4, str(value), "end")


def _bar(svg: Element, plot: _Plot, number: int, run: RunCounts) -> None:
    group = SubElement(svg, "g")
    SubElement(group, "title").text = _words(run)
    width, below = plot.slot * 0.7, 0
    for kind, count in (("error", run.errors), ("warning", run.warnings), ("info", run.infos)):
        if count:
            top, bottom = plot.y(below + count), plot.y(below)
            _box(group, kind, (plot.x(number), top), (width, bottom - top))
            below += count
    if not below:
        centre = {"cx": str(round(plot.x(number) + width / 2, 1)), "cy": str(plot.y(0) - 5)}
        SubElement(group, "circle", {"class": "good", "r": "3.5", **centre})


def _dates(svg: Element, runs: Sequence[RunCounts], first: float) -> None:
    if runs:
        _text(svg, _WIDTH - 4, _HEIGHT - 6, f"{runs[-1].started_at:%d %b %H:%M}", "end")
    # Where the two would not lie on each other.
    if len(runs) > 2 and first < _WIDTH - 200:
        _text(svg, first, _HEIGHT - 6, f"{runs[0].started_at:%d %b %H:%M}", "start")


def _words(run: RunCounts) -> str:
    verdict = "passed" if run.passed else "did not pass"
    return (
        f"{run.started_at:%Y-%m-%d %H:%M %Z}: {verdict}; {run.errors} errors, "
        f"{run.warnings} warnings, {run.infos} infos, {run.bad_rows} bad rows"
    )


def _box(svg: Element, kind: str, at: tuple[float, float], size: tuple[float, float]) -> None:
    numbers = dict(zip(("x", "y", "width", "height"), (*at, *size), strict=True))
    told = {name: str(round(number, 1)) for name, number in numbers.items()}
    SubElement(svg, "rect", {"class": kind, "rx": "1.5", **told})


def _text(svg: Element, x: float, y: float, words: str, anchor: str) -> None:
    place = {"x": str(round(x, 1)), "y": str(round(y, 1)), "text-anchor": anchor}
    SubElement(svg, "text", place).text = words


def _number(value: int | None) -> str:
    return "unknown" if value is None else str(value)
