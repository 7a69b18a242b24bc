"""The network in the page: it gives what the package gives, and no input goes unanswered."""

import base64
import json
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import soundfile

from effifusion_lite import enhance, load
from effifusion_lite.audio import SAMPLE_RATE, load_audio, mix_at_snr, resample, save_audio
from effifusion_lite.listening import clips
from effifusion_lite.metrics import si_sdr

for package in ("sphinx", "furo", "myst_nb", "latex2mathml", "ziamath", "onnx", "onnxruntime"):
    pytest.importorskip(package, reason=f"{package} is not installed: pip install '.[site]'")

REPOSITORY = Path(__file__).resolve().parents[2]
SITE = REPOSITORY / "site"
HEAD = "<!doctype html><html lang=en><meta charset=utf-8><title>t</title>"
HEAD += "<link rel=icon href=data:,>"
INLINE = ("data:", "blob:")
ENDED = "/^(Enhanced|Cancelled|This )/"
# Samples of a version, the bytes of float32 as letters: numbers would take seconds.
SAMPLES = """([version, channel]) => {
  const { buffer } = document.querySelector(".effi").effifusion.samplesOf(version, [channel]);
  const bytes = new Uint8Array(buffer);
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}"""

DROPPED = """(letters) => {
  const bytes = Uint8Array.from(letters, (letter) => letter.charCodeAt(0));
  const dropped = new DataTransfer();
  dropped.items.add(new File([bytes], "dropped.wav"));
  return dropped;
}"""
# How many pixels are painted in each column of a canvas.
HEIGHTS = """(canvas) => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const heights = new Array(canvas.width).fill(0);
  for (let i = 3; i < data.length; i += 4) if (data[i]) heights[(i >> 2) % canvas.width]++;
  return heights;
}"""
FOCUSED = "document.activeElement.ariaLabel ?? document.activeElement.textContent"


class Served(SimpleHTTPRequestHandler):
    """A server that writes no log; below /isolated/ its pages may use several threads."""

    def log_message(self, *_):
        pass

    def end_headers(self):
        if "isolated" in self.path:
            self.send_header("Cross-Origin-Opener-Policy", "same-origin")
            self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        super().end_headers()

    def translate_path(self, path):
        return super().translate_path(path.replace("/isolated/", "/"))


@pytest.fixture(scope="module")
def tryit():
    """The module that makes what the pages load."""
    sys.path.insert(0, str(SITE))
    try:
        import tryit

        yield tryit
    finally:
        sys.path.remove(str(SITE))


@pytest.fixture(scope="module")
def site(tmp_path_factory, tryit):
    """The two pages, without the theme of the site."""
    try:
        tryit.install()
    except tryit.NotBuilt as reason:
        pytest.skip(f"no network in the page: {reason}")
    source = tmp_path_factory.mktemp("server") / "course" / "source"
    source.mkdir(parents=True)
    assert tryit.add(source) is None
    out = source / "extra"
    for name in ("try.html", "mixer.html"):
        body = (source / name).read_text()
        (out / name).write_text(f"{HEAD}<main><h1>The page</h1>{body}</main>")
    return out


@pytest.fixture(scope="module")
def server(site):
    handler = partial(Served, directory=str(site.parents[2]))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def open_page(chromium):
    """Opens a page and collects, in its `problems`, console errors and requests that leave it."""
    contexts = []

    def open_page(address, name="try.html"):
        offline = address.startswith("file")
        context = chromium.new_context(offline=offline, permissions=["microphone"])
        contexts.append(context)
        page = context.new_page()
        page.problems = []
        page.on("console", lambda message: page.problems.append(message.text))
        page.on("pageerror", lambda error: page.problems.append(str(error)))
        own = (address, *INLINE)
        context.on("request", lambda asked: asked.url.startswith(own) or note(page, asked))
        page.goto(address + name)
        return page

    def note(page, request):
        page.problems.append(f"asks for {request.url}")

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def opened(open_page, site):
    return open_page(f"{site.as_uri()}/")


@pytest.fixture
def page(opened):
    """The page from a folder, without a network; all tests share it, as a reader would."""
    yield opened
    assert opened.problems == []


@pytest.fixture(scope="module")
def phrase():
    """Twelve seconds of noisy speech."""
    names = ("garage_fan", "river_rain", "beach_rain")
    return np.concatenate([clips.pair(name)[1] for name in names])


