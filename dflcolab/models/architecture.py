# pyright: strict
"""What a string such as `liae-ud` means."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dflcolab.errors import ConfigError


@dataclass(frozen=True)
class Architecture:
    """Meaning of a string such as `liae-ud`.

    Attributes:
        family: `df` (one inter, two decoders) or `liae` (two inters, one decoder).
        pixel_norm: `u`, the code is normalised; better likeness.
        double: `d`, the output is made at double size by four interleaved heads.
        deep: `t`, deeper encoder with residual blocks and a four-stage decoder.
        cosine: `c`, `x * cos(x)` in place of every leaky ReLU.
    """

    family: str
    pixel_norm: bool = False
    double: bool = False
    deep: bool = False
    cosine: bool = False

    @classmethod
    def parse(cls, text: str) -> Architecture:
        """Read DFL's form: `df` or `liae`, then optionally `-` and letters of u, d, t, c.

        Raises:
            ConfigError: It is not of that form.
        """
        match = re.fullmatch(r"(df|liae)(?:-([udtc]*))?", text.strip().lower())
        if match is None or len(set(match[2] or "")) != len(match[2] or ""):
            raise ConfigError(
                f"archi = {text!r} is not known; write df or liae, then optionally - and some of "
                "the letters u, d, t, c (for example liae-ud)."
            )
        letters = match[2] or ""
        return cls(match[1], "u" in letters, "d" in letters, "t" in letters, "c" in letters)

    @property
    def resolution_step(self) -> int:
        """Number that a resolution must be a multiple of."""
        return 32 if self.double or self.deep else 16

    def __str__(self) -> str:
        flags = (self.pixel_norm, self.double, self.deep, self.cosine)
        letters = "".join(letter for letter, on in zip("udtc", flags, strict=True) if on)
        return f"{self.family}-{letters}" if letters else self.family
