"""Two models on the same held-out faces: who is better, on which faces, and what is refused."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dflcolab.errors import ConfigError, ModelError
from dflcolab.faceset.faceset import load_faceset
from dflcolab.faceset.held_out import HeldOutChoice
from dflcolab.faceset.report_config import ReportConfig
from dflcolab.faceset.stretches import Stretch, frame_of, split_faces
from dflcolab.models.build import swap_model
from dflcolab.models.initial import initial_weights
from dflcolab.models.saehd.options import saehd_options
from dflcolab.pipeline.any_report import any_report
from dflcolab.pipeline.compare import ComparisonReport, differences, differing
from dflcolab.training.holding_out import saved_choices
from dflcolab.watch.looks import Sample
from dflcolab.workspace.workspace import Side, Workspace
from tests.pipeline.pasts import give_past, look_at, start

TINY = {"resolution": 64, "archi": "df-ud", "ae_dims": 16, "e_dims": 8, "d_dims": 8,
        "d_mask_dims": 4, "batch_size": 2}  # fmt: skip
FACES = 8  # as few as can be, to be quick


def _weights(options: Mapping[str, Any], *, black: bool = False) -> dict[str, np.ndarray]:
    """Fresh weights, which paint grey; with `black`, black."""
    weights = initial_weights(swap_model(saehd_options(options)).shapes(), seed=1)
    for name in weights if black else ():
        if re.search(r"/out_conv\d*/bias:0$", name):
            weights[name] = np.full_like(weights[name], -9.0)
    return weights


def _choices(workspace: Workspace, *, shift: int = 0) -> dict[str, HeldOutChoice]:
    """Four stretches of four frames with faces, and one frame beside each; of every side."""
    found: dict[str, HeldOutChoice] = {}
    for side in Side:
        keys = load_faceset(workspace.aligned_dir(side)).frame_keys
        frames = sorted({frame_of(key) for key in keys})
        starts = [place + shift for place in range(5, len(frames) - 5, len(frames) // 4)][:4]
        stretches = tuple(
            Stretch(frames[0].video, frames[at].number, frames[at + 3].number,
                    frames[at - 1].number, frames[at + 4].number)
            for at in starts
        )  # fmt: skip
        found[side.value] = HeldOutChoice(0.1, stretches, (frames[0].video,))
    return found


def _give(
    workspace: Workspace,
    name: str,
    *,
    black: bool = False,
    shift: int | None = 0,
    **options: Any,
) -> None:
    """A model with weights, and a record of what was held out (None: without)."""
    chosen = {**TINY, **options}
    more = {}
    if shift is not None:
        record = saved_choices(_choices(workspace, shift=shift))
        more = {key: value() for key, value in record.items()}
    give_past(workspace, name, options=chosen, weights=_weights(chosen, black=black), more=more)


def _compare(workspace: Workspace, *models: str, **options: Any) -> ComparisonReport:
    config = ReportConfig(compare=models, faces=FACES, **options)
    found = any_report(workspace, config)
    assert isinstance(found, ComparisonReport)
    return found


class _Page(HTMLParser):
    _VOID = ("meta", "img", "line", "polyline", "polygon", "circle", "br")

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.text = ""
        self.open: list[str] = []
        self.sources: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        if tag not in self._VOID:
            self.open.append(tag)
        self.sources += [value for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag):
        if tag not in self._VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_the_better_model_is_named_with_numbers_pictures_and_what_differs(face_workspace: Path):
    workspace = Workspace.open(face_workspace)
    _give(workspace, "grey")
    _give(workspace, "black", black=True, learning_rate=1e-4)
    looks = [look_at(i, turn=10**9).to_plain() for i in range(0, 2001, 250)]
    for name in ("grey", "black"):
        lines = "".join(json.dumps(look) + "\n" for look in looks)
        (workspace.model_dir(name) / "looks.jsonl").write_text(lines)

    found = _compare(workspace, "grey", "black")

    for side in ("src", "dst"):
        loss = found.measures[f"{side}/held_out/loss"]
        assert loss.better == "a"
        assert loss.percent is not None
        assert loss.percent.low is not None
        assert loss.percent.low > 0
        assert found.faces[side].faces == FACES
        assert found.faces[side].stretches == 4
        assert f"{side}: A is better; the loss of B on held-out faces is" in found.summary()
    assert "learning_rate" in found.options
    assert found.options["learning_rate"] == (5e-5, 1e-4)
    page = _Page(found.html)
    assert page.open == []
    assert len(page.sources) == 3
    assert all(source.startswith("data:image/jpeg;base64,") for source in page.sources)
    raw = re.sub(r"data:image[^\"]+", "", found.html.read_text(encoding="utf-8"))
    for word in ("http", "//", "<script", "<link"):
        assert word not in raw, word
    for words in (*found.findings, "learning_rate", "While they were trained", "PSNR"):
        assert words in page.text, words
    written = json.loads(found.json.read_text(encoding="utf-8"), parse_constant=pytest.fail)
    assert written["measures"]["src/held_out/loss"]["better"] == "a"
    assert found.html.name == "compare-grey-black.html"


def test_a_model_in_another_workspace_is_shown_the_same_faces(face_workspace: Path, tmp_path: Path):
    workspace = Workspace.open(face_workspace)
    _give(workspace, "m")
    other = tmp_path / "other"
    shutil.copytree(face_workspace, other)
    for path in sorted((other / "data_src" / "aligned").glob("*.jpg")):
        path.rename(path.with_name(f"sorted_{path.name}"))  # the frames are the same

    found = _compare(workspace, "m", f"{other}/model/m")

    assert {side: part.faces for side, part in found.faces.items()} == {"src": FACES, "dst": FACES}
    for name, difference in found.measures.items():
        # One and the same model: what differs is none of its doing.
        assert difference.difference.value == 0, name
        assert difference.better == ""
    assert "src: no reliable difference" in found.summary()
    assert found.options == {}


def test_faces_that_one_was_trained_on_are_left_out_and_a_small_model_is_judged_large(
    face_workspace: Path,
):
    workspace = Workspace.open(face_workspace)
    _give(workspace, "a")
    _give(workspace, "b", shift=2, resolution=96)  # two of four frames are held out of both
    records = {side: _choices(workspace, shift=shift) for side, shift in (("a", 0), ("b", 2))}
    faceset = load_faceset(workspace.aligned_dir(Side.DST))
    splits = [
        split_faces(faceset.frame_keys, records[name]["dst"].stretches) for name in ("a", "b")
    ]

    found = _compare(workspace, "a", "b")

    both = set(splits[0].held_out) & set(splits[1].held_out)
    seen = set(splits[0].held_out) & set(splits[1].training)
    beside = set(splits[0].held_out) & set(splits[1].beside)
    assert len(both) == 8
    assert seen
    counts = found.faces["dst"]
    assert (counts.faces, counts.seen, counts.unknown) == (8, len(seen), len(beside))
    assert any(f"{len(seen)} that b was trained on" in note for note in found.notes)
    assert any("judged at 96 pixels" in note for note in found.notes)
    assert found.options["resolution"] == (64, 96)
    assert found.measures["dst/held_out/psnr"].a.value is not None
    _give(workspace, "c", shift=5)
    with pytest.raises(ModelError, match=r"no held-out faces in common.*--holdout-share"):
        _compare(workspace, "a", "c")


@pytest.mark.parametrize(
    ("models", "words"),
    [
        (("m", "nobody"), "There is no model 'nobody' in .*; known are: half, m, old, start"),
        (("m", "{root}/model/nobody"), "is no model's folder"),
        (("m", "../../etc"), "is no model's folder"),
        (("m", "m"), "are one model; name two"),
        (("m", "{root}/model/m"), "are one model; name two"),
        (("m", "start"), "start is still in pretraining.*dflcolab train --model start"),
        (("m", "old"), "not recorded which src faces were held out.*old; train it on"),
        (("m", "half"), "m paints full_face faces and half half_face ones"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_a_sentence(
    refusing: Workspace, models: tuple[str, str], words: str
):
    given = [text.format(root=refusing.root) for text in models]

    with pytest.raises(ModelError, match=f"(?s){words}") as caught:
        _compare(refusing, *given)

    assert "\n" not in str(caught.value)


@pytest.fixture(scope="module")
def refusing(_faces_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Models that cannot be compared with `m`."""
    root = tmp_path_factory.mktemp("refusing") / "workspace"
    shutil.copytree(_faces_once, root)
    workspace = Workspace.open(root)
    _give(workspace, "m")
    _give(workspace, "old", shift=None)
    _give(workspace, "half", face_type="h")
    give_past(workspace, "start", options=TINY, pretraining=True, events=[start(0, pretrain=True)])
    return workspace


