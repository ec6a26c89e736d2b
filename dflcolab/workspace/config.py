# pyright: strict
"""Options of `init` and `doctor`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dflcolab.config import Config, option
from dflcolab.faces.face_type import FaceType
from dflcolab.workspace.settings import RightsBasis


@dataclass(frozen=True, kw_only=True)
class InitConfig(Config):
    """What a new workspace starts with; run again to add or change something."""

    src: tuple[Path, ...] = option(())
    """Videos or picture folders of the person whose face is taken. They are copied in; a second run adds to them."""

    dst: tuple[Path, ...] = option(())
    """Videos or picture folders that receive the face. They are copied in; a second run adds to them."""

    from_: str | None = option(None)
    """A DeepFaceLab workspace to bring in: its folder (on a mounted Drive too), its workspace.zip or
    tar, or a link to it (https, or as Google Drive's Share button copies it; `#sha256=…` behind the
    link makes sure that it is the right file). The source is only read, nothing here is overwritten."""

    name: str | None = option(None)
    """Name of the project. The folder's name unless you give one."""

    face_type: FaceType | None = option(None)
    """How much of the head the crops show. whole_face suits most work; head needs XSeg masks."""

    src_rights: RightsBasis | None = option(None)
    """On what basis the src person's likeness is used. merge refuses until both sides have one."""

    dst_rights: RightsBasis | None = option(None)
    """On what basis the dst person's likeness is used. merge refuses until both sides have one."""

    note: str | None = option(None)
    """Free text kept with the rights given in the same call: who agreed, when, where the paper is."""

    platform_choice: Literal["go-on", "stop"] | None = option(None)
    """Your decision on a managed machine (hosted Colab, Colab Enterprise, Kaggle), whose operator
    has rules: go-on: you have read them (`dflcolab doctor` shows them) and decide to go on. stop:
    you will use another machine. Training and merging wait for it there; your own machine, a local
    runtime and a rented one need none."""


@dataclass(frozen=True, kw_only=True)
class DoctorConfig(Config):
    """What `doctor` looks at besides the machine."""

    file: Path | None = option(None)
    """A picture or video whose signed provenance shall be read and checked."""

    gpu: bool = option(True)
    """Load TensorFlow and let it compute once on the GPU. Takes some seconds; turn it off for a quick look."""

    online: bool = option(True)
    """Ask the package index (pypi.org) whether there is a newer version of this package. Waits 2.5
    seconds at most; nothing about you or the workspace is sent."""
