"""The chart for the README: CPU per request, one panel for each scenario, as SVG that suits light and dark pages."""

from __future__ import annotations

from xml.sax.saxutils import escape

from .results import Result
from .scenario import Scenario

WIDTH = 860
COLUMNS = 2
MARGIN = 20
LABEL_WIDTH = 80
VALUE_WIDTH = 60
BAR_HEIGHT = 16
BAR_PITCH = 24
BASELINE = 5
"""From a bar's middle down to the baseline of its text; not every viewer knows `dominant-baseline`."""
PANEL_HEAD = 44
PANEL_GAP = 26
ROW_GAP = 8
TITLE_HEIGHT = 66
FOOT_HEIGHT = 34

STYLE = """\
  text { font: 13px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; fill: #1f2328; }
  .title { font-size: 17px; font-weight: 600; }
  .panel { font-weight: 600; }
  .note { font-size: 12px; fill: #59636e; }
  .value { font-variant-numeric: tabular-nums; }
  .label { text-anchor: end; }
  .ours { font-weight: 600; }
  rect { fill: #9aa4b0; }
  rect.ours { fill: #0d7a6f; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .note { fill: #9198a1; }
    rect { fill: #5d6874; }
    rect.ours { fill: #2fb8a6; }
  }"""


def draw(scenarios: list[Scenario], results: list[Result], footnote: str) -> str:
    """The SVG document. Proxies without a figure are left out; the slowest one fills the width of its panel."""
    panels = [(scenario, _bars(scenario, results)) for scenario in scenarios]
    panels = [(scenario, bars) for scenario, bars in panels if bars]
    parts: list[str] = []
    top = TITLE_HEIGHT
    for start in range(0, len(panels), COLUMNS):
        row = panels[start : start + COLUMNS]
        for column, (scenario, bars) in enumerate(row):
            parts += _panel(scenario, bars, left=MARGIN + column * _panel_width() + column * PANEL_GAP, top=top)
        top += PANEL_HEAD + BAR_PITCH * max(len(bars) for _, bars in row) + ROW_GAP
    height = top + FOOT_HEIGHT - ROW_GAP
    heading = [
        _text(MARGIN, 30, "CPU time per request, microseconds (shorter is better)", "title"),
        _text(MARGIN, 51, "One core for the proxy, one for load generator and backend; access log on", "note"),
    ]
    foot = [_text(MARGIN, height - 14, footnote, "note")]
    return "\n".join([*_opening(height), *heading, *parts, *foot, "</svg>", ""])


def _opening(height: int) -> list[str]:
    size = f'width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="CPU time per request of each proxy">',
        f"<style>\n{STYLE}\n</style>",
    ]


def _panel_width() -> int:
    return (WIDTH - 2 * MARGIN - (COLUMNS - 1) * PANEL_GAP) // COLUMNS


def _bars(scenario: Scenario, results: list[Result]) -> list[tuple[Result, float]]:
    return [
        (result, result.cpu_microseconds)
        for result in results
        if result.scenario == scenario.name and result.cpu_microseconds is not None
    ]


def _panel(scenario: Scenario, bars: list[tuple[Result, float]], left: int, top: int) -> list[str]:
    longest = max(value for _, value in bars)
    room = _panel_width() - LABEL_WIDTH - VALUE_WIDTH
    parts = [_text(left, top + 22, _short_title(scenario), "panel")]
    for number, (result, value) in enumerate(bars):
        ours = " ours" if result.peer == "portway" else ""
        middle = top + PANEL_HEAD + number * BAR_PITCH
        start, length = left + LABEL_WIDTH, max(1.0, room * value / longest)
        shape = f'x="{start}" y="{middle - BAR_HEIGHT // 2}" width="{length:.1f}" height="{BAR_HEIGHT}" rx="2"'
        parts.append(_text(start - 8, middle + BASELINE, result.title, f"label{ours}"))
        parts.append(f'<rect class="bar{ours}" {shape}/>')
        parts.append(_text(start + length + 6, middle + BASELINE, f"{value:.1f}", f"value{ours}"))
    return parts


def _short_title(scenario: Scenario) -> str:
    """The scenario's title without the body's usual size and the usual single route."""
    return scenario.title.replace(", 100 B body", "").replace(", 1 route", "")


def _text(x: float, y: float, text: str, css_class: str) -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" class="{css_class}">{escape(text)}</text>'
