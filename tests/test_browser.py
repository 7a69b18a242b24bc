"""Chapter 01 in a real JupyterLab: it runs there, and its slider is alive."""

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
import pytest

playwright = pytest.importorskip(
    "playwright.sync_api", reason="playwright is not installed: pip install playwright"
)

REPOSITORY = Path(__file__).resolve().parents[1]
CHAPTER = "notebooks/01_spectrograms_and_compression.ipynb"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
FLAGS = [
    "--no-sandbox",
    "--disable-quic",
    "--disable-background-networking",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # no way out
]
INLINE = ("data:", "blob:")
BROKEN_PICTURES = """() => [...document.querySelectorAll(".jp-Notebook img")]
    .filter((image) => !image.naturalWidth).map((image) => image.alt)"""
START, RUN = 180, 300  # seconds
ALL_RAN = """() => [...document.querySelectorAll(".jp-CodeCell .jp-InputPrompt")]
    .every((prompt) => /^\\[\\d+\\]:$/.test(prompt.textContent.trim()))"""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")


@pytest.fixture(scope="module")
def jupyterlab(tmp_path_factory):
    """A local JupyterLab over a trusted copy of the chapter: (address, token, folder)."""
    home = tmp_path_factory.mktemp("lab")
    folder = home / "series"
    (folder / "notebooks").mkdir(parents=True)
    shutil.copy(REPOSITORY / CHAPTER, folder / CHAPTER)
    shutil.copytree(REPOSITORY / "figures", folder / "figures")
    environment = _environment(home)
    jupyter = [sys.executable, "-m", "jupyter"]
    subprocess.run([*jupyter, "trust", folder / CHAPTER], env=environment, check=True)

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
        yield address, token, folder
    finally:
        server.terminate()
        server.wait(timeout=30)


@pytest.fixture
def page(jupyterlab):
    """A page of headless Chromium that reaches nothing but this machine."""
    requests = []
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.on("request", lambda request: requests.append(request.url))
        page.set_default_timeout(START * 1000)
        yield page
        browser.close()
    outside = [url for url in requests if not url.startswith(("http://127.0.0.1:", *INLINE))]
    assert outside == [], "the chapter is to work offline"


def test_chapter_01_runs_and_its_slider_moves_the_figure(jupyterlab, page):
    address, token, folder = jupyterlab
    page.goto(f"{address}/lab/tree/{CHAPTER}?reset&token={token}")
    _wait_until(lambda: _kernel_is_ready(address, token), "the kernel does not start")
    page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for()
    # Before the run the picture stands in for the slider.
    page.locator('.jp-OutputArea img[alt^="At c = 0.3"]').wait_for(state="attached")
    slider = page.locator(".jupyter-widgets [role=slider]")
    assert slider.count() == 0

    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    slider.wait_for(state="attached", timeout=RUN * 1000)
    page.wait_for_function(ALL_RAN, timeout=RUN * 1000)

    figure = page.locator(".jupyter-widgets img")
    before = figure.get_attribute("src")
    assert figure.get_attribute("alt").startswith("At c = 0.3")
    place = slider.get_attribute("aria-valuenow")
    while slider.get_attribute("aria-valuenow") == place:  # the notebook may take the focus back
        slider.press("ArrowRight")
        page.wait_for_timeout(1000)
    page.locator('.jupyter-widgets img[alt^="At c = 0.4"]').wait_for()
    assert figure.get_attribute("src") != before

    assert page.evaluate(BROKEN_PICTURES) == []

    written = (folder / CHAPTER).stat().st_mtime_ns
    page.keyboard.press("Control+s")
    _wait_until(
        lambda: (folder / CHAPTER).stat().st_mtime_ns != written, "the chapter is not saved"
    )
    notebook = nbformat.read(folder / CHAPTER, as_version=4)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert [output for output in outputs if output.output_type == "error"] == []
    assert any("all below" in output.get("text", "") for output in outputs)  # the proof ran


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
