# pyright: strict
"""Looking again, harder, at frames whose debug picture somebody has deleted.

The users of DeepFaceLab look through the debug pictures, delete the bad ones and extract those
frames anew. The debug picture is written last of all, so it also says which frames are done after an
interruption.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from dflcolab.errors import FacesetError
from dflcolab.extraction.debug_pictures import places_of, stems_of_pictures
from dflcolab.extraction.extractor import n_cores
from dflcolab.extraction.journal import Journal, SourceLog
from dflcolab.extraction.present_faces import PresentFaces
from dflcolab.extraction.sources import Source, SourceFrame, chosen_frames
from dflcolab.extraction.writing import FaceWriter, PlacedFace
from dflcolab.pipes import map_ordered
from dflcolab.progress import Progress
from dflcolab.workspace.trash import BY_LOOKING_AGAIN, Removal, Trash

_STOPPED = "Stopped as asked; run the same command again for the frames that are left."

Finder = Callable[[SourceFrame], Sequence[PlacedFace]]
"""Looks at a frame; called by several threads."""


@dataclass(frozen=True)
class RedoPlan:
    """Frames to look at again.

    Attributes:
        frames: Name of the source in the journal → key of the frame there → name without ending.
        left_out: Sources that never had a debug picture.
    """

    frames: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    left_out: list[str] = field(default_factory=list[str])

    @property
    def n_frames(self) -> int:
        """Frames in all."""
        return sum(len(keys) for keys in self.frames.values())


@dataclass
class Redone:
    """What `redo` did.

    Attributes:
        n_frames: Frames looked at.
        n_faces: Faces they have now.
        n_trashed: Face files moved to the trash.
        without_face: Names of frames in which nothing was found.
        unread: Names of frames that could not be found or read.
    """

    n_frames: int = 0
    n_faces: int = 0
    n_trashed: int = 0
    without_face: list[str] = field(default_factory=list[str])
    unread: list[str] = field(default_factory=list[str])


def plan_redo(
    frames: Mapping[str, Mapping[str, str]], logs: Mapping[str, SourceLog], debug_dir: Path
) -> RedoPlan:
    """Which of the finished frames have no debug picture any more.

    Frames that were extracted without one are left alone. Where nobody knows (frames of another
    program), a source that has some pictures counts as one that had all.

    Args:
        frames: Name of the source → key → name without ending of every frame that is done.
        logs: Name of the source → what the journal says of it.
        debug_dir: Where the debug pictures are.

    Raises:
        FacesetError: No frame ever had a debug picture.
    """
    there = stems_of_pictures(debug_dir)
    plan = RedoPlan()
    for name, stems in frames.items():
        log = logs[name]
        unsure = log.unsure if any(stems[key] in there for key in log.unsure) else set[str]()
        had = [key for key in stems if key in log.pictured or key in unsure]
        if had:
            plan.frames[name] = {key: stems[key] for key in had if stems[key] not in there}
        elif stems:
            plan.left_out.append(name)
    if not plan.frames:
        raise FacesetError(
            f"{debug_dir} holds no debug pictures of this side's frames, so none was deleted; run "
            "extract with --debug first, delete the pictures of bad frames, then run this again."
        )
    return plan


def redo(
    plan: RedoPlan,
    sources: Sequence[Source],
    present: PresentFaces,
    find: Finder,
    *,
    writer: FaceWriter,
    trash: Trash,
    journal: Journal,
    progress: Progress,
) -> Redone:
    """Look at the frames of a plan and put what is found in place of their present faces.

    Args:
        plan: The frames.
        sources: Where frames may be found; the first that has a frame counts.
        present: The side's faces.
        find: Looks at a frame by itself.
        writer: Writes faces, and debug pictures, without which no frame counts as done.
        trash: Where present faces go.
        journal: Gets the new numbers of faces.
        progress: Shows the work and carries the wish to stop.

    Raises:
        Interrupted: Stopped as asked; run again to go on.
        StorageError: Disk full, read-only or gone; nothing is lost.
    """
    done = Redone()
    with (
        progress.task("Looking again", total=plan.n_frames, unit="frames") as task,
        ThreadPoolExecutor(max(2, n_cores())) as pool,
    ):
        for name, wanted in plan.frames.items():
            log = journal.source(name)
            key_of = {stem: key for key, stem in wanted.items()}
            places = places_of(wanted.values(), sources)
            seen: set[str] = set()
            for source in sources:
                stems = places[source.name]

                def look(
                    frame: SourceFrame, stems: Mapping[str, str] = stems
                ) -> tuple[SourceFrame, str, Sequence[PlacedFace]]:
                    return frame, stems[frame.key], find(frame)

                frames = chosen_frames(source, stems, pool)
                for frame, stem, faces in map_ordered(pool, look, frames, 3):
                    paths = [path for path, _ in present.by_stem.get(stem, [])]
                    done.n_trashed += replace_faces(frame, faces, paths, writer, trash)
                    # Names keep their place in the journal, and with it what tracking goes on from.
                    journal.add(
                        name,
                        {key_of[stem]: len(faces)},
                        log.state,
                        identity=log.identity,
                        fps=log.fps,
                        debug=True,
                    )
                    writer.write_debug(frame, faces)
                    seen.add(stem)
                    done.n_frames += 1
                    done.n_faces += len(faces)
                    if not faces:
                        done.without_face.append(stem)
                    task.advance(note=f"{done.n_faces} faces")
                    progress.raise_if_stopped(_STOPPED)
            done.unread += [stem for stem in wanted.values() if stem not in seen]
    return done


def replace_faces(
    frame: SourceFrame,
    faces: Sequence[PlacedFace],
    present: Sequence[Path],
    writer: FaceWriter,
    trash: Trash,
    *,
    reason: str = BY_LOOKING_AGAIN,
) -> int:
    """Move a frame's present face files to the trash and write others in their place.

    Files that are already what would be written stay: those of a run that was killed in between.

    Args:
        frame: The frame.
        faces: The faces it has now; none leaves it without.
        present: Its face files, all in the trash's home.
        writer: Writes the new ones.
        trash: Takes the old ones.
        reason: Why, for the trash.

    Returns:
        Number of files moved to the trash.

    Raises:
        FacesetError: Landmarks lie on one point; nothing was moved.
        StorageError: Disk full, read-only or gone; nothing is lost.
    """
    contents = [writer.encoded(frame, face) for face in faces]
    gone: list[Path] = []
    for path in present:
        content = path.read_bytes()
        if content in contents:
            contents.remove(content)
        else:
            gone.append(path)
    trash.move([Removal(path, reason) for path in gone])
    writer.add(frame, contents)
    return len(gone)
