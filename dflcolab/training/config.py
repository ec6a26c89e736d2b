# pyright: strict
"""Options of `train`, `pretrain` and `model`; light, since the command line builds its help here.

What belongs to the model itself (`resolution`, `archi`, `random_warp` …) is in
`dflcolab.models` and given by name: `--set key=value`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dflcolab.config import Config, option, with_assignments
from dflcolab.engine.checkpoint_choice import CheckpointChoice
from dflcolab.errors import ConfigError
from dflcolab.models.presets import Preset


@dataclass(frozen=True, kw_only=True)
class TrainConfig(Config):
    """How a run trains, how long, and how often it saves."""

    model: str
    """Name of the model; a folder of that name under model/. A new name makes a new model."""

    arch: Literal["saehd", "quick96", "amp", "xseg"] | None = None
    """Kind of a new model. saehd (also without this option): df and liae with all their letters.
    quick96: a small df model with everything decided. amp: swaps by any degree between both faces.
    xseg: learns masks from labels, as `mask train` does.
    A model on disk keeps its kind."""

    preset: Preset | None = None
    """Sizes of a new model: tiny (tests), demo (minutes on a CPU), light (small GPU), standard
    (15 GB GPU), high (24 GB and more). Without it a new model takes standard."""

    set: tuple[str, ...] = ()
    """Options of the model as key=value, for example archi=df-ud random_warp=no; also any option of
    this command, for example save_every=500."""

    target_iter: int | None = option(None, low=1)
    """Iteration at which training ends. Without it, it goes on until stopped."""

    deadline: str | None = None
    """Longest time to train, such as 11h30m or 90s; then save and end. Set it below the time your
    runtime lives."""

    batch: int | Literal["auto", "preset"] = "preset"
    """Faces per side and step. preset: what the model has, or its preset says. auto: measured by
    some steps before training, by memory and speed; the model keeps what was found."""

    accumulate: int | Literal["auto"] = option("auto", advanced=True)
    """In how many parts a batch is worked through, to save memory; the result is the same. auto:
    in one, and in more once memory has run out."""

    xla: Literal["auto", "on", "off"] = option("auto", advanced=True)
    """Compile the step with XLA where a few measured steps are faster with it. auto: tried on GPUs,
    once for a model and in runs that are long enough for it, for 3 minutes at most. on: tried
    anywhere. off: never."""

    precision: Literal["auto", "float32", "mixed_float16", "mixed_bfloat16"] = "auto"
    """Number type of the networks. auto: bfloat16 or float16 on GPUs with tensor cores, else
    float32; the demo preset also takes bfloat16 on CPUs that compute in it. Weights, losses and
    optimizer are float32 always."""

    devices: int | Literal["auto"] = "auto"
    """GPUs of this machine that share each batch. auto: all of them, or the CPU where there is
    none."""

    across_devices: Literal["mean", "sum"] = option("mean", advanced=True)
    """How the gradients of several devices are joined. mean: as DeepFaceLab. sum: the same steps as
    one device would make with the whole batch; differs mostly with clipgrad."""

    hosts: tuple[str, ...] = option((), advanced=True)
    """Train on several machines at once: host:port of each, in the same order everywhere. Run the
    same command on all of them, with the same faces and model and with its own --worker; the first
    one saves. Only on a network that you trust: the ports are open to everybody in it."""

    worker: int = option(0, low=0, advanced=True)
    """Which of --hosts this machine is, from 0."""

    save_minutes: float = option(10.0, low=0.0)
    """Minutes between two saves; what a sudden end can cost at most. 0 = never by time."""

    save_every: int = option(0, low=0)
    """Iterations between two saves, besides the saves by time; 0 = never by iterations."""

    remote: str = ""
    """Where copies go while training: a folder (for example on a mounted Drive) or an address such as
    gs://bucket/folder. Once given, here or to sync, it is remembered in workspace.toml. Training
    begins with the newest state, the one here or the one there; an empty machine fetches everything."""

    push_minutes: float = option(20.0, low=0.0)
    """Minutes between two copies of what is new to the remote, made beside the training; the last one
    is made at the end. 0 = no copies."""

    keep: int = option(3, low=1, high=100, advanced=True)
    """How many of the latest checkpoints stay on disk, besides the best one."""

    preview_every: int = option(500, low=0)
    """Iterations between two preview pictures in the model's history folder; 0 = at saves only."""

    holdout_share: float = option(0.05, low=0.0, high=0.5)
    """Part of each faceset kept out of training to judge it: whole stretches of neighbouring
    frames. 0 = train on everything."""

    stop_on: Literal["never", "plateau", "overfit"] = "never"
    """When the watch ends training by itself. overfit: the faces kept out of training get worse while
    the others do not. plateau: also when they have stopped getting better and the schedule has no
    further phase. The best state stays on disk in any case."""

    schedule: Literal["auto", "manual"] = "auto"
    """auto: when the held-out faces stop getting better, the next phase begins: warp, then learning-rate
    dropout, then no warp, then GAN if --schedule-gan asks for it. manual: nothing is switched.
    Options that are set by hand (lr_dropout, random_warp, gan_power) also leave the schedule to you."""

    phase: Literal["warp", "lr_dropout", "no_warp", "gan"] | None = option(None, advanced=True)
    """Enter this phase of the schedule now. The same command again enters it again: leave it out
    when you go on with a training that has left it."""

    phase_iterations: int = option(10_000, low=1, advanced=True)
    """Shortest length of a phase of the schedule, in iterations."""

    schedule_gan: float = option(0.0, low=0.0, high=5.0, advanced=True)
    """Power of the GAN in the schedule's last phase (0.1 is usual); 0 = no such phase."""

    look_every: int = option(0, low=0, advanced=True)
    """Iterations between two looks of the watch at the held-out faces; 0 = measured in the first
    iterations so that all looks together take less than 2 % of the time, then kept."""

    tensorboard: bool = option(False, advanced=True)
    """Also write curves and previews for TensorBoard, into the model's history folder."""

    seed: int = option(0, low=0, advanced=True)
    """Start of all random numbers of a new model. The same seed and data give the same run (CPU,
    float32)."""

    read_every: int = option(10, low=1, high=1000, advanced=True)
    """Iterations between two looks at the losses; more lets a fast GPU run ahead."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.batch, int) and self.batch < 1:
            raise ConfigError(f"batch = {self.batch} is out of range; give 1 or more, or auto.")
        if isinstance(self.accumulate, int) and self.accumulate < 1:
            raise ConfigError(f"accumulate = {self.accumulate} is out of range; give 1 or more.")
        if isinstance(self.devices, int) and self.devices < 1:
            raise ConfigError(f"devices = {self.devices} is out of range; give 1 or more, or auto.")
        bad = [host for host in self.hosts if not re.fullmatch(r"\S+:\d{1,5}", host)]
        if bad:
            raise ConfigError(f"hosts = {bad[0]} is no address; write for example 10.0.0.5:2222.")
        if self.worker >= max(1, len(self.hosts)):
            raise ConfigError(
                f"worker = {self.worker}, but there are {len(self.hosts)} hosts; count from 0."
            )
        if len(self.hosts) > 1 and self.batch == "auto":
            raise ConfigError("batch = auto measures one machine; give a number with hosts.")
        if self.deadline is not None:
            parse_duration(self.deadline)


@dataclass(frozen=True, kw_only=True)
class PretrainConfig(TrainConfig):
    """How a model gets its start on a general faceset, before it meets src and dst."""

    faceset: tuple[str, ...] = ()
    """Folders with faces, or faceset.pak files, of many people; or their addresses: https, or a link
    of Google Drive, also of an archive, with `#sha256=…` behind it if the hash is known. Without it,
    the faces of this workspace, both sides together."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.arch == "xseg":
            raise ConfigError(
                "arch = xseg: networks of masks are pretrained by `dflcolab mask train --pretrain`; use "
                "that, or choose another kind."
            )


