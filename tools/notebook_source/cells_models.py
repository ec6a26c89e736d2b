"""The cells about models, and about what is made with them."""

from __future__ import annotations

from typing import get_args

from dflcolab.models.presets import Preset
from dflcolab.runtime.notebook import MERGE_INTO, VIDEO
from tools.notebook_source.parts import Cell, Field, Text

_PRESETS = ("demo", "light", "standard", "high", "tiny")

assert set(_PRESETS) == set(get_args(Preset))

_MODEL_NAME = Field(
    "model_name",
    "first",
    Text(
        "the model's name; a new name makes a new model.",
        "モデルの名前。新しい名前なら新しく作ります。",
    ),
)

_PRESET = Field(
    "preset",
    "demo",
    Text(
        "sizes of a new model: `demo` is for trying, `light` suits small GPUs, `standard` a T4, `high` 24 GB and more.",
        "新しいモデルの大きさ。`demo` はお試し用、`light` は小さな GPU、`standard` は T4、`high` は 24 GB 以上の GPU 向けです。",
    ),
    _PRESETS,
)

PRETRAIN = Cell(
    Text("Pretrain", "事前学習"),
    Text(
        "A model that has seen many faces learns yours sooner. A model that was trained already is left as it is.",
        "たくさんの顔を見たモデルは、目的の顔を早く学習します。すでに学習したモデルは、そのままにします。",
    ),
    (
        _MODEL_NAME,
        _PRESET,
        Field(
            "pretrain_minutes",
            1.0,
            Text(
                "minutes; 0 with 0 iterations: left out.", "時間（分）。回数も 0 なら行いません。"
            ),
        ),
        Field("pretrain_iterations", 0, Text("iterations; 0: no limit.", "回数。0 は無制限。")),
        Field(
            "faceset",
            "",
            Text(
                "a faceset of many people (folder, `faceset.pak` or link); empty: the faces of both sides.",
                "多くの人物の顔素材（フォルダー、`faceset.pak`、リンク）。空欄なら src と dst の顔を使います。",
            ),
        ),
    ),
    "pretrain",
)

TRAIN = Cell(
    Text("Train", "学習"),
    Text(
        "Goes on from the last saved state each time, with a live preview. Real work takes hours to days on a GPU. Meanwhile faces that "
        "are kept out of training are looked at: the cell says when they get worse (over-training) and can end there; the best "
        "state is kept.",
        "毎回、最後に保存した状態から続けます。プレビューは自動で更新されます。実際の作品では GPU で数時間から数日かかります。"
        "学習に使わずに取り分けた顔を定期的に調べ、悪くなってきたら（過学習）知らせます。そこで終わらせることもできます。最も良い状態は残ります。",
    ),
    (
        _MODEL_NAME,
        _PRESET,
        Field(
            "train_minutes",
            5.0,
            Text("minutes; 0: no limit.", "今回学習する時間（分）。0 は無制限。"),
        ),
        Field(
            "target_iterations",
            0,
            Text(
                "iteration to end at; 0: no limit. Whichever comes first.",
                "終了する回数（イテレーション）。0 は無制限。時間と回数の早い方で終わります。",
            ),
        ),
        Field(
            "end_when",
            "over-training",
            Text(
                "end by itself when the held-out faces get worse, when nothing improves any more, or never.",
                "自動で終わる条件。順に「過学習」「改善しなくなったとき」「自動では終わらない」です。",
            ),
            ("over-training", "nothing improves", "never by itself"),
        ),
        Field(
            "options",
            "",
            Text(
                "options of the model such as `learning_rate=0.0001`, separated by spaces.",
                "モデルのオプション。`learning_rate=0.0001` のように書き、空白で区切ります。",
            ),
        ),
        Field(
            "copy_every_minutes",
            20.0,
            Text(
                "minutes between two copies to the storage.",
                "保存先へコピーする間隔（分）。",
            ),
        ),
        Field(
            "choose_more_options",
            False,
            Text(
                "show all options in a form first; training begins when you press its button.",
                "先にすべてのオプションをフォームで表示します。フォームのボタンを押すと学習が始まります。",
            ),
        ),
    ),
    "train",
)

