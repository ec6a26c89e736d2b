"""What the notebook's cells call: one `Session` with one method per cell.

A method runs a verb, shows its result, and copies the workspace to the connected storage. A failure
is one red sentence. The cell's own Stop button ends a verb at its next safe point.

Values of the form can be set from outside, for automatic runs: the environment variable
`DFLCOLAB_NOTEBOOK` holds a JSON object of parameter names and values.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dflcolab.errors import ConfigError, DFLColabError, WorkspaceError
from dflcolab.faces.face_type import FaceType
from dflcolab.faceset.face_files import FACE_SUFFIXES
from dflcolab.files import list_files
from dflcolab.progress import Progress
from dflcolab.runtime import rules
from dflcolab.runtime.advice import runtime_advice
from dflcolab.runtime.cells import awaited_cell, cell, one_of, stop_button
from dflcolab.runtime.description import Runtime, find_runtime
from dflcolab.runtime.drive import drive_for
from dflcolab.runtime.faces_done import FacesDone
from dflcolab.runtime.model_cells import ModelCells, duration
from dflcolab.runtime.model_export import NO_EXPORT
from dflcolab.runtime.results import show_faces, show_report
from dflcolab.runtime.session_state import AS_IT_IS, DECISIONS, NOT_SAID, SAMPLE, parts_of
from dflcolab.runtime.show import (
    StoppedCellError,
    show_box,
    show_failure,
    show_page,
    show_text,
)
from dflcolab.runtime.storage import Storage
from dflcolab.runtime.workspace_desk import WorkspaceDesk
from dflcolab.workspace.workspace import RightsBasis, Side, Workspace

if TYPE_CHECKING:
    from dflcolab.workspace.config import InitConfig

VARIABLE = "DFLCOLAB_NOTEBOOK"
_FINISHING_ROUNDS = 3
"""What is found damaged is copied again, and that may rely on other damage."""
NO_MASKS = "not now"
LABEL_MASKS = "draw outlines"
LEARN_MASKS = "learn the outlines"
APPLY_MASKS = "apply to all faces"
REPORTS: Mapping[str, Literal["all", "faces", "training"]] = {
    "faces": "faces",
    "training": "training",
    "faces and training": "all",
}
"""What the cell of the report looks at, as `report` takes it."""
MASK_STEPS = (NO_MASKS, LABEL_MASKS, LEARN_MASKS, APPLY_MASKS)
"""What the cell of the masks does, in the order of the work."""


class Session(ModelCells):
    """One method per cell."""

    @cell
    def show_machine(self) -> None:
        """Say where this is and what the machine has."""
        show_text("\n".join([self.runtime.sentences(), *runtime_advice(self.runtime)]))

    @cell
    def show_rules(self, *, my_choice: str) -> None:
        """Show the rules, and record the user's choice as soon as a workspace is open."""
        self._choice = one_of("my_choice", my_choice, rules.CHOICES)
        self._record_choice()
        platform = rules.platform_rules(self.where)
        show_box("Before you start", [platform, rules.CONSENT])
        if my_choice == rules.STOP:
            raise WorkspaceError("Stopped, as you chose; nothing was started on this machine.")
        if platform and my_choice == rules.NOT_CHOSEN:
            show_text("Choose in this cell's form and run it again; training asks for the choice.")

    @cell
    def connect(self, *, storage_folder: str) -> None:
        """Connect the storage that outlives this machine: Drive on hosted Colab, else a folder."""
        if self._drive is None and not self.where.can_mount_drive and not storage_folder:
            show_text("No storage is connected: the workspace stays on this machine only.")
            return
        folder = Path(storage_folder).expanduser()
        self._drive = self._drive or drive_for(self.where, folder)
        root = self._drive.mount()
        # On a mounted Drive the form's folder lies below "My Drive".
        self._storage = Storage(self._drive, root / folder if self.where.can_mount_drive else root)
        show_text(f"Copies of the workspace go to {self._storage.shelf}.")
        self._list_workspaces(self._storage)

    @cell
    def open(
        self,
        *,
        workspace_name: str,
        src_video: str,
        dst_video: str,
        src_rights: str,
        dst_rights: str,
        rights_note: str,
        face_type: str = AS_IT_IS,
        existing_workspace: str = "",
        local_folder: str = "",
    ) -> None:
        """Open the workspace of this name: the one here, else the stored copy, else a new one."""
        from dflcolab.pipeline.bring_in import brought_before, note_brought
        from dflcolab.pipeline.demo_config import sample_workspace
        from dflcolab.workspace.config import InitConfig

        name = self._typed = workspace_name.strip()
        if not name or name.startswith(".") or set(name) & set('/\\:*?"<>|'):
            raise ConfigError(f"{workspace_name!r} cannot be a folder's name; use letters and -.")
        own = [text.strip() for text in (src_video, dst_video, existing_workspace) if text.strip()]
        if name == SAMPLE and own:
            raise ConfigError(
                f"{SAMPLE} is the workspace of the sample clips; give {own[0]} a workspace_name of its own."
            )
        rights = {
            Side.SRC: _basis("src_rights", src_rights),
            Side.DST: _basis("dst_rights", dst_rights),
        }
        home = self._local_root(local_folder)
        if self._picked is not None and self._picked[0] == name:
            show_text(self._open_again(home / self._picked[1], self.progress))
            self._show_workspace()
            return
        root = home / name
        if self._storage is not None and (
            fetched := self._storage.fetch_if_new(root, self.progress)
        ):
            show_text(fetched)
        present = Workspace(root)
        source, as_given = self._given_source(existing_workspace), existing_workspace.strip()
        if source is not None and any(brought_before(present, one) for one in (source, as_given)):
            source = None
        if name == SAMPLE:
            # Brought once: what the user changed later stays.
            config = InitConfig() if (root / "workspace.toml").exists() else sample_workspace()
        else:
            config = InitConfig(
                from_=source,
                src=self._given_videos(src_video, present),
                dst=self._given_videos(dst_video, present),
                src_rights=rights[Side.SRC],
                dst_rights=rights[Side.DST],
                note=rights_note or None,
            )
        if face_type != AS_IT_IS:
            config = replace(config, face_type=FaceType.parse(face_type))
        show_text(self._go_to(root, config, self.progress))
        if own:
            note_brought(self.workspace, parts_of(";".join(own)))
        self._copy()
        self._show_workspace()

    @cell
    def extract(
        self,
        *,
        src_frames_per_second: float,
        dst_debug_pictures: bool,
        max_faces: int,
        unpack_faces: bool = False,
    ) -> None:
        """Find the faces of both sides."""
        from dflcolab.extraction.config import ExtractConfig
        from dflcolab.faceset.config import UnpackConfig
        from dflcolab.pipeline.extract import extract
        from dflcolab.pipeline.extract_steps import faces_stay, is_packed
        from dflcolab.pipeline.pack import unpack

        for side in Side:
            if unpack_faces and is_packed(self.workspace, side):
                show_report(unpack(self.workspace, UnpackConfig(side=side), progress=self.progress))
            if faces_stay(self.workspace, side):
                show_text(f"The faces of {side.value} are here already and are used as they are.")
                show_faces(self.workspace, side)
                continue
            config = ExtractConfig(
                side=side,
                fps=(src_frames_per_second or None) if side is Side.SRC else None,
                max_faces=max_faces,
                debug=dst_debug_pictures if side is Side.DST else False,
            )
            show_report(extract(self.workspace, config, progress=self.progress))
            show_faces(self.workspace, side)
            if side is Side.SRC:
                self._copy()  # before the other side, which may take long
        self._copy()

    @cell
    def sort(self, *, src_by: str, dst_by: str) -> None:
        """Put the faces in order; first and last ones show what the order means."""
        from dflcolab.faceset.config import SortConfig
        from dflcolab.pipeline.sort import sort

        done = FacesDone(self.workspace)
        for side, kind in ((Side.SRC, src_by), (Side.DST, dst_by)):
            if self._stays(side):
                continue
            if done.is_sorted(side, kind):
                show_text(f"The faces of {side.value} are in order by {kind} already.")
            else:
                config = SortConfig(side=side, by=kind)  # pyright: ignore[reportArgumentType]
                show_report(sort(self.workspace, config, progress=self.progress))
                done.note_sorted(side, kind)
            show_faces(self.workspace, side)
        self._copy()

    @cell
    def clean(
        self,
        *,
        src_person: str,
        dst_person: str,
        only_show: bool,
        undo: bool,
        undo_only: str,
        again: bool = False,
    ) -> None:
        """Move bad faces to the trash, or bring them back."""
        from dflcolab.faceset.config import CleanConfig
        from dflcolab.pipeline.clean import clean, usual_checks
        from dflcolab.pipeline.clean_identity import CHOSEN, chosen_by

        done = FacesDone(self.workspace)
        not_there: list[WorkspaceError] = []
        for side, text in ((Side.SRC, src_person), (Side.DST, dst_person)):
            if self._stays(side):
                continue
            person = self._given_source(text) or ""
            if not (only_show or undo or again) and done.is_cleaned(side, person):
                show_text(
                    f"The faces of {side.value} were cleaned in this way already, and none have come since: what "
                    "was deleted or brought back by hand stays. To clean once more, choose again."
                )
                continue
            named: dict[str, Any] = {}
            if person and not undo:
                # A person alone would be the only check; the usual ones are wanted besides.
                named = {name.replace("-", "_"): True for name in usual_checks(side)}
                same = chosen_by(self.workspace, side, person)
                named["identity"] = (CHOSEN if same else person,)
            config = CleanConfig(
                side=side,
                dry_run=only_show,
                undo=undo,
                only=tuple(undo_only.split()) if undo else (),
                **named,
            )
            try:
                show_report(clean(self.workspace, config, progress=self.progress))
            except WorkspaceError as error:
                if not config.only:
                    raise
                not_there.append(error)  # what is to come back may lie on the other side
                continue
            if undo and not only_show:
                done.forget_cleaned(side)
            elif not only_show:
                done.note_cleaned(side, person)
        if len(not_there) == len(Side):
            raise not_there[0]
        self._copy()

    @cell
    def report(self, *, about: str) -> None:
        """Say what facesets and trainings show and lack, and whether src and dst fit together."""
        from dflcolab.faceset.report_config import ReportConfig
        from dflcolab.pipeline.report import report

        config = ReportConfig(about=REPORTS[one_of("about", about, REPORTS)])
        done, page = FacesDone(self.workspace), self.workspace.history_dir / "report.html"
        if config.about == "faces" and page.exists() and done.is_reported():
            show_text("The faces are those of the last report, which is this one.")
            show_page(page)
            return
        found = report(self.workspace, config, progress=self.progress)
        show_report(found)
        show_page(found.html)
        if config.about == "faces":
            done.note_reported()
        self._copy()

    @cell
    def review(self, *, side: str) -> None:
        """Show the faces of a side, to select, delete, bring back and correct."""
        from IPython.display import display

        from dflcolab.widgets.face_review import face_review

        display(face_review(self.workspace, Side(one_of("side", side, Side))))

    @cell
    def label_masks(self, *, side: str, mask_model: str) -> None:
        """Show the mask editor for a side; each change is in the face's file at once."""
        from IPython.display import display

        from dflcolab.widgets.mask_editor import mask_editor

        shown = Side(one_of("mask_side", side, Side))
        display(mask_editor(self.workspace, shown, model=mask_model, progress=self.progress))

    @awaited_cell
    async def masks(
        self,
        *,
        mask_step: str,
        mask_side: str,
        mask_model: str,
        mask_minutes: float,
        mask_checkpoint: str = "latest",
    ) -> None:
        """Outlines by hand, a network that learns them, its masks into the faces: one step a run."""
        from dflcolab.training.config import TrainConfig
        from dflcolab.xseg.config import MaskConfig

        if one_of("mask_step", mask_step, MASK_STEPS) == NO_MASKS:
            show_text("Masks are left as they are, as chosen.")
            return
        if mask_step == LABEL_MASKS:
            self.label_masks(side=mask_side, mask_model=mask_model)
            return
        if mask_step == LEARN_MASKS:
            await self._train_in_a_job(
                "train",
                TrainConfig(
                    model=mask_model,
                    arch="xseg",
                    deadline=duration(mask_minutes),
                    remote=self._copies_address(),
                ),
            )
            return
        for chosen in Side:
            config = MaskConfig(
                action="apply",
                model=mask_model,
                side=chosen,
                checkpoint=mask_checkpoint.strip(),  # pyright: ignore[reportArgumentType]
            )
            await self._show_job("mask", config)
        with stop_button(self.progress):
            self._copy()

    @cell
    def finish(
        self,
        *,
        disconnect_drive: bool,
        export_model_as: str = NO_EXPORT,
        export_checkpoint: str = "latest",
    ) -> None:
        """Copy everything to the storage, and read it back from there over the network."""
        if export_model_as != NO_EXPORT:
            self._export_model(export_model_as, export_checkpoint)
        if self._storage is None:
            show_text(
                f"No storage is connected; the workspace is in {self.workspace.root}, "
                "saved on this machine."
            )
            return
        for _ in range(_FINISHING_ROUNDS):
            show_report(self._storage.push(self.workspace, self.progress))
            found = self._storage.confirm(self.workspace, self.progress)
            if found is None:
                break
            show_report(found)
            if not found.damaged:
                break
        if disconnect_drive:
            self._storage.disconnect()
            self._storage = None
            show_text("The storage has taken everything and is disconnected.")

    def _go_to(self, root: Path, config: InitConfig, progress: Progress) -> str:
        """Make a workspace or bring it up to date, and work in it from now on."""
        from dflcolab.pipeline.init import init

        config = replace(config, platform_choice=DECISIONS[self._choice])
        said = init(root, config, progress=progress, where=self.where).summary()
        if self._workspace is None or self._workspace.root != root:
            self._model = None
        self._workspace = Workspace.open(root)
        return said

    def _open_again(self, root: Path, progress: Progress) -> str:
        """Open a workspace that is there, here or as a copy; the form is another one's."""
        from dflcolab.workspace.config import InitConfig

        fetched = "" if self._storage is None else self._storage.fetch_if_new(root, progress)
        said = self._go_to(root, InitConfig(), progress)
        typed = self._typed
        picked = (
            f"{root.name} is open, as picked from the list. Type {root.name} into workspace_name as well: "
            f"on a new machine the cell opens what is typed there ({typed})."
        )
        return "\n".join(filter(None, [fetched, said, picked if root.name != typed else ""]))

    def _pick(self, name: str, progress: Progress) -> str:
        """Open a workspace from the list; the cell opens it as well while the same is typed there."""
        said = self._open_again(self.workspace.root.parent / name, progress)
        self._picked = None if name == self._typed else (self._typed, name)
        return said

    def _show_workspace(self) -> None:
        """The workspace panel, or its text where there are no widgets."""
        desk = WorkspaceDesk(lambda: self.workspace, lambda: self._storage, self._pick)
        if not self._draws_widgets():
            show_text(desk.look(self.progress).text())
            return
        from IPython.display import display

        from dflcolab.widgets.workspace_panel import WorkspacePanel

        display(WorkspacePanel(desk, self.progress).box)

    def _stays(self, side: Side) -> bool:
        """Whether the order and faces of a side stay: in a pack, or in folders of people; says so."""
        from dflcolab.faceset.person_folders import person_folders
        from dflcolab.pipeline.extract_steps import is_packed

        if is_packed(self.workspace, side):
            show_text(
                f"The faces of {side.value} are packed and stay as they are; to change them, run the "
                "cell “Extract faces” with unpack_faces."
            )
            return True
        folder = self.workspace.aligned_dir(side)
        in_folders = bool(person_folders(folder)) and not list_files(folder, FACE_SUFFIXES)
        if in_folders:
            show_text(f"The faces of {side.value} lie in folders of people and stay as they are.")
        return in_folders


