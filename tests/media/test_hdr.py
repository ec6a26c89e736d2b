"""HDR's static metadata, read from a video and written into another."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from dflcolab.media.config import VideoCodec
from dflcolab.media.encoders import choose_encoder
from dflcolab.media.hdr import HdrMetadata, Screen, carries_hdr, with_hdr
from dflcolab.media.probe import probe
from dflcolab.media.video_writer import VideoWriter
from tests.media.clips import make_video

# A common screen: P3 colors, daylight white, 0.005 to 1000 candela.
SCREEN = Screen(
    red=(Fraction(34000, 50000), Fraction(16000, 50000)),
    green=(Fraction(13250, 50000), Fraction(34500, 50000)),
    blue=(Fraction(7500, 50000), Fraction(3000, 50000)),
    white=(Fraction(15635, 50000), Fraction(16450, 50000)),
    darkest=Fraction(50, 10000),
    brightest=Fraction(1000),
)
HDR = HdrMetadata(SCREEN, (900, 400))


def written(path: Path, codec: VideoCodec, hdr: HdrMetadata) -> HdrMetadata | None:
    encoder = with_hdr(choose_encoder(codec, source_depth=10), hdr)
    with VideoWriter(path, width=96, height=64, encoder=encoder, rate=Fraction(25),
                     time_base=Fraction(1, 25)) as writer:  # fmt: skip
        for k in range(3):
            writer.write(np.zeros((64, 96, 3), np.uint8), Fraction(k, 25))
    return probe(path).hdr


@pytest.mark.parametrize("hdr", [HDR, HdrMetadata(SCREEN), HdrMetadata(light=(900, 400))])
def test_h265_gives_back_what_went_in(tmp_path: Path, hdr: HdrMetadata):
    assert written(tmp_path / "a.mp4", VideoCodec.H265, hdr) == hdr


def test_av1_gives_back_what_went_in_to_its_own_steps(tmp_path: Path):
    found = written(tmp_path / "a.mp4", VideoCodec.AV1, HDR)

    assert found is not None
    assert found.light == HDR.light
    screen = found.screen
    assert screen is not None
    for name in ("red", "green", "blue", "white"):
        # AV1 counts colors in steps of 1/65536, darkness in 1/16384.
        pair = zip(getattr(screen, name), getattr(SCREEN, name), strict=True)
        assert all(abs(a - b) < Fraction(1, 40000) for a, b in pair)
    assert screen.brightest == SCREEN.brightest
    assert abs(screen.darkest - SCREEN.darkest) < Fraction(1, 16000)


def test_a_video_without_it_has_none(tmp_path: Path):
    assert probe(make_video(tmp_path / "a.mp4", n_frames=2)).hdr is None


def test_eight_bits_carry_none():
    assert not carries_hdr(choose_encoder(VideoCodec.H265))
    assert not carries_hdr(choose_encoder(VideoCodec.H264, source_depth=10))
