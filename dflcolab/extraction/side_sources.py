# pyright: strict
"""What a side's frames come from: its pictures or videos, and photos that were appended."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from pathlib import Path

from dflcolab.errors import WorkspaceError
from dflcolab.extraction.config import ExtractConfig
from dflcolab.extraction.sources import PICTURES, PictureSource, Source, VideoSource
from dflcolab.media.frame_sequence import list_frames
from dflcolab.workspace.workspace import Side, Workspace


def sources_to_extract(
    workspace: Workspace, config: ExtractConfig, appended: dict[str, float | None]
) -> list[Source]:
    """The pictures of a side or its videos, and what was appended to them.

    Pictures take the place of the videos, but not of those that `append` brought in, unless the
    pictures are frames of such a video.

    Args:
        workspace: Where they are.
        config: Options; `from_video` and `frames` choose.
        appended: Name → frames per second of the videos that `append` brought in.

    Raises:
        WorkspaceError: There is nothing of the wanted kind.
        MediaError: A video is none.
    """
    folder = workspace.frames_dir(config.side)
    pictures = [] if config.from_video else list_frames(folder)
    photos = photo_sets(workspace, config.side)
    videos = [] if config.frames else workspace.videos(config.side)
    found: list[Source] = [PictureSource(pictures)] if pictures else []
    if pictures:
        stems = [path.stem for path in pictures]
        videos = [
            path
            for path in videos
            if path.name in appended and not _has_frames_of(workspace, path, stems)
        ]
    for path in videos:
        fps = config.fps if config.fps is not None else appended.get(path.name)
        found.append(VideoSource(path, workspace.frame_prefix(path), fps))
    if not found and not photos:
        if config.frames:
            raise WorkspaceError(
                f"{folder} holds no pictures; put frames there, or leave out --frames to read the "
                "video."
            )
        raise WorkspaceError(
            f"There is nothing to extract for {config.side.value}: put a video named "
            f"{folder.name}.mp4 into {workspace.root}, or pictures into {folder} (in a notebook: give "
            f"{config.side.value}_video in the cell “Open a workspace”)."
        )
    return [*found, *photos]


def all_sources(workspace: Workspace, side: Side) -> list[Source]:
    """Everything in which a frame of the side may be found, the surest place first.

    Raises:
        MediaError: A video is none.
    """
    pictures = list_frames(workspace.frames_dir(side))
    return [
        *([PictureSource(pictures)] if pictures else []),
        *photo_sets(workspace, side),
        *(VideoSource(path, workspace.frame_prefix(path), None) for path in workspace.videos(side)),
    ]


def photo_sets(workspace: Workspace, side: Side) -> list[Source]:
    """The folders of photos that were appended to a side."""
    home = workspace.photos_dir(side)
    if not home.is_dir():
        return []
    folders = sorted(path for path in home.iterdir() if path.is_dir() and path.name[0] != ".")
    sets = [(folder.name, list_frames(folder)) for folder in folders]
    return [PictureSource(paths, label=label) for label, paths in sets if paths]


def hidden_videos(
    workspace: Workspace, config: ExtractConfig, sources: Sequence[Source]
) -> list[str]:
    """A sentence if pictures that are no frames of the side's videos were taken instead of these."""
    read = {source.name for source in sources}
    videos = [video for video in workspace.videos(config.side) if video.name not in read]
    if config.frames or not videos or PICTURES not in read:
        return []
    folder = workspace.frames_dir(config.side)
    prefixes = "|".join(
        re.escape(workspace.frame_prefix(video)) for video in workspace.videos(config.side)
    )
    of_a_video = re.compile(rf"(?:{prefixes})\d{{5,}}")
    if all(of_a_video.fullmatch(path.stem) for path in list_frames(folder)):
        return []
    names = ", ".join(video.name for video in videos)
    text = (
        f"The pictures in {folder} were taken and {names} was not read; give --from-video for the "
        "video, or --frames to say that this is meant."
    )
    return [text]


def is_read_as_pictures(workspace: Workspace, side: Side, video: Path) -> bool:
    """Whether the side's pictures are frames of this video, so that extract takes them instead."""
    stems = [path.stem for path in list_frames(workspace.frames_dir(side))]
    return _has_frames_of(workspace, video, stems)


def _has_frames_of(workspace: Workspace, video: Path, stems: Collection[str]) -> bool:
    of_this = re.compile(rf"{re.escape(workspace.frame_prefix(video))}\d{{5,}}")
    return any(of_this.fullmatch(stem) for stem in stems)
