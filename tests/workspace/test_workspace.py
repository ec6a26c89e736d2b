"""The workspace's layout, settings file and rights record."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dflcolab.errors import ConfigError, RightsError, WorkspaceError
from dflcolab.faces.face_type import FaceType
from dflcolab.workspace.settings import (
    ChosenPerson,
    WorkspaceSettings,
    read_settings,
    write_settings,
)
from dflcolab.workspace.workspace import (
    PlatformChoice,
    Rights,
    RightsBasis,
    Side,
    Workspace,
    require_rights,
)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    write_settings(tmp_path, WorkspaceSettings(name="test"))
    return Workspace.open(tmp_path)


@pytest.mark.bad_day("workspace-missing")
def test_a_missing_folder_is_named_with_the_remedy(tmp_path: Path):
    with pytest.raises(WorkspaceError, match=r"no workspace at .*nothing.*dflcolab init"):
        Workspace.open(tmp_path / "nothing")


@pytest.mark.bad_day("workspace-of-dfl")
def test_a_deepfacelab_folder_is_told_to_run_init(tmp_path: Path):
    (tmp_path / "data_src").mkdir()

    with pytest.raises(WorkspaceError, match=r"DeepFaceLab folder.*only adds that file"):
        Workspace.open(tmp_path)


@pytest.mark.bad_day("workspace-not-one")
def test_any_other_folder_is_no_workspace(tmp_path: Path):
    with pytest.raises(WorkspaceError, match=r"has no workspace\.toml"):
        Workspace.open(tmp_path)


def test_videos_come_in_natural_order_with_the_plain_name_first(workspace: Workspace):
    names = ["data_src.mp4", "data_src_2.MKV", "data_src_10.mp4", "data_src_beach.mov"]
    for name in [*names, "data_src_notes.txt", "data_srcery.mp4", ".data_src.mp4", "data_dst.mp4"]:
        (workspace.root / name).write_bytes(b"")

    assert [path.name for path in workspace.videos(Side.SRC)] == names
    assert [path.name for path in workspace.videos(Side.DST)] == ["data_dst.mp4"]


def test_each_video_has_its_own_frame_prefix(workspace: Workspace):
    prefixes = [
        workspace.frame_prefix(Path(name))
        for name in ("data_src.mp4", "data_src_2.mp4", "data_dst_beach.mov", "holiday.mp4")
    ]

    assert prefixes == ["", "2-", "beach-", "holiday-"]


@pytest.mark.bad_day("two-videos-one-name")
def test_two_videos_that_would_share_frame_names_are_refused(workspace: Workspace):
    for name in ("data_src.mp4", "data_src.mkv"):
        (workspace.root / name).write_bytes(b"")

    with pytest.raises(WorkspaceError, match="rename one of them"):
        workspace.videos(Side.SRC)


@pytest.mark.parametrize("name", ["", "..", "a/b", "a\\b", ".hidden", "a:b"])
@pytest.mark.bad_day("model-name")
def test_a_models_name_cannot_lead_out_of_its_folder(workspace: Workspace, name: str):
    with pytest.raises(WorkspaceError, match="cannot be a model's name"):
        workspace.model_dir(name)


@pytest.mark.bad_day("rights-missing")
def test_rights_are_asked_for_until_both_sides_have_them(workspace: Workspace):
    with pytest.raises(RightsError, match=r"src and dst.*--src-rights KIND --dst-rights KIND"):
        require_rights(workspace)
    workspace.update(rights_src=Rights(RightsBasis.SELF))
    with pytest.raises(RightsError, match="the dst person"):
        require_rights(workspace)
    workspace.update(rights_dst=Rights(RightsBasis.CONSENT, "letter of 3 May"))

    require_rights(workspace)


def test_writing_keeps_comments_order_and_unknown_keys(workspace: Workspace):
    path = workspace.root / "workspace.toml"
    path.write_text(
        '# my project\nformat_version = 1\nname = "old" # the client\'s word\n'
        'face_type = "head"\nbudget = 12\n\n[people]\nsrc = "Ann"\n'
    )

    workspace.update(name="new", rights_src=Rights(RightsBasis.LICENSED, "agency"))

    text = path.read_text()
    assert text.startswith("# my project\n")
    assert 'name = "new" # the client\'s word' in text
    assert "budget = 12" in text
    assert 'src = "Ann"' in text
    assert workspace.settings.face_type is FaceType.HEAD
    assert workspace.settings.rights_src == Rights(RightsBasis.LICENSED, "agency")


def test_an_unchanged_file_is_not_written_again(workspace: Workspace):
    path = workspace.root / "workspace.toml"
    before = path.stat().st_mtime_ns, path.stat().st_ino

    workspace.update(name="test")

    assert (path.stat().st_mtime_ns, path.stat().st_ino) == before


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('face_type = "nose"', "nose.*choose one of half_face"),
        ("format_version = 99", "newer dflcolab"),
        ('format_version = "x"', "not understood"),
        ('[rights.src]\nbasis = "found it"', "found it.*choose one of self"),
        ("rights = 3", "rights is not a table"),
    ],
)
def test_a_wrong_value_is_one_sentence_that_names_the_file(
    workspace: Workspace, text: str, sentence: str
):
    (workspace.root / "workspace.toml").write_text(text)

    with pytest.raises(WorkspaceError, match=rf"workspace\.toml.*{sentence}"):
        Workspace.open(workspace.root)


def test_broken_toml_is_one_sentence(workspace: Workspace):
    (workspace.root / "workspace.toml").write_text("name = ")

    with pytest.raises(ConfigError, match=r"workspace\.toml is not valid TOML"):
        Workspace.open(workspace.root)


def test_the_mark_that_editors_put_in_front_is_passed_over(workspace: Workspace):
    path = workspace.root / "workspace.toml"
    path.write_bytes(b'\xef\xbb\xbf# mine\nname = "Ann"\n')

    workspace.update(face_type=FaceType.HEAD)

    assert (workspace.settings.name, workspace.settings.face_type) == ("Ann", FaceType.HEAD)
    assert path.read_bytes().startswith(b"# mine\n")


def test_a_folder_whose_name_is_no_text_is_a_workspace_all_the_same(tmp_path: Path):
    root = tmp_path / os.fsdecode(b"w\xff")
    root.mkdir()

    write_settings(root, WorkspaceSettings(name=root.name))

    assert read_settings(root).name == "w?"


@pytest.mark.bad_day("settings-encoding")
def test_text_in_another_encoding_is_one_sentence(workspace: Workspace):
    (workspace.root / "workspace.toml").write_bytes(b'name = "\xff\xfe"')

    with pytest.raises(WorkspaceError, match="not UTF-8"):
        Workspace.open(workspace.root)


_rights = st.none() | st.builds(Rights, st.sampled_from(RightsBasis), st.text(max_size=40))


@given(
    name=st.text(max_size=30),
    face_type=st.sampled_from(FaceType),
    src=_rights,
    dst=_rights,
    choice=st.none() | st.builds(PlatformChoice, st.text(), st.text(min_size=1), st.text()),
    remote=st.text(max_size=30),
)
@settings(deadline=None)  # every write waits for the disk
def test_settings_come_back_as_written(
    tmp_path_factory: pytest.TempPathFactory, name, face_type, src, dst, choice, remote
):
    root = tmp_path_factory.mktemp("settings")
    written = WorkspaceSettings(
        name=name,
        face_type=face_type,
        rights_src=src,
        rights_dst=dst,
        platform_choice=choice,
        remote=remote,
    )

    write_settings(root, WorkspaceSettings(name="before", rights_src=Rights(RightsBasis.SELF)))
    write_settings(root, written)

    assert read_settings(root) == written


def test_a_chosen_person_is_written_read_and_forgotten(workspace: Workspace):
    chosen = ChosenPerson("her.jpg", "person_dst.npy")
    workspace.update(person_dst=chosen)

    assert workspace.settings.people == {"src": None, "dst": chosen}
    workspace.update(person_dst=None)
    assert workspace.settings.person_dst is None


def test_a_choice_takes_the_place_of_a_note_and_leaves_the_other(workspace: Workspace):
    path = workspace.root / "workspace.toml"
    path.write_text('format_version = 1\n\n[people]\nsrc = "Ann" # a note\ndst = "Bob"\n')

    workspace.update(person_dst=ChosenPerson("number 2", "person_dst.npy"))

    assert workspace.settings.person_dst == ChosenPerson("number 2", "person_dst.npy")
    assert 'src = "Ann" # a note' in path.read_text()


@pytest.mark.parametrize("name", ["../x.npy", "a/b.npy", "a\\\\b.npy", ".hidden"])
@pytest.mark.bad_day("settings-vectors")
def test_the_file_of_a_chosen_person_lies_in_the_workspace(workspace: Workspace, name: str):
    path = workspace.root / "workspace.toml"
    path.write_text(f'[people.dst]\nreference = "auto"\nvectors = "{name}"\n')

    with pytest.raises(WorkspaceError, match="plain file name"):
        _ = workspace.settings
