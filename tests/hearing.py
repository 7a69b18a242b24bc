"""Ears for the tests of the players: a browser, sounds whose pitch tells the place, what plays."""

import shutil

import numpy as np
import pytest

RATE = 16000
SECONDS = 20.0
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
# A spy beside the loudspeaker: the tests look at what is heard, not at what the page says.
SPY = """
const connect = AudioNode.prototype.connect;
AudioNode.prototype.connect = function (target, ...rest) {
  if (target === this.context.destination) {
    window.spy ??= new AnalyserNode(this.context, { fftSize: 4096, smoothingTimeConstant: 0 });
    connect.call(this, window.spy);
  }
  return connect.call(this, target, ...rest);
};
"""
POSITION = "document.querySelector('.effi').effifusion.position()"
HEARD = """() => {
  const bins = new Float32Array(window.spy.frequencyBinCount);
  window.spy.getFloatFrequencyData(bins);
  const best = bins.indexOf(Math.max(...bins));
  const frequency = best * window.spy.context.sampleRate / window.spy.fftSize;
  return { frequency, level: bins[best], position: POSITION };
}""".replace("POSITION", POSITION)


def sine(frequency, amplitude, seconds=1.0):
    """A tone [N]."""
    time = np.arange(round(seconds * RATE)) / RATE
    return amplitude * np.sin(2 * np.pi * frequency * time)


def sweep(start, amplitude):
    """A tone [N] that rises by 100 Hz a second: its pitch tells the place."""
    time = np.arange(round(SECONDS * RATE)) / RATE
    return amplitude * np.sin(2 * np.pi * (start * time + 50 * time**2))


def hear(page, start, slope=100):
    """Wait until the pitch that is heard is that of a sweep at the player's position.

    The pitch says which version plays, and where in it. A busy machine may stop the sound for a
    moment; a player that is wrong never comes to agree. Gaps only lower the level: the highest of
    some readings counts.
    """
    agrees = f"""() => {{
      const heard = window.spy ? ({HEARD})() : {{ level: -Infinity }};
      const wanted = {start} + {slope} * heard.position;
      return heard.level > -60 && Math.abs(heard.frequency - wanted) < 40 ? heard : null;
    }}"""
    heard = page.wait_for_function(agrees, timeout=15000).json_value()
    for _ in range(8):
        page.wait_for_timeout(100)
        again = page.evaluate(agrees)
        if again is not None:
            heard["level"] = max(heard["level"], again["level"])
    return heard


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
        head += "<meta name=viewport content='width=device-width'>"
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