def test_the_command_takes_two_models_and_one_wish():
    with pytest.raises(ConfigError, match="compare takes two models and got 1"):
        ReportConfig(compare=("m",))
    with pytest.raises(ConfigError, match="one at a time"):
        ReportConfig(compare=("m", "n"), timelapse="m")


samples = st.lists(
    st.tuples(st.floats(0.1, 9), st.floats(0.1, 9), st.integers(1, 5)), min_size=1, max_size=9
)


@given(samples, st.sampled_from(["psnr", "variety", "pose"]))
def test_exchanged_models_exchange_the_judgement(values: list[tuple[float, float, int]], name: str):
    counts = tuple(count for _, _, count in values)
    a, b = (
        {f"src/held_out/{name}": Sample(tuple(value[i] for value in values), counts)}
        for i in (0, 1)
    )

    one = differences(a, b)[f"src/held_out/{name}"]
    other = differences(b, a)[f"src/held_out/{name}"]

    assert (one.a, one.b) == (other.b, other.a)
    assert one.difference.value == pytest.approx(-other.difference.value)  # pyright: ignore[reportOptionalOperand]
    exchanged = {"a": "b", "b": "a", "": ""}
    assert one.better == exchanged[other.better]
    if name == "variety":  # neither more nor less of it is better
        assert one.better == ""


def test_a_small_difference_in_every_stretch_is_sure_where_single_intervals_overlap():
    rng = np.random.default_rng(0)
    hard = rng.uniform(0.5, 2, 9)
    a, b = (
        {"src/held_out/loss": Sample(tuple(map(float, values)), (4,) * 9)}
        for values in (hard, hard * (0.96 + rng.normal(0, 0.003, 9)))
    )

    found = differences(a, b)["src/held_out/loss"]

    assert found.better == "b"
    assert found.a.low is not None
    assert found.b.high is not None
    assert found.a.low < found.b.high  # by themselves they would tell nothing
    assert found.percent is not None
    assert found.percent.value == pytest.approx(-4, abs=0.5)


def test_options_of_different_kinds_differ_by_what_one_has():
    assert differing({"a": 1, "b": 2}, {"b": 2, "c": 3}) == {"a": (1, None), "c": (None, 3)}
