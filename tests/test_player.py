import base64
import io
import re
import shutil

import numpy as np
import pytest
import soundfile

from effifusion_lite.listening import clips, row
from effifusion_lite.listening.player import BITS
from effifusion_lite.metrics import Scores

RATE = 16000


def sounds_in(page):
    found = re.findall(r'src="data:audio/flac;base64,([^"]+)"', page)
    return [soundfile.read(io.BytesIO(base64.b64decode(text))) for text in found]


def sine(frequency, amplitude, seconds=1.0):
    time = np.arange(round(seconds * RATE)) / RATE
    return amplitude * np.sin(2 * np.pi * frequency * time)


def test_one_gain_for_the_row():
    loud = 0.005
    versions = {"a": sine(400, loud), "b": sine(600, loud / 2), "c": np.zeros(RATE)}
    player = row(versions)
    assert player.gain_db == pytest.approx(-26 - 20 * np.log10(loud / np.sqrt(2)), abs=0.01)
    for (decoded, rate), original in zip(sounds_in(player.html), versions.values(), strict=True):
        assert rate == RATE
        error = decoded - 10 ** (player.gain_db / 20) * original
        assert np.abs(error).max() <= 2.0**-BITS


@pytest.mark.parametrize("amplitude", [1e-4, 0.1, 1.0, 7.0])
def test_no_peak_above_minus_one_decibel(amplitude):
    click = np.zeros(RATE)
    click[500] = amplitude
    player = row({"click": click, "tone": sine(400, amplitude / 10)})
    peak = max(np.abs(decoded).max() for decoded, _ in sounds_in(player.html))
    assert peak <= 10 ** (-1 / 20) + 2.0**-BITS


def test_silence_can_be_played():
    assert row({"silence": np.zeros(RATE)}).gain_db == 0.0


def test_four_versions_of_four_seconds_are_small():
    clean, noisy = (np.resize(waveform, 4 * RATE) for waveform in clips.pair("river_rain"))
    versions = {
        name: clean + g * (noisy - clean) for name, g in zip("abcd", (1, 0.5, 0.2, 0), strict=True)
    }
    assert len(row(versions, spectrogram=True).html) < 400_000


def test_page_holds_text_and_loads_nothing():
    tone = sine(400, 0.1)
    scores = {"<noisy>": Scores(pesq=1.5, stoi=0.9, reasons={"si_sdr": "it is <infinite>"})}
    page = row(
        {"<noisy>": tone, "clean": tone},
        title='A "title"',
        transcript="What was said & done.",
        listen_for="The hiss.",
        scores=scores,
        spectrogram=True,
    ).html
    assert "&lt;noisy&gt;" in page and "<noisy>" not in page and 'title="it is &lt;infinite' in page
    assert "What was said &amp; done." in page and "The hiss." in page and "1.50" in page
    assert page.count('alt="Spectrogram of') == 2
    assert not re.search(r"https?://|url\(|import ", page)
    assert (
        page
        == row(
            {"<noisy>": tone, "clean": tone},
            title='A "title"',
            transcript="What was said & done.",
            listen_for="The hiss.",
            scores=scores,
            spectrogram=True,
        ).html
    )


@pytest.mark.parametrize(
    ("versions", "message"),
    [
        ({}, "1 to 9"),
        ({str(number): np.zeros(10) for number in range(10)}, "1 to 9"),
        ({"a": np.zeros((2, 10))}, "one channel"),
        ({"a": np.zeros(0)}, "one channel"),
        ({"a": np.array([0.0, np.nan])}, "NaN"),
        ({"a": np.zeros(10), "b": np.zeros(11)}, "one length"),
    ],
)
def test_rows_that_cannot_be_made(versions, message):
    with pytest.raises(ValueError, match=message):
        row(versions)


def test_scores_of_unknown_versions_are_refused():
    with pytest.raises(ValueError, match="no such versions"):
        row({"a": np.zeros(10)}, scores={"b": Scores()})


# ---- in a browser ------------------------------------------------------------------------------

SECONDS = 20.0
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
POSITION = "document.querySelector('.effi-row').effifusion.position()"
HEARD = """() => {
  const bins = new Float32Array(window.spy.frequencyBinCount);
  window.spy.getFloatFrequencyData(bins);
  const best = bins.indexOf(Math.max(...bins));
  const frequency = best * window.spy.context.sampleRate / window.spy.fftSize;
  return { frequency, level: bins[best], position: POSITION };
}""".replace("POSITION", POSITION)


