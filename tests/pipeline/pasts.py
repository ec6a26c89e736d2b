"""Models with a past, made without training: checkpoints, looks, events, losses and previews."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from dflcolab.config import to_plain
from dflcolab.engine.checkpoint import Contents, write_checkpoint
from dflcolab.engine.loss_history import LossHistory
from dflcolab.media.frame_sequence import encode_image
from dflcolab.models.saehd.options import saehd_options
from dflcolab.watch.looks import Look, Sample
from dflcolab.watch.state import records_of
from dflcolab.workspace.workspace import Workspace

STRETCHES = 8
FACES = 4
EVERY = 250
SWAP = {"identity_src": 0.4, "identity_dst": 0.3, "landmarks": 0.08, "pose": 4.0,
        "sharpness": 0.8, "steadiness": 1.3}  # fmt: skip


def look_at(
    iteration: int, *, turn: int, seed: int = 0, comparable: str = "x", phase: str = "warp"
) -> Look:
    """A look at a training that learns src by heart from `turn` on.

    Losses fall to a tenth over some thousand iterations; from the turn on, those of held-out src
    faces rise by a tenth every thousand.
    """
    rng = np.random.default_rng([seed, iteration])
    hardness = np.random.default_rng(seed).normal(1, 0.1, STRETCHES)
    base = 0.2 + 1.8 * np.exp(-iteration / 1500)
    measures: dict[str, Sample] = {}
    for side in ("src", "dst"):
        for group in ("training", "held_out"):
            gap = 1.15 if group == "held_out" else 1.0
            if group == "held_out" and side == "src":
                gap += max(iteration - turn, 0) / 10_000
            noise = rng.normal(1, 0.01, STRETCHES)
            levels = {"loss": 1.0, "dssim": 0.5, "square": 0.2, "mask": 0.3}
            for name, level in levels.items():
                measures[f"{side}/{group}/{name}"] = _sample(level * base * gap * hardness * noise)
            measures[f"{side}/{group}/psnr"] = _sample(22 - 4 * np.log(base * gap) + noise)
            measures[f"{side}/{group}/mask_iou"] = _sample(1 - 0.1 * base * noise)
    for name, level in SWAP.items():
        measures[f"swap/held_out/{name}"] = _sample(level * (1 + base / 3) * hardness)
    return Look(iteration, phase, comparable, measures)


def _sample(values: np.ndarray) -> Sample:
    return Sample(tuple(round(float(v), 6) for v in values), (FACES,) * STRETCHES)


def give_past(
    workspace: Workspace,
    name: str,
    *,
    looks: Sequence[Look] = (),
    events: Sequence[dict[str, Any]] = (),
    previews: Sequence[int] = (),
    saves: Sequence[int] = (1000,),
    options: dict[str, Any] | None = None,
    pretraining: bool = False,
    weights: Mapping[str, np.ndarray] | None = None,
    more: Mapping[str, Any] | None = None,
) -> Path:
    """A model folder as runs leave it.

    Args:
        workspace: Where.
        name: Of the model.
        looks: What the watch saw.
        events: What happened.
        previews: Iterations with a preview.
        saves: Iterations with a checkpoint.
        options: Of a SAEHD model.
        pretraining: The model is in pretraining.
        weights: Of all checkpoints; of no use unless given.
        more: Further entries of `state.json`.
    """
    folder = workspace.model_dir(name)
    folder.mkdir(parents=True, exist_ok=True)
    held_out = {look.iteration: look.measures for look in looks}
    chosen = saehd_options({"resolution": 64, "archi": "df-ud", **(options or {})})
    for iteration in saves:
        losses = {
            side: held_out[iteration][f"{side}/held_out/loss"].mean for side in ("src", "dst")
        } if iteration in held_out else None  # fmt: skip
        state = {
            "architecture": "saehd", "options": to_plain(chosen), "pretraining": pretraining,
            "faces": {"src": {"training": 300, "held_out": 32}, "dst": {"training": 72, "held_out": 0}},
            "held_out": losses, "held_out_loss": losses and losses["src"] + losses["dst"],
            "saved_at": "2026-11-29T10:00:00Z",
        }  # fmt: skip
        stored = weights or {"w": np.zeros(1, np.float32)}
        contents = Contents(iteration, stored, {}, {**state, **(more or {})}, picture(iteration))
        write_checkpoint(folder, contents, keep=99)
    files = records_of(folder, pretraining=pretraining)
    for file, entries in zip(files, ([look.to_plain() for look in looks], events), strict=True):
        file.start_at(0)
        for entry in entries:
            file.append(entry)
        file.flush()
    history = LossHistory(folder / ("losses-pretraining.bin" if pretraining else "losses.bin"))
    history.append(np.linspace(3, 1, 2 * max(saves)).reshape(-1, 2))
    history.flush()
    pictures = workspace.history_dir / name / ("pretraining" if pretraining else "")
    pictures.mkdir(parents=True, exist_ok=True)
    for iteration in previews:
        (pictures / f"preview-{iteration:09d}.jpg").write_bytes(picture(iteration))
    return folder


def picture(iteration: int, size: tuple[int, int] = (320, 128)) -> bytes:
    """A JPEG that differs from iteration to iteration."""
    image = np.full((size[1], size[0], 3), 40 + iteration % 160, np.uint8)
    cv2.putText(image, str(iteration), (10, 70), cv2.FONT_HERSHEY_SIMPLEX, 1, (0, 0, 255), 2)
    return encode_image(image, ".jpg", quality=90)


def start(iteration: int, *, pretrain: bool = False, **facts: Any) -> dict[str, Any]:
    """The event with which a run begins."""
    kind = "resume" if iteration else "start"
    return {"iteration": iteration, "kind": kind, "text": f"Training begins at {iteration}.",
            "options": {"pretrain": pretrain}, "versions": {"dflcolab": "1"}, "seed": 7,
            **facts}  # fmt: skip


def event(iteration: int, kind: str, text: str) -> dict[str, Any]:
    """Another event."""
    return {"iteration": iteration, "kind": kind, "text": text}
