"""The report on trainings: judgement, curves and events of made-up pasts, on the page and as numbers."""

from __future__ import annotations

import dataclasses
import itertools
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dflcolab.engine.loss_history import LossHistory
from dflcolab.errors import ModelError
from dflcolab.faceset.report_config import ReportConfig
from dflcolab.pipeline.any_report import any_report
from dflcolab.pipeline.init import init
from dflcolab.pipeline.report import Report
from dflcolab.pipeline.training_charts import SMALL, WIDE, Curve, curve_of, draw, short
from dflcolab.pipeline.training_history import read_history, still_valid
from dflcolab.watch.intervals import Interval, interval_of
from dflcolab.watch.verdicts import judge
from dflcolab.workspace.config import InitConfig
from dflcolab.workspace.workspace import Workspace
from tests.pipeline.pasts import EVERY, event, give_past, look_at, start

OVERFIT = [look_at(i, turn=6000) for i in range(0, 12_001, EVERY)]
HEALTHY = [look_at(i, turn=10**9) for i in range(0, 6_001, EVERY)]
EVENTS = [
    start(0),
    event(3000, "switch", "The held-out score is on a plateau; learning-rate dropout begins."),
    event(4000, "rollback", "The loss was not a number; back to 3,500."),
    start(5000, batch_size=4),
    event(9000, "verdict", "over-fitting src <b>now</b>"),
]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    init(tmp_path / "w", InitConfig())
    return Workspace.open(tmp_path / "w")


def _report(workspace: Workspace, **options: Any) -> Report:
    found = any_report(workspace, ReportConfig(**{"about": "training", **options}))
    assert isinstance(found, Report)
    return found


class _Page(HTMLParser):
    _VOID = ("meta", "img", "line", "polyline", "polygon", "rect", "circle", "br")

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.text = ""
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        if tag not in self._VOID:
            self.open.append(tag)
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in self._VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data

    def all(self, tag: str, css: str = "") -> list[dict[str, str | None]]:
        return [a for t, a in self.found if t == tag and css in (a.get("class") or "")]


def test_an_overfit_training_is_said_with_its_best_state(workspace: Workspace):
    give_past(workspace, "m", looks=OVERFIT, events=EVENTS, saves=(6000, 12_000))

    found = _report(workspace)

    (training,) = found.trainings
    assert training.verdicts == judge(OVERFIT)
    best, latest = training.best, training.latest
    assert best is not None
    assert best.held_out_loss is not None
    assert latest.held_out_loss is not None
    assert (best.iteration, latest.iteration) == (6000, 12_000)
    assert f"m: iteration 12,000; {training.verdicts[0].call}." in found.summary()
    less = 100 * (1 - best.held_out_loss / latest.held_out_loss)
    assert f"held-out loss is {less:.1f} % below" in found.summary()
    assert less > 5
    text = _Page(found.html).text
    assert training.verdicts[0].evidence in text
    assert "over-fitting src <b>now</b>" in text  # escaped, so it is text
    assert "Facesets" not in text


def test_the_numbers_are_those_of_the_last_look(workspace: Workspace):
    give_past(workspace, "m", looks=HEALTHY, saves=(6000,))

    found = _report(workspace)

    written = json.loads(found.json.read_text(encoding="utf-8"), parse_constant=pytest.fail)
    (training,) = written["trainings"]
    assert training["verdicts"][0]["call"] == judge(HEALTHY)[0].call
    wanted = interval_of(HEALTHY[-1].measures["src/held_out/loss"])
    assert training["measures"]["src/held_out/loss"] == {
        "value": wanted.value, "low": wanted.low, "high": wanted.high,
    }  # fmt: skip
    assert training["losses"]["src"] == pytest.approx(1.0, abs=0.02)
    assert training["looks"] == len(HEALTHY)
    assert (training["phase"], training["pretraining"]) == ("warp", False)


