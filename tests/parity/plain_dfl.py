"""What DeepFaceLab computes from its own files, in plain NumPy, after the interoperability notes.

Written from sections 1.4, 2.0, 2.1, 2.5 and 5.1 alone; imports nothing of the package, so that it
can judge the files that the package writes. Slow: for tiny models.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np

Net = dict[str, np.ndarray]


def load(folder: Path, prefix: str, net: str) -> Net:
    """The arrays of `<prefix><net>.npy`, by Python's own unpickler: the files are our own."""
    content = pickle.loads((folder / f"{prefix}{net}.npy").read_bytes())
    assert all(value.dtype == np.float32 for value in content.values())
    return content


def predict(folder: Path, model_id: str, face: np.ndarray, morph: float = 1.0) -> dict[str, Any]:
    """Swap `[R, R, 3]`, its mask and the mask of dst, `[R, R]`, for one face of dst."""
    prefix = f"{model_id}_"
    options = pickle.loads((folder / f"{prefix}data.dat").read_bytes())["options"]
    nets = {name: load(folder, prefix, name) for name in _nets(model_id, options)}
    x = face[None].astype(np.float64)
    if model_id.endswith("AMP"):
        swap, dst = _amp(nets, options, x, morph)
    else:
        quick = model_id.endswith("Quick96")
        archi, resolution = ("df-ud", 96) if quick else (options["archi"], options["resolution"])
        swap, dst = _saehd(nets, archi, int(resolution), x)
    return {
        "bgr": swap[0][0],
        "mask_src_dst": swap[1][0, ..., 0],
        "mask_dst_dst": dst[1][0, ..., 0],
    }


def _nets(model_id: str, options: dict[str, Any]) -> list[str]:
    if model_id.endswith("AMP"):
        return ["encoder", "inter_src", "inter_dst", "decoder"]
    if options.get("archi", "df").startswith("liae"):
        return ["encoder", "inter_AB", "inter_B", "decoder"]
    return ["encoder", "inter", "decoder_src", "decoder_dst"]


def _saehd(nets: dict[str, Net], archi: str, resolution: int, x: np.ndarray):
    family, _, letters = archi.partition("-")
    act = (lambda v, _: v * np.cos(v)) if "c" in letters else _lrelu
    deep, double = "t" in letters, "d" in letters
    code = _encode(nets["encoder"], x, act, deep=deep, norm="u" in letters)
    start = resolution // (32 if double else 16)

    def inter(net: Net) -> np.ndarray:
        y = _dense(net, "dense2", _dense(net, "dense1", code))
        y = y.reshape(len(y), -1, start, start).transpose(0, 2, 3, 1)
        return y if deep else _up(net, "upscale1", y, act)

    if family == "df":
        z = inter(nets["inter"])
        return tuple(
            _decode(nets[name], z, act, deep=deep, double=double)
            for name in ("decoder_src", "decoder_dst")
        )
    ab, b = inter(nets["inter_AB"]), inter(nets["inter_B"])
    return tuple(
        _decode(nets["decoder"], np.concatenate([left, ab], axis=3), act, deep=deep, double=double)
        for left in (ab, b)
    )


def _amp(nets: dict[str, Net], options: dict[str, Any], x: np.ndarray, morph: float):
    code = _encode(nets["encoder"], x, _lrelu, deep=True, norm=True)
    code = _dense(nets["encoder"], "dense1", code)
    r, width = int(options["resolution"]) // 32, int(options["inter_dims"])
    maps = [
        _dense(nets[name], "dense2", code).reshape(1, width, r, r).transpose(0, 2, 3, 1)
        for name in ("inter_src", "inter_dst")
    ]
    count = int(np.float32(width) * np.float32(morph))
    z = np.concatenate([maps[0][..., :count], maps[1][..., count:]], axis=3)
    return tuple(_decode(nets["decoder"], v, _lrelu, deep=True, double=True) for v in (z, maps[1]))


def _encode(net: Net, x: np.ndarray, act: Any, *, deep: bool, norm: bool) -> np.ndarray:
    def down(name: str, v: np.ndarray) -> np.ndarray:
        return act(_conv(net, f"{name}/conv1", v, stride=2), 0.1)

    if deep:
        x = _res(net, "res1", down("down1", x), act)
        for i in range(2, 6):
            x = down(f"down{i}", x)
        x = _res(net, "res5", x, act)
    else:
        for i in range(4):
            x = down(f"down1/downs_{i}", x)
    code = x.transpose(0, 3, 1, 2).reshape(len(x), -1)
    return code / np.sqrt((code**2).mean(axis=1, keepdims=True) + 1e-6) if norm else code


def _decode(net: Net, z: np.ndarray, act: Any, *, deep: bool, double: bool):
    stages = 4 if deep else 3
    x = z
    for i in range(stages):
        x = _res(net, f"res{i}", _up(net, f"upscale{i}", x, act), act)
    if double:
        heads = [_conv(net, f"out_conv{i}", x) for i in ("", 1, 2, 3)]
        picture = _depth_to_space(np.concatenate(heads, axis=3))
    else:
        picture = _conv(net, "out_conv", x)
    mask = z
    for i in range(stages + double):
        mask = _up(net, f"upscalem{i}", mask, act)
    return _sigmoid(picture), _sigmoid(_conv(net, "out_convm", mask))


def _up(net: Net, name: str, x: np.ndarray, act: Any) -> np.ndarray:
    return _depth_to_space(act(_conv(net, f"{name}/conv1", x), 0.1))


def _res(net: Net, name: str, x: np.ndarray, act: Any) -> np.ndarray:
    y = _conv(net, f"{name}/conv2", act(_conv(net, f"{name}/conv1", x), 0.2))
    return act(x + y, 0.2)


def _conv(net: Net, name: str, x: np.ndarray, stride: int = 1) -> np.ndarray:
    kernel, bias = net[f"{name}/weight:0"].astype(np.float64), net[f"{name}/bias:0"]
    side = kernel.shape[0]
    pad = ((side - 1) + 1) // 2 if side > 1 else 0
    x = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(x, (side, side), axis=(1, 2))
    windows = windows[:, ::stride, ::stride]  # [B, h, w, C, k, k]
    return np.tensordot(windows, kernel.transpose(2, 0, 1, 3), axes=3) + bias


def _dense(net: Net, name: str, x: np.ndarray) -> np.ndarray:
    return x @ net[f"{name}/weight:0"].astype(np.float64) + net[f"{name}/bias:0"]


def _depth_to_space(x: np.ndarray) -> np.ndarray:
    b, h, w, c = x.shape
    x = x.reshape(b, h, w, 2, 2, c // 4).transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(b, 2 * h, 2 * w, c // 4)


def _lrelu(x: np.ndarray, slope: float) -> np.ndarray:
    return np.maximum(x, slope * x)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))
