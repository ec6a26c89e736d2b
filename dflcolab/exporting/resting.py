"""Discriminators whose option is off: DeepFaceLab leaves their files there and takes them up again."""

from __future__ import annotations

import dataclasses

from dflcolab.errors import ConfigError
from dflcolab.models.amp.options import AmpOptions
from dflcolab.models.build import Group, groups_of
from dflcolab.models.kinds import ModelOptions
from dflcolab.models.saehd.options import SaehdOptions

_ANY_POWER = 0.1


def resting_groups(options: ModelOptions) -> tuple[Group, ...]:
    """The groups that a model would have with all its discriminators on, and has not."""
    if not isinstance(options, (SaehdOptions, AmpOptions)):
        return ()
    code = {"true_face_power": _ANY_POWER} if isinstance(options, SaehdOptions) else {}
    active = {group.optimizer for group in groups_of(options)}
    found: dict[str, Group] = {}
    for powers in ({"gan_power": _ANY_POWER}, code):
        try:
            awake = dataclasses.replace(options, pretrain=False, **powers)
            found |= {group.optimizer: group for group in groups_of(awake)}
        except ConfigError:  # a patch that does not fit the resolution: it never had files
            continue
    return tuple(group for name, group in found.items() if name not in active)
