# pyright: strict
"""`encode`: merged frames and the dst video's sound become the result, signed as the last step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dflcolab.errors import WorkspaceError
from dflcolab.media.certificate import user_identity
from dflcolab.media.config import EncodeConfig, Export
from dflcolab.media.frame_sequence import list_frames
from dflcolab.media.signed_file import remove_unsigned
from dflcolab.pipeline.encode_export import (
    ExportedFiles,
    export_pictures,
    export_transforms,
    remove_older_pictures,
)
from dflcolab.pipeline.encode_frames import (
    Picture,
    foreground_frames,
    merged_shape,
    result_frames,
)
from dflcolab.pipeline.encode_jobs import (
    EXPORT_FOLDER,
    Job,
    clip_job,
    comparison_job,
    encode_jobs,
    foreground_job,
    mask_job,
)
from dflcolab.pipeline.encode_video import EncodedVideo, VideoMaker, reader_of
from dflcolab.pipeline.merged_straight import merged_straight
from dflcolab.progress import Progress
from dflcolab.workspace.workspace import Workspace, require_rights


@dataclass(frozen=True)
class EncodeReport:
    """What `encode` did.

    Attributes:
        videos: The videos written.
        exports: Folders and files written for other programs.
        messages: What the user should know, one sentence each.
    """

    videos: tuple[EncodedVideo, ...]
    exports: tuple[ExportedFiles, ...]
    messages: tuple[str, ...]

    def summary(self) -> str:
        """The report in a few lines."""
        lines = [video.summary() for video in self.videos]
        lines += [f"Wrote {part.path} ({part.files} {part.kind})." for part in self.exports]
        return "\n".join([*lines, *self.messages])


def encode(
    workspace: Workspace, config: EncodeConfig, *, progress: Progress | None = None
) -> EncodeReport:
    """Write `result.mp4` (and `result_mask.mp4`) from the merged frames.

    Frames get the times of the dst video's frames, and its sound as it is; so the result has the
    same number of frames, length and sound. Where dst was given as pictures, they follow each other
    at `config.fps`, without sound. A second dst video `data_dst_2.mp4` gives `result_2.mp4`.

    On request also: a comparison before and after, a short clip, and parts for other programs (see
    `EncodeConfig`); pictures that a longer export left there are removed. Every file carries a signed C2PA note that it is synthetic, and appears only once it is signed.

    Raises:
        RightsError: The rights of a person are not recorded.
        ConfigError: The certificate is none to sign with.
        WorkspaceError: There are no merged frames, as after a merge straight to the video, or some are
            missing.
        MediaError: A merged frame is damaged or has another size, or the encoder is missing.
        StorageError: The disk is full; an earlier result stays.
        Interrupted: Asked to stop; an earlier result stays.
    """
    progress = progress or Progress()
    require_rights(workspace)
    for folder in (workspace.root, workspace.root / EXPORT_FOLDER):
        remove_unsigned(folder)
    if merged_straight(workspace) and not list_frames(workspace.merged_dir):
        raise WorkspaceError(
            "The last merge went straight to the video, so there are no merged frames to encode; merge "
            "without --video to get them."
        )
    run = _Encoding(workspace, config, progress)
    for job in encode_jobs(workspace, config, run.messages):
        run.work_on(job)
    run.remove_older_pictures()
    return EncodeReport(tuple(run.videos), tuple(run.exports), tuple(dict.fromkeys(run.messages)))


class _Encoding:
    """One run of `encode`."""

    def __init__(self, workspace: Workspace, config: EncodeConfig, progress: Progress) -> None:
        self.videos: list[EncodedVideo] = []
        self.exports: list[ExportedFiles] = []
        self.messages: list[str] = []
        self._pictured: dict[Path, set[str]] = {}
        self._workspace = workspace
        self._config = config
        self._progress = progress
        self._identity = user_identity(config.certificate) if config.certificate else None
        self._maker = VideoMaker(workspace, config, progress, self.messages, self._identity)

    def work_on(self, job: Job) -> None:
        """Everything that is asked for of one dst video."""
        workspace, config = self._workspace, self._config
        self._video(job)
        masks = mask_job(job, workspace, self.messages) if config.mask else None
        if masks is not None:
            self._video(masks)
        if config.comparison is not None:
            compared = comparison_job(job, workspace, self.messages)
            if compared is not None:
                self._video(compared)
        if config.clip is not None:
            self._video(clip_job(job, workspace, config, self.messages))
        self._export(job)

    def remove_older_pictures(self) -> None:
        """Remove what earlier exports left beside the pictures of this one."""
        for folder, stems in self._pictured.items():
            self.messages += remove_older_pictures(folder, stems)

    def _export(self, job: Job) -> None:
        """Parts for other programs."""
        wanted = set(self._config.export)
        if wanted & {Export.FOREGROUND, Export.PNG}:
            foreground = foreground_job(job, self._workspace)
            if Export.FOREGROUND in wanted:
                self._video(foreground)
            if Export.PNG in wanted:
                shape = merged_shape(job)
                frames = foreground_frames(foreground, reader_of(job), shape, deep=False)
                self._pictures(foreground, frames, "foreground")
        if Export.MASKS in wanted:
            masks = mask_job(job, self._workspace, self.messages)
            if masks is not None:
                frames = (frame[..., 0] for frame in result_frames(masks, None, merged_shape(job)))
                self._pictures(masks, frames, "masks")
        if Export.TRANSFORMS in wanted:
            self.exports.append(export_transforms(job, self._workspace))

    def _video(self, job: Job) -> None:
        self.videos.append(self._maker.make(job))

    def _pictures(self, job: Job, frames: Iterator[Picture], name: str) -> None:
        exported = export_pictures(
            job, frames, name, self._workspace, self._progress, identity=self._identity
        )
        self.exports.append(exported)
        self._pictured.setdefault(exported.path, set()).update(job.stems)
