# pyright: strict
"""What `doctor` sees in a workspace: its content, the room it will need, where it lies.

The room is an estimate from the videos, the faces and the checkpoints that are there. Frames as
files are not counted: nothing needs them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from dflcolab.engine.checkpoint import Checkpoint, list_checkpoints
from dflcolab.errors import DFLColabError
from dflcolab.faceset.person_folders import person_folders
from dflcolab.files import list_files
from dflcolab.formats.dfl_jpeg import SUFFIXES
from dflcolab.formats.faceset_pak import PAK_NAME, PakReader
from dflcolab.media.probe import VideoInfo, probe
from dflcolab.runtime.description import Runtime
from dflcolab.runtime.drive import MOUNT_POINT
from dflcolab.runtime.rules import has_chosen, how_to_choose
from dflcolab.training.config import TrainConfig
from dflcolab.words import as_size, counted
from dflcolab.workspace.workspace import Side, Workspace

_TOO_MANY_FILES = 1000
# A merged frame as PNG, as part of its raw size; films and webcams gave 0.33 to 0.44. The mask
# beside it adds a few hundredths.
_PNG_SHARE = 0.5
_RESULT_SHARE = 2  # the result and its mask, as a multiple of the dst video
_STRAIGHT = "straight to the video"
_BY_FRAMES = "by single frames"
_FACE_BYTES = 70_000  # a face of 512 pixels as JPEG of quality 90
_FACE_CHANNELS = 5  # colors and two masks, as training keeps a decoded face
_DECODED_SHARE = 0.25  # of the free memory; more goes to a file of the workspace
_STANDARD_CHECKPOINT = 1_300 << 20  # preset standard with AdaBelief
_STANDARD_RESOLUTION = 192
_PROGRAM_BYTES = 2 << 30  # Python, TensorFlow and a GPU's driver, before any model


@dataclass(frozen=True)
class WorkspaceView:
    """What was seen.

    Attributes:
        sentence: What the workspace holds, or why it is none.
        needs: Bytes that will still be written whichever way is merged, by what for; empty without a
            workspace.
        merging: Bytes that merging takes besides, by the way it goes; empty when nothing is left to merge.
        advice: What to do, one sentence each.
    """

    sentence: str
    needs: Mapping[str, int] = field(default_factory=dict[str, int])
    merging: Mapping[str, int] = field(default_factory=dict[str, int])
    advice: tuple[str, ...] = ()

    def needs_sentence(self) -> str:
        """The room that will be needed, the largest part first; "" if there is none."""
        if not self.needs:
            return ""
        parts = sorted(self.needs.items(), key=lambda item: -item[1])
        listed = ", ".join(f"{name} {as_size(size)}" for name, size in parts)
        text = f"about {as_size(sum(self.needs.values()))} ({listed})"
        ways = " or ".join(f"{as_size(size)} {way}" for way, size in self.merging.items())
        return f"{text}, and for merging {ways}" if ways else text

    def bytes_needed(self, *, by_frames: bool) -> int:
        """All that will be written, merging straight to the video or by single frames."""
        way = _BY_FRAMES if by_frames else _STRAIGHT
        return sum(self.needs.values()) + self.merging.get(way, 0)


@dataclass(frozen=True)
class _Model:
    """What is known of the model that will be trained, there or not yet."""

    checkpoint_bytes: int
    present_bytes: int
    resolution: int


def look_at_workspace(root: Path, runtime: Runtime, *, drive: Path = MOUNT_POINT) -> WorkspaceView:
    """Look at the workspace `root`; changes nothing in it.

    Args:
        root: The folder; one that is missing or damaged is said in the sentence.
        runtime: What the machine has.
        drive: Where Google Drive is mounted.
    """
    try:
        workspace = Workspace.open(root)
        advice = _duties(workspace, runtime)
        n_videos = {side: len(workspace.videos(side)) for side in Side}
    except DFLColabError as error:
        return WorkspaceView(f"none: {error}")
    if root.resolve().is_relative_to(drive):
        advice += _on_drive(workspace)
    n_faces = {side: _n_faces(workspace, side, advice) for side in Side}
    model = _model_at_hand(workspace, advice)
    videos = _videos(workspace, advice)
    needs = _needs(workspace, videos, n_faces, model, runtime)
    holds = "; ".join(
        f"{side.value} {counted(n_videos[side], 'video')}, {counted(n_faces[side], 'face')}"
        for side in Side
    )
    merging = _merging(workspace, videos[Side.DST])
    view = WorkspaceView(f"{workspace.settings.name} ({holds})", needs, merging)
    advice += _room(view, model, runtime)
    return replace(view, advice=tuple(advice))


def _duties(workspace: Workspace, runtime: Runtime) -> list[str]:
    """What the user has to decide before verbs do their work."""
    found: list[str] = []
    if not has_chosen(workspace, runtime.where):
        found.append(
            f"Training and merging on {runtime.where.place.value} wait for your choice about its "
            f"rules; {how_to_choose(workspace, runtime.where, shown=True)}."
        )
    missing = [side for side, rights in workspace.settings.rights.items() if rights is None]
    if missing:
        found.append(
            f"The rights of {' and '.join(missing)} are not recorded, so merge will refuse; run "
            f"`dflcolab init -w {workspace.root} --src-rights KIND --dst-rights KIND`."
        )
    return found


def _on_drive(workspace: Workspace) -> list[str]:
    root = workspace.root
    remedies = {
        workspace.aligned_dir(side): f"run `dflcolab pack -w {root} --side {side.value}`"
        for side in Side
    }
    for folder in (*map(workspace.frames_dir, Side), workspace.merged_dir):
        remedies[folder] = "move it to the machine's own disk"
    slow = (
        f"The workspace {root} lies on Google Drive, which is slow and may lose what was just "
        "saved; copy it to the machine's own disk, work there, and let `dflcolab sync push` bring "
        "it back."
    )
    return [slow] + [
        f"{folder} holds more than {_TOO_MANY_FILES:,} files, which Drive does not bear; {remedy}."
        for folder, remedy in remedies.items()
        if _more_files_than(folder, _TOO_MANY_FILES)
    ]


def _more_files_than(folder: Path, limit: int) -> bool:
    """Looks at no more entries than it must: listing a full Drive folder takes minutes."""
    try:
        with os.scandir(folder) as entries:
            return sum(1 for _ in islice(entries, limit + 1)) > limit
    except OSError:
        return False


def _n_faces(workspace: Workspace, side: Side, advice: list[str]) -> int:
    """How many faces a side has, without reading them; a damaged pack goes to the advice."""
    folder = workspace.aligned_dir(side)
    pak = folder / PAK_NAME
    try:
        if pak.is_file():
            with PakReader(pak) as reader:
                return len(reader)
        return sum(len(list_files(part, SUFFIXES)) for part in [folder, *person_folders(folder)])
    except DFLColabError as error:
        advice.append(str(error))
        return 0


def _model_at_hand(workspace: Workspace, advice: list[str]) -> _Model:
    """The largest model that is there; without one, what the preset `standard` would make."""
    found: list[_Model] = []
    for folder in workspace.model_dirs():
        checkpoints = list_checkpoints(folder)
        if not checkpoints:
            continue
        try:
            options = checkpoints[-1].state().get("options", {})
        except DFLColabError as error:
            advice.append(str(error))
            continue
        found.append(
            _Model(
                _checkpoint_bytes(checkpoints[-1]),
                sum(map(_checkpoint_bytes, checkpoints)),
                int(options.get("resolution", _STANDARD_RESOLUTION)),
            )
        )
    standard = _Model(_STANDARD_CHECKPOINT, 0, _STANDARD_RESOLUTION)
    return max(found, key=lambda model: model.checkpoint_bytes, default=standard)


def _checkpoint_bytes(checkpoint: Checkpoint) -> int:
    return sum(size for size, _ in checkpoint.parts.values())


def _videos(workspace: Workspace, advice: list[str]) -> dict[Side, list[VideoInfo]]:
    """The videos of both sides; those that cannot be read go to the advice."""
    videos: dict[Side, list[VideoInfo]] = {side: [] for side in Side}
    for side in Side:
        for path in workspace.videos(side):
            try:
                videos[side].append(probe(path))
            except DFLColabError as error:
                advice.append(str(error))
    return videos


def _merging(workspace: Workspace, dst: list[VideoInfo]) -> dict[str, int]:
    """Bytes that merging takes beside the result: its parts, or a picture and a mask for every frame."""
    if workspace.result_path().exists():
        return {}
    n_frames = sum(video.n_frames_estimate for video in dst)
    raw = sum(video.n_frames_estimate * video.width * video.height * 3 for video in dst)
    n_merged = len(list_files(workspace.merged_dir, (".png",)))
    unmerged = max(0.0, 1 - n_merged / max(1, n_frames))
    parts = sum(path.stat().st_size for path in workspace.merged_parts_dir.rglob("*.*"))
    ways = {
        _STRAIGHT: max(0, _RESULT_SHARE * sum(video.size_bytes for video in dst) - parts),
        _BY_FRAMES: int(raw * _PNG_SHARE * unmerged),
    }
    return ways if any(ways.values()) else {}


def _needs(
    workspace: Workspace,
    videos: Mapping[Side, list[VideoInfo]],
    n_faces: Mapping[Side, int],
    model: _Model,
    runtime: Runtime,
) -> dict[str, int]:
    """Bytes that the remaining steps will write, the way of merging left open."""
    n_frames = {side: sum(video.n_frames_estimate for video in videos[side]) for side in Side}
    decoded = _FACE_CHANNELS * model.resolution**2 * sum(n_faces[s] or n_frames[s] for s in Side)
    if decoded <= _DECODED_SHARE * runtime.machine.free_memory_bytes:
        decoded = 0
    # The best one stays besides the last ones, and a new one is written before an old one goes.
    checkpoints = (TrainConfig(model="any").keep + 2) * model.checkpoint_bytes
    needs = {
        "faces": sum(n_frames[side] * _FACE_BYTES for side in Side if not n_faces[side]),
        "decoded faces": decoded,
        "checkpoints": max(0, checkpoints - model.present_bytes),
        "the result": 0
        if workspace.result_path().exists()
        else _RESULT_SHARE * sum(video.size_bytes for video in videos[Side.DST]),
    }
    return {name: size for name, size in needs.items() if size}


def _room(view: WorkspaceView, model: _Model, runtime: Runtime) -> list[str]:
    """Sentences if disk or memory will hardly do.

    A save copies weights and optimizer; without a GPU they are in the machine's memory anyway.
    """
    machine, found = runtime.machine, list[str]()
    free = machine.free_disk_bytes
    if min(view.bytes_needed(by_frames=by_frames) for by_frames in (False, True)) > free:
        found.append(
            f"The disk has {as_size(free)} free, but the workspace will need "
            f"{view.needs_sentence()}; free some space, take a larger disk, or shorten the videos."
        )
    elif view.bytes_needed(by_frames=True) > free:
        found.append(
            f"The disk has {as_size(free)} free, too little for single frames, as the workspace will need "
            f"{view.needs_sentence()}; merge straight to the video (`dflcolab merge --video`)."
        )
    needed = _PROGRAM_BYTES + (1 if machine.gpus else 2) * model.checkpoint_bytes
    if machine.free_memory_bytes < needed:
        which = "the model at hand" if model.present_bytes else "a model of the preset standard"
        found.append(
            f"Training {which} takes about {as_size(needed)} of memory, but "
            f"{as_size(machine.free_memory_bytes)} are free; close other programs, take a machine "
            "with more memory, or make a smaller model (`--preset light`)."
        )
    return found
