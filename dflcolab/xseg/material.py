"""The faces that a network learns from, is judged by and is shown with, out of a whole faceset."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dflcolab.errors import FacesetError
from dflcolab.faceset.faceset import Faceset
from dflcolab.models.xseg.options import XSegOptions
from dflcolab.progress import Progress
from dflcolab.training.dataset import prepare_faces
from dflcolab.xseg.dataset import Faces, labelled, prepare_mask_faces
from dflcolab.xseg.held_out import cell_of, choose_cells, split
from dflcolab.xseg.session import Material

_MOST_JUDGED = 64  # held-out faces in pretraining, where there are plenty
_SHOWN_UNLABELLED = 2


def gather_material(
    faceset: Faceset,
    options: XSegOptions,
    *,
    share: float,
    state: Mapping[str, Any],
    seed: int,
    cache_dir: Path,
    progress: Progress,
    note: Callable[[str], None],
    problems: list[str],
) -> Material:
    """Choose faces, held-out ones apart, and prepare them.

    Args:
        faceset: All faces.
        options: Of the network.
        share: Part of the labelled faces to hold out, 0..0.5.
        state: What earlier runs learned from and held out; empty for a new network.
        seed: Another seed holds other faces out.
        cache_dir: Folder for faces that memory does not hold.
        progress: Shows the work and carries the wish to stop.
        note: Gets sentences that the user should know before training.
        problems: Gets one sentence per face that cannot be used.

    Raises:
        FacesetError: No face is labelled, or none that is can be used.
        Interrupted: Somebody asked to stop.
    """
    wide = _wide_enough(faceset, options)
    pool = wide if options.pretrain else _usable(_labelled(faceset), wide, faceset, options, note)
    if not pool:
        raise FacesetError(
            f"None of the {len(faceset)} faces is wide enough for {options.face_type.value}; make a "
            "model with another --set face_type."
        )
    keys = faceset.frame_keys
    own = [cell_of(keys[index]) for index in pool]
    learned = set(state.get("learned_cells", ()))
    before = state.get("held_out_cells", ())
    chosen = choose_cells(own, share, seed=seed, held_out=before, learned=learned)
    kept, apart = split(own, chosen)
    if not kept:  # all labels lie where nothing may be learned from: they have changed since
        kept, apart, chosen = list(range(len(pool))), [], frozenset[str]()

    def prepare(indices: Sequence[int], title: str) -> Faces:
        values = {
            "face_type": options.face_type,
            "resolution": options.resolution,
            "title": title,
            "progress": progress,
            "problems": problems,
        }
        if options.pretrain:
            return prepare_faces(faceset, indices, cache_dir=cache_dir, **values)
        return prepare_mask_faces(faceset, indices, **values)

    def prepare_if_whole(indices: Sequence[int], title: str) -> Faces | None:
        try:
            return prepare(indices, title) if indices else None
        except FacesetError:  # all of them are damaged, as `problems` says by now
            return None

    if options.pretrain:
        apart = apart[:: max(1, len(apart) // _MOST_JUDGED)]
    known = {pool[i] for i in (*kept, *apart)}
    rest = [i for i in wide if i not in known]
    shown = rest[:: max(1, len(rest) // _SHOWN_UNLABELLED)][:_SHOWN_UNLABELLED]
    training = prepare([pool[i] for i in kept], "Loading faces")
    if not options.pretrain:
        _tell_empty(training, note)
    held_out = prepare_if_whole([pool[i] for i in apart], "Loading held-out faces")
    numbers = {cell: number for number, cell in enumerate(sorted(set(own)))}
    stretch_of = {faceset.names[i]: numbers[cell] for i, cell in zip(pool, own, strict=True)}
    return Material(
        training=training,
        held_out=held_out,
        others=prepare_if_whole(shown, "Loading faces for previews"),
        held_out_cells=tuple(sorted(chosen)),
        learned_cells=tuple(sorted(learned | {own[i] for i in kept})),
        training_stretches=tuple(stretch_of[name] for name in training.names),
        held_out_stretches=tuple(stretch_of[name] for name in held_out.names) if held_out else (),
    )


def _labelled(faceset: Faceset) -> list[int]:
    """Faces that are learned from."""
    found = labelled(faceset.records)
    if found:
        return found
    guessed = sum(record.has_points for record in faceset.records)
    unchanged = f" ({guessed} carry guesses that nobody has changed)" if guessed else ""
    raise FacesetError(
        f"None of the {len(faceset)} faces is labelled{unchanged}; draw outlines on some (or take "
        "them in with mask labels --from), then train."
    )


def _usable(
    pool: Sequence[int],
    wide: Sequence[int],
    faceset: Faceset,
    options: XSegOptions,
    note: Callable[[str], None],
) -> list[int]:
    """The labelled faces that show all that the masks are for; all if none does: they are refused."""
    usable = sorted(set(pool) & set(wide))
    narrow = sorted(set(pool) - set(wide))
    if not usable or not narrow:
        return list(pool)
    first = narrow[0]
    note(
        f"{len(narrow)} labelled faces show less than {options.face_type.value}, which the masks are for, "
        f"and are left out (the first: {faceset.names[first]}, "
        f"{faceset.records[first].assumed_face_type.value})."
    )
    return usable


def _tell_empty(training: Faces, note: Callable[[str], None]) -> None:
    """Labels that enclose nothing are rarely meant."""
    names = [name for name, face in zip(training.names, training.faces, strict=True)
             if not face[..., 3].any()]  # fmt: skip
    if names:
        note(
            f"The outlines or masks of {len(names)} labelled faces hold nothing (the first: {names[0]}), "
            "which teaches that no face is there; draw what is face with outlines that include."
        )


def _wide_enough(faceset: Faceset, options: XSegOptions) -> list[int]:
    """Faces that show all that the masks are for."""
    types = [record.assumed_face_type for record in faceset.records]
    wanted = options.face_type.code
    return [i for i, found in enumerate(types) if found.is_crop and found.code >= wanted]