def test_the_page_loads_nothing_and_holds_curves_marks_and_previews(workspace: Workspace):
    give_past(workspace, "m", looks=OVERFIT, events=EVENTS, previews=range(500, 12_001, 500))

    page = _Page(_report(workspace).html)

    assert page.open == []
    assert {a["src"][:23] for a in page.all("img") if a["src"]} == {"data:image/jpeg;base64,"}
    assert len(page.all("img")) == 10  # of 24 kept ones
    raw = re.sub(r"data:image[^\"]+", "", (workspace.history_dir / "report.html").read_text())
    for word in ("http", "//", "url(", "@import", "<script", "<link", "<iframe"):
        assert word not in raw, word
    # Two wide charts with the three events that are no beginnings.
    assert len(page.all("line", "mark of-switch")) == 2
    assert len(page.all("line", "mark of-rollback")) == 2
    assert len(page.all("line", "mark of-verdict")) == 2
    assert len(page.all("polygon", "band src kept")) >= 1
    assert len(page.all("polyline", "curve src seen")) >= 1
    assert "Iteration 12,000" in page.text
    assert "learning-rate dropout begins" in page.text
    assert "Likeness to src" in page.text


def test_a_model_without_looks_is_shown_too(workspace: Workspace):
    give_past(workspace, "old")

    found = _report(workspace)

    assert "old: iteration 1,000; the watch has not looked yet." in found.summary()
    assert "Training loss of every iteration" in _Page(found.html).text


def test_models_without_faces_are_reported_on(workspace: Workspace):
    give_past(workspace, "m", looks=HEALTHY)
    give_past(workspace, "n", looks=OVERFIT)

    found = _report(workspace, about="all")

    assert [training.model for training in found.trainings] == ["m", "n"]
    assert any("data_src" in note for note in found.notes)
    assert [t.model for t in _report(workspace, model="n").trainings] == ["n"]
    assert _report(workspace, about="all", model="n").trainings[0].model == "n"


def test_without_models_there_is_one_sentence(workspace: Workspace):
    with pytest.raises(ModelError, match=r"no model in .*dflcolab train"):
        _report(workspace)
    give_past(workspace, "m")
    with pytest.raises(ModelError, match=r"no model 'q' in .*known are: m"):
        _report(workspace, model="q")


def test_pretraining_and_training_are_apart(workspace: Workspace):
    before = [look_at(i, turn=10**9, phase="pretraining") for i in range(0, 9001, EVERY)]
    began = [start(0, pretrain=True), event(8000, "verdict", "plateau")]
    give_past(workspace, "m", looks=before, events=began, pretraining=True, previews=(10, 20))

    (training,) = _report(workspace).trainings

    assert (training.pretraining, training.phase, training.looks) == (True, "pretraining", 37)
    assert "pretraining, iteration 1,000" in training.sentences()[0]
    assert [iteration for iteration, _ in read_history(workspace, "m").previews] == [10, 20]
    give_past(
        workspace, "m", looks=HEALTHY[:5], events=[start(0), event(250, "switch", "on")],
        saves=(1250,), previews=(30, 1500),
    )  # fmt: skip
    history = read_history(workspace, "m")
    assert [look.iteration for look in history.looks] == [0, 250, 500, 750, 1000]
    assert [e["kind"] for e in history.events] == ["start", "switch"]
    assert [iteration for iteration, _ in history.previews] == [30]
    assert len(history.losses) == 1250


def test_masks_have_their_curves_too(workspace: Workspace):
    names = {"src/training/loss": "loss", "src/held_out/loss": "loss", "src/held_out/psnr": "iou"}
    looks = [
        dataclasses.replace(look, phase="masks", measures={
            f"masks/{name.split('/')[1]}/{measure}": look.measures[name]
            for name, measure in names.items()
        })
        for look in HEALTHY
    ]  # fmt: skip
    folder = give_past(workspace, "xseg", looks=looks, saves=(6001,), more={"architecture": "xseg"})
    history = LossHistory(folder / "losses.bin")
    history.start_at(0)
    history.append(np.full((1000, 1), 0.25))
    history.flush()

    found = _report(workspace)

    assert found.trainings[0].losses == {"masks": 0.25}
    page = _Page(found.html)
    assert len(page.all("polyline", "curve src kept")) == 2  # the loss and the overlap
    assert len(page.all("polyline", "raw src")) == 1
    for text in ("masks: faces it learns from", "masks: 0.25", "the face under the learned mask"):
        assert text in page.text


