"""What all tests share: one thread for each worker, built-in clips, real recordings, a browser."""

import os
import shutil
from pathlib import Path

# Set before torch is imported: two workers on two cores would otherwise start four threads.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# The tests are about the built-in clips, notebooks included; those of a corpus name their own.
os.environ.pop("EFFIFUSION_VBD", None)

import pytest  # noqa: E402
from hearing import SPY  # noqa: E402
from hypothesis import settings  # noqa: E402

REPOSITORY = Path(__file__).resolve().parents[1]

# The same examples on each run, and no failure because a machine was busy.
settings.register_profile("project", derandomize=True, deadline=None)
settings.load_profile("project")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real speech and noise with a manifest.csv; it is no part of the project."""
    folder = Path(os.environ.get("EFFIFUSION_DATA", REPOSITORY.parent / "shared" / "data"))
    if not (folder / "manifest.csv").is_file():
        pytest.skip(f"no real recordings in {folder}: name their folder in EFFIFUSION_DATA")
    return folder


@pytest.fixture(scope="session")
def chromium():
    """Headless Chromium with a microphone that beeps."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    names = ("chromium", "chromium-browser", "google-chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    options = ["--no-sandbox", "--disable-quic", "--disable-background-networking"]
    options += ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    options += ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]  # no way out
    with api.sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=path, args=options)
        except api.Error as error:
            pytest.skip(f"no Chromium to be had: {str(error).splitlines()[0]}")
        yield browser
        browser.close()


@pytest.fixture
def page_of(chromium, tmp_path):
    """Open a page with the given HTML; fails on console errors and on requests."""
    contexts, problems = [], []

    def open_page(body, **options):
        path = tmp_path / "page.html"
        head = "<!doctype html><html lang=en><meta charset=utf-8><title>t</title>"
        path.write_text(f"{head}<main><h1>t</h1>{body}</main>")
        context = chromium.new_context(offline=True, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda request: problems.append(request.url))
        if options.get("java_script_enabled", True):
            page.add_init_script(SPY)
        page.goto(path.as_uri())
        problems.remove(path.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [problem for problem in problems if not problem.startswith(("data:", "blob:"))] == []