IMPORT = Cell(
    Text("Take a model of DeepFaceLab", "DeepFaceLab のモデルを読み込む"),
    Text(
        "Makes a model of DeepFaceLab's files (SAEHD, Quick96, AMP), its optimizer and iteration included. The files stay as they are. "
        "Done once; without any files the next cell begins a new model.",
        "DeepFaceLab のモデル（SAEHD、Quick96、AMP）を、オプティマイザーの状態と回数も含めて読み込みます。元のファイルは変更しません。"
        "読み込みは1回だけです。ファイルがない場合は、次のセルで新しいモデルを作ります。",
    ),
    (
        _MODEL_NAME,
        Field(
            "dfl_model",
            "",
            Text(
                "its name in DeepFaceLab, such as `new_SAEHD`; empty if there is one only.",
                "DeepFaceLab での名前（`new_SAEHD` など）。1つしかなければ空欄のままで構いません。",
            ),
        ),
        Field(
            "dfl_folder",
            "",
            Text(
                "folder with its files, here or on the storage; empty: the workspace's `model` folder.",
                "ファイルのあるフォルダー（このマシンか保存先）。空欄ならワークスペースの `model` フォルダー。",
            ),
        ),
    ),
    "import_model",
)

MERGE = Cell(
    Text("Merge", "合成"),
    Text(
        "Puts the trained face into the dst video. What is done with the same options stays; a run that was cut off goes on.",
        "学習した顔を dst の動画に入れます。同じオプションで処理済みの部分はそのまま残り、中断したときは続きから再開します。",
    ),
    (
        Field("model_name", "first", Text("the model to take.", "使うモデルの名前。")),
        Field(
            "merge_into",
            VIDEO,
            Text(
                "`video` makes `result.mp4` at once: quickest, and hardly more room than the video itself. `lossless video` keeps every "
                "pixel, for further editing; ten times as large. `single frames` writes a PNG picture and a mask for every frame, to work "
                "on by hand; they take far more room, and the next cell makes the video of them.",
                "`video` は `result.mp4` を直接作ります（最も速く、必要な容量も動画とほぼ同じです）。`lossless video` は画質を完全に保ちます（編集用。大きさは約10倍）。"
                "`single frames` は1フレームごとに PNG 画像とマスクを書き出します（手作業で直すとき用。多くの容量が必要です）。その場合、動画は次のセルで作ります。",
            ),
            MERGE_INTO,
        ),
        Field(
            "merge_options",
            "",
            Text(
                "options such as `erode_mask_modifier=10 blur_mask_modifier=20`, separated by spaces.",
                "オプション。`erode_mask_modifier=10 blur_mask_modifier=20` のように書き、空白で区切ります。",
            ),
        ),
        Field(
            "show_tuner",
            False,
            Text(
                "instead of merging, show the tuner: try looks on single frames and keep them in `merge.toml`, which merging reads. "
                "Switch it off again to merge.",
                "合成する代わりに調整画面を表示します。1フレームずつ見た目を試し、合成で使われる `merge.toml` に保存できます。合成するときは外してください。",
            ),
        ),
    ),
    "merge",
)

ENCODE = Cell(
    Text("Make the video", "動画を作る"),
    Text(
        "Shows `result.mp4` and says where its copy is. It has the sound of the dst video and a signed note that it is synthetic. Single "
        "frames are made into the video here; one that the merge has made stays as it is.",
        "`result.mp4` を表示し、コピーの場所を示します。動画には dst の音声と、合成であることを示す署名付きの印が入っています。"
        "`single frames` で合成した場合は、ここで動画を書き出します。合成のセルで作った動画は、そのまま使います。",
    ),
    (
        Field(
            "lossless",
            False,
            Text(
                "for single frames: keep every pixel, for further editing; ten times as large.",
                "`single frames` の場合に、画質を完全に保ちます（編集用。大きさは約10倍）。",
            ),
        ),
        Field(
            "download_result",
            False,
            Text(
                "also send it to your browser (100 MB at most).",
                "ブラウザーにもダウンロードします（100 MB まで）。",
            ),
        ),
    ),
    "encode",
)