def sweep(start, amplitude):
    """A tone that rises by 100 Hz a second: its pitch tells the place."""
    time = np.arange(round(SECONDS * RATE)) / RATE
    return amplitude * np.sin(2 * np.pi * (start * time + 50 * time**2))


def hear(page, start):
    """Wait until the pitch that is heard is that of a sweep at the player's position.

    The pitch says which version plays, and where in it. A busy machine may stop the sound for a
    moment; a player that is wrong never comes to agree. Gaps only lower the level: the highest of
    some readings counts.
    """
    agrees = f"""() => {{
      const heard = window.spy ? ({HEARD})() : {{ level: -Infinity }};
      const place = (heard.frequency - {start}) / 100;
      return heard.level > -60 && Math.abs(place - heard.position) < 0.4 ? heard : null;
    }}"""
    heard = page.wait_for_function(agrees, timeout=15000).json_value()
    for _ in range(8):
        page.wait_for_timeout(100)
        again = page.evaluate(agrees)
        if again is not None:
            heard["level"] = max(heard["level"], again["level"])
    return heard


@pytest.fixture(scope="module")
def chromium():
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = shutil.which("chromium") or shutil.which("google-chrome")
    options = ["--no-sandbox", "--disable-quic", "--disable-background-networking"]
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
        path.write_text(f"<!doctype html><html lang=en><meta charset=utf-8><title>t</title>{body}")
        context = chromium.new_context(**options)
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
    assert problems == []


def two_sweeps():
    return row({"low": sweep(500, 0.1), "high": sweep(4500, 0.05)}, spectrogram=True)


def test_switching_keeps_place_and_gain(page_of):
    page = page_of(two_sweeps().html)
    page.get_by_role("button", name="Play").click()
    low = hear(page, 500)
    page.keyboard.press("2")
    high = hear(page, 4500)
    page.get_by_role("button", name="1 low").click()
    again = hear(page, 500)
    assert 0 <= low["position"] < high["position"] < again["position"]
    # One gain for both: the second was made 6 dB softer and stays so.
    assert low["level"] - high["level"] == pytest.approx(6, abs=2)
    assert page.get_by_role("button", name="1 low").get_attribute("aria-pressed") == "true"
    assert page.get_by_role("button", name="2 high").get_attribute("aria-pressed") == "false"


def test_pause_seek_repeat_and_end(page_of):
    page = page_of(two_sweeps().html)
    place = page.get_by_role("slider")
    place.fill("3.5")
    page.get_by_role("button", name="Play").click()
    assert hear(page, 500)["position"] > 3.5
    page.get_by_role("button", name="Pause").click()
    stopped = page.evaluate(POSITION)
    assert 3.5 < stopped < SECONDS
    page.wait_for_timeout(200)
    assert page.evaluate(POSITION) == stopped

    page.get_by_role("checkbox").check()
    place.fill(str(SECONDS - 0.4))
    page.get_by_role("button", name="Play").click()
    page.wait_for_function(f"{POSITION} < {SECONDS / 2}")
    assert hear(page, 500)["position"] < SECONDS - 0.4  # the sound began anew, too

    page.get_by_role("checkbox").uncheck()
    place.fill(str(SECONDS - 0.3))
    page.get_by_role("button", name="Play").wait_for()  # the end was reached
    assert page.evaluate(POSITION) == 0


def test_only_one_row_plays(page_of):
    page = page_of(two_sweeps().html + row({"tone": sine(440, 0.1, 3.0)}).html)
    buttons = page.get_by_role("button", name="Play")
    buttons.first.click()
    page.get_by_role("button", name="Pause").wait_for()
    buttons.first.click()  # of the second row, since the first one now says Pause
    page.wait_for_timeout(200)
    assert page.get_by_role("button", name="Pause").count() == 1
    assert page.locator(".effi-row").nth(1).get_by_role("button", name="Pause").count() == 1


def test_works_by_keyboard_and_on_a_narrow_page(page_of):
    page = page_of(two_sweeps().html, viewport={"width": 320, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Play"
    page.keyboard.press("Enter")
    hear(page, 500)
    page.keyboard.press("2")
    assert page.get_by_role("status").text_content() == "high"
    assert (
        page.locator(".effi-picture:visible img")
        .get_attribute("alt")
        .startswith("Spectrogram of high")
    )


def test_plain_audio_remains_without_scripts(page_of):
    page = page_of(two_sweeps().html, java_script_enabled=False)
    assert page.locator("audio:visible").count() == 2
    assert page.get_by_text("trust the notebook").is_visible()
    assert page.get_by_role("button", name="Play").count() == 0