def choose(page, path):
    page.get_by_label("Choose a recording").set_input_files(path)


def state(page):
    """What the page says in the end."""
    status = page.locator(".effi-try [role=status]").first
    ended = f"(line) => {ENDED}.test(line.textContent)"
    page.wait_for_function(ended, arg=status.element_handle(), timeout=120_000)
    return status.text_content()


def samples(page, version, channel=0):
    letters = page.evaluate(SAMPLES, [version, channel])
    return np.frombuffer(letters.encode("latin-1"), np.float32)


# ---- the same numbers --------------------------------------------------------------------------


def test_a_recording_becomes_what_the_package_makes_of_it(page, phrase, tmp_path):
    both = np.stack([phrase[:72000], np.roll(phrase, 3000)[:72000]])
    both[0, 30000:45000] = 0  # silence, which is taken out
    cases = {
        "half a second": (phrase[:8000], SAMPLE_RATE, "PCM_16"),
        "two windows at 44.1 kHz": (resample(phrase[20000:60000], 16000, 44100), 44100, "FLOAT"),
        "three windows in stereo": (resample(both, SAMPLE_RATE, 48000), 48000, "FLOAT"),
    }
    for name, (waveform, rate, subtype) in cases.items():
        path = tmp_path / f"{name}.wav"
        save_audio(path, waveform, rate, subtype)
        choose(page, path)
        page.get_by_text(f"{name} by tiny").wait_for(timeout=120_000)
        noisy, stored = load_audio(path)
        for channel, wanted in enumerate(enhance(noisy, stored, "tiny")):
            removed = noisy[channel] - wanted
            for version, expected in enumerate((noisy[channel], wanted, removed)):
                assert np.abs(samples(page, version, channel) - expected).max() < 1e-3


def test_lite_strength_and_what_is_kept(open_page, site, phrase, tmp_path):
    page = open_page(f"{site.as_uri()}/")
    path = tmp_path / "mine.wav"
    save_audio(path, resample(phrase[:16000], SAMPLE_RATE, 22050), 22050)
    page.get_by_label("lite").check()
    choose(page, path)
    assert state(page).startswith("Enhanced by lite")
    page.get_by_label("Strength").fill("40")
    wanted = enhance(load_audio(path)[0], 22050, "lite", strength=0.4)[0]
    assert np.abs(samples(page, 1) - wanted).max() < 1e-3
    with page.expect_download() as download:
        page.get_by_role("button", name="Download enhanced").click()
    assert download.value.suggested_filename == "mine_by_lite_enhanced.wav"
    kept, rate = soundfile.read(download.value.path(), dtype="float32")
    assert rate == 22050 and np.abs(kept - wanted).max() < 1e-3
    page.keyboard.press("2")
    page.get_by_role("button", name="Play").click()
    heard = "document.querySelector('.effi').effifusion.deck.levels()"
    page.wait_for_function(f"{heard}[1] > 0")
    original, enhanced = page.evaluate(heard)
    assert enhanced / original == pytest.approx(0.4 / 0.6, rel=0.01)
    assert page.problems == []


@pytest.mark.parametrize("above", ["/course", "/isolated/course"])
def test_a_server_shows_it_with_threads_where_it_allows_them(
    open_page, server, phrase, tmp_path, above
):
    page = open_page(f"{server}{above}/source/extra/")
    assert page.evaluate("crossOriginIsolated") == ("isolated" in above)
    save_audio(tmp_path / "short.wav", phrase[:8000], SAMPLE_RATE)
    choose(page, tmp_path / "short.wav")
    assert state(page).startswith("Enhanced")
    wanted = enhance(load_audio(tmp_path / "short.wav")[0], SAMPLE_RATE, "tiny")[0]
    assert np.abs(samples(page, 1) - wanted).max() < 1e-3
    assert page.problems == []


def test_a_turned_graph_gives_the_same(tryit):
    from effifusion_lite.enhancement.onnx.backend import OnnxGenerator
    from effifusion_lite.enhancement.onnx.generator import build

    noisy = clips.pair("garage_fan")[1][:8000]
    content = build(load("tiny"))
    turned = tryit.for_browsers(content)
    assert turned != content
    first, second = (enhance(noisy, SAMPLE_RATE, OnnxGenerator(one)) for one in (content, turned))
    assert np.abs(first - second).max() < 1e-5


