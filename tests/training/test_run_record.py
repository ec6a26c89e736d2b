"""What a run's first line in the history holds: enough to make it again, and no addresses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from dflcolab import __version__
from dflcolab.models.saehd.options import saehd_options
from dflcolab.training.augment import PADDING
from dflcolab.training.config import PretrainConfig, TrainConfig
from dflcolab.training.dataset import TrainingFaces
from dflcolab.training.run_record import command_options, run_facts
from dflcolab.training.session import Session, SideFaces


def _faces(count: int) -> TrainingFaces:
    side = 64 + 2 * PADDING
    names = tuple(f"{number:05d}.jpg" for number in range(count))
    return TrainingFaces(np.zeros((count, side, side, 5), np.uint8), names, (0.0,) * count)


def test_a_run_can_be_made_again_from_what_is_noted(tmp_path: Path):
    options = saehd_options({"resolution": 64, "archi": "df-ud", "batch_size": 3, "ae_dims": 16})
    src, dst = SideFaces(_faces(9), _faces(2)), SideFaces(_faces(7), None)
    session = Session(tmp_path, options, src, dst, seed=11, precision="float32")
    config = TrainConfig(model="new", save_minutes=2.5, set=("batch_size=3",))

    facts = run_facts(session, config, target=500, resumed_from=None)

    assert json.loads(json.dumps(facts, allow_nan=False)) == facts
    assert saehd_options(facts["options"]) == options
    assert (facts["architecture"], facts["seed"], facts["precision"]) == ("saehd", 11, "float32")
    assert (facts["batch_size"], facts["micro_batch"], facts["xla"]) == (3, 3, False)
    assert facts["faces"]["src"] == {"training": 9, "held_out": 2}
    assert facts["faces"]["dst"] == {"training": 7, "held_out": 0}
    assert (facts["target_iter"], facts["resumed_from"]) == (500, None)
    assert facts["versions"]["dflcolab"] == __version__
    assert set(facts["versions"]) == {"dflcolab", "python", "tensorflow", "numpy"}
    assert facts["command"]["save_minutes"] == 2.5
    assert TrainConfig(model="again", **facts["command"]).save_minutes == 2.5


def test_addresses_stay_out_of_the_history():
    config = PretrainConfig(
        model="start",
        remote="gs://secret-bucket/folder",
        faceset=(
            "https://somewhere.example/people/ffhq.zip?key=secret#sha256=00",
            "/home/secret/faces",
        ),
        hosts=("10.0.0.5:2222", "10.0.0.6:2222"),
    )

    noted = command_options(config)

    assert noted["faceset"] == ["ffhq.zip", "faces"]
    assert "secret" not in json.dumps(noted)
    assert "10.0.0" not in json.dumps(noted)
