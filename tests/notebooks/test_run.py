"""The notebooks run from top to bottom on one small workspace: real kernels, sample clips, tiny networks.

The main one runs in plain Jupyter, then on a stand-in for hosted Colab that begins on an empty machine and
finds the first one's work on the storage. The short ones go on in the first one's workspace.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dflcolab.files import sha256_of
from dflcolab.pipeline.model import model
from dflcolab.training.config import ModelConfig
from dflcolab.workspace.workspace import Workspace

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
STAND_IN = Path(__file__).parent / "stand_in"

pytestmark = [pytest.mark.notebook, pytest.mark.slow]

FEW = {
    "workspace_name": "demo",
    "src_frames_per_second": 3.0,
    "preset": "tiny",
    "pretrain_minutes": 0,
    "pretrain_iterations": 0,
    "train_minutes": 0,
    "my_choice": "I have read the rules and decide to go on",
}


def run_notebook(name: str, folder: Path, **values: Any) -> str:
    """Execute all cells of a notebook in a fresh kernel in `folder`; text and HTML of all outputs."""
    folder.mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DFLCOLAB_NOTEBOOK", json.dumps({**FEW, **values}))
        patch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
        notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
        client = nbclient.NotebookClient(
            notebook,
            timeout=600,
            kernel_name="python3",
            resources={"metadata": {"path": str(folder)}},
        )
        client.execute()
    return outputs_of(notebook)


def outputs_of(notebook: Any) -> str:
    found: list[str] = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            found.append(str(data.get("text/html", data.get("text/plain", output.get("text", "")))))
    return "\n".join(found)


@dataclass(frozen=True)
class Worked:
    """What the main notebook left.

    Attributes:
        folder: Where it ran.
        storage: Where its copies are.
        text: What it said.
    """

    folder: Path
    storage: Path
    text: str

    @property
    def root(self) -> Path:
        """The workspace."""
        return self.folder / "workspaces" / "demo"

    def go_on(self, name: str, **values: Any) -> str:
        """Run a short notebook in the same workspace."""
        return run_notebook(name, self.folder, storage_folder="", **values)


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory) -> Worked:
    """The main notebook has run in plain Jupyter, a folder in the role of the drive."""
    home = tmp_path_factory.mktemp("worked")
    text = run_notebook(
        "dflcolab",
        home / "first",
        storage_folder=str(home / "storage"),
        target_iterations=4,
        download_result=True,
    )
    return Worked(home / "first", home / "storage", text)


def test_plain_jupyter_does_the_whole_job(worked: Worked):
    root, text = worked.root, worked.text

    assert (root / "result.mp4").stat().st_size > 10_000
    assert not list((root / "data_dst" / "merged").glob("*.png"))
    assert "made by the merge, straight from the dst video" in text
    assert "This is Jupyter" in text
    assert "No workspace has a copy there yet" in text
    assert "read back" in text
    assert "video controls" in text
    assert text.count("<iframe") == 2  # the reports on the faces and, after Train, on the training
    shelf = worked.storage / "dflcolab" / "demo"
    assert f"Its copy: {shelf / 'files' / 'result.mp4'}" in text
    assert (shelf / "files" / "result.mp4").exists()
    assert "workspaces/demo/result.mp4" in text.partition("Download: ")[2]
    assert "platform" not in (root / "workspace.toml").read_text()


def test_hosted_colab_goes_on_from_the_storage_on_an_empty_machine(
    worked: Worked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep.join([str(STAND_IN), os.environ.get("PYTHONPATH", "")])
    )
    monkeypatch.setenv("STAND_IN_DRIVE", str(tmp_path / "drive"))
    (tmp_path / "drive").mkdir()
    shutil.copytree(worked.storage, tmp_path / "drive" / "MyDrive")

    text = run_notebook(
        "dflcolab",
        tmp_path / "second",
        storage_folder="",
        target_iterations=6,
        local_folder=str(tmp_path / "content"),
        download_result=True,
    )

    second = tmp_path / "content" / "demo"
    assert "This is hosted Colab" in text
    assert "creating deepfakes" in text
    assert "first at iteration 4" in text  # in the list of stored workspaces
    assert "every byte was compared" in text
    for done in ("are in order by identity already", "were cleaned in this way already"):
        assert done in text
    assert "which is this one" in text  # the report of the same faces
    assert "first is there already and keeps its sizes: saehd, 64 pixels, iteration 4" in text
    assert "nothing is pretrained" in text
    assert "My Drive/dflcolab/demo/files/result" in text
    assert f"The browser gets {second / 'result.mp4'}" in text  # said by the stand-in
    assert 'decision = "I have read' in (second / "workspace.toml").read_text()
    assert len(list((second / "model" / "first").glob("ckpt-*6"))) == 1
    assert contents(second / "data_src" / "aligned") == contents(worked.root / "data_src/aligned")


def contents(folder: Path) -> list[str]:
    """Hashes of the faces; a second sort may give other names."""
    return sorted(sha256_of(path) for path in folder.glob("*.jpg"))


def test_merge_only(worked: Worked):
    (worked.root / "result.mp4").unlink()

    text = worked.go_on("merge", merge_options="blur_mask_modifier=30", merge_into="single frames")

    assert (worked.root / "result.mp4").stat().st_size > 10_000
    assert "Its copy" not in text  # nothing was connected
    assert "The model is first." in text
    assert list((worked.root / "data_dst" / "merged").glob("*.png"))


def test_check_a_faceset_in_japanese(worked: Worked):
    text = worked.go_on("check_faceset_ja", src_by="face-yaw")

    assert "iframe" in text  # the report
    assert "FaceGallery" in text


def test_pretrain_a_model(worked: Worked):
    worked.go_on("pretrain", model_name="start", pretrain_iterations=2)

    assert len(list((worked.root / "model" / "start").glob("ckpt-*2"))) == 1


@pytest.fixture
def dfl_folder(worked: Worked, tmp_path: Path) -> Path:
    """DeepFaceLab's files of a model at iteration 4."""
    config = ModelConfig(action="export", model="first", out=tmp_path / "dfl")
    model(Workspace.open(worked.root), config)
    return tmp_path / "dfl"


def test_train_on_from_a_model_of_deepfacelab(worked: Worked, dfl_folder: Path):
    text = worked.go_on(
        "train_dfl_model", model_name="old", dfl_folder=str(dfl_folder), target_iterations=5
    )

    assert "first_SAEHD" in text
    assert len(list((worked.root / "model" / "old").glob("ckpt-*5"))) == 1
