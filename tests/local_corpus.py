"""A local server with small archives of the shape of VoiceBank+DEMAND, for the tests."""

from __future__ import annotations

import hashlib
import io
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import soundfile

from data_download.__main__ import main
from data_download.dataset import VOICEBANK_DEMAND, Archive, Dataset, Part

TEST_NAMES = [f"{speaker}_{n:03d}" for speaker in ("p232", "p257") for n in range(1, 9)]
TRAIN_NAMES = [f"{speaker}_{n:03d}" for speaker in ("p226", "p228", "p287") for n in range(1, 4)]
RATE = 48000


def voice(name: str, noise: float) -> np.ndarray:
    """A second of harmonics with a speech-like envelope, and noise; [N] at 48 kHz."""
    rng = np.random.default_rng(int(name[1:].replace("_", "")))
    samples = RATE + 3 * int(rng.integers(0, 2000))
    t = np.arange(samples) / RATE
    pitch = 110 + 60 * rng.random()
    tone = sum(np.sin(2 * np.pi * pitch * k * t) / k for k in range(1, 25))
    envelope = np.clip(np.sin(2 * np.pi * 3 * t), 0, None)
    return (0.1 * tone * envelope + noise * rng.standard_normal(samples)).astype(np.float32)


def wav(samples: np.ndarray, rate: int = RATE) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV", subtype="PCM_16")
    return file.getvalue()


def pack(entries: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return file.getvalue()


def condition(name: str) -> tuple[str, float]:
    number = int(name[5:]) - 1
    return ("bus", "cafe")[number % 2], (2.5, 17.5)[number // 2 % 2]


def side(names: list[str], noise: float, folder: str) -> bytes:
    return pack({f"{folder}{name}.wav": wav(voice(name, noise)) for name in names})


@dataclass
class Server:
    """What the server gives, how it misbehaves, and what it was asked."""

    files: dict[str, bytes]
    ranges: bool = True
    statuses: dict[str, list[int]] = field(default_factory=dict)  # path prefix -> next answers
    breaks: list[tuple[str, int]] = field(default_factory=list)  # (name, bytes until the break)
    page: str = ""  # path prefix that answers with a web page
    pause: float = 0.0  # seconds between blocks of 4 KiB
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    sent: Counter = field(default_factory=Counter)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def asked(self, name: str) -> list[str | None]:
        """The Range headers of the requests for an archive."""
        return [wanted for path, wanted in self.requests if path.endswith(name)]


def handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Keep the output of the tests clean."""

        def do_GET(self) -> None:
            wanted = self.headers["Range"]
            server.requests.append((self.path, wanted))
            for prefix, answers in server.statuses.items():
                if self.path.startswith(prefix) and answers:
                    return self.short(answers.pop(0) if len(answers) > 1 else answers[0])
            if server.page and self.path.startswith(server.page):
                return self.short(200, b"<html>Please wait</html>")
            name = self.path.rsplit("/", 1)[1]
            if name not in server.files:
                return self.short(404)
            self.give(name, server.files[name], wanted if server.ranges else None)

        def short(self, status: int, body: bytes = b"no") -> None:
            if status == 200 and body == b"no":  # "well again" in a list of statuses
                name = self.path.rsplit("/", 1)[1]
                return self.give(name, server.files[name], self.headers["Range"])
            self.send_response(status)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def give(self, name: str, data: bytes, wanted: str | None) -> None:
            first, last = 0, len(data) - 1
            if wanted:
                start, stop = wanted.removeprefix("bytes=").split("-")
                first = int(start) if start else max(0, len(data) - int(stop))
                last = min(last, int(stop)) if start and stop else last
                if first > last:
                    self.send_response(416)
                    self.send_header("Content-Range", f"bytes */{len(data)}")
                    self.send_header("Content-Length", "0")
                    return self.end_headers()
            self.send_response(206 if wanted else 200)
            if wanted:
                self.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
            self.send_header("Content-Type", "application/zip")
            self.send_header("Content-Length", str(last + 1 - first))
            self.end_headers()
            body = data[first : last + 1]
            cut = next((entry for entry in server.breaks if entry[0] == name), None)
            if cut:
                server.breaks.remove(cut)
                body = body[: cut[1]]
            for start in range(0, len(body), 4096):
                self.wfile.write(body[start : start + 4096])
                time.sleep(server.pause)
            server.sent[name] += len(body)
            if cut:
                self.wfile.flush()
                self.close_connection = True

    return Handler


@contextmanager
def serve(files: dict[str, bytes]) -> Iterator[Server]:
    """Serve these files until the block ends."""
    state = Server(dict(files))
    http = ThreadingHTTPServer(("127.0.0.1", 0), handler(state))
    http.handle_error = lambda *_: None  # clients that go away are part of the tests
    state.port = http.server_address[1]
    threading.Thread(target=http.serve_forever, daemon=True).start()
    try:
        yield state
    finally:
        http.shutdown()
        http.server_close()


def corpus(server: Server) -> Dataset:
    """The data set as the server has it: same names, own sizes, checksums and counts."""

    def archive(name: str) -> Archive:
        data = server.files[name]
        md5 = None if name.endswith("txt.zip") else hashlib.md5(data).hexdigest()
        return Archive(name, len(data), md5, name)

    def part(name: str, stem: str, pairs: int) -> Part:
        return Part(
            name,
            archive(f"clean_{stem}_wav.zip"),
            archive(f"noisy_{stem}_wav.zip"),
            archive(f"{stem}_txt.zip"),
            pairs,
        )

    return replace(
        VOICEBANK_DEMAND,
        parts=(
            part("train", "trainset_28spk", len(TRAIN_NAMES)),
            part("test", "testset", len(TEST_NAMES)),
        ),
        logs=archive("logfiles.zip"),
        address_forms=(f"{server.url}/first/{{bitstream}}", f"{server.url}/second/{{name}}"),
        pair_bytes=20_000,
    )


def prepare(server: Server, out: Path, *options: str, dataset: Dataset | None = None) -> int:
    command = ["voicebank-demand", "--out", str(out), *options]
    return main(command, dataset or corpus(server))
