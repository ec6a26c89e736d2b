# pyright: strict
"""What a merge needs before its first frame: permission, footage, faces and networks.

`merge` and the tuner open the same things in the same order, so that both refuse the same.
"""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dflcolab.engine.chosen_checkpoint import better_state
from dflcolab.errors import ModelError
from dflcolab.faceset.faceset import load_faceset
from dflcolab.merging.config import MergeConfig
from dflcolab.merging.content_check import VERDICTS_FILE, check_content
from dflcolab.merging.frame_source import dst_frames
from dflcolab.merging.job import MergeJob, PersonModel, Stamp
from dflcolab.merging.look import Look
from dflcolab.merging.networks import Enhancer, Networks
from dflcolab.merging.options import MaskMode
from dflcolab.merging.segments import Segmenter
from dflcolab.pipeline.merge_faces import FacesToMerge, faces_to_merge
from dflcolab.pipeline.merge_people import PersonWish, read_people
from dflcolab.progress import Progress
from dflcolab.runtime.rules import require_choice
from dflcolab.runtime.where import Where
from dflcolab.workspace.workspace import Side, Workspace, require_rights

if TYPE_CHECKING:
    from dflcolab.media.certificate import Identity
    from dflcolab.xseg.predictor import MaskPredictor

Helpers = Callable[[list[str]], tuple[Segmenter | None, Enhancer | None]]
"""Gives the networks beside the swap model; sentences about broken checkpoints go into the list."""


@dataclass(frozen=True)
class OpenedMerge:
    """Everything that a merge works with.

    Attributes:
        job: What is merged.
        models: All swap models by name, the usual one first.
        found: What is known of the faces.
        problems: What was left out, one sentence each.
        better: Sentences about models of which another state has the lower held-out score.
    """

    job: MergeJob
    models: dict[str, PersonModel]
    found: FacesToMerge
    problems: list[str]
    better: list[str]


def require_permission(workspace: Workspace, where: Where | None) -> None:
    """Refuse without the rights of both sides, or without the choice that a platform asks for.

    Raises:
        RightsError: One of them is missing.
    """
    require_rights(workspace)
    require_choice(workspace, where)


def open_merge(
    workspace: Workspace,
    config: MergeConfig,
    look: Look,
    helpers: Helpers,
    *,
    progress: Progress,
) -> OpenedMerge:
    """Footage, faces and networks of a merge that is permitted.

    Args:
        workspace: Its dst footage, dst faces and model are read.
        config: Which models, which frames.
        look: The options of each frame.
        helpers: Gives the networks beside the swap model.
        progress: Shown to the user, and asked for a wish to stop.

    Raises:
        ContentGuardError: The dst footage is sexually explicit.
        ConfigError: A person is named that is not there.
        WorkspaceError: There is no dst footage.
        FacesetError: There is no dst face.
        ModelError: The model was not trained.
        MediaError: The dst video is none.
        Interrupted: Stopped as asked.
    """
    wishes = read_people(config.person)
    stamp, signer = _stamp(config)
    frames = dst_frames(workspace, config.wanted_source)
    faceset = load_faceset(workspace.aligned_dir(Side.DST))
    problems = list(faceset.problems)
    segmenter, enhancer = helpers(problems)
    models = _models(workspace, config, wishes, segmenter, enhancer, problems)
    usual = next(iter(models.values()))
    better = [
        better_state(workspace.model_dir(name), config.checkpoint, model.iteration)
        for name, model in models.items()
    ]
    check_content(frames, workspace.history_dir / VERDICTS_FILE, progress=progress)
    found = faces_to_merge(
        workspace,
        faceset,
        frames,
        look,
        wishes,
        others_stay=config.model is None,
        progress=progress,
    )
    problems += found.faces.problems
    start, stop = config.frame_range
    job = MergeJob(
        frames=frames,
        faces=found.faces,
        networks=usual.networks,
        # Without a model for everybody else, no frame depends on the usual one.
        model_identity=usual.identity if config.model else "",
        look=look,
        folder=workspace.merged_dir,
        mask_folder=workspace.merged_mask_dir,
        stamp=stamp,
        start=start,
        stop=stop,
        threads=config.threads or os.cpu_count() or 1,
        notes={
            "model": " + ".join(models),
            "usual_model": usual.name,
            "iteration": usual.iteration,
        },
        stretches=found.stretches,
        people={name: models[wish.model] for name, wish in found.people.items()},
        signer=signer,
    )
    return OpenedMerge(job, models, found, problems, list(filter(None, better)))


def load_segmenter(workspace: Workspace, config: MergeConfig, problems: list[str]) -> MaskPredictor:
    """The XSeg network; sentences about broken checkpoints go into the list.

    Raises:
        ModelError: It was not trained, or has only been pretrained.
        CheckpointError: The checkpoint that is asked for is not there or not whole.
    """
    from dflcolab.xseg.predictor import load_mask_predictor

    return load_mask_predictor(
        workspace.model_dir(config.xseg),
        checkpoint=config.xseg_checkpoint,
        on_problem=problems.append,
    )


def require_xseg(workspace: Workspace, xseg: str, look: Look) -> None:
    """Refuse a mask mode whose network is not there, before anything is loaded.

    Raises:
        ModelError: There is no model of that name.
    """
    wanting = modes_with_xseg(look)
    if wanting and not workspace.model_dir(xseg).is_dir():
        raise ModelError(
            f"The mask mode {wanting[0].value} needs an XSeg model, and there is none called "
            f"{xseg!r} in {workspace.model_dir(xseg).parent}; train one with `dflcolab "
            f"mask train`, name another with --xseg, or set mask_mode={MaskMode.LEARNED_BOTH.value}."
        )


def modes_with_xseg(look: Look) -> list[MaskMode]:
    """The mask modes of a look that need an XSeg network."""
    return [mode for mode in look.values_of("mask_mode") if mode.needs_xseg]


def sign_picture(
    data: bytes, name: str, n_faces: int, *, identity: Identity | None = None
) -> bytes:
    """A merged picture with its note; a frame in which no face was replaced has nothing to note."""
    from dflcolab.media.provenance import sign_still

    return sign_still(data, name, identity=identity) if n_faces else data


def _stamp(config: MergeConfig) -> tuple[Stamp | None, str]:
    """What signs the merged pictures, if they are to be signed; and what tells the certificate."""
    if not config.provenance:
        return None, ""
    if config.certificate is None:
        return sign_picture, ""
    from dflcolab.media.certificate import user_identity

    identity = user_identity(config.certificate)
    signer = hashlib.sha256(identity.chain).hexdigest()
    return functools.partial(sign_picture, identity=identity), signer


def _models(
    workspace: Workspace,
    config: MergeConfig,
    wishes: Sequence[PersonWish],
    segmenter: Segmenter | None,
    enhancer: Enhancer | None,
    problems: list[str],
) -> dict[str, PersonModel]:
    """All models by name, the usual one first."""
    # TensorFlow is loaded here, behind all that can be refused at once.
    from dflcolab.engine.predictor import load_predictor

    names = [config.model] if config.model is not None else []
    names += [wish.model for wish in wishes]
    found: dict[str, PersonModel] = {}
    for name in dict.fromkeys(names):
        predictor = load_predictor(
            workspace.model_dir(name), checkpoint=config.checkpoint, on_problem=problems.append
        )
        batch = 1 if config.preview else config.batch
        networks = Networks(predictor, segmenter, enhancer, batch=batch)
        found[name] = PersonModel(name, networks, predictor.identity, predictor.iteration)
    return found