# ---- recordings of all kinds -------------------------------------------------------------------


def test_what_is_no_recording_gets_one_sentence(page, phrase, tmp_path):
    (tmp_path / "text.wav").write_text("This is a text.\n" * 50)
    (tmp_path / "empty.wav").touch()
    save_audio(tmp_path / "eleven.wav", np.zeros(8000 * 660, np.float32), 8000)
    broken = np.where(np.arange(8000) == 100, np.nan, phrase[:8000])
    soundfile.write(tmp_path / "broken.wav", broken, SAMPLE_RATE, subtype="FLOAT")
    save_audio(tmp_path / "silent.wav", np.zeros((2, 48000), np.float32), 48000)
    sentences = {
        "text": "This did not work: This browser finds no sound in text.wav: take WAV, FLAC, ",
        "empty": "This did not work: empty.wav is empty: record or copy it again.",
        "eleven": "This did not work: A recording may last ten minutes at most: cut it first.",
        "broken": "This did not work: the recording holds samples that are no numbers.",
        "silent": "This recording is silent.",
    }
    for name, sentence in sentences.items():
        choose(page, tmp_path / f"{name}.wav")
        page.get_by_text(sentence).wait_for()
    assert np.abs(samples(page, 1)).max() == 0


def test_formats_are_decoded_at_their_own_rate(page, phrase, tmp_path):
    tiny = phrase[20000:20080]
    for name, rate in {"a.flac": 22050, "b.ogg": 44100, "c.mp3": 32000, "d.wav": 11025}.items():
        save_audio(tmp_path / name, resample(phrase[:4000], SAMPLE_RATE, rate), rate)
        choose(page, tmp_path / name)
        page.get_by_text(f"{name[0]} by tiny", exact=True).wait_for()
        assert page.evaluate("document.querySelector('.effi').effifusion.rate") == rate
    save_audio(tmp_path / "5 ms.wav", np.stack([tiny, tiny]), SAMPLE_RATE)
    choose(page, tmp_path / "5 ms.wav")
    page.get_by_text("5 ms by tiny").wait_for()
    wanted = enhance(load_audio(tmp_path / "5 ms.wav")[0], SAMPLE_RATE, "tiny")
    for channel in (0, 1):
        assert np.abs(samples(page, 1, channel) - wanted[channel]).max() < 1e-3


def test_pictures_of_a_long_recording_show_its_sound_where_it_is(page, phrase, tmp_path):
    long = np.zeros(90 * SAMPLE_RATE, np.float32)
    long[60 * SAMPLE_RATE : 61 * SAMPLE_RATE] = phrase[SAMPLE_RATE : 2 * SAMPLE_RATE]
    save_audio(tmp_path / "long pause.wav", long, SAMPLE_RATE)
    choose(page, tmp_path / "long pause.wav")
    page.get_by_text("long pause by tiny").wait_for()
    heights = page.locator(".effi-wave").first.evaluate(HEIGHTS)
    columns = np.flatnonzero(np.array(heights) > 2)
    assert 0 <= columns.min() - 60 / 90 * 420 < 2 and 0 <= 61 / 90 * 420 - columns.max() < 2


def test_a_second_recording_takes_the_place_of_the_first(page, phrase, tmp_path):
    save_audio(tmp_path / "long.wav", np.tile(phrase, 9), SAMPLE_RATE)
    save_audio(tmp_path / "short.wav", phrase[:4000], SAMPLE_RATE)
    choose(page, tmp_path / "long.wav")
    page.get_by_text("s left").wait_for()
    assert 0 < page.get_by_label("Enhanced so far").evaluate("(bar) => bar.value") < 0.5
    choose(page, tmp_path / "short.wav")
    page.get_by_text("short by tiny").wait_for()
    choose(page, tmp_path / "long.wav")
    page.get_by_role("button", name="Cancel").click()
    assert state(page) == "Cancelled."
    assert not page.locator(".effi").is_visible()


def test_a_recording_can_be_dropped(page, phrase, tmp_path):
    save_audio(tmp_path / "a.wav", phrase[:4000], SAMPLE_RATE)
    letters = (tmp_path / "a.wav").read_bytes().decode("latin-1")
    dropped = page.evaluate_handle(DROPPED, letters)
    page.locator(".effi-drop").dispatch_event("drop", {"dataTransfer": dropped})
    page.get_by_text("dropped by tiny").wait_for()
    assert np.abs(samples(page, 0) - load_audio(tmp_path / "a.wav")[0]).max() < 1e-4


