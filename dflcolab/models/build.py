"""Networks and optimizer groups of a model, as its options ask for them, under DFL's file names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from dflcolab.arrays import Tensor
from dflcolab.models.amp.network import Amp, AmpSize
from dflcolab.models.amp.options import AmpOptions
from dflcolab.models.autoencoder import Face
from dflcolab.models.discriminators.code import CodeDiscriminator
from dflcolab.models.discriminators.patch import PatchDiscriminator
from dflcolab.models.kinds import ModelOptions, SwapModelOptions
from dflcolab.models.layers import Part, Shapes, Weights, shapes_of
from dflcolab.models.quick96 import Quick96Options
from dflcolab.models.saehd.network import Saehd, SaehdSize
from dflcolab.models.saehd.options import SaehdOptions
from dflcolab.models.xseg.network import XSeg
from dflcolab.models.xseg.options import XSegOptions

GENERATOR_OPTIMIZER = "src_dst_opt"
CODE_OPTIMIZER = "D_code_opt"
GAN_OPTIMIZER = "GAN_opt"
XSEG_OPTIMIZER = "XSeg_256_opt"


class SwapModel(Protocol):
    """What merging, previews and files need of a model that swaps faces."""

    @property
    def resolution(self) -> int:
        """Side of the faces in pixels."""
        ...

    @property
    def networks(self) -> Mapping[str, Part]:
        """Parts by DFL's file names; no discriminators."""
        ...

    def shapes(self) -> Shapes:
        """Full variable name to shape, over all parts."""
        ...

    def swap(self, weights: Weights, dst: Tensor) -> Face:
        """Src's face with dst's expression."""
        ...

    def swap_and_dst(self, weights: Weights, dst: Tensor) -> tuple[Face, Face]:
        """The swap and dst's own reconstruction."""
        ...


@dataclass(frozen=True)
class Group:
    """Networks that one optimizer trains.

    Attributes:
        optimizer: DFL's file name of the optimizer's state.
        networks: Parts by DFL's file names.
        slotted: Names of the variables that the optimizer remembers something of, also while they
            are frozen; in the order of DFL's file.
    """

    optimizer: str
    networks: Mapping[str, Part]
    slotted: tuple[str, ...]

    def shapes(self) -> Shapes:
        """Full variable name to shape, over all parts."""
        return shapes_of(self.networks.values())


def swap_model(options: SwapModelOptions) -> Saehd | Amp:
    """The wiring of a model that swaps faces."""
    if isinstance(options, AmpOptions):
        return Amp(AmpSize.of(options))
    return Saehd(SaehdSize.of(options))


def patch_discriminator(options: SaehdOptions | AmpOptions) -> PatchDiscriminator:
    """The patch discriminator of a model with GAN training.

    Raises:
        ConfigError: The patch size does not fit the resolution.
    """
    return PatchDiscriminator(
        "GAN" if isinstance(options, AmpOptions) else "D_src",
        patch_size=options.gan_patch,
        dims=options.gan_dims,
        resolution=options.resolution,
    )


def code_discriminator(model: Saehd) -> CodeDiscriminator:
    """The code discriminator of a df model with true-face training."""
    inter = model.inters["inter"]
    return CodeDiscriminator("dis", n_in=inter.n_out, code_size=inter.size)


def groups_of(options: ModelOptions) -> tuple[Group, ...]:
    """All networks of a model by the optimizer that trains them, in the order of DFL's steps.

    Raises:
        ConfigError: The patch size of the discriminator does not fit the resolution.
    """
    if isinstance(options, XSegOptions):
        network = XSeg(options.base)
        return (Group(XSEG_OPTIMIZER, network.networks, tuple(network.shapes())),)
    model = swap_model(options)
    names = tuple(model.shapes())
    if isinstance(options, AmpOptions) and not options.train_inters:
        names = tuple(name for name in names if not name.startswith(("inter_src/", "inter_dst/")))
    groups = [Group(GENERATOR_OPTIMIZER, model.networks, names)]
    with_code = isinstance(options, SaehdOptions) and options.uses_code_discriminator
    if with_code and isinstance(model, Saehd):
        code = code_discriminator(model)
        groups.append(Group(CODE_OPTIMIZER, {"code_discriminator": code}, tuple(code.shapes())))
    if not isinstance(options, Quick96Options) and options.uses_gan:
        patch = patch_discriminator(options)
        groups.append(Group(GAN_OPTIMIZER, {"GAN": patch}, tuple(patch.shapes())))
    return tuple(groups)
