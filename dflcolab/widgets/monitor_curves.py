# pyright: strict
"""The curves of a training that goes on, as one inline drawing."""

from __future__ import annotations

from pathlib import Path

from dflcolab.engine.loss_history import read_losses
from dflcolab.errors import FormatError
from dflcolab.pipeline.loss_chart import loss_chart
from dflcolab.pipeline.page import filled
from dflcolab.pipeline.training_charts import SMALL, curve_of, draw
from dflcolab.pipeline.training_history import still_valid
from dflcolab.watch.looks import Look
from dflcolab.watch.state import records_of


class Curves:
    """What a model's files hold of its losses: every iteration, also those of earlier runs.

    Args:
        model_dir: The model's folder.
        losses: The file of its losses.
        pretraining: The looks of pretraining instead of those of training.
    """

    def __init__(self, model_dir: Path, losses: Path, *, pretraining: bool) -> None:
        self._losses = losses
        self._looks = records_of(model_dir, pretraining=pretraining)[0]
        self._drawn: tuple[int, int] = (-1, -1)

    def drawing(self) -> str | None:
        """HTML with SVG: training losses, and on each side held-out beside training faces.

        None if nothing has come since the last call.
        """
        sizes = (_size(self._losses), _size(self._looks.path))
        if sizes == self._drawn:
            return None
        self._drawn = sizes
        looks = self._read_looks()
        charts = [
            draw(
                f"Loss of {side} without warp",
                [
                    curve_of(looks, f"{side}/training/loss", "training faces", f"{css} seen"),
                    curve_of(looks, f"{side}/held_out/loss", "held-out faces", f"{css} kept"),
                ],
                frame=SMALL,
                log=True,
            )
            for side, css in (("src", "src"), ("dst", "dst"), ("masks", "src"))
        ]
        return filled(
            "monitor.html",
            losses=loss_chart(read_losses(self._losses)),
            looks=[chart for chart in charts if chart is not None],
        )

    def _read_looks(self) -> list[Look]:
        try:
            looks = [Look.from_plain(line) for line in self._looks.read()]
        except (FormatError, KeyError, TypeError, ValueError):
            return []  # training itself says so
        return still_valid(looks, lambda look: look.iteration)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1