def test_numbers_of_marks_have_room():
    curve = curve_of(HEALTHY, "src/held_out/loss", "src", "src")
    chart = draw("", [curve], frame=WIDE, marks=[(n * 60, n, "verdict") for n in range(1, 101)])
    assert chart is not None
    assert len(chart.marks) == 100
    shown = [mark for mark in chart.marks if mark.number]
    assert 20 < len(shown) < 50
    assert all(b.x - a.x >= 16 for a, b in itertools.pairwise(shown))


def test_damaged_histories_are_named_and_the_rest_is_shown(workspace: Workspace):
    folder = give_past(workspace, "m", looks=HEALTHY, events=EVENTS)
    with (folder / "looks.jsonl").open("a") as stream:
        stream.write('{"iteration": 9000}\n')
    (folder / "events.jsonl").write_text("no json\n")

    (training,) = _report(workspace).trainings

    assert training.looks == len(HEALTHY)
    assert training.events == ()
    assert any("1 lines of" in text and "no looks" in text for text in training.problems)
    assert any("Line 1 of" in text and "damaged" in text for text in training.problems)


@given(st.lists(st.integers(0, 50)))
def test_what_training_took_back_is_left_out(iterations: list[int]):
    kept = still_valid(list(enumerate(iterations)), lambda entry: entry[1])

    assert [i for _, i in kept] == sorted({i for _, i in kept})
    if iterations:
        assert kept[-1] == (len(iterations) - 1, iterations[-1])
    # Whatever came later and less far is the reason for each that is gone.
    for place, iteration in enumerate(iterations):
        gone = (place, iteration) not in kept
        assert gone == any(later <= iteration for later in iterations[place + 1 :])


def test_curves_lie_inside_the_field_and_break_where_they_do_not_compare():
    looks = [look_at(i, turn=500, comparable="x" if i < 2000 else "y") for i in range(0, 4001, 250)]

    chart = draw("a", [curve_of(looks, "src/held_out/loss", "a", "src")], frame=WIDE, log=True)

    assert chart is not None
    assert len(chart.curves[0].lines) == len(chart.curves[0].bands) == 2
    for points in (*chart.curves[0].lines, *chart.curves[0].bands):
        values = np.array([[float(v) for v in p.split(",")] for p in points.split()])
        assert (values[:, 0] >= WIDE.left).all()
        assert (values[:, 0] <= WIDE.right).all()
        assert (values[:, 1] >= WIDE.top).all()
        assert (values[:, 1] <= WIDE.bottom).all()
    assert len(chart.y_ticks) >= 3


def test_many_looks_are_thinned_and_keep_their_ends():
    looks = [look_at(i, turn=10**9) for i in range(0, 100_000, 100)]

    curve = curve_of(looks, "src/held_out/loss", "a", "src")

    assert curve is not None
    assert len(curve.iterations) == 160
    assert (curve.iterations[0], curve.iterations[-1]) == (0, 99_900)


@given(
    st.lists(
        st.floats(-1e6, 1e6, allow_nan=False).map(lambda v: v if abs(v) > 1e-6 else 0.0),
        min_size=2, max_size=30,
    ),
    st.booleans(),
)  # fmt: skip
def test_any_values_can_be_drawn(values: list[float], log: bool):
    intervals = [Interval(v, float("nan"), float("nan")) for v in values]
    curve = Curve("a", "src", range(len(values)), intervals, ["x"] * len(values))

    chart = draw("a", [curve, None], frame=SMALL, log=log, marks=[(10**9, 1, "stop")])

    assert chart is not None
    assert all(SMALL.top <= tick.at <= SMALL.bottom for tick in chart.y_ticks)
    assert all(SMALL.left <= tick.at <= SMALL.right for tick in chart.x_ticks)
    assert chart.marks[0].x == SMALL.right
    assert "nan" not in "".join(chart.curves[0].lines)


def test_a_measure_that_is_missing_has_no_curve():
    assert curve_of(OVERFIT[:1], "src/held_out/loss", "a", "src") is None
    assert curve_of(OVERFIT, "src/held_out/nothing", "a", "src") is None
    assert draw("a", [None], frame=SMALL) is None


@pytest.mark.parametrize(
    ("iteration", "text"), [(900, "900"), (12_000, "12,000"), (250_000, "250k"), (1.5e6, "1.5M")]
)
def test_iterations_are_short(iteration: float, text: str):
    assert short(iteration) == text
