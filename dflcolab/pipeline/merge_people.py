# pyright: strict
"""Which model each dst face gets, where several people have models of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dflcolab.errors import ConfigError
from dflcolab.faceset.config import CleanConfig
from dflcolab.faceset.face_files import loose_faces
from dflcolab.faceset.identity import Vector, embed_faces
from dflcolab.faceset.person_choice import IdentityVerdict
from dflcolab.faceset.vector_cache import FILE_NAME, VectorCache
from dflcolab.pipeline.clean_identity import judge, read_wish
from dflcolab.progress import Progress
from dflcolab.workspace.workspace import Side, Workspace


@dataclass(frozen=True)
class PersonWish:
    """A person and the model that person gets, as asked for.

    Attributes:
        who: Number, picture, `auto` or `chosen`, as `clean --identity` takes them.
        model: Name of the model.
    """

    who: str
    model: str


def read_people(texts: Sequence[str]) -> list[PersonWish]:
    """Understand `--person NAME=MODEL`.

    Raises:
        ConfigError: A text has not that form, or names a person twice.
    """
    found: list[PersonWish] = []
    for text in texts:
        # From the right: names of pictures may hold a "=", names of models may not.
        who, equals, model = text.rpartition("=")
        if not equals or not who.strip() or not model.strip():
            raise ConfigError(f"person = {text!r} is not of the form NAME=MODEL; write 1=first.")
        found.append(PersonWish(who.strip(), model.strip()))
    names = [wish.who for wish in found]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"The person {name} gets two models; name each person once.")
    return found


def identity_vectors(workspace: Workspace, progress: Progress) -> dict[str, Vector]:
    """Who each dst face looks like, by file name; kept from run to run.

    Raises:
        FacesetError: There are no faces, or they are packed.
    """
    from dflcolab.detection.embedding import embed_face
    from dflcolab.detection.models import EMBEDDING

    cache = VectorCache(workspace.frames_dir(Side.DST) / FILE_NAME, EMBEDDING)
    paths = loose_faces(workspace, Side.DST)
    return embed_faces(paths, embed_face, progress=progress, cache=cache)[0]


def model_of_faces(
    workspace: Workspace,
    wishes: Sequence[PersonWish],
    vectors: Mapping[str, Vector],
    tracks: Mapping[str, str],
) -> dict[str, PersonWish]:
    """Whose model each face gets, by file name; faces of everybody else are missing.

    A track goes to one person as a whole. A face that is like two of them goes to the one it is
    more like.

    Raises:
        ConfigError: There is no such person, or two names mean the same one.
    """
    verdicts: list[tuple[PersonWish, IdentityVerdict]] = []
    for wish in wishes:
        config = CleanConfig(side=Side.DST, identity=(wish.who,))
        verdicts.append((wish, judge(read_wish(workspace, config), vectors, tracks, config)))
    owners: dict[int, str] = {}
    for wish, verdict in verdicts:
        for number in verdict.wanted:
            other = owners.setdefault(number, wish.who)
            if other != wish.who:
                raise ConfigError(
                    f"{other} and {wish.who} are the same person (number {number}); name one of them."
                )
    best: dict[str, tuple[float, PersonWish]] = {}
    for wish, verdict in verdicts:
        foreign = set(verdict.foreign)
        for name, likeness in verdict.likeness.items():
            if name not in foreign and (name not in best or likeness > best[name][0]):
                best[name] = (likeness, wish)
    return {name: wish for name, (_, wish) in best.items()}
