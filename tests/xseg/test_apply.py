"""`mask apply`, `fetch` and `stats`: masks get into the faces, and bad ones are named."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from dflcolab.config import to_plain
from dflcolab.engine.checkpoint import Contents, write_checkpoint
from dflcolab.errors import ConfigError, DownloadError, ModelError
from dflcolab.faces.face_type import FaceType
from dflcolab.faces.hull_masks import hull_mask
from dflcolab.faceset.config import PackConfig, UnpackConfig
from dflcolab.faceset.faceset import load_faceset
from dflcolab.faceset.mask_quality import bad_masks, look_at_mask
from dflcolab.files import sha256_of
from dflcolab.formats.dfl_jpeg import decode_xseg_mask, read_face, replace_record
from dflcolab.formats.xseg_masks import encode_xseg_mask
from dflcolab.models.xseg.options import xseg_options
from dflcolab.pipeline.mask import masks
from dflcolab.pipeline.mask_apply import apply_masks
from dflcolab.pipeline.mask_fetch import fetch_labelled
from dflcolab.pipeline.mask_train import train_masks
from dflcolab.pipeline.model_files import export_model
from dflcolab.pipeline.pack import pack, unpack
from dflcolab.progress import Progress
from dflcolab.training.config import ModelConfig
from dflcolab.training.model_state import ModelState
from dflcolab.workspace.workspace import Side, Workspace
from dflcolab.xseg.config import MaskConfig
from dflcolab.xseg.mask_measures import boundary_f_score, intersection_over_union
from dflcolab.xseg.predictor import load_mask_predictor, mask_of_face, network_input
from tests.formats.face_files import record
from tests.formats.strict_reader import strict_file
from tests.transfer.server import Script, Server
from tests.xseg.label_files import face_paths, label, sample_workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return sample_workspace(tmp_path / "workspace")


def make_model(workspace: Workspace, name: str = "xseg", *, pretrain: bool = False) -> None:
    """A network with fresh weights, whose masks depend on the picture all the same."""
    options = xseg_options({"base": 1, "face_type": "whole_face", "pretrain": pretrain})
    state = ModelState(options, seed=3)
    facts = {
        "architecture": "xseg", "options": to_plain(options), "pretraining": pretrain, "seed": 3,
        "loss_history": {"file": "losses.bin", "count": 7}, "held_out_loss": None,
    }  # fmt: skip
    contents = Contents(7, state.weights(), state.optimizer(), facts)
    write_checkpoint(workspace.model_dir(name), contents)


def config(action: str = "apply", **changes) -> MaskConfig:
    return MaskConfig(action=action, side=Side.SRC, **changes)  # pyright: ignore[reportArgumentType]


def masks_of(workspace: Workspace) -> dict[str, np.ndarray]:
    faceset = load_faceset(workspace.aligned_dir(Side.SRC))
    found = {}
    for index, name in enumerate(faceset.names):
        stored = faceset.mask(index)
        assert stored is not None
        found[name] = stored
    return found


def test_every_face_gets_the_networks_mask_and_keeps_all_else(workspace: Workspace, eager):
    make_model(workspace)
    paths = face_paths(workspace)
    label(paths[0])
    before = {path: read_face(path) for path in paths}
    pictures = {path: face.decode() for path, face in before.items()}

    report = apply_masks(workspace, config(batch=3))

    assert (report.masked, report.iteration, report.problems) == (len(paths), 7, ())
    shares = [float(stored.mean()) for stored in masks_of(workspace).values()]
    assert min(shares) < 1
    assert max(shares) > 0
    assert len(set(shares)) > 10  # each face has a mask of its own
    predictor = load_mask_predictor(workspace.model_dir("xseg"))
    for path in paths[:3]:
        face = read_face(path)
        np.testing.assert_array_equal(face.decode(), pictures[path])
        ready = network_input(pictures[path], face.record, FaceType.WHOLE)
        wanted = predictor.predict(ready[None].astype(np.float32) / 255)[0] > 0.5
        assert face.record.xseg_mask is not None
        stored = decode_xseg_mask(face.record.xseg_mask)
        assert stored.shape == (256, 256, 1)
        # Convolutions of another batch size may round otherwise right at one half.
        assert np.mean((stored > 0.5) != wanted) < 0.001
        np.testing.assert_array_equal(face.record.landmarks, before[path].record.landmarks)
        strict_file(path)
    assert len(read_face(paths[0]).record.polygons) == len(before[paths[0]].record.polygons) == 2


def test_packs_are_masked_like_loose_faces(workspace: Workspace, eager):
    make_model(workspace)
    apply_masks(workspace, config())
    loose = masks_of(workspace)
    masks(workspace, config("remove"))
    before = {path.name: read_face(path).decode() for path in face_paths(workspace)}
    pack(workspace, PackConfig(side=Side.SRC))

    report = apply_masks(workspace, config())

    assert report.masked == len(loose)
    packed = masks_of(workspace)
    told = masks(workspace, config("stats"))
    assert told.with_xseg_mask == len(loose)
    unpack(workspace, UnpackConfig(side=Side.SRC))
    unpacked = masks_of(workspace)
    for name, wanted in loose.items():
        np.testing.assert_array_equal(packed[name], wanted)
        np.testing.assert_array_equal(unpacked[name], wanted)
        np.testing.assert_array_equal(
            read_face(workspace.aligned_dir(Side.SRC) / name).decode(), before[name]
        )


def test_a_network_of_deepfacelab_is_brought_from_its_files(
    workspace: Workspace, tmp_path: Path, eager
):
    make_model(workspace, "ours")
    folder = tmp_path / "dfl" / "model"
    wanted = ModelConfig(action="export", model="ours", format="dfl", out=folder)
    export_model(workspace, "ours", wanted, Progress())
    assert (folder / "XSeg_256.npy").exists()
    (folder / "XSeg_256_opt.npy").unlink()  # few pass it on
    heard = Listener()
    apply_masks(workspace, config(model="ours", from_=str(tmp_path / "dfl")), progress=heard)
    assert any("nothing is taken from --from" in text for text in heard.messages)
    ours = masks_of(workspace)

    report = apply_masks(workspace, config(model="theirs", from_=str(tmp_path / "dfl")))

    assert report.masked == len(ours)
    theirs = masks_of(workspace)
    assert all(np.array_equal(theirs[name], value) for name, value in ours.items())


def test_a_network_is_fetched_by_its_address_and_hash(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, eager
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    make_model(workspace, "ours")
    wanted = ModelConfig(action="export", model="ours", format="dfl", out=tmp_path / "dfl")
    export_model(workspace, "ours", wanted, Progress())
    archive = Path(shutil.make_archive(str(tmp_path / "masks"), "zip", tmp_path / "dfl"))
    digest = sha256_of(archive)
    apply_masks(workspace, config(model="ours"))
    ours = masks_of(workspace)
    script = Script()
    script.content = archive.read_bytes()
    with contextlib.closing(Server(script)) as server:
        link = server.url("masks.zip?key=secret")
        for action in (
            lambda: apply_masks(workspace, config(model="a", from_=f"{link}#sha256={'0' * 64}")),
            lambda: train_masks(workspace, training("a", f"{link}#sha256={'0' * 64}")),
        ):
            with pytest.raises(DownloadError, match=f"has the SHA-256 {digest} and not the pinned"):
                action()
        assert not workspace.model_dir("a").exists()

        apply_masks(workspace, config(model="a", from_=f"{link}#sha256={digest}"))
        theirs = masks_of(workspace)
        assert all(np.array_equal(theirs[name], value) for name, value in ours.items())

        label(face_paths(workspace)[0])
        report = train_masks(workspace, training("b", f"{link}#sha256={digest}"))
        assert (report.resumed_from, report.iteration) == (7, 8)
        far = dataclasses.replace(training("b", link), target_iter=5)
        assert "beyond --target-iter 5" in train_masks(workspace, far).summary()

        heard = Listener()
        apply_masks(workspace, config(model="c", from_=link), progress=heard)
    (told,) = [text for text in heard.messages if "No hash stands behind" in text]
    assert f"put #sha256={digest} behind the link" in told
    assert "secret" not in told


def training(model: str, source: str) -> MaskConfig:
    return MaskConfig(
        action="train", model=model, from_=source, target_iter=8, batch=1, preview_every=0
    )


class Listener(Progress):
    """Remembers messages."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def message(self, text: str) -> None:
        self.messages.append(text)


