"""`append`: faces from more videos, photos and facesets into the one faceset of a side.

Everything is looked at before anything is added. Videos and photos are copied into the workspace
and extracted there, face files are copied as they are. Material is recognised by its content, so
running again adds what is missing and nothing twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from dflcolab.errors import FacesetError
from dflcolab.extraction import append_log
from dflcolab.extraction.config import AppendConfig
from dflcolab.extraction.journal import FILE_NAME, peek
from dflcolab.extraction.present_faces import FaceFormat, format_of_side, present_faces
from dflcolab.extraction.side_sources import is_read_as_pictures, photo_sets
from dflcolab.extraction.sources import PHOTOS, Source, VideoSource
from dflcolab.faceset.append import KnownPictures, pictures_in
from dflcolab.faceset.duplicates import copies_of_before
from dflcolab.faceset.folder_lock import using
from dflcolab.faceset.person_folders import person_folders
from dflcolab.faceset.renaming import recover
from dflcolab.files import list_files
from dflcolab.formats.dfl_jpeg import SUFFIXES
from dflcolab.media.frame_sequence import list_frames
from dflcolab.pipeline.append_checks import Material, look_at_paths
from dflcolab.pipeline.append_faces import CopiedFaces, LookedFaceset, copy_faces, look_through
from dflcolab.pipeline.append_labels import Labels
from dflcolab.pipeline.append_photos import copy_photos
from dflcolab.pipeline.extract import run_sources
from dflcolab.pipeline.extract_steps import (
    adding_faces,
    clear_leftovers,
    make_folders,
    refuse_to_hide_faces,
)
from dflcolab.pipeline.init import bring_in_video
from dflcolab.progress import Progress
from dflcolab.words import counted
from dflcolab.workspace.workspace import Side, Workspace

_SHOWN_PROBLEMS = 10


@dataclass(frozen=True)
class AppendedSource:
    """What became of one thing that was given.

    Attributes:
        given: The path.
        kind: "video", "photos" or "faceset".
        name: Name of the video in the workspace, or label of the set; "" if nothing of it is new.
        new: Videos, photos or face files copied.
        already_there: Those that the side had under whatever name.
        new_faces: Faces that came from it in this run.
    """

    given: Path
    kind: str
    name: str
    new: int
    already_there: int
    new_faces: int

    def sentence(self) -> str:
        """What became of it."""
        if self.kind == "video":
            state = f"added as {self.name}" if self.new else f"is there already as {self.name}"
            return f"{self.given} {state}: {counted(self.new_faces, 'new face')}."
        what = "photo" if self.kind == "photos" else "face"
        faces = f": {counted(self.new_faces, 'new face')}" if self.kind == "photos" else ""
        if not self.new:
            return f"{counted(self.already_there, what)} of {self.given} there already{faces}."
        known = f" ({self.already_there} there already)" if self.already_there else ""
        return f"{counted(self.new, what)} of {self.given} added as {self.name}{known}{faces}."


@dataclass(frozen=True)
class AppendReport:
    """What `append` did.

    Attributes:
        side: Whose faces.
        sources: One entry per given path; single pictures of one folder share one.
        new_faces: Faces added in this run.
        faces: Face files that the side has now.
        face_type: Extent of the crops.
        size: Side of the face pictures in pixels.
        problems: What was left out, and what to know; one sentence each.
        look_alikes: New faces that look like a face of another video that was there before.
    """

    side: Side
    sources: tuple[AppendedSource, ...]
    new_faces: int
    faces: int
    face_type: str
    size: int
    problems: tuple[str, ...]
    look_alikes: int = 0

    def summary(self) -> str:
        """The report in a few lines."""
        lines = [source.sentence() for source in self.sources]
        lines.append(
            f"{self.side.value} has {counted(self.faces, 'face')} now, {self.new_faces} of them new."
            if self.new_faces
            else f"Nothing new: {self.side.value} has {counted(self.faces, 'face')} as before."
        )
        if self.look_alikes:
            lines.append(
                f"{self.look_alikes} of the new ones look like faces of other videos; `dflcolab "
                f"clean --side {self.side.value} --duplicates --dry-run` shows which."
            )
        more = len(self.problems) - _SHOWN_PROBLEMS
        lines += self.problems[:_SHOWN_PROBLEMS]
        return "\n".join(lines + ([f"… and {more} more like these."] if more > 0 else []))


def append(
    workspace: Workspace, config: AppendConfig, *, progress: Progress | None = None
) -> AppendReport:
    """Add faces from more material to one side.

    Args:
        workspace: Where the faces go, and the videos and photos.
        config: Options.
        progress: Shows the work and carries the wish to stop.

    Raises:
        WorkspaceError: A path is missing or holds nothing of use.
        MediaError: A video or photo is none.
        FormatError: A pack is damaged.
        FacesetError: The side is packed or lies in people's folders; other options than before; no
            face at all.
        Interrupted: Stopped as asked; all before is safe, run again to go on.
        StorageError: Disk full, read-only or gone.
    """
    progress = progress or Progress()
    refuse_to_hide_faces(workspace, config)
    materials = look_at_paths(config.from_)
    aligned_dir = workspace.aligned_dir(config.side)
    with adding_faces(workspace, config), ExitStack() as stack:
        recover(aligned_dir)
        wanted = _side_format(workspace, config)
        facesets = {
            material: look_through(stack.enter_context(material.open_faces()), progress=progress)
            for material in materials
            if material.kind == "faceset"
        }
        if wanted is None and facesets:
            wanted = _format_of(list(facesets.values()), config)
        make_folders(aligned_dir, None)
        before = list_files(aligned_dir, SUFFIXES)
        run = _Run(workspace, config, progress, wanted)
        copied = run.copy_facesets(facesets) if facesets else {}
        brought = {
            material: run.bring_in(material) for material in materials if material.kind != "faceset"
        }
        run.extract()
        names = set(before)
        new = [path for path in list_files(aligned_dir, SUFFIXES) if path not in names]
        run.look_alikes = copies_of_before(before, new, progress=progress)
    sources = [
        run.faceset_entry(material, copied[material])
        if material in copied
        else run.source_entry(material, *brought[material])
        for material in materials
    ]
    return run.report(sources)


def _side_format(workspace: Workspace, config: AppendConfig) -> FaceFormat | None:
    """Face type and size of the side's faces; None if there are none and nothing was asked for.

    Raises:
        FacesetError: Another type or size was asked for than the faces have.
    """
    journal_path = workspace.frames_dir(config.side) / FILE_NAME
    present = format_of_side(journal_path, workspace.aligned_dir(config.side))
    if present is None:
        return None
    asked = FaceFormat(config.face_type or present.face_type, config.size or present.size)
    if asked != present:
        raise FacesetError(
            f"The faces of {config.side.value} are {present}, not {asked}; leave out --face-type "
            "and --size to have the new ones alike."
        )
    return present


def _format_of(facesets: Sequence[LookedFaceset], config: AppendConfig) -> FaceFormat:
    """For a side without faces: as asked, else as most faces of the first faceset are."""
    usual = facesets[0].usual_format
    return FaceFormat(config.face_type or usual.face_type, config.size or usual.size)


class _Run:
    """One run: what was brought in, and what is to be said of it."""

    def __init__(
        self,
        workspace: Workspace,
        config: AppendConfig,
        progress: Progress,
        wanted: FaceFormat | None,
    ) -> None:
        self._workspace = workspace
        self._config = config
        self._progress = progress
        self._wanted = wanted
        self._log_path = workspace.frames_dir(config.side) / append_log.FILE_NAME
        self._aligned_dir = workspace.aligned_dir(config.side)
        if (
            not list_files(self._aligned_dir, SUFFIXES)
            and append_log.read_log(self._log_path).pictures
        ):
            append_log.log_new_faceset(self._log_path)
        self._sources: list[Source] = []
        self._new_faces: dict[str, int] = {}
        self._problems: list[str] = []
        self._stems: set[str] | None = None
        self.look_alikes = 0

    def copy_facesets(self, facesets: dict[Material, LookedFaceset]) -> dict[Material, CopiedFaces]:
        """Copy the faces that are new."""
        assert self._wanted is not None
        folders = (
            self._aligned_dir,
            *person_folders(self._aligned_dir),
            self._workspace.trash_dir(self._config.side),
        )
        with using(self._aligned_dir, progress=self._progress):
            clear_leftovers(self._aligned_dir, None)
            known: KnownPictures = pictures_in(folders)
            self._stems = known.stems
            return {
                material: copy_faces(
                    faceset,
                    self._wanted,
                    self._aligned_dir,
                    self._log_path,
                    known=known,
                    labels=self._labels(),
                    jpeg_quality=self._config.jpeg_quality,
                    progress=self._progress,
                )
                for material, faceset in facesets.items()
            }

    def bring_in(self, material: Material) -> tuple[int, int, tuple[str, ...]]:
        """Copy a video or photos into the workspace.

        Returns:
            Number of files that are new, of those that were there, and their names as sources.
        """
        if material.kind == "video":
            return self._bring_in_video(material.path)
        copied = copy_photos(
            self._workspace,
            self._config.side,
            material,
            self._log_path,
            labels=self._labels(),
            progress=self._progress,
        )
        self._problems += copied.problems
        wanted = [PHOTOS + label for label in copied.labels]
        known = {source.name for source in self._sources}
        self._sources += [
            source
            for source in photo_sets(self._workspace, self._config.side)
            if source.name in wanted and source.name not in known
        ]
        return copied.n_new, copied.n_known, tuple(wanted)

    def _bring_in_video(self, path: Path) -> tuple[int, int, tuple[str, ...]]:
        workspace, side = self._workspace, self._config.side
        added, there = bring_in_video(workspace, side, path, self._progress)
        name = (added or there)[0]
        video = workspace.root / name
        log = append_log.read_log(self._log_path)
        if name not in log.videos and is_read_as_pictures(workspace, side, video):
            self._problems.append(
                f"{name} is read from its frames in {workspace.frames_dir(side)}; extract does that."
            )
            return 0, 1, (name,)
        before = peek(workspace.frames_dir(side) / FILE_NAME).get(name)
        fps = self._fps(log.videos.get(name, before.fps if before else None))
        # A run that was killed may have left a video without an entry and without any face. What
        # extract found by itself needs none, unless there are pictures that would hide the video.
        is_ours = bool(added) or name in log.videos or before is None or not before.faces
        is_ours = is_ours or bool(list_frames(workspace.frames_dir(side)))
        if is_ours and (name not in log.videos or log.videos[name] != fps):
            append_log.log_video(self._log_path, name, fps, origin=path.name)
        if name not in {source.name for source in self._sources}:
            self._sources.append(VideoSource(video, workspace.frame_prefix(video), fps))
        return len(added), len(there), (name,)

    def _fps(self, before: float | None) -> float | None:
        """As asked; else as before, so that running again does not look at more frames."""
        return before if self._config.fps is None else self._config.fps

    def _labels(self) -> Labels:
        if self._stems is None:
            self._stems = set(present_faces(self._aligned_dir).by_stem)
        log = append_log.read_log(self._log_path)
        return Labels(self._workspace, self._config.side, log, self._stems)

    def extract(self) -> None:
        """Find the faces of what was brought in."""
        if not self._sources:
            return
        present = format_of_side(
            self._workspace.frames_dir(self._config.side) / FILE_NAME, self._aligned_dir
        )
        face_type = self._config.face_type or (
            self._workspace.settings.face_type if present is None else present.face_type
        )
        report = run_sources(
            self._workspace, self._config, self._sources, face_type, progress=self._progress
        )
        self._new_faces = report.new_faces_by_source
        self._problems += report.problems
        self._wanted = FaceFormat(face_type, report.size)

    def faceset_entry(self, material: Material, copied: CopiedFaces) -> AppendedSource:
        """What became of a faceset."""
        self._problems += copied.problems
        if copied.n_converted:
            black = round(100 * (1 - copied.least_covered))
            self._problems.append(
                f"{copied.n_converted} faces of {material.path} were changed to {self._wanted}"
                + (f"; up to {black} % of their pictures is black." if black else ".")
            )
        return AppendedSource(
            material.path, "faceset", copied.label, copied.n_new, copied.n_known, copied.n_new
        )

    def source_entry(
        self, material: Material, n_new: int, n_known: int, names: tuple[str, ...]
    ) -> AppendedSource:
        """What became of a video or of photos."""
        new_faces = sum(self._new_faces.get(name, 0) for name in names)
        if not new_faces and n_new:
            self._problems.append(f"No face was found in {material.path}.")
        return AppendedSource(
            material.path,
            material.kind,
            names[0].removeprefix(PHOTOS) if names else "",
            n_new,
            n_known,
            new_faces,
        )

    def report(self, sources: Sequence[AppendedSource]) -> AppendReport:
        """All of it.

        Raises:
            FacesetError: The side has no face at all.
        """
        n_faces = len(list_files(self._aligned_dir, SUFFIXES))
        if not n_faces:
            given = ", ".join(str(source.given) for source in sources)
            raise FacesetError(
                f"No face was found in {given}; check that the footage shows a face larger than "
                f"{self._config.min_face} pixels, or try --rotations."
            )
        if self._config.side is Side.DST and any(source.new for source in sources):
            self._problems += self._merge_notes(sources)
        assert self._wanted is not None
        return AppendReport(
            side=self._config.side,
            sources=tuple(sources),
            new_faces=sum(source.new_faces for source in sources),
            faces=n_faces,
            face_type=self._wanted.face_type.value,
            size=self._wanted.size,
            problems=tuple(self._problems),
            look_alikes=self.look_alikes,
        )

    def _merge_notes(self, sources: Sequence[AppendedSource]) -> list[str]:
        """What of the new material the merge will not touch."""
        folder = self._workspace.frames_dir(Side.DST)
        pictures = bool(list_frames(folder))
        kinds = {source.kind for source in sources if source.new}
        if kinds - {"video"} or pictures:
            where = f"the pictures in {folder}" if pictures else "the dst videos"
            return [f"What was added serves the training; merge goes over {where} only."]
        return []
