"""The cells about models, and about what is made with them."""

from __future__ import annotations

from typing import get_args

from dflcolab.models.presets import PRESETS, Preset
from dflcolab.runtime.model_cells import MERGE_INTO, VIDEO
from dflcolab.runtime.model_choice import AUTO
from tools.notebook_source.parts import Cell, Field, Text, state_field

_PRESETS = (AUTO, "demo", "light", "standard", "high", "tiny")

assert set(_PRESETS) == {AUTO, *get_args(Preset)}

_MODEL_NAME = Field(
    "model_name",
    "first",
    Text(
        "the model's name. A new name makes a new model; a name that is there goes on with that model.",
        "モデルの名前。新しい名前なら新しく作り、すでにある名前ならそのモデルの続きになります。",
    ),
)

CHOOSE = Cell(
    Text("Choose a model", "モデルを選ぶ"),
    Text(
        "The cells below work on this model. A model keeps the sizes that it was made with: for other sizes give a new name. A new "
        "model may begin with pretraining on the faces of many people, after which it learns yours sooner; a pretraining that was cut off "
        "goes on, and a model that was trained already is left as it is. **What comes first?** The sample clips take minutes; for your own videos leave "
        "`preset` at `auto`.",
        "以下のセルは、ここで選んだモデルを使います。モデルの大きさは後から変えられません。別の大きさにするときは、新しい名前を付けてください。新しいモデルは、多くの人物の顔で"
        "事前学習してから始めることもできます（目的の顔を早く学習します）。中断した事前学習は続きから再開し、すでに学習したモデルはそのままにします。**最初はどうする？** サンプル動画なら数分で終わります。自分の動画では `preset` を `auto` のままにしてください。",
    ),
    (
        _MODEL_NAME,
        Field(
            "preset",
            AUTO,
            Text(
                "how large a new model is. Larger ones show more detail, learn more slowly and need more memory. `auto` takes what fits this "
                "machine: `standard` (192 pixels) on a T4 or another GPU of 15 GB, `high` (320) with 24 GB and more, `light` (128) on smaller "
                "GPUs and without one, and `demo` (96, for trying) for the sample clips.",
                "新しいモデルの大きさ。大きいほど細部まで描けますが、学習が遅くなり、多くのメモリーが必要です。`auto` はこのマシンに合わせます："
                "T4 など 15 GB の GPU なら `standard`（192ピクセル）、24 GB 以上なら `high`（320）、それより小さい GPU または GPU なしなら `light`（128）、"
                "サンプル動画なら `demo`（96、お試し用）。",
            ),
            _PRESETS,
        ),
        Field(
            "arch",
            "saehd",
            Text(
                "kind of a new model: `saehd` is the usual one, `quick96` small with everything decided, `amp` swaps by any degree (the "
                "option `morph_factor` of the merge).",
                "新しいモデルの種類。通常は `saehd`。`quick96` は小さく設定不要、`amp` は入れ替えの度合いを選べます（合成のオプション `morph_factor`）。",
            ),
            tuple(PRESETS),
        ),
        Field(
            "pretrain_minutes",
            0.0,
            Text(
                "minutes of pretraining, all runs together. 0 with 0 iterations: none. With a faceset of many people some hours pay off, "
                "once: the model can begin many projects.",
                "事前学習の時間（分、中断をはさんだ合計）。回数も 0 なら行いません。多くの人物の顔素材で数時間行っておくと、そのモデルをいろいろな作品の出発点にできます。",
            ),
        ),
        Field(
            "pretrain_iterations",
            0,
            Text("iterations of it; 0: no limit.", "その回数。0 は無制限。"),
        ),
        Field(
            "faceset",
            "",
            Text(
                "a faceset of many people (folder or `faceset.pak`, here or on the storage, or a link); empty: the faces of both sides.",
                "多くの人物の顔素材（このマシンか保存先のフォルダーまたは `faceset.pak`、あるいはリンク）。空欄なら src と dst の顔を使います。",
            ),
        ),
    ),
    "choose_model",
)

TRAIN = Cell(
    Text("Train", "学習"),
    Text(
        "Trains the model chosen above, from the last saved state each time, with a live preview. **How long?** The preview turns from blobs "
        "into faces within the first thousand iterations; for real work people train a night to some days on a GPU. **When is it finished?** When the faces that are kept out of training no longer get better: the "
        "cell watches them, says in words when they get worse (over-training), can end there, and keeps the best state. "
        "A report with the curves stands below at the end.",
        "上で選んだモデルを、毎回、最後に保存した状態から学習します。プレビューは自動で更新されます。**どのくらいかかる？** プレビューは最初の1,000回ほどでぼんやりした形から顔になります。"
        "実際の作品では GPU で一晩から数日学習します。**いつ終わり？** 学習に使わずに取り分けた顔が良くならなくなったときです。このセルが定期的に調べ、悪くなってきたら（過学習）文章で知らせます。"
        "そこで終わらせることもできます。最も良い状態は残ります。終わると、グラフ付きのレポートが下に表示されます。",
    ),
    (
        Field(
            "train_minutes",
            5.0,
            Text(
                "minutes of this run; 0: no limit. 5 is for the sample clips; take 0 for your own videos.",
                "今回学習する時間（分）。0 は無制限。5 はサンプル動画用です。自分の動画では 0 にしてください。",
            ),
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
        Field(
            "model_name",
            "",
            Text(
                "the model to take; empty: the one chosen above, else the one trained last.",
                "使うモデルの名前。空欄なら上で選んだモデル、なければ最後に学習したモデル。",
            ),
        ),
        state_field("checkpoint", Text("which state of the model to take", "使うモデルの状態")),
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
