"""What appears in the page stays small and safe."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dflcolab.runtime import show
from dflcolab.runtime.show import MAX_PICTURE_BYTES, StoppedCellError, contact_sheet, small_jpeg


@pytest.mark.parametrize("shape", [(64, 64), (1080, 1920), (4000, 300)])
def test_a_picture_of_pure_noise_stays_under_the_limit(shape):
    noise = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)

    assert len(small_jpeg(noise)) <= MAX_PICTURE_BYTES


def test_a_contact_sheet_fills_its_last_row():
    tiles = (np.full((40 + n, 80, 3), 200, np.uint8) for n in range(9))

    sheet = contact_sheet(tiles, columns=4, width=32)

    assert sheet is not None
    assert sheet.shape == (3 * 16, 4 * 32, 3)


def test_no_pictures_make_no_sheet():
    assert contact_sheet(iter([])) is None


def test_ipython_draws_a_stopped_cell_as_one_sentence():
    assert StoppedCellError("Do this.")._render_traceback_() == ["Do this."]


def test_a_page_stands_in_a_frame_that_runs_no_script(tmp_path: Path, monkeypatch):
    shown: list[str] = []
    monkeypatch.setattr(show, "show", shown.append)
    page = tmp_path / "report.html"
    page.write_text('<p title="it">5 < 6</p>', encoding="utf-8")

    show.show_page(page)

    assert 'sandbox=""' in shown[-1]
    assert "&lt;p title=&quot;it&quot;&gt;" in shown[-1]
