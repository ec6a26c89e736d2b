"""The cells about faces and their masks."""

from __future__ import annotations

from dflcolab.faceset.config import SortKind
from dflcolab.runtime import notebook
from tools.notebook_source.parts import Cell, Field, Text, state_field

_SORTS = tuple(SortKind)

EXTRACT = Cell(
    Text("Extract faces", "顔抽出"),
    Text(
        "Finds, aligns and cuts out the faces of both videos. Frames that are done are not done again. **How long?** On two CPU cores "
        "about 90 frames a second of 720p video. **Several people in the video?** Everybody is cut out; the cell “Clean” keeps the one you name.",
        "両方の動画から顔を見つけ、位置をそろえて切り出します。処理済みのフレームはやり直しません。**どのくらいかかる？** CPU 2コアで、720p の動画なら1秒におよそ90フレームです。"
        "**複数の人が写っている？** 全員を切り出し、「整理」のセルで残す人を指定します。",
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
        Field(
            "unpack_faces",
            False,
            Text(
                "take faces that came packed (`faceset.pak`) out into single files, which sorting, cleaning and deleting by hand need.",
                "パックされた顔（`faceset.pak`）を1枚ずつのファイルに戻します。並べ替え、整理、手作業での削除に必要です。",
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
        "as they are in the video. Run again before new faces have come, it leaves everything as it is, what you brought back too.",
        "学習の役に立たない顔を、理由を記録してゴミ箱へ移します：別人、誤検出、ぼけ、真っ黒、小さすぎる顔、切れた顔、ほぼ同じ顔。"
        "dst では誤検出だけを、残す人物を指定した場合は別人も移します（別人は動画の中で元の顔のままになります）。"
        "新しい顔が増えていなければ、もう一度実行しても何も変わらず、元に戻した顔もそのまま残ります。",
    ),
    (
        Field(
            "src_person",
            "",
            Text(
                "whom to keep: a number from the list of people below the cell, the path of a picture (here or on the storage), or `auto` (the person "
                "seen most; also what an empty src field means until you have said otherwise).",
                "残す人物：セルの下に出る人物一覧の番号、写真のパス（このマシンか保存先）、または `auto`（最も多く写っている人物。src が空欄のときも、別に指定するまでは同じ意味です）。",
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
        Field(
            "again",
            False,
            Text(
                "clean once more, although no faces have come since.",
                "新しい顔が増えていなくても、もう一度整理します。",
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
        "light, expressions, sharpness, people, masks; with the limits it judges by. About trainings: whether they still learn, and "
        "what to do next. Changes nothing.",
        "長い学習を始める前に、顔素材（faceset）に何が足りて何が足りないか、src と dst の相性、いちばん効果のある改善点を示します。"
        "向き、明るさ、表情、鮮明さ、人物、マスクを、判断の基準とともに表示します。学習については、まだ上達しているか、次に何をすればよいかを示します。何も変更しません。",
    ),
    (
        Field(
            "about",
            "faces",
            Text(
                "faces take some minutes, trainings seconds.",
                "`faces`（顔）は数分、`training`（学習）は数秒で終わります。",
            ),
            tuple(notebook.REPORTS),
        ),
    ),
    "report",
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
        state_field(
            "mask_checkpoint",
            Text("which state of the XSeg model to apply", "適用する XSeg モデルの状態"),
        ),
    ),
    "masks",
)
