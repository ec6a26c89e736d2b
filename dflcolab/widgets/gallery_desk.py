# pyright: strict
"""What the face gallery can do, without any page: list, show, delete, undo, restore, sort, measure."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dflcolab.arrays import Image
from dflcolab.errors import DFLColabError, FacesetError, FormatError
from dflcolab.extraction.debug_pictures import draw_stored
from dflcolab.faces.face_record import FaceRecord
from dflcolab.faceset.config import SortConfig, SortKind
from dflcolab.faceset.face_files import FACE_SUFFIXES, loose_faces
from dflcolab.faceset.folder_lock import alone_in
from dflcolab.faceset.people import Person
from dflcolab.faceset.renaming import recover
from dflcolab.files import list_files
from dflcolab.formats.dfl_jpeg import decode_picture
from dflcolab.pipeline.clean_report import RemovedFace
from dflcolab.pipeline.sort import sort
from dflcolab.progress import Progress
from dflcolab.runtime.show import small_jpeg
from dflcolab.widgets import gallery_facts
from dflcolab.widgets.gallery_pictures import Picture, Pictures, faces_of, pictures_of_trash
from dflcolab.widgets.gallery_thumbnails import FILE_NAME, Thumbnails
from dflcolab.widgets.patience import Patience
from dflcolab.widgets.side_frames import SideFrames
from dflcolab.workspace.trash import Removal, Trash, TrashEntry, removed_by
from dflcolab.workspace.workspace import Side, Workspace

REASON = "by hand"
FACES, TRASH = "faces", "trash"


@dataclass(frozen=True, eq=False)
class Look:
    """A face beside the frame it came from.

    Attributes:
        name: Its name.
        face: The face file's picture as a JPEG.
        debug: The frame with landmarks drawn on, as a JPEG; b"" where there is none.
        text: What is known of it, or why a picture is missing.
    """

    name: str
    face: bytes
    debug: bytes
    text: str


class GalleryDesk:
    """The faces of one side and their trash.

    Args:
        workspace: Where they are.
        side: Whose faces.

    Raises:
        FacesetError: There are no faces, not even in the trash, or another program changes them just
            now.
        FormatError: The pack is damaged.
    """

    def __init__(self, workspace: Workspace, side: Side) -> None:
        self.workspace = workspace
        self.side = side
        self.trash = Trash.of(workspace, side)
        self.removed = self._list_trash()
        self.faces = self._list_faces(may_be_empty=bool(self.removed.items))
        self._done: list[list[TrashEntry]] = []
        self._frames: SideFrames | None = None
        self._thumbnails = Thumbnails(workspace.frames_dir(side) / FILE_NAME)
        shown = (*self.faces.items, *self.removed.items)
        self._thumbnails.forget_all_but({picture.key for picture in shown})

    def reload(self) -> None:
        """List faces and trash anew; without faces the list is empty."""
        self.faces = self._list_faces(may_be_empty=True)
        self.removed = self._list_trash()

    def pictures(self, where: str) -> Pictures:
        """The faces, or what lies in the trash.

        Args:
            where: `faces` or `trash`.
        """
        return self.removed if where == TRASH else self.faces

    def thumbnails(self, where: str, names: object) -> list[bytes]:
        """A small JPEG for each name; b"" where there is no readable picture.

        Raises:
            FacesetError: A name is none of a listed picture.
        """
        pictures = self.pictures(where)
        return self._thumbnails.get(pictures.chosen(names), pictures.read)

    def delete(self, names: object) -> int:
        """Move faces to the trash, with the reason `by hand`.

        Returns:
            How many went.

        Raises:
            FacesetError: A name is none of a listed face, or means another face by now (the list
                is loaded anew then); the faces are packed; another program works on them.
            StorageError: The disk is full or read-only; nothing is lost.
        """
        chosen = self.faces.chosen(names)
        folder = self.faces.folder
        with alone_in(folder, progress=Patience(folder)):
            loose_faces(
                self.workspace, self.side
            )  # says what to do about packs and people's folders
            self._refuse_changed(self.faces, chosen)
            entries = self.trash.move([Removal(picture.path, REASON) for picture in chosen])
        self._done.append(entries)
        self.reload()
        return len(entries)

    def undo(self) -> list[str]:
        """Bring back what was deleted by hand last, also by an earlier gallery.

        Returns:
            The names of the faces; empty if there is nothing to undo.

        Raises:
            FacesetError: Another program works on the faces.
            StorageError: The disk is read-only or gone; nothing is lost.
        """
        entries = self._done.pop() if self._done else self._newest_by_hand()
        return self._brought_back(entries) if entries else []

    def restore(self, names: object) -> list[str]:
        """Bring back pictures of the trash, whatever removed them; their names in the faceset.

        Raises:
            FacesetError: A name is none of a picture in the trash, or another program works on
                the faces.
            StorageError: The disk is read-only or gone; nothing is lost.
        """
        wanted = {picture.name for picture in self.removed.chosen(names)}
        return self._brought_back(
            [entry for entry in self.trash.entries() if entry.trash_name in wanted]
        )

    def sort(self, kind: str, *, progress: Progress) -> str:
        """Sort the side by one of the usual kinds; what it did, in a sentence.

        Raises:
            ConfigError: There is no such kind.
            FacesetError: The faces are packed, or the kind fits none of them.
            Interrupted: The user asked to stop.
        """
        by = SortKind(kind) if kind in tuple(SortKind) else kind
        config = SortConfig(side=self.side, by=by)  # pyright: ignore[reportArgumentType]
        report = sort(self.workspace, config, progress=progress)
        self.reload()
        return report.summary()

    def look(self, where: str, name: object) -> Look:
        """A face and the debug picture of its frame, for comparing.

        Where extraction has drawn none, it is drawn now from the frame and the face's landmarks.

        Raises:
            FacesetError: The name is none of a listed picture.
        """
        pictures = self.pictures(where)
        picture = pictures.chosen([name])[0]
        file = pictures.read([picture])[0]
        if file is None or file.problem or not file.data:
            problem = "it is gone or changed" if file is None else file.problem
            return Look(picture.name, b"", b"", f"{picture.name}: {problem}")
        face = small_jpeg(decode_picture(file.data, picture.name))
        record = file.record
        if record is None or record.source_filename is None:
            return Look(picture.name, face, b"", f"{picture.name} does not say its frame.")
        return self._beside_frame(picture, face, record, file.size)

    def measures(self, *, progress: Progress) -> dict[str, dict[str, float]]:
        """See `gallery_facts.measure_heads`."""
        return gallery_facts.measure_heads(self.faces.folder, progress=progress)

    def people(self, *, progress: Progress) -> tuple[Person, ...]:
        """See `gallery_facts.find_people_of`."""
        return gallery_facts.find_people_of(self.workspace, self.side, progress=progress)

    def doubtful(self, *, progress: Progress) -> tuple[RemovedFace, ...]:
        """See `gallery_facts.doubtful_faces`."""
        return gallery_facts.doubtful_faces(self.workspace, self.side, progress=progress)

    def undo_count(self) -> int:
        """How many faces the next `undo` would bring back."""
        return len(self._done[-1] if self._done else self._newest_by_hand())

    def _beside_frame(self, picture: Picture, face: bytes, record: FaceRecord, size: int) -> Look:
        text = f"{picture.name} from {record.source_filename}"
        try:
            debug = small_jpeg(self._debug_picture(record, size))
        except DFLColabError as error:
            return Look(picture.name, face, b"", f"{text}. {error}")
        return Look(picture.name, face, debug, text)

    def _debug_picture(self, record: FaceRecord, size: int) -> Image:
        """The frame with landmarks as the extraction drew it, else with this face drawn on now."""
        stem = Path(str(record.source_filename)).stem
        path = self.workspace.debug_dir(self.side) / f"{stem}.jpg"
        if path.is_file():
            with suppress(FormatError, OSError):
                return decode_picture(path.read_bytes(), str(path))
        drawn = self._frame(stem).copy()
        draw_stored(drawn, record, size=size)
        return drawn

    def _frame(self, stem: str) -> Image:
        self._frames = self._frames or SideFrames(self.workspace, self.side)
        try:
            return self._frames.glance(stem)
        except DFLColabError:
            self._frames = None  # whoever puts a video back finds it at the next look
            raise

    def _newest_by_hand(self) -> list[TrashEntry]:
        """The entries of the last deletion by hand that lies in the trash."""
        ours = [entry for entry in self.trash.entries() if removed_by(entry) == REASON]
        return [entry for entry in ours if entry.time == ours[-1].time]

    def _brought_back(self, entries: Sequence[TrashEntry]) -> list[str]:
        folder = self.trash.home
        with alone_in(folder, progress=Patience(folder)):
            recover(folder)  # a killed sort takes its names before anything else does
            restored = self.trash.restore(entries)
        gone = {entry.trash_name for entry in entries}
        self._done = [
            left
            for batch in self._done
            if (left := [entry for entry in batch if entry.trash_name not in gone])
        ]
        self.reload()
        return [path.name for path in restored]

    def _refuse_changed(self, pictures: Pictures, chosen: Sequence[Picture]) -> None:
        try:
            pictures.refuse_changed(chosen)
        except FacesetError:
            self.reload()
            raise

    def _list_faces(self, *, may_be_empty: bool) -> Pictures:
        folder = self.workspace.aligned_dir(self.side)
        try:
            return faces_of(folder)
        except FacesetError:
            if not may_be_empty or list_files(folder, FACE_SUFFIXES):
                raise
            return Pictures(folder, [])

    def _list_trash(self) -> Pictures:
        return pictures_of_trash(self.trash.folder, self.trash.entries())
