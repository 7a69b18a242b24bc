"""The network in the page: what `try.md` and `mixer.md` load, made from the package and from npm.

Node fetches ONNX Runtime for browsers, pinned in `package-lock.json`, into `build/npm`. The page's
own code stands in `tryit/` and in the package's `listening/`. What is large is handed over by
scripts, packed, since a page that is opened from a folder may read no other file.
"""

import base64
import gzip
import json
import shutil
import subprocess
from importlib.metadata import distribution
from importlib.resources import files
from pathlib import Path

import numpy as np
import onnx
from nbformat import NotebookNode

from effifusion_lite import load
from effifusion_lite.audio import SAMPLE_RATE
from effifusion_lite.audio.levels import active_speech_level
from effifusion_lite.enhancement import silence, windows
from effifusion_lite.enhancement.onnx.generator import build
from effifusion_lite.listening import clips
from effifusion_lite.spectral import IMAG_EPS, MAGNITUDE_EPS, REAL_EPS

SITE = Path(__file__).resolve().parent
OURS, PLAYERS = SITE / "tryit", files("effifusion_lite") / "listening"
INSTALLED = SITE.parent / "build" / "npm"
NETWORKS = ("tiny", "lite")
PAGE = ("rate.js", "engine.js", "compare.js", "recording.js", "try.js", "mixer.js", "start.js")
PLAYER = ("core.js", "fft.js", "picture.js", "wav.js")
WORKER = ("spectrum.js", "resample.js", "silence.js", "enhance.js", "worker.js")
SECONDS, SEED = 3.0, 5  # of the mixer's sounds, as in the live mixer of chapter 00
# What two live widgets say where there is no kernel, and what this site has in place of it.
WITHOUT_KERNEL = {
    "With one you choose speech, noise, ratio and weights": ("mixer", "mix it here"),
    "With one you enhance a file of your own": ("try", "try it here"),
}
LICENCES = ("LICENSE", "ThirdPartyNotices.txt")
MISSING = (
    "<p><strong>This copy of the site was built without the network in the page</strong>, since "
    "{reason}. Everything else is here.</p>\n"
)


class NotBuilt(Exception):
    """What is missing, in half a sentence."""


def link(notebook: NotebookNode) -> None:
    """Lead from the widgets that need a kernel to the pages that do the same without one.

    Args:
        notebook: an executed chapter; changed in place.
    """
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            page = output.get("data", {}).get("text/html", "")
            for sentence, (name, words) in WITHOUT_KERNEL.items():
                if sentence in page:
                    door = f'<p><a href="../{name}.html">Without Python: {words}.</a></p>\n'
                    output.data["text/html"] = door + page


def add(source: Path) -> str | None:
    """Write the network and the page's code into the folder that Sphinx reads.

    Args:
        source: the folder; `try.html` and `mixer.html` are written there, for the pages to include,
            and the files that they load into `tryit`.

    Returns:
        None, or why the pages are left without the network.
    """
    folder = source / "extra" / "_static" / "tryit"
    folder.mkdir(parents=True)
    try:
        runtime = install()
    except NotBuilt as reason:
        for name in ("try", "mixer"):
            text = MISSING.format(reason=reason)
            (source / f"{name}.html").write_text(text, encoding="utf-8")
        return str(reason)
    write(folder, runtime)
    for name in ("try", "mixer"):
        (source / f"{name}.html").write_text(
            '<link rel="stylesheet" href="_static/tryit/page.css">\n'
            "<noscript><p>This needs JavaScript, which is switched off here.</p></noscript>\n"
            f'<div class="effi-try" data-try="{name}"></div>\n'
            '<script defer src="_static/tryit/page.js"></script>\n',
            encoding="utf-8",
        )
    return None


def install() -> Path:
    """Let npm fetch ONNX Runtime, unless the same is there; return its folder.

    Raises:
        NotBuilt: there is no npm, or it does not get through.
    """
    done = INSTALLED / "done"
    lock = (SITE / "package-lock.json").read_bytes()
    if not done.is_file() or done.read_bytes() != lock:
        npm = shutil.which("npm")
        if npm is None:
            raise NotBuilt("Node, which fetches it, was not there")
        INSTALLED.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(SITE / name, INSTALLED)
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"]
        run = subprocess.run(command, cwd=INSTALLED, capture_output=True, text=True)
        if run.returncode:
            code = next((line for line in run.stderr.splitlines() if "code" in line), "")
            raise NotBuilt(
                f"npm could not fetch it ({' '.join(code.split()) or 'no reason given'})"
            )
        done.write_bytes(lock)
    return INSTALLED / "node_modules" / "onnxruntime-web" / "dist"


