"""What the content guard says of harmless material, and how far that is from its limit.

Clips are judged frame by frame, and as `merge` judges them; pictures one by one. By default all of
the repository's material, and the developers' (`../shared/data/faces`) where that is; other
folders: `python -m benchmarks.bench_guard FOLDER ...`.
"""

from __future__ import annotations

import argparse
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.machine import Table, print_machine
from dflcolab.arrays import Image
from dflcolab.detection.guard import (
    QUANTILE,
    REFUSED_SCORE,
    sample_indices,
    scores_of,
)
from dflcolab.media.frame_sequence import FRAME_SUFFIXES, read_image
from dflcolab.media.video_reader import VideoReader
from dflcolab.workspace.workspace import VIDEO_SUFFIXES

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "dflcolab" / "assets" / "demo"
DATA = ROOT / "tests" / "data"
SHARED = ROOT.parent / "shared" / "data" / "faces"
COLUMNS = ("median", "90th percentile", "highest")


def main() -> None:
    """Print a table of clips, one of folders of pictures, and what would be refused."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path, help="searched for clips and pictures")
    chosen = parser.parse_args().folders or [DEMO, DATA / "faces", DATA / "masks", SHARED]
    print_machine()
    files = list(distinct(path for folder in chosen for path in sorted(folder.rglob("*"))))
    clips = [path for path in files if path.suffix.lower() in VIDEO_SUFFIXES]
    pictures = [path for path in files if path.suffix.lower() in FRAME_SUFFIXES]
    refused = print_clips(clips) + print_pictures(pictures)
    print(f"{refused} of {len(clips)} clips and {len(pictures)} pictures would be refused.")


def print_clips(clips: list[Path]) -> int:
    """A row for each clip; how many `merge` would refuse."""
    title = f"Clips; refused from {REFUSED_SCORE} on, by the 90th percentile of the sample"
    table = Table(title, ["clip", "frames", *COLUMNS, "the sample's 90th percentile"])
    refused = 0
    for clip in clips:
        scores = frame_scores(clip)
        judged = float(np.quantile(scores[sample_indices(len(scores))], QUANTILE))
        refused += judged >= REFUSED_SCORE
        table.add(clip.name, len(scores), *described(scores), f"{judged:.3f}")
    table.print()
    return refused


def print_pictures(pictures: list[Path]) -> int:
    """A row for each folder; how many pictures would be refused if they were all the footage."""
    groups: dict[str, list[Path]] = defaultdict(list)
    for picture in pictures:
        groups[f"{picture.parent.parent.name}/{picture.parent.name}"].append(picture)
    table = Table("Pictures", ["folder", "pictures", *COLUMNS, "the highest one"])
    refused = 0
    for name, members in groups.items():
        scores = np.array(list(scores_of(map(read_image, members))))
        refused += int((scores >= REFUSED_SCORE).sum())
        table.add(name, len(members), *described(scores), members[int(scores.argmax())].name)
    table.print()
    return refused


def frame_scores(clip: Path) -> npt.NDArray[np.float64]:
    """The score of every frame of a clip."""

    def images() -> Iterator[Image]:
        reader = VideoReader(clip)
        for frame in reader.frames():
            yield frame.image

    return np.array(list(scores_of(images())))


def described(scores: npt.NDArray[np.float64]) -> list[str]:
    """Median, 90th percentile and highest of some scores."""
    found = (np.median(scores), np.quantile(scores, QUANTILE), scores.max())
    return [f"{score:.3f}" for score in found]


def distinct(paths: Iterable[Path]) -> Iterator[Path]:
    """Files, without those whose content has been there before."""
    seen: set[str] = set()
    for path in paths:
        if path.is_file():
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            if digest not in seen:
                seen.add(digest)
                yield path


if __name__ == "__main__":
    main()
