"""A hand on a mask editor in a page: mouse and keys, in pixels of the face."""

from __future__ import annotations

import json
from pathlib import Path

from playwright.sync_api import Page, expect

from dflcolab.formats.dfl_jpeg import read_face

SQUARE = [(40, 50), (140, 50), (140, 150), (40, 150)]
BAR = [(60, 80), (120, 80), (90, 110)]


def stored(path: Path) -> list[tuple[bool, list[tuple[float, float]]]]:
    """The outlines in a face's file."""
    polygons = read_face(path).record.polygons
    return [(p.include, [(x, y) for x, y in p.points.tolist()]) for p in polygons]


class Hand:
    """Mouse and keys over an editor, in pixels of the face."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.editor = page.get_by_test_id("mask-editor")
        self.canvas = self.editor.locator("canvas")
        expect(self.editor).to_have_attribute("data-shown", "00000_0.jpg")
        self.settle()

    def settle(self) -> None:
        expect(self.editor).to_have_attribute("data-state", "ready")

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Where the middle of a pixel of the face is in the page."""
        self.canvas.scroll_into_view_if_needed()
        view = json.loads(self.editor.get_attribute("data-view") or "")
        box = self.canvas.bounding_box()
        assert box is not None
        middle = ((x + 0.5) * view["zoom"] + view["x"], (y + 0.5) * view["zoom"] + view["y"])
        return box["x"] + middle[0], box["y"] + middle[1]

    def click(self, x: float, y: float, **how) -> None:
        self.page.mouse.click(*self.place(x, y), **how)
        self.settle()

    def drag(self, start: tuple[float, float], *path: tuple[float, float]) -> None:
        self.page.mouse.move(*self.place(*start))
        self.page.mouse.down()
        for point in path:
            self.page.mouse.move(*self.place(*point), steps=4)
        self.page.mouse.up()
        self.settle()

    def press(self, *keys: str) -> None:
        for key in keys:
            self.editor.press(key)
            self.settle()

    def draw(self, kind: str, points: list[tuple[int, int]]) -> None:
        self.press({"include": "i", "exclude": "e"}[kind])
        for point in points:
            self.click(*point)
        self.press("Enter")
