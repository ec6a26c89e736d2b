"""What `encode` keeps of the source (depth, sound, turn), and what it writes besides the result."""

from __future__ import annotations

import json
import shutil
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from dflcolab.errors import ConfigError, WorkspaceError
from dflcolab.faces.face_type import FaceType
from dflcolab.faceset.report_config import ReportConfig
from dflcolab.media.certificate import make_identity
from dflcolab.media.color import ColorRange, ColorTags
from dflcolab.media.config import EncodeConfig
from dflcolab.media.encoders import Encoder
from dflcolab.media.frame_sequence import read_image, write_image
from dflcolab.media.hardware import encodes
from dflcolab.media.probe import probe
from dflcolab.media.provenance import read_provenance, sign_still
from dflcolab.media.timeline import read_timeline
from dflcolab.media.video_reader import VideoReader
from dflcolab.merging.faces_file import MergedFace, write_merged_faces
from dflcolab.pipeline import encode_video
from dflcolab.pipeline.any_report import any_report
from dflcolab.pipeline.encode import encode
from dflcolab.pipeline.init import init
from dflcolab.workspace.config import InitConfig
from dflcolab.workspace.workspace import Workspace
from tests.media.clips import make_video, number_of, set_display_matrix
from tests.media.test_sound import lag, samples
from tests.merging.scenes import LANDMARKS
from tests.pipeline.test_encode import RIGHTS
from tests.troubleshooting.said import said

MILLISECOND = Fraction(1, 1000)
HDR = ColorTags(ColorRange.LIMITED, primaries=9, transfer=16, matrix=9)  # BT.2020, PQ