def test_networks_that_make_no_masks_are_refused(workspace: Workspace):
    with pytest.raises(ModelError, match="mask train"):
        apply_masks(workspace, config())
    make_model(workspace, "grey", pretrain=True)
    with pytest.raises(ModelError, match="pretrained"):
        apply_masks(workspace, config(model="grey"))


@pytest.mark.parametrize("network", [FaceType.FULL, FaceType.HEAD, FaceType.WHOLE])
def test_masks_come_back_from_the_networks_crop_to_where_they_were(network: FaceType):
    """A picture that is its own mask: cut out for the network, and brought back."""
    face = record()
    picture = np.zeros((64, 64, 3), np.uint8)
    cv2.ellipse(picture, (32, 33), (14, 17), 0, 0, 360, (255, 255, 255), -1)
    predicted = network_input(picture, face, network)[..., :1].astype(np.float32) / np.float32(255)
    back = mask_of_face(predicted, face, network, 64)[..., 0] > 0.5
    wanted = cv2.resize(picture[..., 0], (256, 256), interpolation=cv2.INTER_LINEAR) > 127
    # Edges run half a pixel of 64 off at most: that is 2 of an ellipse of radius 56 to 68.
    assert intersection_over_union(back, wanted) > 0.95


def test_labelled_faces_are_copied_aside(workspace: Workspace):
    first, second, *_ = face_paths(workspace)
    label(first)
    label(second)
    report = fetch_labelled(workspace, config("fetch"))
    folder = first.parent.with_name("aligned_xseg")
    assert (report.copied, report.folder) == (2, folder)
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == {
        p.name: p.read_bytes() for p in (first, second)
    }
    for faces in (first.parent, workspace.aligned_dir(Side.DST)):
        with pytest.raises(ConfigError, match="--out"):
            fetch_labelled(workspace, config("fetch", out=faces))


