"""Networks that are asked about the same face again."""

from __future__ import annotations

import numpy as np

from dflcolab.faces.face_type import FaceType
from dflcolab.merging import remembered
from dflcolab.merging.remembered import RememberedPredictor, RememberedSegmenter

FACES = np.random.default_rng(1).random((3, 1, 8, 8, 3), np.float32)
SRC, HALF = np.float32([1.0]), np.float32([0.5])


class Counting:
    resolution, face_type, identity = 8, FaceType.WHOLE, "w"

    def __init__(self):
        self.asked = 0

    def predict(self, faces, morphs=None):
        self.asked += 1
        picture = faces * (1 if morphs is None else morphs)
        return picture[..., :1] if morphs is None else (picture, picture[..., :1], faces[..., :1])


def test_each_face_is_shown_once_for_each_morph():
    network = Counting()
    predictor = RememberedPredictor(network)
    for morphs in (SRC, HALF, SRC, HALF):
        for face in (FACES[0], FACES[1], FACES[0]):
            for got, wanted in zip(
                predictor.predict(face, morphs), Counting().predict(face, morphs), strict=True
            ):
                np.testing.assert_array_equal(got, wanted)
    assert network.asked == 4


def test_the_answer_nobody_asked_for_longest_goes_first(monkeypatch):
    monkeypatch.setattr(remembered, "MOST_BYTES", 2 * 8 * 8 * 5 * 4)  # two faces with their masks
    network = Counting()
    predictor = RememberedPredictor(network)
    for place in (0, 1, 0, 2, 0):
        predictor.predict(FACES[place], SRC)
    assert network.asked == 3
    predictor.predict(FACES[1], SRC)
    assert network.asked == 4


def test_a_segmenter_is_not_loaded_before_its_first_face():
    loaded = []

    def load():
        loaded.append(Counting())
        return loaded[-1]

    segmenter = RememberedSegmenter(load)
    assert not loaded
    for _ in range(3):
        np.testing.assert_array_equal(segmenter.predict(FACES[0]), FACES[0][..., :1])
    assert [network.asked for network in loaded] == [1]