def test_a_file_takes_the_place_of_what_is_being_recorded(page, phrase, tmp_path):
    page.get_by_role("button", name="Record", exact=True).click()
    page.get_by_text("Recording, 0 s").wait_for()
    save_audio(tmp_path / "file.wav", phrase[:4000], SAMPLE_RATE)
    choose(page, tmp_path / "file.wav")
    page.get_by_text("file by tiny").wait_for()
    page.get_by_role("button", name="Record", exact=True).wait_for()


def test_the_microphone(page):
    page.get_by_role("button", name="Record", exact=True).click()
    page.get_by_text("Recording, 1 s").wait_for()
    page.get_by_role("button", name="Stop").click()
    assert state(page).startswith("Enhanced by tiny")
    assert np.abs(samples(page, 0)).max() > 0.01  # the beeps of the browser


# ---- the mixer ---------------------------------------------------------------------------------


def test_the_mixer_mixes_enhances_and_measures(open_page, site):
    page = open_page(f"{site.as_uri()}/", "mixer.html")
    page.get_by_label("Speech").select_option("rms_garage")
    page.get_by_label("Noise").select_option("fan")
    page.get_by_label("SNR").fill("0")
    clean = clips.load("rms_garage")[0][:48000]
    noisy = mix_at_snr(clean, clips.noise("fan", 3.0, 5), 0)
    assert np.abs(samples(page, 0) - noisy).max() < 1e-3
    page.get_by_role("button", name="Enhance with tiny").click()
    page.get_by_role("cell", name="rms garage").wait_for()
    enhanced = enhance(noisy, SAMPLE_RATE, "tiny")
    assert np.abs(samples(page, 1) - enhanced).max() < 1e-3
    cells = page.locator("tbody tr").first.locator("td").all_inner_texts()
    assert cells[0] == "rms garage, fan, 0 dB, tiny"
    before, after, gained = (float(cell.removesuffix(" dB")) for cell in cells[1:])
    assert before == pytest.approx(si_sdr(clean, noisy), abs=0.06)
    assert after == pytest.approx(si_sdr(clean, enhanced), abs=0.06)
    assert gained == pytest.approx(after - before, abs=0.11) and gained > 3
    shown = page.locator(".effi-version", has_text="2 tiny").locator(".effi-text")
    full = shown.inner_text()
    page.get_by_label("Strength").fill("50")
    half = float(shown.inner_text().removeprefix("SI-SDR ").removesuffix(" dB"))
    assert full != f"SI-SDR {half:.1f} dB"
    assert half == pytest.approx(si_sdr(clean, 0.5 * (noisy + enhanced)), abs=0.06)
    assert page.problems == []


# ---- the page ----------------------------------------------------------------------------------


def test_a_keyboard_does_all(page, phrase, tmp_path):
    save_audio(tmp_path / "short.wav", phrase[:8000], SAMPLE_RATE)
    choose(page, tmp_path / "short.wav")  # the browser's own window has its own keys
    assert state(page).startswith("Enhanced")
    reached = set()
    page.get_by_label("Choose a recording").focus()
    for _ in range(12):
        page.keyboard.press("Tab")
        reached.add(page.evaluate(FOCUSED))
    assert reached >= {
        "Record",
        "Play",
        "1 original",
        "2 enhanced",
        "3 removed",
        "Download removed",
    }


def test_without_node_the_pages_say_so(tryit, monkeypatch, tmp_path):
    monkeypatch.setattr(tryit, "INSTALLED", tmp_path / "npm")
    monkeypatch.setattr(tryit.shutil, "which", lambda name: None)
    source = tmp_path / "source"
    reason = tryit.add(source)
    assert "Node" in reason
    for name in ("try", "mixer"):
        assert reason in (source / f"{name}.html").read_text()
    assert [path for path in source.rglob("*") if path.suffix == ".js"] == []


def test_what_npm_brings_is_pinned():
    lock = json.loads((SITE / "package-lock.json").read_text())
    packages = {name: one for name, one in lock["packages"].items() if name}
    assert "node_modules/onnxruntime-web" in packages
    assert all(one["integrity"].startswith("sha512-") for one in packages.values())
    assert all(base64.b64decode(one["integrity"][7:]) for one in packages.values())
