"""The table of commands: which verb, which options, which help.

Modules are named by text and imported only when their command runs, so that help answers at once
and nothing loads TensorFlow that does not train.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any, Literal

from dflcolab.config import Config


@dataclass(frozen=True)
class Command:
    """One sub-command.

    Args:
        help: One line for the overview.
        function: `module:name` of the verb: `(workspace, config, *, progress) -> report`.
        config: `module:Class` of its options.
        takes: What the verb works on: an existing `workspace`, the `path` of one that may not
            exist yet, or `nothing`.
    """

    help: str
    function: str
    config: str
    takes: Literal["workspace", "path", "nothing"] = "workspace"

    def load_function(self) -> Any:
        """Import the verb."""
        return _load(self.function)

    def load_config(self) -> type[Config]:
        """Import the options class."""
        return _load(self.config)


COMMANDS: dict[str, Command] = {
    "init": Command(
        "Make a workspace, bring videos or DeepFaceLab's folder in, record the rights",
        "dflcolab.pipeline.init:init",
        "dflcolab.workspace.config:InitConfig",
        takes="path",
    ),
    "extract": Command(
        "Find, align and cut out the faces of one side",
        "dflcolab.pipeline.extract:extract",
        "dflcolab.extraction.config:ExtractConfig",
    ),
    "append": Command(
        "Add faces from more videos, photos and facesets to one side",
        "dflcolab.pipeline.append:append",
        "dflcolab.extraction.config:AppendConfig",
    ),
    "frames": Command(
        "Write a video's frames as pictures (only when you want the files)",
        "dflcolab.pipeline.frames:frames",
        "dflcolab.media.config:FramesConfig",
    ),
    "sort": Command(
        "Put the faces of one side in order",
        "dflcolab.pipeline.sort:sort",
        "dflcolab.faceset.config:SortConfig",
    ),
    "clean": Command(
        "Move bad, foreign and duplicate faces to the trash, or undo that",
        "dflcolab.pipeline.clean:clean",
        "dflcolab.faceset.config:CleanConfig",
    ),
    "report": Command(
        "Say what facesets and trainings show and lack; compare two models; make a time-lapse; "
        "read a file's signed note",
        "dflcolab.pipeline.any_report:any_report",
        "dflcolab.faceset.report_config:ReportConfig",
        takes="path",
    ),
    "mask": Command(
        "Draw the line between face and what covers it: labels, XSeg training, masks",
        "dflcolab.pipeline.mask:mask",
        "dflcolab.xseg.config:MaskConfig",
    ),
    "pack": Command(
        "Put the faces of one side into one faceset.pak, or add new ones to it",
        "dflcolab.pipeline.pack:pack",
        "dflcolab.faceset.config:PackConfig",
    ),
    "unpack": Command(
        "Take the faces out of faceset.pak again",
        "dflcolab.pipeline.pack:unpack",
        "dflcolab.faceset.config:UnpackConfig",
    ),
    "resize": Command(
        "Give the faces of one side another size or face type, or undo that",
        "dflcolab.pipeline.resize:resize",
        "dflcolab.faceset.tools_config:ResizeConfig",
    ),
    "metadata": Command(
        "Keep the faces' metadata while an editor works on the pictures",
        "dflcolab.pipeline.metadata:metadata",
        "dflcolab.faceset.tools_config:MetadataConfig",
    ),
    "pretrain": Command(
        "Give a model a start on a general faceset",
        "dflcolab.pipeline.pretrain:pretrain",
        "dflcolab.training.config:PretrainConfig",
        takes="path",
    ),
    "train": Command(
        "Train a model on src and dst; goes on from the last checkpoint",
        "dflcolab.pipeline.any_training:any_training",
        "dflcolab.training.config:TrainConfig",
        takes="path",
    ),
    "merge": Command(
        "Put the trained face into the dst frames",
        "dflcolab.pipeline.merge:merge",
        "dflcolab.merging.config:MergeConfig",
    ),
    "encode": Command(
        "Make the video, with sound and signed provenance",
        "dflcolab.pipeline.encode:encode",
        "dflcolab.media.config:EncodeConfig",
    ),
    "model": Command(
        "List models, show what one holds, bring one back to its best state, or from and to DeepFaceLab",
        "dflcolab.pipeline.model:model",
        "dflcolab.training.config:ModelConfig",
    ),
    "sync": Command(
        "Copy the workspace to a remote, or back, each file verified",
        "dflcolab.pipeline.sync:sync",
        "dflcolab.sync.config:SyncConfig",
        takes="path",
    ),
    "doctor": Command(
        "Say where this runs and what is wrong with it",
        "dflcolab.pipeline.doctor:doctor",
        "dflcolab.workspace.config:DoctorConfig",
        takes="path",
    ),
    "demo": Command(
        "Do the whole job on two sample clips",
        "dflcolab.pipeline.demo:demo",
        "dflcolab.pipeline.demo_config:DemoConfig",
        takes="nothing",
    ),
}
"""Every command in the order in which a user meets it."""


def _load(reference: str) -> Any:
    module, _, name = reference.partition(":")
    return getattr(importlib.import_module(module), name)