_started: Session | None = None


def start() -> Session:
    """Check the installation and begin; the first thing that the notebook calls.

    Called again in the same kernel, it gives the session that is there, its workspace open.

    Raises:
        StoppedCellError: A running library was replaced, or `DFLCOLAB_NOTEBOOK` is wrong.
    """
    global _started
    try:
        runtime = find_runtime()
        _refuse_replaced_numpy(runtime)
        session = _started or Session(runtime)
        session.values = _values()
        _started = session
    except DFLColabError as error:
        show_failure(error)
        raise StoppedCellError(str(error)) from None
    show_text(f"dflcolab {runtime.versions.package} is ready.")
    return session


def _refuse_replaced_numpy(runtime: Runtime) -> None:
    """Colab loads numpy before the first cell; a newer one on the disk breaks everything."""
    versions = runtime.versions.replaced.get("numpy")
    if versions is not None:
        raise ConfigError(
            f"numpy {versions[0]} is running but {versions[1]} was installed meanwhile; choose "
            "Runtime → Restart, then Run all."
        )


def _values() -> dict[str, Any]:
    text = os.environ.get(VARIABLE, "")
    try:
        read: Any = json.loads(text) if text else {}
    except ValueError as error:
        raise ConfigError(f"{VARIABLE} is not a JSON object; correct or unset it.") from error
    if not isinstance(read, dict):
        raise ConfigError(f"{VARIABLE} is not a JSON object; correct or unset it.")
    return read


def _basis(name: str, text: str) -> RightsBasis | None:
    return None if one_of(name, text, (NOT_SAID, *RightsBasis)) == NOT_SAID else RightsBasis(text)
