# pyright: strict
"""Options of `mask`; light, since the command line builds its help here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dflcolab.config import Config, option
from dflcolab.engine.checkpoint_choice import CheckpointChoice
from dflcolab.errors import ConfigError
from dflcolab.workspace.workspace import Side


@dataclass(frozen=True, kw_only=True)
class MaskConfig(Config):
    """What to do with the masks that the faces carry."""

    action: Literal["labels", "next", "train", "apply", "remove", "fetch", "stats", "export"]
    """labels lists drawn outlines, brings them in and out, or guesses some; next names the faces that
    are worth labelling next; train teaches an XSeg network what the outlines show; apply writes its
    masks into the face files; remove takes masks or outlines out of them; fetch copies labelled faces
    aside; stats counts masks and looks for bad ones; export writes masks as pictures."""

    side: Side | None = None
    """Whose faces: src or dst. train: without it, those of both sides."""

    model: str = "xseg"
    """train, apply, next, labels --guess: name of the XSeg model; a folder of that name under model/."""

    checkpoint: CheckpointChoice = "latest"
    """apply, next, labels --guess model: which state of the XSeg model: latest, best (the lowest loss on
    held-out labels), or the iteration of one that `model info` lists."""

    what: Literal["xseg", "polygons", "guesses", "all"] = option("xseg")
    """What remove takes out: trained masks (xseg), all outlines (polygons), outlines that were guessed
    and not changed since (guesses), or masks and outlines (all). Outlines are work by hand: a copy of
    those of polygons and all stays in history/."""

    out: Path | None = option(None)
    """export: folder for the pictures; left out: aligned_mask, beside the faces. fetch: folder for
    the copies; left out: aligned_xseg. labels: the file or folder that the outlines are written to."""

    hull: bool = option(True)
    """Export faces without a mask of their own with the hull of their landmarks; no leaves them out."""

    format: Literal["coco", "png"] = "coco"
    """labels --out: coco: one JSON file with all outlines; png: a folder with a mask per labelled
    face."""

    from_: str | None = None
    """labels: a COCO file, or a folder of mask pictures called like the faces (00001_0.png or
    00001_0_mask.png), to take outlines from. train, apply: a link to a trained XSeg model of
    DeepFaceLab's, or its folder, to begin with where the workspace has none of that name. Put #sha256=…
    behind a link, so that this very file comes or none; without it, the hash of what came is told."""

    replace: bool = False
    """labels --from: also give faces new outlines that have some already; the old ones are kept in
    history/."""

    tolerance: float = option(1.0, low=0.0, high=50.0)
    """labels --from a folder: how far outlines may run from the edge of the mask pictures, in pixels
    of the face. More leaves fewer points to move by hand."""

    guess: Literal["hull", "masks", "model", "neighbours"] | None = None
    """labels: give outlines to faces that have no drawn ones, for you to correct. hull: from the
    landmarks. masks: from the masks that the faces carry. model: from what the network says.
    neighbours: drawn outlines of frames beside, moved with the picture."""

    refine: bool = False
    """labels --guess: move guessed outlines to edges in the picture nearby; about a third of a second
    a face and core."""

    frames: int = option(5, low=1, high=100)
    """labels --guess neighbours: how many frames away outlines are carried at most."""

    only: tuple[str, ...] = ()
    """labels --guess: names of the faces that get outlines; without it, all."""

    count: int = option(20, low=1, high=1000)
    """next: how many faces to name."""

    part: tuple[Literal["eyes", "mouth", "nose", "brows"], ...] = ()
    """apply: keep these parts of the face only, for a swap of parts. Without an XSeg model the parts
    come from the landmarks alone."""

    set: tuple[str, ...] = ()
    """train: options of the network as key=value: face_type, base, learning_rate, batch_size; also
    any option of this command."""

    pretrain: bool = False
    """train: learn to redraw faces in grey first, from all faces; needs no labels. Trained on without
    this option, the network keeps what it knows and starts at iteration 0 with the labels."""

    faceset: tuple[str, ...] = ()
    """train: further folders with faces or faceset.pak files to learn from, or their addresses."""

    target_iter: int | None = option(None, low=1)
    """train: iteration at which training ends. Without it, it goes on until stopped."""

    deadline: str | None = None
    """train: longest time, such as 2h30m or 90s; then save and end."""

    batch: int | None = option(None, low=1, high=64)
    """train, apply, next: faces at once. Without it: what the model has, 4 for a new one."""

    precision: Literal["auto", "float32", "mixed_float16", "mixed_bfloat16"] = "auto"
    """train: number type of the network. auto: bfloat16 or float16 on GPUs with tensor cores, else
    float32."""

    save_minutes: float = option(10.0, low=0.0)
    """train: minutes between two saves; 0 = never by time."""

    save_every: int = option(0, low=0)
    """train: iterations between two saves, besides those by time; 0 = never by iterations."""

    keep: int = option(3, low=1, high=100, advanced=True)
    """train: how many of the latest checkpoints stay, besides the best one."""

    preview_every: int = option(500, low=0)
    """train: iterations between two preview pictures in the model's history folder, and two looks
    of the watch at the held-out faces; 0 = previews at saves only, and no looks."""

    stop_on: Literal["never", "plateau", "overfit"] = "never"
    """train: when the watch ends training by itself. overfit: the masks of held-out faces get worse
    while the others do not. plateau: also when they have stopped getting better. The best state stays
    on disk in any case."""

    holdout_share: float = option(0.1, low=0.0, high=0.5)
    """train: part of the labelled faces kept out of training to judge it, by whole stretches of
    frames. Of fewer than 20 labels none is kept out."""

    seed: int = option(0, low=0, advanced=True)
    """train: start of all random numbers of a new model."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.side is None and self.action != "train":
            raise ConfigError(f"mask {self.action} works on one side; add --side src or dst.")
        if self.action == "train" and self.stop_on != "never" and not self.preview_every:
            raise ConfigError(
                f"stop_on = {self.stop_on} needs looks of the watch, and with preview_every = 0 there are "
                "none; give for example preview_every = 500 as well."
            )
