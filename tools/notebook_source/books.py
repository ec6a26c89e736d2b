"""Which notebooks there are, and which cells each of them has."""

from __future__ import annotations

from tools.notebook_source import cells_faces, cells_models, cells_start
from tools.notebook_source.parts import Notebook, Text

_HABITS = Text(
    "**How it works.** Choose *Runtime → Run all*, or run the cells from top to bottom by their round buttons. Every cell may be run again: "
    "finished work is kept. When the machine was cut off, open the page again and run all: the workspace comes back from the copy on "
    "your storage and goes on where it stopped. The Stop button of a cell ends its work at the next safe point.\n\n"
    "[Guide](https://github.com/dflcolab/dflcolab/blob/main/docs/guide.md) · "
    "[First swap, step by step](https://github.com/dflcolab/dflcolab/blob/main/docs/first_swap.md) · "
    "[When something goes wrong](https://github.com/dflcolab/dflcolab/blob/main/docs/troubleshooting.md)",
    "**使い方：** 「ランタイム → すべてのセルを実行」を選ぶか、上から順に丸いボタンで実行してください。どのセルも何度でも実行でき、終わった作業はそのまま残ります。"
    "接続が切れたら、このページを開き直して「すべてのセルを実行」してください。保存先のコピーからワークスペースを戻し、続きから再開します。"
    "セルの停止ボタンを押すと、次の安全なところで作業を終えます。項目の名前と選択肢、実行中のメッセージは英語です。\n\n"
    "[日本語の説明 (README)](https://github.com/dflcolab/dflcolab/blob/main/README.ja.md) · "
    "[困ったときは（英語）](https://github.com/dflcolab/dflcolab/blob/main/docs/troubleshooting.md)",
)

_BEGIN = (cells_start.START, cells_start.CONNECT, cells_start.OPEN)

BOOKS = (
    Notebook(
        "dflcolab",
        Text("dflcolab", "dflcolab"),
        Text(
            "From two people's footage to a face-swapped video, in one page. As the cells stand they do the whole job on two short sample "
            "clips; for your own work change the form of the cell “Open a workspace”.",
            "2人の映像から顔を入れ替えた動画を作るまでを、このページだけで行います。そのまま実行すると、短いサンプル動画2本で最初から最後まで動きます。"
            "自分の素材を使うときは、「ワークスペースを開く」のセルに入力してください。",
        ),
        (
            *_BEGIN,
            cells_faces.EXTRACT,
            cells_faces.SORT,
            cells_faces.CLEAN,
            cells_faces.LOOK,
            cells_faces.REPORT,
            cells_faces.MASKS,
            cells_models.CHOOSE,
            cells_models.TRAIN,
            cells_models.MERGE,
            cells_models.ENCODE,
            cells_start.FINISH_WITH_MODEL,
        ),
        _HABITS,
    ),
    Notebook(
        "pretrain",
        Text("dflcolab： pretrain a model", "dflcolab：モデルの事前学習"),
        Text(
            "Gives a new model a start on a faceset of many people, once. To begin a project with it, choose `export_model_as` = `DeepFaceLab` in "
            "the last cell; the notebook “train on from a DeepFaceLab model” takes the folder that is named there, as `dfl_folder`. "
            "Without a faceset it uses the faces of the workspace (as it stands: of two sample clips).",
            "多くの人物の顔素材で、新しいモデルを事前学習します。一度作れば、いろいろな作品の出発点として使えます。作品で使うときは、最後のセルで `export_model_as` を `DeepFaceLab` にして"
            "書き出し、表示されたフォルダーを、ノートブック「DeepFaceLab のモデルの続きを学習」の `dfl_folder` に指定してください。"
            "顔素材を指定しない場合は、ワークスペースの顔（そのまま実行した場合はサンプル動画の顔）を使います。",
        ),
        (
            *_BEGIN,
            cells_faces.EXTRACT,
            cells_models.CHOOSE.with_defaults(model_name="pretrained", pretrain_minutes=5.0),
            cells_start.FINISH_WITH_MODEL,
        ),
        _HABITS,
    ),
    Notebook(
        "train_dfl_model",
        Text(
            "dflcolab： train on from a DeepFaceLab model",
            "dflcolab：DeepFaceLab のモデルの続きを学習",
        ),
        Text(
            "Takes a workspace and a model of DeepFaceLab, trains on on this machine, and keeps copies on your storage. Give the workspace as "
            "`existing_workspace`, with its `model` folder; faces that it brings are used as they are.",
            "DeepFaceLab のワークスペースとモデルを取り込み、このマシンで学習を続け、保存先にコピーを残します。ワークスペースは（`model` フォルダーも含めて）"
            "`existing_workspace` に指定してください。抽出済みの顔はそのまま使います。",
        ),
        (
            *_BEGIN,
            cells_faces.EXTRACT,
            cells_models.IMPORT,
            cells_models.TRAIN,
            cells_start.FINISH_WITH_MODEL,
        ),
        _HABITS,
    ),
    Notebook(
        "merge",
        Text("dflcolab： merge only", "dflcolab：合成だけ"),
        Text(
            "Puts the face of a model that is trained already into the dst frames, and makes the video. Open the workspace it was trained in.",
            "すでに学習したモデルの顔を dst に入れ、動画を作ります。学習に使ったワークスペースを開いてください。",
        ),
        (*_BEGIN, cells_models.MERGE, cells_models.ENCODE, cells_start.FINISH_WITH_MODEL),
        _HABITS,
    ),
    Notebook(
        "check_faceset",
        Text("dflcolab： check a faceset", "dflcolab：顔素材の確認"),
        Text(
            "Extracts the faces of both sides, shows and cleans them, and says whether the material is good enough, before hours of training. "
            "It needs no GPU.",
            "両方の顔を抽出し、一覧で確認・整理して、長い学習を始める前に素材が十分かどうかを示します。GPU は必要ありません。",
        ),
        (
            *_BEGIN,
            cells_faces.EXTRACT,
            cells_faces.SORT,
            cells_faces.CLEAN,
            cells_faces.LOOK,
            cells_faces.REPORT,
            cells_start.FINISH,
        ),
        _HABITS,
        on_gpu=False,
    ),
)
