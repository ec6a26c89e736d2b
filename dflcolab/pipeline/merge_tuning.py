# pyright: strict
"""One frame after another with a look that is being tried, without touching any result.

What was decoded and what the networks said is remembered, so that other options only cost the
composing of one frame.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dflcolab.arrays import Image
from dflcolab.errors import ConfigError
from dflcolab.files import write_bytes
from dflcolab.merging.config import MergeConfig
from dflcolab.merging.frame_source import DstFrame
from dflcolab.merging.job import MergeJob, PersonModel
from dflcolab.merging.look import DEFAULT_FILE, Look
from dflcolab.merging.look_file import Target, read_look_file, save_changes
from dflcolab.merging.networks import Enhancer, Networks
from dflcolab.merging.options import CompositeOptions
from dflcolab.merging.preview import frame_at, frames_with_faces, merged_frame
from dflcolab.merging.remembered import RememberedEnhancer, RememberedPredictor, RememberedSegmenter
from dflcolab.merging.segments import Segmenter
from dflcolab.pipeline.merge_opening import (
    load_segmenter,
    open_merge,
    require_permission,
    require_xseg,
)
from dflcolab.progress import Progress
from dflcolab.runtime.where import Where
from dflcolab.workspace.workspace import Workspace

_FRAMES_KEPT = 8  # decoded; 6 MB each at 1080p


@dataclass
class Tuning:
    """A merge of which single frames are looked at.

    Attributes:
        workspace: Whose.
        xseg: Name of the XSeg model.
        job: Footage, faces, and networks that remember.
        path: File of the look.
        look: As the file says it.
        frames: Number → name of the frames with faces, in order.
        problems: What was left out, one sentence each.
        better: Sentences about models of which another state has the lower held-out score.
    """

    workspace: Workspace
    xseg: str
    job: MergeJob
    path: Path
    look: Look
    frames: dict[int, str]
    problems: list[str]
    better: list[str]
    _decoded: OrderedDict[int, DstFrame] = field(default_factory=OrderedDict[int, DstFrame])
    _is_kept: bool = False

    def frame(self, index: int) -> Image:
        """A frame as it is.

        Args:
            index: Its number, one of `frames`.

        Raises:
            WorkspaceError: It cannot be read.
            MediaError: The footage cannot be read.
        """
        return self._frame(index).image

    def merged(self, index: int, options: CompositeOptions) -> Image:
        """A frame as these options would merge it; smoothing over time does not show in it.

        Args:
            index: Its number, one of `frames`.
            options: Tried; the file's are not asked.

        Returns:
            BGR picture, in the mode `raw-predict` of the model's size.

        Raises:
            ModelError: The options need an XSeg model that is not there, or a network paints no numbers.
            WorkspaceError: The frame cannot be read.
            MediaError: The footage cannot be read.
        """
        require_xseg(self.workspace, self.xseg, Look(options))
        return merged_frame(self.job, index, self._frame(index), options)

    def signed(self, jpeg: bytes, index: int) -> bytes:
        """A picture of a merged frame with its note, as `merge --preview` writes it."""
        stem = self.frames[index]
        if self.job.stamp is None:
            return jpeg
        return self.job.stamp(jpeg, f"look at {stem}", len(self.job.faces.of(stem)))

    def save(self, changes: Mapping[str, Any], target: Target) -> None:
        """Write changed options into the file; one that was there before the first save is kept.

        Args:
            changes: Option → its value.
            target: For which frames.

        Raises:
            ConfigError: The file, or the look with these changes, is not understood: nothing is written.
            StorageError: The disk is full or read-only.
        """
        if not changes:
            raise ConfigError("Nothing differs from the saved look; change an option first.")
        if not self._is_kept and self.path.exists():
            write_bytes(self.backup_path, self.path.read_bytes())
        self.look = save_changes(self.path, changes, target)
        self._is_kept = True

    @property
    def backup_path(self) -> Path:
        """Where the file stays as it was before the first save."""
        return self.path.with_name(self.path.name + ".bak")

    def _frame(self, index: int) -> DstFrame:
        found = self._decoded.pop(index, None)
        if found is None:
            stem = self.frames[index]
            found = self.job.frames.jump(stem) or frame_at(self.job, index, stem)
        self._decoded[index] = found
        while len(self._decoded) > _FRAMES_KEPT:
            self._decoded.popitem(last=False)
        return found


def open_tuning(
    workspace: Workspace,
    config: MergeConfig,
    *,
    progress: Progress | None = None,
    where: Where | None = None,
) -> Tuning:
    """What trying looks needs; asks for the same permission as merging.

    Args:
        workspace: Its dst footage, dst faces and model are read.
        config: Which state of which model, whose XSeg model.
        progress: Shown to the user, and asked for a wish to stop.
        where: Kind of place; found out when None.

    Raises:
        RightsError: The rights of src or dst are not recorded, or a choice about a platform's rules is
            missing.
        ContentGuardError: The dst footage is sexually explicit.
        ConfigError: `merge.toml` is not understood.
        WorkspaceError: There is no dst footage, or no frame of it has a face.
        FacesetError: There is no dst face.
        ModelError: The model was not trained.
        CheckpointError: The checkpoint that is asked for is not there or not whole.
        MediaError: The dst video is none.
        Interrupted: Stopped as asked.
    """
    require_permission(workspace, where)
    path = workspace.root / DEFAULT_FILE
    look = read_look_file(path)

    def helpers(problems: list[str]) -> tuple[Segmenter | None, Enhancer | None]:
        def load() -> Segmenter:
            return load_segmenter(workspace, config, problems)

        return RememberedSegmenter(load), _enhancer(config)

    # Without a look nothing is smoothed, which no single frame would show.
    opened = open_merge(workspace, config, Look(), helpers, progress=progress or Progress())
    job = _remembering(opened.job)
    frames = frames_with_faces(job)
    return Tuning(workspace, config.xseg, job, path, look, frames, opened.problems, opened.better)


def _enhancer(config: MergeConfig) -> Enhancer | None:
    if config.enhancer is None:
        return None
    from dflcolab.engine.face_enhancer import load_enhancer

    return RememberedEnhancer(load_enhancer(config.enhancer))


def _remembering(job: MergeJob) -> MergeJob:
    """The job with swap models that remember, each asked about one face at a time."""
    known: dict[int, Networks] = {}

    def of(networks: Networks) -> Networks:
        if id(networks) not in known:
            predictor = RememberedPredictor(networks.predictor)
            known[id(networks)] = replace(networks, predictor=predictor, batch=1)
        return known[id(networks)]

    people: dict[str, PersonModel] = {
        name: replace(person, networks=of(person.networks)) for name, person in job.people.items()
    }
    return replace(job, networks=of(job.networks), people=people)
