"""The chapters in a real JupyterLab, trusted and not, and as a static page without a network."""

import base64
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
import numpy as np
import pytest
import soundfile
from hearing import SPY, sine

from effifusion_lite.listening import row
from notebooks import compose

pytest.importorskip(
    "playwright.sync_api", reason="playwright is not installed: pip install playwright"
)

REPOSITORY = Path(__file__).resolve().parents[2]
CHAPTER_00 = "notebooks/00_hear_the_problem.ipynb"
CHAPTER_01 = "notebooks/01_spectrograms_and_compression.ipynb"
LISTENING_LAB = "notebooks/listening_lab.ipynb"
FOREIGN, WIDGETS = "notebooks/foreign.ipynb", "notebooks/widgets.ipynb"
NINE = "notebooks/nine.ipynb"
DRAWINGS = REPOSITORY / "notebooks/figures"
INLINE = ("data:", "blob:")
BROKEN_PICTURES = """() => [...document.querySelectorAll(".jp-Notebook img")]
    .filter((image) => !image.naturalWidth).map((image) => image.alt)"""
START, RUN = 180, 300  # seconds
# Of the first version of a player, from the sign changes of its samples in half a second.
PITCH = """async (root) => {
  const [buffer] = await root.effifusion.buffers();
  const half = buffer.sampleRate / 2;
  const samples = buffer.getChannelData(0).subarray(half, 2 * half);
  return samples.filter((x, i) => i > 0 && x < 0 !== samples[i - 1] < 0).length;
}"""
# A second and a half of a tone as MP4, base64.
MEMO = """async () => {
  const context = new AudioContext();
  await context.resume();
  const tone = new OscillatorNode(context, { frequency: 440 });
  const quieter = new GainNode(context, { gain: 0.1 });
  const target = context.createMediaStreamDestination();
  tone.connect(quieter).connect(target);
  tone.start();
  const type = ["audio/mp4", "audio/webm"].find((name) => MediaRecorder.isTypeSupported(name));
  const recorder = new MediaRecorder(target.stream, { mimeType: type });
  const recorded = new Promise((done) => (recorder.ondataavailable = ({ data }) => done(data)));
  recorder.start();
  await new Promise((done) => setTimeout(done, 1500));
  recorder.stop();
  const bytes = new Uint8Array(await (await recorded).arrayBuffer());
  return btoa(bytes.reduce((text, byte) => text + String.fromCharCode(byte), ""));
}"""
# A folded cell has no number.
ALL_RAN = """() => document.querySelector(".jp-Notebook-ExecutionIndicator[data-status=idle]") &&
  [...document.querySelectorAll(".jp-CodeCell .jp-InputPrompt")]
    .every((prompt) => /^(\\[\\d+\\]:)?$/.test(prompt.textContent.trim()))"""
# Looks for the last 64 ms that were heard in all versions, near the position of the player.
IDENTIFY = """async (root) => {
  const deck = root.effifusion;
  const buffers = await deck.buffers();
  if (!window.spy) return null;
  const all = new Float32Array(window.spy.fftSize);
  window.spy.getFloatTimeDomainData(all);
  const position = deck.position();
  const heard = all.slice(-1024);
  const rate = window.spy.context.sampleRate;
  const dot = (a, at, b) => {
    let sum = 0;
    for (let i = 0; i < 1024; i++) sum += a[at + i] * b[i];
    return sum;
  };
  const power = dot(heard, 0, heard);
  if (power < 1e-4) return null;
  let best = { match: 0 };
  buffers.forEach((buffer, index) => {
    const samples = buffer.getChannelData(0);
    const now = Math.round(position * rate);
    const last = Math.min(samples.length, now + 3000) - 1024;
    for (let at = Math.max(0, now - 7000); at <= last; at++) {
      const product = dot(samples, at, heard);
      if (product <= 0) continue;
      const own = dot(samples, at, samples.subarray(at, at + 1024));
      const match = product / Math.sqrt(own * power);
      const late = position - (at + 1024) / rate;
      if (match > best.match) best = { match, index, gain: product / own, late };
    }
  });
  return best;
}"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The chapters, one with a foreign hand in it, the live cells of chapter 00, and a long row."""
    folder = tmp_path_factory.mktemp("series")
    (folder / "notebooks").mkdir()
    for chapter in (CHAPTER_00, CHAPTER_01):
        shutil.copy(REPOSITORY / chapter, folder / chapter)
    shutil.copytree(DRAWINGS, folder / "notebooks/figures")
    notebook = nbformat.read(folder / CHAPTER_00, as_version=4)
    notebook.cells = [cell for cell in notebook.cells if cell.get("outputs")][:6]
    nbformat.write(notebook, folder / FOREIGN)
    live = compose.compose(REPOSITORY / "notebooks/source/00_hear_the_problem.py")
    wanted = ("import", "noise_mixer(", "own_recording(")
    live.cells = [
        cell
        for cell in live.cells
        if cell.cell_type == "code" and cell.source.strip().startswith(wanted)
    ]
    nbformat.write(live, folder / WIDGETS)
    nine = nbformat.v4.new_notebook(cells=[nine_versions()], metadata=live.metadata)
    nbformat.write(nine, folder / NINE)
    return folder


