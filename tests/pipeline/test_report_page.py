"""The run as one HTML file."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from dflcolab.pipeline.loss_chart import loss_chart
from dflcolab.pipeline.report_page import StageRow, render_report


class _Page(HTMLParser):
    """Text, tags in order, and everything the page would load."""

    _VOID = ("meta", "img", "line", "polyline", "br")

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.text = ""
        self.open: list[str] = []
        self.sources: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        if tag not in self._VOID:
            self.open.append(tag)
        self.sources += [value for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag):
        if tag not in self._VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def _picture(height: int = 90, width: int = 160) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_everything_is_on_the_page_and_inside_the_file(tmp_path: Path):
    path = tmp_path / "new" / "report.html"

    render_report(
        path,
        title="A run",
        stages=[StageRow("extract", 3.25, "72 faces"), StageRow("train", 251, "3400 iterations")],
        losses=np.linspace(3, 1, 200).reshape(100, 2),
        pictures=[("Before and after", _picture()), ("Held-out faces", _picture(64, 64))],
        notes=["Rights: licensed."],
        facts={"Model": "SAEHD"},
    )

    page = _Page(path)
    assert page.open == []
    for words in ("A run", "extract", "3.2 s", "4 min 11 s", "4 min 14 s", "72 faces", "Before and",
                  "Held-out faces", "Rights: licensed.", "SAEHD", "src: 1.0"):  # fmt: skip
        assert words in page.text, words
    assert len(page.sources) == 2
    assert all(source.startswith("data:image/jpeg;base64,") for source in page.sources)
    assert "http" not in re.sub(r"data:image[^\"]+", "", path.read_text())


def test_texts_are_escaped(tmp_path: Path):
    path = tmp_path / "report.html"

    render_report(
        path,
        title="<script>alert(1)</script>",
        stages=[StageRow("a & b", 1, "<b>bold</b>")],
        notes=['say "yes"'],
        facts={"<i>": "<u>"},
    )

    assert "<script" not in path.read_text()
    page = _Page(path)
    assert "<b>bold</b>" in page.text
    assert "a & b" in page.text


def test_empty_parts_are_left_out(tmp_path: Path):
    path = tmp_path / "report.html"

    render_report(path, title="Nothing yet", losses=np.zeros((0, 2)))

    text = _Page(path).text
    for heading in ("Pictures", "Losses", "Stages", "Rights"):
        assert f"\n{heading}" not in text


def test_large_pictures_are_scaled_down(tmp_path: Path):
    path = tmp_path / "report.html"

    render_report(path, title="Large", pictures=[("wide", _picture(1000, 4000))])

    (width,) = re.findall(r'width="(\d+)" height="400"', path.read_text())
    assert int(width) == 1600


def test_long_curves_are_thinned_and_keep_their_end():
    n = 50_000
    losses = np.stack([np.linspace(4, 1, n), np.linspace(3, 0.5, n)], axis=1)

    chart = loss_chart(losses)

    assert chart is not None
    assert [curve.name for curve in chart.curves] == ["src", "dst"]
    assert len(chart.curves[0].raw.split()) <= 400
    assert float(chart.curves[0].last) == pytest.approx(1.0, abs=0.05)
    assert float(chart.curves[1].last) == pytest.approx(0.5, abs=0.05)


def test_curves_fall_from_left_to_right_inside_the_drawing():
    chart = loss_chart(np.linspace(4, 1, 400).reshape(200, 2))

    assert chart is not None
    points = np.array([[float(v) for v in p.split(",")] for p in chart.curves[0].smooth.split()])
    assert (np.diff(points[:, 0]) > 0).all()
    assert (np.diff(points[:, 1]) >= 0).all()
    assert points[:, 0].min() >= chart.left - 0.1
    assert points[:, 0].max() <= chart.right + 0.1
    assert points[:, 1].max() <= chart.bottom + 0.1


@pytest.mark.parametrize(
    "losses",
    [
        np.zeros((0, 2)),
        np.ones((1, 2)),
        np.full((50, 2), np.nan),
    ],
    ids=["none", "one", "unknown"],
)
def test_too_few_losses_give_no_drawing(losses: np.ndarray):
    assert loss_chart(losses) is None


def test_equal_losses_and_gaps_are_drawn():
    losses = np.full((30, 2), 0.7)
    losses[10:20] = np.nan

    chart = loss_chart(losses, np.arange(100, 130))

    assert chart is not None
    assert chart.curves[0].last == "0.700"
    assert chart.x_ticks