# --- quality --------------------------------------------------------------------------------------


def look(name: str, stored: np.ndarray, *, frame: int = 0):
    face = record(source_filename=f"{frame:05d}.png")
    return look_at_mask(name, face, stored.astype(np.float32), 64, 64)


def good_mask() -> np.ndarray:
    return hull_mask(record().landmarks, 64, 64)


def test_masks_that_fit_are_not_named():
    assert bad_masks([look(f"{i}.jpg", good_mask(), frame=i) for i in range(5)]) == []


def test_bad_masks_are_named_with_what_is_wrong():
    half = good_mask().copy()
    half[30:] = 0
    looks = [
        look("good.jpg", good_mask(), frame=100),
        look("empty.jpg", np.zeros((64, 64, 1)), frame=200),
        look("small.jpg", half, frame=300),
        look("everything.jpg", np.ones((64, 64, 1)), frame=400),
    ]
    found = {(bad.name, bad.kind) for bad in bad_masks(looks)}
    assert found == {("empty.jpg", "empty"), ("small.jpg", "small"), ("everything.jpg", "leaking")}


def test_the_one_frame_that_differs_is_named_and_not_its_neighbours():
    off = good_mask().copy()
    off[:, :28] = 0
    stored = [good_mask(), good_mask(), off, good_mask(), good_mask()]
    looks = [look(f"{i}.jpg", m, frame=10 + i) for i, m in enumerate(stored)]
    found = [bad for bad in bad_masks(looks) if bad.kind == "inconsistent"]
    assert [bad.name for bad in found] == ["2.jpg"]
    assert "beside it" in found[0].sentence()


def test_masks_and_outlines_are_taken_out_of_packs(workspace: Workspace):
    paths = face_paths(workspace)
    before = {path.name: path.read_bytes() for path in paths}
    label(paths[0])
    pack(workspace, PackConfig(side=Side.SRC))
    report = masks(workspace, config("remove", what="polygons"))
    assert (report.removed, report.with_polygons, report.faces) == (1, 0, len(paths))
    assert report.backup is not None
    unpack(workspace, UnpackConfig(side=Side.SRC))
    assert {path.name: path.read_bytes() for path in face_paths(workspace)} == before


def test_stats_look_at_the_stored_masks(workspace: Workspace, eager):
    make_model(workspace)
    apply_masks(workspace, config())
    told = masks(workspace, config("stats"))
    again = apply_masks(workspace, config())
    assert told.suspects == again.suspects


def test_stats_name_every_face_without_a_mask(workspace: Workspace):
    paths = face_paths(workspace)
    for path, mask in ((paths[1], good_mask()), (paths[2], 0 * good_mask())):
        own = read_face(path).record
        replace_record(path, own.replace(xseg_mask=encode_xseg_mask(mask)))
    told = to_plain(masks(workspace, config("stats")))
    assert told["without_mask"] == [path.name for path in paths if path != paths[1]]
    assert told["with_xseg_mask"] == 2


def test_measures_of_likeness():
    a = np.zeros((128, 128), np.bool_)
    a[40:90, 30:80] = True
    assert intersection_over_union(a, a) == boundary_f_score(a, a) == 1
    moved = np.roll(a, 1, axis=1)
    assert intersection_over_union(a, moved) == pytest.approx(49 / 51)
    assert boundary_f_score(a, moved) == 1  # within 1.4 pixels
    far = np.roll(a, 20, axis=1)
    # Only stretches of the upper and lower edges still run along each other.
    assert 0.1 < boundary_f_score(a, far) < 0.5
    nothing = np.zeros_like(a)
    assert intersection_over_union(a, nothing) == boundary_f_score(a, nothing) == 0
    assert intersection_over_union(nothing, nothing) == boundary_f_score(nothing, nothing) == 1