def nine_versions():
    """A cell that was run, with a row too long for the window."""
    tones = {f"tone {n}": sine(200 * n, 0.1, 2.0) for n in range(1, 10)}
    output = nbformat.v4.new_output("execute_result", {"text/html": row(tones).html})
    return nbformat.v4.new_code_cell("row(tones)", outputs=[output], execution_count=1)


@pytest.fixture(scope="module")
def jupyterlab(chromium, folder, tmp_path_factory):
    """A local JupyterLab over that folder, which trusts the chapters: (address, token)."""
    home = tmp_path_factory.mktemp("lab")
    environment = _environment(home)
    jupyter = [sys.executable, "-m", "jupyter"]
    chapters = [folder / name for name in (CHAPTER_00, CHAPTER_01, NINE)]
    subprocess.run([*jupyter, "trust", *chapters], env=environment, check=True)

    token, port = secrets.token_hex(16), _free_port()
    command = [
        *(*jupyter, "lab", "--no-browser", "--ip=127.0.0.1", f"--port={port}"),
        "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={folder}",
        f"--IdentityProvider.token={token}",
        "--LabApp.extension_manager=readonly",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        *(["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []),
    ]
    with open(home / "log", "w") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_until(
            lambda: server.poll() is not None or _answers(f"{address}/api"),
            "no answer from Jupyter",
        )
        assert server.poll() is None, (home / "log").read_text()
        yield address, token
    finally:
        server.terminate()
        server.wait(timeout=30)


@pytest.fixture
def page(chromium):
    """A page that reaches nothing but this machine."""
    requests = []
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.add_init_script(SPY)
    page.on("request", lambda request: requests.append(request.url))
    page.set_default_timeout(START * 1000)
    yield page
    context.close()
    outside = [url for url in requests if not url.startswith(("http://127.0.0.1:", *INLINE))]
    assert outside == [], "the chapter is to work offline"


def open_notebook(page, jupyterlab, notebook):
    address, token = jupyterlab
    page.goto(f"{address}/lab/tree/{notebook}?reset&token={token}")
    _wait_until(lambda: _kernel_is_ready(address, token), "the kernel does not start")
    page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for()


def run_all(page):
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    page.locator(".jupyter-widgets").first.wait_for(state="attached", timeout=RUN * 1000)
    page.wait_for_function(ALL_RAN, timeout=RUN * 1000)


def choose_file(page, path):
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose a file").click()
    chooser.value.set_files(path)


def identify(page, root):
    """Wait until one version is recognised in what is heard; which one, where, how loud."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        found = root.evaluate(IDENTIFY)
        if found and found["match"] > 0.98:
            return found
        page.wait_for_timeout(100)
    raise AssertionError(f"nothing is recognised: {found}")


# ---- the widgets -------------------------------------------------------------------------------


def test_mixer_and_recording_work_and_errors_are_shown(jupyterlab, page, tmp_path):
    open_notebook(page, jupyterlab, WIDGETS)
    run_all(page)
    mixer = page.locator(".widget-vbox", has_text="SNR (dB)")
    row = mixer.locator(".effi")
    row.get_by_role("button", name="Play").wait_for()
    sound = row.locator("audio").first.get_attribute("src")
    picture = row.get_by_role("img").nth(1).get_attribute("aria-label")
    scores = row.locator(".effi-scores").first.text_content()
    mixer.locator(".noUi-handle").press("Home")
    mixer.get_by_text("Ready after").wait_for()
    row.get_by_text("noise, -10 dB").wait_for()
    assert row.locator("audio").first.get_attribute("src") != sound
    row.get_by_role("img").nth(1).wait_for()
    assert row.get_by_role("img").nth(1).get_attribute("aria-label") != picture
    assert row.locator(".effi-scores").first.text_content() != scores
    row.get_by_role("button", name="2 tiny").click()
    row.get_by_role("button", name="Play").click()
    assert identify(page, row)["index"] == 1
    row.get_by_role("button", name="Pause").click()

    # The microphone of this browser beeps.
    page.get_by_role("button", name="Record").click()
    page.get_by_role("button", name="Stop").wait_for()
    page.wait_for_timeout(2500)
    page.get_by_role("button", name="Stop").click()
    recorded = page.locator(".effi", has_text="Your recording,")
    recorded.get_by_role("button", name="Play").wait_for()
    assert "48000 Hz" in recorded.locator(".effi-title").text_content()

    # What the kernel cannot read and the browser can, as most memos of telephones are.
    memo = tmp_path / "memo.m4a"
    memo.write_bytes(base64.b64decode(page.evaluate(MEMO)))
    with pytest.raises(soundfile.SoundFileError):
        soundfile.read(memo)
    recorded.locator(".effi-title").evaluate("(title) => (title.textContent = 'of before')")
    choose_file(page, memo)
    page.locator(".effi-title", has_text="Your recording,").wait_for()
    seconds = float(recorded.locator(".effi-title").text_content().split()[2])
    assert seconds == pytest.approx(1.5, abs=0.4)
    page.get_by_text("is gone in “tiny”").wait_for()  # what lies above 8 kHz
    assert recorded.evaluate(PITCH) == pytest.approx(440, abs=10)

    # A file of another rate with two channels, and one that is no sound.
    file, broken = tmp_path / "two.wav", tmp_path / "broken.wav"
    noise = np.random.default_rng(1).normal(0, 0.05, (44100, 2))
    soundfile.write(file, noise, 44100)
    broken.write_bytes(b"no sound at all")
    for path, text in (
        (file, "1.0 s at 44100 Hz"),
        (broken, "Neither the kernel nor this browser"),
    ):
        choose_file(page, path)
        page.get_by_text(text).first.wait_for()
    assert page.get_by_text("Traceback").count() == 0


def test_chapter_01_runs_and_its_explorer_follows(jupyterlab, page, folder):
    open_notebook(page, jupyterlab, CHAPTER_01)
    # Before the run the picture stands in for the widget.
    page.locator('.jp-OutputArea img[alt^="Compressed magnitude"]').wait_for(state="attached")
    assert page.locator(".noUi-handle").count() == 0
    run_all(page)

    picture = page.locator('.jupyter-widgets img[alt^="Compressed magnitude"]')
    before = picture.get_attribute("src")
    sounds = page.locator(".jupyter-widgets .effi audio")
    assert sounds.count() == 4
    sound = sounds.nth(2).get_attribute("src")
    slider = page.locator(".noUi-handle").first
    place = slider.get_attribute("aria-valuenow")
    while slider.get_attribute("aria-valuenow") == place:  # the notebook may take the focus back
        slider.press("ArrowRight")
        page.wait_for_timeout(1000)
    page.locator('.jupyter-widgets img[alt*="Windows of 32 ms"]').wait_for()
    assert picture.get_attribute("src") != before
    assert sounds.nth(2).get_attribute("src") != sound
    assert page.evaluate(BROKEN_PICTURES) == []

    file = folder / CHAPTER_01
    written = file.stat().st_mtime_ns
    page.keyboard.press("Control+s")
    _wait_until(  # to its end: the server does not write it at once
        lambda: file.stat().st_mtime_ns != written and file.read_text().rstrip().endswith("}"),
        "the chapter is not saved",
    )
    notebook = nbformat.read(file, as_version=4)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert [output for output in outputs if output.output_type == "error"] == []
    assert any("all below" in output.get("text", "") for output in outputs)  # the proof ran


# ---- without a run -----------------------------------------------------------------------------


def test_trusted_chapter_plays_before_it_is_run(jupyterlab, page):
    open_notebook(page, jupyterlab, CHAPTER_00)
    row = page.locator(".effi").first
    row.get_by_role("button", name="Play").click()
    assert identify(page, row)["index"] == 0
    cells = page.locator(".jp-Cell").count()
    page.keyboard.press("2")  # a key that would change the cell if the notebook got it
    assert identify(page, row)["index"] == 1
    assert page.locator(".jp-Cell").count() == cells
    assert page.get_by_text("trust the notebook").locator("visible=true").count() == 0


def test_long_row_keeps_its_controls_in_sight_and_its_keys(jupyterlab, page):
    open_notebook(page, jupyterlab, NINE)
    row = page.locator(".effi")
    last = row.locator(".effi-spectrogram").nth(8)
    last.wait_for()
    last.scroll_into_view_if_needed()
    panel = page.locator(".jp-WindowedPanel-outer").bounding_box()
    for control in (row.get_by_role("button", name="Play"), row.get_by_role("slider")):
        box = control.bounding_box()
        assert panel["y"] <= box["y"] and box["y"] + box["height"] < panel["y"] + panel["height"]
    cells = page.locator(".jp-Cell").count()
    last.click()
    assert row.evaluate("(root) => root.effifusion.chosen()") == 8
    page.keyboard.press("Space")
    _wait_until(lambda: row.evaluate("(root) => root.effifusion.playing()"), "nothing plays")
    page.keyboard.press("2")
    assert row.evaluate("(root) => root.effifusion.chosen()") == 1
    page.keyboard.press("0")  # twice it would restart the kernel
    assert page.locator(".jp-Cell").count() == cells
    assert page.locator(".jp-Notebook.jp-mod-commandMode").count() == 1


def test_untrusted_notebook_falls_back_to_plain_audio(jupyterlab, page):
    open_notebook(page, jupyterlab, FOREIGN)
    page.get_by_text("run this cell or trust the notebook").first.wait_for()
    assert page.get_by_role("button", name="Play").count() == 0
    audio = page.locator(".jp-OutputArea audio").first
    assert audio.is_visible()
    audio.evaluate("(element) => element.play()")
    page.wait_for_function("() => document.querySelector('.jp-OutputArea audio').currentTime > 0.1")


# ---- on a page ---------------------------------------------------------------------------------


@pytest.fixture
def static_page(chromium, tmp_path):
    """Open a chapter as a page without kernel or network; fails on requests and console errors.

    What nbconvert itself would fetch is left out.
    """
    from nbconvert import HTMLExporter

    nothing = "data:text/javascript,"
    exporter = HTMLExporter(
        template_name="lab", require_js_url=nothing, mathjax_url=nothing, jquery_url=nothing
    )
    context = chromium.new_context(offline=True)
    problems = []

    def open_page(chapter):
        path = tmp_path / "chapter.html"
        path.write_text(exporter.from_filename(str(REPOSITORY / chapter))[0], encoding="utf-8")
        shutil.copytree(DRAWINGS, tmp_path / "figures", dirs_exist_ok=True)
        page = context.new_page()
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda request: problems.append(request.url))
        page.add_init_script(SPY)
        page.goto(path.as_uri())
        problems.remove(path.as_uri())
        return page

    yield open_page
    context.close()
    drawings = (tmp_path / "figures").as_uri()
    assert [what for what in problems if not what.startswith((*INLINE, drawings))] == []


def assert_accessible(page):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    violations = axe.run(page, context=".effi")
    assert violations.violations_count == 0, violations.generate_report()


def test_static_page_plays_without_a_network_and_is_accessible(static_page):
    page = static_page(CHAPTER_00)
    row = page.locator(".effi").filter(has_text="Enhancement:")
    row.scroll_into_view_if_needed()
    row.get_by_role("button", name="Play").click()
    first = identify(page, row)
    page.keyboard.press("2")
    page.wait_for_timeout(300)
    second = identify(page, row)
    assert (first["index"], second["index"]) == (0, 1)
    for found in (first, second):
        assert found["gain"] == pytest.approx(1, abs=0.02)  # what stands in the page, unchanged
        assert abs(found["late"]) < 0.4
    assert page.get_by_text("This page has no kernel").count() == 2
    assert_accessible(page)


def test_sliders_of_the_static_listening_lab_move_sound_and_picture(static_page):
    page = static_page(LISTENING_LAB)
    training, pruning = page.locator('.effi[data-kind="slider"]').all()
    steps = training.locator(".effi-version").count()

    def at(root, index, name, text):
        """Sound, picture and line are those of one frame; its picture."""
        _wait_until(lambda: identify(page, root)["index"] == index, f"{name!r} is not heard")
        frame = root.locator(f'.effi-version[data-name="{name}"]')
        picture = frame.locator(".effi-spectrogram")
        picture.wait_for()
        assert name in picture.get_attribute("aria-label")
        assert text in frame.inner_text()
        return picture.evaluate("(canvas) => canvas.toDataURL()")

    training.scroll_into_view_if_needed()
    slider = training.get_by_role("slider", name="training step")
    training.get_by_role("button", name="Play").click()
    noisy = at(training, 0, "training step: noisy", "SI-SDR")
    slider.press("ArrowRight")
    untrained = at(training, 1, "training step: 0", "SI-SDR")
    slider.press("End")
    slider.press("ArrowLeft")
    last = training.locator(".effi-version").nth(steps - 2).get_attribute("data-name")
    trained = at(training, steps - 2, last, "SI-SDR")
    assert len({noisy, untrained, trained}) == 3
    training.get_by_role("button", name="Pause").click()

    pruning.scroll_into_view_if_needed()
    rate = pruning.get_by_role("slider", name="taken out (%)")
    way = pruning.get_by_role("slider", name="how")
    pruning.get_by_role("button", name="Play").click()
    name = "taken out (%): {}, how: {}"
    whole = at(pruning, 0, name.format(0, "units removed"), "100 % of the MACs")
    rate.press("End")
    removed = at(pruning, 18, name.format(90, "units removed"), " 0 % of them zero")
    way.press("ArrowRight")
    masked = at(pruning, 19, name.format(90, "weights masked"), "100 % of the MACs")
    assert len({whole, removed, masked}) == 3
    pruning.get_by_role("button", name="1 at the slider").focus()
    page.keyboard.press("2")
    _wait_until(lambda: identify(page, pruning)["index"] == 20, "the clean speech is not heard")
    for kind in ("player", "abx"):
        page.locator(f'.effi[data-kind="{kind}"]').scroll_into_view_if_needed()
    page.get_by_role("button", name="Start the test").wait_for()
    assert_accessible(page)


def _environment(home):
    """Configuration, trust and settings of this test alone; no news, all cells in the page."""
    settings = home / "settings" / "@jupyterlab"
    for extension, name, values in (
        ("notebook-extension", "tracker", {"windowingMode": "none"}),
        ("apputils-extension", "notification", {"fetchNews": "false", "checkForUpdates": False}),
    ):
        (settings / extension).mkdir(parents=True)
        file = settings / extension / f"{name}.jupyterlab-settings"
        file.write_text(json.dumps(values))
    return os.environ | {
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        "IPYTHONDIR": str(home / "ipython"),
    }


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _answers(address):
    """The body of the server's answer; b"" while it has none, or fails to look at a new kernel."""
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            return answer.read()
    except OSError:
        return b""


def _kernel_is_ready(address, token):
    """A page that shows "idle" may still be without a kernel: the server knows."""
    kernels = json.loads(_answers(f"{address}/api/kernels?token={token}") or "[]")
    return any(item["execution_state"] == "idle" and item["connections"] for item in kernels)


def _wait_until(condition, complaint):
    end = time.monotonic() + START
    while not condition():
        assert time.monotonic() < end, complaint
        time.sleep(0.2)
