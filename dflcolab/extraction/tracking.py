"""Following faces through a video, so that the detector need not look at every frame.

The mesh of one frame says where to cut the next one, which costs a third of a detector's look,
follows turned, covered and rolled faces that no detector would find, and gives steady points. The
detector looks at every few frames for new faces, at every scene cut, and whenever the mesh doubts.
A face that is new in such a look is followed backwards as well, into the frames in between.

Frames come out in groups, each from one regular look to the next. What the tracker knows after a
group is a handful of numbers (`TrackState`); starting from them gives the same faces as never
having stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from dflcolab.arrays import Image
from dflcolab.detection.detections import Detection, same_face
from dflcolab.detection.faces import FoundFace, longer_side
from dflcolab.detection.geometry import FloatArray, RotatedSquare, box_area, overlap
from dflcolab.detection.mesh import FaceMesh, Mesh

LOOK_EVERY = 5
"""Frames between two regular looks of the detector."""

UNSEEN_LIMIT = 6
"""Regular looks a face may go on without the detector seeing it (one second at 30 frames/s)."""

UNSEEN_LOGIT = 4.0
"""Presence that a face needs to be kept where the detector looked and did not see it."""

_MATCHING_OVERLAP = 0.2
_DRIFTED_OVERLAP = 0.45

T = TypeVar("T")


@dataclass(frozen=True)
class TrackState:
    """A face being followed, as numbers that can be stored.

    Attributes:
        square: Where to cut the next frame.
        score: Score of the detector that saw it last, 0..1.
        unseen: Looks of the detector since then.
    """

    square: RotatedSquare
    score: float
    unseen: int = 0

    def to_list(self) -> list[float]:
        """Six numbers for JSON."""
        square = self.square
        return [square.x, square.y, square.side, square.angle, self.score, self.unseen]

    @classmethod
    def from_list(cls, numbers: Sequence[float]) -> TrackState:
        """The state that `to_list` wrote."""
        x, y, side, angle, score, unseen = numbers
        return cls(RotatedSquare(x, y, side, angle), score, int(unseen))


@dataclass
class TrackedFrame(Generic[T]):
    """A frame on its way through the tracker.

    Attributes:
        item: Whatever the caller wants back with the faces.
        image: `[H, W, 3]` BGR.
        detections: What the detector saw; None where it did not look.
        cut: The frame does not continue the one before.
        faces: Faces found, filled in by the tracker, largest first.
    """

    item: T
    image: Image
    detections: Sequence[Detection] | None
    cut: bool
    faces: list[FoundFace] = field(default_factory=list[FoundFace])


class Tracker(Generic[T]):
    """Finds the faces of frame after frame.

    Args:
        mesh: The landmark network.
        detect: A detector, called where a face got lost between two regular looks.
        min_face: Smallest longer side of a face in frame pixels.
        state: Faces known from before the first frame.
    """

    def __init__(
        self,
        mesh: FaceMesh,
        detect: Callable[[Image], Sequence[Detection]],
        *,
        min_face: float,
        state: Sequence[TrackState] = (),
    ) -> None:
        self._mesh = mesh
        self._detect = detect
        self._min_face = min_face
        self._tracks = list(state)

    @property
    def state(self) -> tuple[TrackState, ...]:
        """Faces known after the last group that came out of `run`."""
        return tuple(self._tracks)

    def run(
        self, frames: Iterable[TrackedFrame[T]]
    ) -> Generator[tuple[list[TrackedFrame[T]], tuple[TrackState, ...]], None, None]:
        """Fill in the faces of frames in order.

        Args:
            frames: Frames; those with detections begin a group.

        Yields:
            A group of frames, and what the tracker knew at its end.
        """
        group: list[TrackedFrame[T]] = []
        for frame in frames:
            state = self.state
            if frame.detections is not None and frame.cut:
                # Nothing of this frame can have begun before the cut: let the others go first.
                if group:
                    yield _sorted(group), state
                    group = []
                self._step(frame, group)
            else:
                self._step(frame, group)
                if frame.detections is not None and group:
                    yield _sorted(group), state
                    group = []
            group.append(frame)
        if group:
            yield _sorted(group), self.state

    def _step(self, frame: TrackedFrame[T], earlier: list[TrackedFrame[T]]) -> None:
        """Find the faces of one frame; add new ones to the frames of the group before it."""
        followed = self._follow(frame.image)
        regular = frame.detections is not None
        detections = frame.detections
        if detections is None and any(mesh.logit <= 0 for _, mesh in followed):
            detections = self._detect(frame.image)
        if detections is None:
            kept = [(track, mesh) for track, mesh in followed if self._large(mesh)]
            self._accept(frame, kept)
            return
        kept, unclaimed = self._matched(frame, followed, detections, regular=regular)
        fresh = self._fresh(frame.image, unclaimed, kept)
        self._accept(frame, [*kept, *fresh])
        if not frame.cut:
            for track, mesh in fresh:
                self._follow_back(earlier, track, mesh)

    def _follow(self, image: Image) -> list[tuple[TrackState, Mesh]]:
        """Meshes of the known faces in a new frame; two on one face become one."""
        followed: list[tuple[TrackState, Mesh]] = []
        for track in self._tracks:
            mesh = self._mesh.follow(image, track.square)
            twin = next(
                (index for index, (_, other) in enumerate(followed) if _same(mesh, other)), None
            )
            if twin is None:
                followed.append((track, mesh))
            elif mesh.logit > followed[twin][1].logit:
                followed[twin] = (track, mesh)
        return followed

    def _matched(
        self,
        frame: TrackedFrame[T],
        followed: list[tuple[TrackState, Mesh]],
        detections: Sequence[Detection],
        *,
        regular: bool,
    ) -> tuple[list[tuple[TrackState, Mesh]], list[Detection]]:
        """Known faces that stay, and detections that belong to none of them."""
        unclaimed = list(detections)
        kept: list[tuple[TrackState, Mesh]] = []
        for track, mesh in followed:
            nearest = max(unclaimed, key=lambda item: overlap(mesh.box, item.box), default=None)
            if nearest is None or overlap(mesh.box, nearest.box) < _MATCHING_OVERLAP:
                unseen = track.unseen + (1 if regular else 0)
                sure = mesh.logit > UNSEEN_LOGIT and unseen <= UNSEEN_LIMIT
                if sure and not frame.cut and self._large(mesh):
                    kept.append((TrackState(mesh.crop(), track.score, unseen), mesh))
                continue
            drifted = overlap(mesh.box, nearest.box) < _DRIFTED_OVERLAP
            if frame.cut or drifted or mesh.logit <= nearest.needed_logit:
                continue  # looked at again from the detector's box
            unclaimed = [item for item in unclaimed if item is not nearest]
            if self._large(mesh):
                kept.append((TrackState(mesh.crop(), nearest.score), mesh))
        return kept, unclaimed

    def _fresh(
        self,
        image: Image,
        detections: Sequence[Detection],
        kept: list[tuple[TrackState, Mesh]],
    ) -> list[tuple[TrackState, Mesh]]:
        """Faces that begin with a detection."""
        fresh: list[tuple[TrackState, Mesh]] = []
        for detection in sorted(detections, key=lambda item: -item.score):
            if any(same_face(detection.box, mesh.box) for _, mesh in (*kept, *fresh)):
                continue
            looked = detection.with_mesh(image, self._mesh)
            mesh = looked.mesh
            if (
                mesh is not None
                and looked.confirmed
                and self._large(mesh)
                and not any(_same(mesh, other) for _, other in (*kept, *fresh))
            ):
                fresh.append((TrackState(mesh.crop(), detection.score), mesh))
        return fresh

    def _follow_back(self, earlier: list[TrackedFrame[T]], track: TrackState, mesh: Mesh) -> None:
        """Add a face to the frames before the one in which it was first seen."""
        square = mesh.crop()
        for frame in reversed(earlier):
            mesh = self._mesh.follow(frame.image, square)
            known = any(same_face(mesh.box, face.box) for face in frame.faces)
            if mesh.logit <= 0 or known or not self._large(mesh):
                return
            frame.faces.append(FoundFace(mesh, track.score))
            if frame.cut:
                return
            square = mesh.crop()

    def _accept(self, frame: TrackedFrame[T], found: list[tuple[TrackState, Mesh]]) -> None:
        self._tracks = [TrackState(mesh.crop(), track.score, track.unseen) for track, mesh in found]
        frame.faces.extend(FoundFace(mesh, track.score) for track, mesh in found)

    def _large(self, mesh: Mesh) -> bool:
        return longer_side(mesh.box) >= self._min_face


def _same(first: Mesh, second: Mesh) -> bool:
    return same_face(first.box, second.box)


def _sorted(group: list[TrackedFrame[T]]) -> list[TrackedFrame[T]]:
    for frame in group:
        frame.faces.sort(key=_largest_first)
    return group


def _largest_first(face: FoundFace) -> float:
    box: FloatArray = face.box
    return -box_area(box)