def workspace_of(root, video) -> Workspace:
    """A workspace whose merge put a soft orange spot into every frame of a video."""
    init(root, InitConfig(dst=(video,), **RIGHTS))
    workspace = Workspace.open(root)
    workspace.merged_dir.mkdir(parents=True)
    workspace.merged_mask_dir.mkdir()
    for frame in VideoReader(video).frames():
        height, width = frame.image.shape[:2]
        mask = np.zeros((height, width), np.uint8)
        cv2.circle(mask, (width * 3 // 4, height * 3 // 4), height // 6, 255, -1)
        mask = cv2.GaussianBlur(mask, (9, 9), 0)
        share = mask[..., None] / 255
        merged = (frame.image * (1 - share) + np.array((20, 120, 250)) * share).astype(np.uint8)
        write_image(workspace.merged_dir / f"{frame.index + 1:05d}.png", merged)
        write_image(workspace.merged_mask_dir / f"{frame.index + 1:05d}.png", mask)
    return workspace


@pytest.fixture(scope="module")
def ready(tmp_path_factory) -> Workspace:
    """Twenty frames and sound; tests copy it."""
    root = tmp_path_factory.mktemp("ready")
    return workspace_of(root / "w", make_video(root / "clip.mp4", n_frames=20, audio="aac"))


@pytest.fixture
def workspace(ready, tmp_path) -> Workspace:
    shutil.copytree(ready.root, tmp_path / "w")
    return Workspace.open(tmp_path / "w")


def luma(path) -> np.ndarray:
    """The first frame's luma as stored."""
    with av.open(str(path)) as container:
        plane = next(container.decode(video=0)).planes[0]
        depth = np.uint16 if plane.line_size >= 2 * plane.width else np.uint8
        rows = np.frombuffer(plane, depth).reshape(plane.height, -1)
        return rows[:, : plane.width].astype(int)


def test_ten_bits_of_the_source_are_in_the_result(tmp_path):
    source = tmp_path / "ramp.mkv"
    with av.open(str(source), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 256, 64, "yuv420p10le"
        context = stream.codec_context
        context.color_range, context.colorspace = HDR.range, HDR.matrix
        context.color_primaries, context.color_trc = HDR.primaries, HDR.transfer
        for k in range(3):
            frame = av.VideoFrame(256, 64, "yuv420p10le")
            ramp = np.tile(np.arange(400, 464).repeat(4).astype(np.uint16), (64, 1))
            for plane, values in zip(
                frame.planes, (ramp, *[np.full((32, 128), 512)] * 2), strict=True
            ):
                plane.update(np.ascontiguousarray(values, np.uint16).tobytes())
            frame.pts = k
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    workspace = workspace_of(tmp_path / "w", source)

    report = encode(workspace, EncodeConfig(quality="best", mask=False))

    assert [(video.codec, video.bit_depth) for video in report.videos] == [("h265", 10)]
    info = probe(workspace.result_path())
    assert (info.bit_depth, info.color) == (10, HDR)
    before, after = luma(source)[:24], luma(workspace.result_path())[:24]
    # The ramp has 64 steps of ten bits; merged frames of eight bits alone hold 16 of them.
    assert len(np.unique(after.round())) > 48
    assert np.abs(after - before).mean() < 1


@pytest.mark.parametrize(
    ("suffix", "ticks", "time_base"),
    [
        (".mp4", None, Fraction(1, 12800)),
        (".mkv", [0, 40, 55, 130, 131, 260, 300, 420, 560, 561, 700, 950], MILLISECOND),
    ],
    ids=["constant rate", "variable rate"],
)
@pytest.mark.parametrize("late", [Fraction(0), Fraction(311, 1000)], ids=["together", "late"])
def test_sound_has_no_offset_in_the_result(tmp_path, suffix, ticks, time_base, late):
    video = make_video(tmp_path / f"clip{suffix}", n_frames=24, ticks=ticks, time_base=time_base,
                       audio="aac", audio_start=late, muxer={"movie_timescale": "48000"} if suffix == ".mp4" else {})  # fmt: skip
    workspace = workspace_of(tmp_path / "w", video)

    encode(workspace, EncodeConfig(mask=False))

    result = workspace.result_path()
    assert read_timeline(result).times == read_timeline(video).times
    offset = Fraction(lag(samples(video), samples(result)), 48000)
    assert abs(offset) < MILLISECOND


def test_a_turned_video_comes_out_upright(tmp_path):
    video = make_video(tmp_path / "clip.mp4", n_frames=6)
    set_display_matrix(video, (0, 1, -1, 0))
    workspace = workspace_of(tmp_path / "w", video)

    encode(workspace, EncodeConfig(mask=False))

    info = probe(workspace.result_path())
    assert (info.width, info.height, info.rotation) == (64, 96, 0)
    turned = [np.rot90(frame.image) for frame in VideoReader(workspace.result_path()).frames()]
    # The spot of the merge covers the higher bits of a turned frame.
    assert [number_of(image) & 31 for image in turned] == list(range(6))


def test_better_words_make_larger_files(workspace):
    sizes = [
        encode(workspace, EncodeConfig(quality=word, mask=False)).videos[0].size_bytes
        for word in ("draft", "good", "best")
    ]
    assert sizes == sorted(sizes)
    with pytest.raises(ConfigError, match="quality = 70 is out of range; auto takes 0 to 51"):
        EncodeConfig(quality=70)
    with pytest.raises(ConfigError, match="choose one of draft, good, best"):
        EncodeConfig(quality="superb")


@pytest.mark.bad_day("no-graphics-encoder")
def test_a_graphics_card_that_is_not_there_is_said_and_the_processor_encodes(workspace):
    if any(encodes(f"h264_{maker}", "yuv420p") or encodes(f"h264_{maker}", "nv12")
           for maker in ("nvenc", "qsv", "amf", "videotoolbox")):  # fmt: skip
        pytest.skip("this machine's graphics card encodes h264")
    report = encode(workspace, EncodeConfig(hardware=True, mask=False))
    assert read_provenance(report.videos[0].path).state == "valid"
    assert report.messages == ("No graphics card here encodes h264; the processor did it.",)
    said(report.messages[0])


@pytest.mark.bad_day("graphics-encoder-failed")
def test_a_graphics_card_that_gives_up_leaves_the_work_to_the_processor(workspace, monkeypatch):
    card = Encoder("libx264", "yuv420p", options={"preset": "nosuch"})  # passes no start
    monkeypatch.setattr(encode_video, "hardware_encoder", lambda *_, **__: card)
    report = encode(workspace, EncodeConfig(hardware=True, mask=False))
    assert read_provenance(report.videos[0].path).state == "valid"
    assert report.messages[0].startswith(
        "The graphics card did not encode result (libx264 does not"
    )
    said(report.messages[0])


def test_the_trial_of_an_encoder_tells_those_that_work():
    assert encodes("libx264", "yuv420p")
    assert not encodes("libx264", "p010le")
    assert not encodes("no_such_encoder", "yuv420p")


@pytest.mark.parametrize("how", ["side-by-side", "wipe"])
def test_a_comparison_shows_before_and_after(workspace, how):
    report = encode(workspace, EncodeConfig(comparison=how, mask=False))
    path = workspace.root / "result_comparison.mp4"
    assert report.videos[1].path == path
    assert read_provenance(path).state == "valid"
    assert read_timeline(path) == read_timeline(workspace.result_path())
    first = next(VideoReader(path).frames()).image
    spot = (slice(44, 52), slice(68, 76))
    orange = np.array((20, 120, 250))
    # The line of a wipe starts at the right end: all of the first frame is before.
    assert np.abs(first[spot].mean(axis=(0, 1)) - orange).max() > 60
    if how == "side-by-side":
        after = first[:, 96:][spot].mean(axis=(0, 1))
    else:  # 0.76 s of the 2 s that the line takes: it stands at three fifths of the width
        after = next(VideoReader(path).frames(19)).image[spot].mean(axis=(0, 1))
    assert np.abs(after - orange).max() < 25  # as far as h264 keeps a small spot


def test_a_clip_is_a_signed_gif_of_its_part(workspace):
    config = EncodeConfig(clip="gif", clip_start=0.2, clip_length=0.4, clip_width=64, mask=False)
    clip = encode(workspace, config).videos[1]
    assert (clip.path.name, clip.width, clip.height, clip.codec) == (
        "result_clip.gif",
        64,
        42,
        "gif",
    )
    assert read_provenance(clip.path).state == "valid"
    from PIL import Image

    with Image.open(clip.path) as gif:
        assert gif.n_frames == clip.frames == 5  # 12.5 a second
        assert gif.info["loop"] == 0
        gif.seek(0)
        shown = cv2.resize(np.asarray(gif.convert("RGB"))[..., ::-1], (96, 64))
    assert number_of(shown) == 5  # 0.2 s at 25 frames/s


@pytest.mark.bad_day("clip-behind-end")
def test_a_clip_that_begins_behind_the_end_shows_the_end(workspace):
    report = encode(workspace, EncodeConfig(clip="mp4", clip_start=99, clip_length=0.2, mask=False))
    clip = report.videos[1]
    assert (clip.path.name, clip.sound) == ("result_clip.mp4", "none")
    assert [number_of(frame.image) for frame in VideoReader(clip.path).frames()] == list(
        range(15, 20)
    )
    (text,) = report.messages
    said(text)


@pytest.mark.bad_day("no-comparison")
def test_without_the_frames_from_before_there_is_no_comparison(workspace):
    (workspace.root / "data_dst.mp4").unlink()
    report = encode(workspace, EncodeConfig(comparison="wipe", mask=False))
    assert [video.kind for video in report.videos] == ["result"]
    (text,) = report.messages
    said(text)


def test_the_label_is_on_every_frame_and_nothing_else_changes(workspace):
    encode(workspace, EncodeConfig(lossless=True, label="AI", mask=False))
    for frame in VideoReader(workspace.result_path()).frames():
        merged = read_image(workspace.merged_dir / f"{frame.index + 1:05d}.png")
        changed = (frame.image != merged).any(axis=2)
        rows, columns = np.nonzero(changed)
        assert rows.min() > 32
        assert columns.max() < 48


def test_the_foreground_over_the_original_gives_the_merged_frame(workspace):
    report = encode(workspace, EncodeConfig(export=("foreground", "png", "masks"), mask=False))
    assert [(part.kind, part.files) for part in report.exports] == [
        ("foreground pictures", 20),
        ("mask pictures", 20),
    ]
    movie = report.videos[1]
    assert (movie.path.name, movie.kind, movie.codec) == ("foreground.mov", "foreground", "prores")
    with av.open(str(movie.path)) as container:
        assert container.streams.video[0].codec_context.pix_fmt.startswith("yuva444p")
        decoded = [frame.to_ndarray(format="yuva444p16le") for frame in container.decode(video=0)]
    assert len(decoded) == 20
    mask = cv2.imread(str(workspace.merged_mask_dir / "00003.png"), cv2.IMREAD_GRAYSCALE)
    assert np.abs(decoded[2][..., 3] / 257 - mask).max() < 1  # ProRes keeps transparency exactly
    picture = workspace.root / "export" / "foreground" / "00003.png"
    cut = cv2.imread(str(picture), cv2.IMREAD_UNCHANGED).astype(float)
    original = next(iter(VideoReader(workspace.root / "data_dst.mp4").frames(2, 3))).image
    over = cut[..., :3] * cut[..., 3:] / 255 + original * (1 - cut[..., 3:] / 255)
    merged = read_image(workspace.merged_dir / "00003.png")
    assert np.abs(over - merged).max() <= 1  # rounding to 8 bits
    for path in (movie.path, picture, workspace.root / "export" / "masks" / "00003.png"):
        assert read_provenance(path).state == "valid"


def test_pictures_of_a_longer_export_go_and_what_is_not_ours_stays(workspace):
    folder = workspace.root / "export" / "masks"
    folder.mkdir(parents=True)
    grey = cv2.imencode(".png", np.full((4, 4), 9, np.uint8))[1].tobytes()
    older = sign_still(grey, "00021.png")
    (folder / "00021.png").write_bytes(older)
    own = {
        "00022.png": grey,
        "keep.png": older,  # a copy under another name
        "00024.png": sign_still(grey, "00024.png")[:-1] + b"\0",  # changed since
        "notes.txt": b"mine",
    }
    for name, data in own.items():
        (folder / name).write_bytes(data)

    report = encode(workspace, EncodeConfig(export=("masks",), mask=False))

    names = {path.name for path in folder.iterdir()}
    assert names == {*own, *(f"{k + 1:05d}.png" for k in range(20))}
    assert all((folder / name).read_bytes() == data for name, data in own.items())
    assert "Pictures of an earlier export, removed from export/masks: 1." in report.messages
    assert report.messages[-1].endswith("left in export/masks: 3 (such as 00022.png).")


def test_transforms_lead_from_the_frame_to_the_crop_and_back(workspace):
    with pytest.raises(WorkspaceError, match=r"faces\.npz.*`dflcolab merge` once more"):
        encode(workspace, EncodeConfig(export=("transforms",), mask=False))
    face = MergedFace("00002", "00002_0.jpg", LANDMARKS, "m", 128, FaceType.WHOLE)
    write_merged_faces(workspace.merged_dir, [face])

    encode(workspace, EncodeConfig(export=("transforms",), mask=False))

    found = json.loads((workspace.root / "export" / "transforms.json").read_text())
    assert "compositeWithTrainedAlgorithmicMedia" in found["digital_source_type"]
    frames = found["frames"]
    assert [frame["frame"] for frame in frames] == [f"{k + 1:05d}" for k in range(20)]
    assert (frames[1]["time"], frames[1]["time_s"]) == ("1/25", 0.04)
    (shown,) = frames[1]["faces"]
    np.testing.assert_allclose(shown["landmarks"], LANDMARKS, atol=1e-3)
    there, back = np.array(shown["frame_to_crop"]), np.array(shown["crop_to_frame"])
    crop_points = LANDMARKS @ there[:, :2].T + there[:, 2]
    assert crop_points.min() > 0
    assert crop_points.max() < 128
    np.testing.assert_allclose(crop_points @ back[:, :2].T + back[:, 2], LANDMARKS, atol=0.01)


@pytest.mark.bad_day("no-foreground")
def test_without_masks_there_is_no_foreground(workspace):
    shutil.rmtree(workspace.merged_mask_dir)
    with pytest.raises(WorkspaceError, match="no masks for result; merge again"):
        encode(workspace, EncodeConfig(export=("foreground",)))


def test_the_users_certificate_signs_everything(workspace, tmp_path):
    own = tmp_path / "own.pem"
    identity = make_identity()
    own.write_bytes(identity.key + identity.chain)
    config = EncodeConfig(certificate=own, export=("png",), mask=False)
    report = encode(workspace, config)
    for path in (report.videos[0].path, report.exports[0].path / "00001.png"):
        assert read_provenance(path, anchors=identity.root).state == "trusted"
        assert read_provenance(path, anchors=make_identity().root).state == "valid"


def test_one_flipped_byte_makes_the_note_invalid_and_a_copy_by_hand_loses_it(workspace, tmp_path):
    encode(workspace, EncodeConfig(mask=False))
    result = workspace.result_path()

    def said(path):
        return any_report(tmp_path / "no workspace", ReportConfig(provenance=path))

    whole = said(result)
    assert (whole.state, whole.synthetic, whole.parents) == ("valid", True, ("data_dst.mp4",))

    again = tmp_path / "again.mp4"
    with av.open(str(result)) as source, av.open(str(again), "w") as target:
        stream = source.streams.video[0]
        copy = target.add_stream_from_template(stream)
        for packet in source.demux(stream):
            if packet.dts is not None:
                packet.stream = copy
                target.mux(packet)
    lost = said(again)
    assert (lost.state, lost.synthetic) == ("none", False)
    assert "carries no signed note" in lost.summary()

    data = bytearray(result.read_bytes())
    data[data.rindex(b"mdat") + 2000] ^= 1
    result.write_bytes(bytes(data))
    changed = said(result)
    assert (changed.state, changed.synthetic) == ("invalid", False)
    assert "was changed after it was signed" in changed.summary()