@dataclass(frozen=True, kw_only=True)
class ModelConfig(Config):
    """What to do with the workspace's models."""

    action: Literal["list", "info", "import", "export", "undo", "restore"] = "list"
    """list: all models, and DeepFaceLab's that were not imported yet. info: what the latest
    checkpoint of one holds, every byte verified, and which checkpoints stand. import: make a model of
    a DeepFaceLab model's files. export: write a model for DeepFaceLab and other programs. undo: back
    to before the latest switch of the schedule. restore: training goes on from the state that
    --checkpoint names."""

    model: str | None = None
    """Name of the model; needed where there are several. import: its name or id in DeepFaceLab, for
    example new or new_SAEHD."""

    checkpoint: CheckpointChoice = "latest"
    """export, restore: which state of the model: latest, best (the lowest score on held-out faces), or
    the iteration of one that `model info` lists."""

    from_: Path | None = None
    """import: folder with DeepFaceLab's files. Without it, the workspace's model folder. Nothing in
    it is changed."""

    as_: str | None = None
    """import: name that the model gets here. export: name that it gets in DeepFaceLab."""

    optimizer: bool = True
    """import: take the optimizer's state over. no: start it anew, for models that were passed on
    without it; training is unsteady for some hundred iterations then."""

    format: Literal["dfl", "dfm", "onnx", "keras"] = "dfl"
    """export: dfl: all files that DeepFaceLab trains on with, optimizer included. dfm: one file for
    live swapping, with DeepFaceLab's names. onnx: the same as .onnx; for XSeg as well. keras: one
    file that Keras loads without this program."""

    out: Path | None = None
    """export: folder to write to (dfm, onnx, keras: or the file's name). Without it, the
    workspace's model folder, where DeepFaceLab looks. An older export of that name is kept beside
    the new one (dfl) or replaced."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.action == "restore" and self.checkpoint == "latest":
            raise ConfigError(
                "It is not said to which state the model is to go back; add --checkpoint best, or the "
                "iteration of one that `dflcolab model info` lists."
            )


def with_settings(config: TrainConfig) -> tuple[TrainConfig, dict[str, str]]:
    """The config with its `--set` entries applied, and those that are the model's.

    Raises:
        ConfigError: An entry has no `=`, or a value that the command's option refuses.
    """
    return with_assignments(config, config.set, fixed=("set", "model"))


def parse_duration(text: str) -> float:
    """Seconds of a duration such as `11h30m`, `90s`, `45m` or `1d2h`.

    Raises:
        ConfigError: It is not of that form.
    """
    match = re.fullmatch(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", text.strip().lower())
    if match is None or not any(match.groups()):
        raise ConfigError(f"deadline = {text!r} is not a time; write for example 11h30m or 90s.")
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)