def write(folder: Path, runtime: Path) -> None:
    """Write the files that the pages load.

    Args:
        folder: where they go.
        runtime: the folder of ONNX Runtime for browsers.
    """
    parts = [PLAYERS / name for name in PLAYER] + [OURS / name for name in PAGE]
    body = "".join(map(read, parts))
    (folder / "page.js").write_text(f"(() => {{\n{body}}})();\n", encoding="utf-8")
    style = "".join(map(read, (PLAYERS / "lab.css", OURS / "try.css")))
    (folder / "page.css").write_text(style, encoding="utf-8")
    own = "".join(read(OURS / name) for name in WORKER)
    library = read(runtime / "ort.wasm.min.js")
    program = f"{library}\nconst PACKAGE = {json.dumps(settings())};\n{own}"
    pack(folder, "program", program.encode())
    pack(folder, "loader", (runtime / "ort-wasm-simd-threaded.mjs").read_bytes())
    pack(folder, "wasm", (runtime / "ort-wasm-simd-threaded.wasm").read_bytes())
    pack(folder, "sounds", json.dumps(sounds()).encode())
    for name in NETWORKS:
        pack(folder, name, for_browsers(build(load(name))))
    for name in LICENCES:
        text = distribution("onnxruntime").locate_file(f"onnxruntime/{name}").read_bytes()
        (folder / f"onnxruntime-{name}").with_suffix(".txt").write_bytes(text)


def read(file) -> str:
    """The text of a file."""
    return file.read_text(encoding="utf-8")


def pack(folder: Path, name: str, content: bytes) -> None:
    """Write a script that hands over a file, compressed and in letters."""
    text = base64.b64encode(gzip.compress(content, mtime=0)).decode("ascii")
    (folder / f"{name}.js").write_text(f'effifusionFiles["{name}"]("{text}");\n', encoding="ascii")


def settings() -> dict:
    """The package's constants, by the names that the page has for them."""
    (config,) = {load(name).config.spectral for name in NETWORKS}  # one for all of them
    if config.n_fft != config.win_length:
        raise ValueError("the page's transform takes windows of its own length only")
    return {
        "rate": SAMPLE_RATE,
        "window": windows.WINDOW,
        "crossfade": windows.CROSSFADE,
        "spectral": {
            "size": config.n_fft,
            "hop": config.hop_length,
            "compression": config.compression,
            "magnitudeEps": MAGNITUDE_EPS,
            "realEps": REAL_EPS,
            "imagEps": IMAG_EPS,
        },
        "silence": {
            "level": windows.SILENCE,
            "frame": silence.FRAME,
            "quiet": silence.QUIET,
            "shortest": silence.SHORTEST,
            "joint": silence.JOINT,
        },
    }


def sounds() -> dict:
    """Speech and noises of the mixer, with the text and the active level of the speech."""
    speech = {}
    for name in clips.names("clean"):
        waveform = clips.load(name)[0][: round(SECONDS * SAMPLE_RATE)]
        level, text = active_speech_level(waveform), clips.info(name).text
        speech[name] = {"level": level, "text": text, "samples": sixteen_bits(waveform)}
    noise = {kind: sixteen_bits(clips.noise(kind, SECONDS, SEED)) for kind in clips.KINDS}
    return {"speech": speech, "noise": noise}


def sixteen_bits(waveform: np.ndarray) -> str:
    """`[N]` samples as 16-bit numbers in base64."""
    samples = np.round(32768 * waveform).clip(-32768, 32767).astype("<i2")
    return base64.b64encode(samples.tobytes()).decode("ascii")


def for_browsers(content: bytes) -> bytes:
    """Turn the convolutions along time into ones along a row; the numbers stay the same.

    The graph convolves `[N, H, L, 1]`, which is quick on a processor; WebAssembly gathers a row
    of `[N, H, 1, L]` several times faster than such a column.
    """
    model = onnx.load_from_string(content)
    turned = sum(map(_turn, _graphs(model.graph)))
    if not turned:
        raise ValueError("the graph holds no convolution along time: see for_browsers")
    return model.SerializeToString()


def _graphs(graph: onnx.GraphProto):
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from _graphs(attribute.g)


def _turn(graph: onnx.GraphProto) -> int:
    constants = {constant.name: constant for constant in graph.initializer}
    makers = {name: node for node in graph.node for name in node.output}
    count = 0
    for node in graph.node:
        kernel = constants.get(node.input[1]) if node.op_type == "Conv" else None
        before = makers.get(node.input[0])
        after = [other for other in graph.node if node.output[0] in other.input]
        if kernel is None or list(kernel.dims)[2:] != [max(kernel.dims[2:]), 1]:
            continue
        if [one.op_type for one in (before, *after) if one] != ["Transpose"] * 2:
            continue
        kernel.dims[2], kernel.dims[3] = 1, kernel.dims[2]
        for attribute in node.attribute:
            if attribute.name == "pads":
                top, left, bottom, right = attribute.ints
                attribute.ints[:] = [left, top, right, bottom]
        for transpose in (before, *after):
            transpose.attribute[0].ints[:] = [0, 3, 2, 1]
        count += 1
    return count
