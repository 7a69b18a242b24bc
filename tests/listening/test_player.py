"""The A/B player: levels, size and texts of its page, and what is heard in a browser."""

import base64
import io
import re

import numpy as np
import pytest
import soundfile
import torch
from hearing import PHONE, POSITION, RATE, SECONDS, hear, sine, sweep

from effifusion_lite.listening import abx, clips, row, slider
from effifusion_lite.listening.loudness import equal_gains, loudness, true_peak_db
from effifusion_lite.listening.page import BITS
from effifusion_lite.metrics import Scores


def sounds_in(page):
    found = re.findall(r'src="data:audio/flac;base64,([^"]+)"', page)
    return [soundfile.read(io.BytesIO(base64.b64decode(text))) for text in found]


# ---- levels ------------------------------------------------------------------------------------


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
def test_no_true_peak_above_minus_one_decibel(amplitude):
    click = np.zeros(RATE)
    click[500:502] = amplitude  # between the two samples the wave is higher than they are
    player = row({"click": click, "tone": sine(400, amplitude / 10)})
    peaks = [true_peak_db(decoded) for decoded, _ in sounds_in(player.html)]
    assert max(peaks) == pytest.approx(-1, abs=0.02)
    assert true_peak_db(click) > 20 * np.log10(amplitude) + 1


def test_peak_of_a_difference_counts_too():
    click = np.zeros(RATE)
    click[500] = 1.0
    player = row({"a": click, "b": -click}, differences={"twice": ("a", "b")})
    peak = max(true_peak_db(decoded) for decoded, _ in sounds_in(player.html))
    assert peak == pytest.approx(-1 - 20 * np.log10(2), abs=0.02)


def test_true_peak_of_a_sine_between_the_samples():
    tone = np.sin(2 * np.pi * (np.arange(RATE) + 0.5) / 4)  # samples at +-0.707
    assert true_peak_db(tone[:4000]) == pytest.approx(0, abs=0.4)
    assert true_peak_db(np.zeros(100)) == -np.inf


def test_loudness_is_that_of_another_implementation():
    functional = pytest.importorskip("torchaudio.functional")
    waveform, _ = clips.load("clb_river")
    padded = np.concatenate([waveform, np.zeros(RATE, np.float32)])
    for sound in (waveform, padded, sine(1000, 0.1, 2.0)):
        other = functional.loudness(torch.as_tensor(sound[None], dtype=torch.float32), RATE).item()
        assert loudness(sound) == pytest.approx(other, abs=0.15)
    assert loudness(np.zeros(RATE)) == loudness(waveform[:6000]) == -np.inf


def test_equal_gains_make_equally_loud_below_the_peak():
    loud, soft = sine(1000, 0.5, 2.0), sine(300, 0.01, 2.0)
    gains = equal_gains([loud, soft])
    played = [10 ** (gain / 20) * sound for gain, sound in zip(gains, (loud, soft), strict=True)]
    assert loudness(played[0]) == pytest.approx(loudness(played[1]), abs=0.01)
    assert gains[0] == pytest.approx(0, abs=1e-9)  # nothing is louder than the loudest was
    crackle = np.zeros(2 * RATE)
    crackle[::3200] = 0.1  # soft, with peaks: they may not rise to the loudness of the tone
    gains = equal_gains([loud, crackle])
    assert true_peak_db(10 ** (gains[1] / 20) * crackle) == pytest.approx(-1, abs=0.01)
    assert equal_gains([loud, np.zeros(2 * RATE)]) is None


def test_silence_can_be_played():
    assert row({"silence": np.zeros(RATE)}).gain_db == 0.0


# ---- page --------------------------------------------------------------------------------------


def test_four_versions_of_four_seconds_are_small():
    clean, noisy = (np.resize(waveform, 4 * RATE) for waveform in clips.pair("river_rain"))
    versions = {
        name: clean + g * (noisy - clean) for name, g in zip("abcd", (1, 0.5, 0.2, 0), strict=True)
    }
    assert len(row(versions).html) < 400_000


def test_page_holds_text_and_loads_nothing():
    tone = sine(400, 0.1)
    scores = {"<noisy>": Scores(pesq=1.5, stoi=0.9, reasons={"si_sdr": "it is <infinite>"})}
    arguments = dict(
        title='A "title"',
        transcript="What was said & done.",
        listen_for="The hiss.",
        scores=scores,
        differences={"removed": ("<noisy>", "clean")},
    )
    player = row({"<noisy>": tone, "clean": tone}, **arguments)
    page = player.html
    assert "&lt;noisy&gt;" in page and "<noisy>" not in page and 'title="it is &lt;infinite' in page
    assert "What was said &amp; done." in page and "The hiss." in page and "1.50" in page
    assert 'data-difference="0 1"' in page and page.count("<audio") == 2
    assert player.versions == ("<noisy>", "clean", "removed")
    assert not re.search(r"https?://|url\(|import ", page)
    assert page == row({"<noisy>": tone, "clean": tone}, **arguments).html


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


def test_unknown_names_and_silence_are_refused():
    with pytest.raises(ValueError, match="no such versions"):
        row({"a": np.zeros(10)}, scores={"b": Scores()})
    for differences in ({"d": ("a", "b")}, {"a": ("a", "a")}):
        with pytest.raises(ValueError, match="difference"):
            row({"a": np.zeros(10)}, differences=differences)
    with pytest.raises(ValueError, match="equally loud"):
        row({"a": np.zeros(RATE), "b": sine(400, 0.1)}, equal_loudness=True)


# ---- in a browser ------------------------------------------------------------------------------


def two_sweeps():
    return row({"low": sweep(500, 0.1), "high": sweep(4500, 0.05)})


def play(page):
    page.get_by_role("button", name="Play").click()


def test_switching_keeps_place_and_gain(page_of):
    page = page_of(two_sweeps().html)
    play(page)
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


def test_equal_loudness_is_what_the_page_says(page_of):
    page = page_of(two_sweeps().html)
    gains = [
        float(version.get_attribute("data-equal"))
        for version in page.locator(".effi-version").all()
    ]
    page.keyboard.press("Tab")
    page.keyboard.press("2")
    play(page)
    before = hear(page, 4500)["level"]
    page.get_by_label("equal loudness").check()
    assert hear(page, 4500)["level"] - before == pytest.approx(gains[1], abs=1)
    assert gains[0] - gains[1] != pytest.approx(0, abs=2)


def test_difference_is_made_in_the_page(page_of):
    low, high = sweep(500, 0.1), sweep(4500, 0.05)
    player = row({"both": low + high, "low": low}, differences={"rest": ("both", "low")})
    page = page_of(player.html)
    page.get_by_role("button", name="3 rest").click()
    play(page)
    hear(page, 4500)


def test_pause_seek_repeat_and_end(page_of):
    page = page_of(two_sweeps().html)
    place = page.get_by_role("slider")
    place.fill("3.5")
    play(page)
    assert hear(page, 500)["position"] > 3.5
    page.get_by_role("button", name="Pause").click()
    stopped = page.evaluate(POSITION)
    assert 3.5 < stopped < SECONDS
    page.wait_for_timeout(200)
    assert page.evaluate(POSITION) == stopped

    page.get_by_label("repeat").check()
    place.fill(str(SECONDS - 0.4))
    play(page)
    page.wait_for_function(f"{POSITION} < {SECONDS / 2}")
    assert hear(page, 500)["position"] < SECONDS - 0.4  # the sound began anew, too

    page.get_by_label("repeat").uncheck()
    place.fill(str(SECONDS - 0.3))
    page.get_by_role("button", name="Play").wait_for()  # the end was reached
    assert page.evaluate(POSITION) == 0


def test_loop_by_dragging_and_by_keys(page_of):
    page = page_of(two_sweeps().html)
    box = page.locator(".effi-spectrogram").first.bounding_box()
    points = [(box["x"] + share * box["width"], box["y"] + 20) for share in (0.5, 0.6)]
    page.mouse.move(*points[0])
    page.mouse.down()
    page.mouse.move(*points[1], steps=5)
    page.mouse.up()
    assert page.evaluate("document.querySelector('.effi').effifusion.loop()") == pytest.approx(
        [10, 12], abs=0.2
    )
    assert page.locator(".effi-region:visible").count() == 2
    play(page)
    assert 9.8 < hear(page, 500)["position"] < 12.2
    page.keyboard.press("0")
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("slider").fill("4")
    page.keyboard.press("[")
    page.get_by_role("slider").fill("4.5")
    page.keyboard.press("]")
    page.keyboard.press("Space")
    page.wait_for_timeout(1200)
    assert 3.9 < hear(page, 500)["position"] < 4.6


def test_click_in_a_picture_goes_there_and_pointing_reads_it(page_of):
    page = page_of(two_sweeps().html)
    picture = page.locator(".effi-spectrogram").first
    box = picture.bounding_box()
    # At half of the time the pitch of the first sweep is 1500 Hz.
    picture.click(position={"x": box["width"] / 2, "y": box["height"] * (1 - 1500 / 8000)})
    assert page.evaluate(POSITION) == pytest.approx(10, abs=0.1)
    name, time, frequency, level = page.locator(".effi-readout").text_content().split(" · ")
    assert (name, time) == ("low", pytest.approx("10.00 s")) or time.startswith(("9.9", "10.0"))
    assert float(frequency.split()[0]) == pytest.approx(1500, abs=40)
    assert float(level.split()[0]) == pytest.approx(-26 + 3, abs=3)


CHOSEN = "document.querySelector('.effi').effifusion.chosen()"
LOOP = "document.querySelector('.effi').effifusion.loop()"


def test_click_and_drag_choose_the_version_and_the_keys_live_on(page_of):
    page = page_of(two_sweeps().html)
    pictures = page.locator(".effi-spectrogram")
    pictures.nth(1).click()
    assert page.evaluate(CHOSEN) == 1
    page.keyboard.press("Space")
    hear(page, 4500)
    page.keyboard.press("1")
    hear(page, 500)
    box = pictures.nth(1).bounding_box()
    page.mouse.move(box["x"] + 20, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + 60, box["y"] + 20, steps=5)
    page.mouse.up()
    assert page.evaluate(CHOSEN) == 1 and page.evaluate(LOOP) is not None
    page.keyboard.press("0")
    assert page.evaluate(LOOP) is None


def test_zoom_keeps_place_and_words_with_the_sound(page_of):
    page = page_of(two_sweeps().html)
    first = page.locator(".effi-spectrogram").first
    page.get_by_role("slider").fill("10")
    page.get_by_role("button", name="Zoom in").first.click()
    page.keyboard.press("+")
    ends = page.locator(".effi-picture").first.locator(".effi-begin, .effi-end")
    assert ends.all_text_contents() == ["7.50 s", "12.50 s"]
    assert "from 7.50 to 12.50 s" in page.locator(".effi-wave").first.get_attribute("aria-label")
    box = first.bounding_box()
    # At three quarters of the view, 11.25 s, the pitch of the first sweep is 1625 Hz.
    first.click(position={"x": 0.75 * box["width"], "y": box["height"] * (1 - 1625 / 8000)})
    assert page.evaluate(POSITION) == pytest.approx(11.25, abs=0.05)
    _, time, _, level = page.locator(".effi-readout").text_content().split(" · ")
    assert float(time.split()[0]) == pytest.approx(11.25, abs=0.05)
    assert float(level.split()[0]) == pytest.approx(-26 + 3, abs=3)
    cursor = page.locator(".effi-cursor").first.bounding_box()
    assert cursor["x"] - box["x"] == pytest.approx(0.75 * box["width"], abs=2)
    page.get_by_role("slider").fill("17")  # the view goes along
    assert ends.all_text_contents() == ["15.00 s", "20.00 s"]
    for _ in range(3):
        page.keyboard.press("-")
    assert ends.all_text_contents() == ["", "20.0 s"]
    assert page.get_by_role("button", name="Copy a link").count() == 0  # a notebook has no address


def test_only_what_was_removed_or_is_wrong_is_heard(page_of):
    voice, noise, fault = (sine(pitch, 0.1, 2.0) for pitch in (500, 1500, 2500))
    versions = {"noisy": voice + noise, "network": voice + fault, "clean": voice}
    page = page_of(row(versions, equal_loudness=True).html)
    play(page)
    page.get_by_label("repeat").check()
    page.keyboard.press("3")
    hear(page, 500, slope=0)
    page.get_by_role("button", name="only what was removed").click()
    level = hear(page, 1500, slope=0)["level"]  # noisy minus clean
    page.keyboard.press("2")
    page.get_by_role("button", name="only what is wrong").click()
    assert hear(page, 2500, slope=0)["level"] == pytest.approx(level, abs=1)  # at the one gain
    words = page.locator(".effi-version").nth(1).get_by_role("img").first
    assert "network, only what is wrong" in words.get_attribute("aria-label")
    page.get_by_role("button", name="the sound").click()
    page.keyboard.press("3")
    hear(page, 500, slope=0)


def test_a_row_of_other_things_has_no_such_choice(page_of):
    page = page_of(
        two_sweeps().html
        + row(
            {"noisy": sine(500, 0.1), "x": sine(900, 0.1)}, differences={"gone": ("noisy", "x")}
        ).html
    )
    page.get_by_role("button", name="Zoom in").first.wait_for()
    assert page.get_by_role("button", name="only what").count() == 0


def test_play_and_position_stay_in_sight_on_a_phone(page_of):
    tones = {f"tone {n}": sine(200 * n, 0.1, 2.0) for n in range(1, 10)}
    page = page_of(row(tones).html, **PHONE)
    last = page.get_by_role("img").nth(17)  # of the ninth version
    last.wait_for()
    last.scroll_into_view_if_needed()
    place = page.get_by_role("slider")
    for control in (page.get_by_role("button", name="Play"), place):
        box = control.bounding_box()
        assert 0 <= box["y"] and box["y"] + box["height"] <= PHONE["viewport"]["height"]
    last.tap()
    assert page.evaluate(CHOSEN) == 8
    page.get_by_role("button", name="Play").tap()
    hear(page, 1800, slope=0)


def test_a_phone_has_large_targets_and_no_word_of_keys(page_of):
    tests = abx({"low": sine(500, 0.1), "high": sine(900, 0.1)}, trials=1)
    moved = slider({1: sine(500, 0.1), 2: sine(900, 0.1)}, "number", beside={"b": sine(700, 0.1)})
    everything = two_sweeps().html + moved.html + tests.html

    def shown(**options):
        page = page_of(everything, **options)
        page.get_by_role("button", name="Start the test").click()
        page.locator(".effi-download").nth(1).scroll_into_view_if_needed()
        page.get_by_text("Keys:").or_(page.get_by_text("answer once")).first.wait_for()
        return page

    desk, phone = shown(), shown(**PHONE)
    for text in ("Keys:", "Point at a picture"):
        assert desk.get_by_text(text).count() > 1 and phone.get_by_text(text).count() == 0
    targets = phone.locator(
        ".effi button:visible, .effi label:visible, .effi summary:visible, "
        ".effi input:visible:not([type=checkbox])"
    )
    boxes = [target.bounding_box() for target in targets.all()]
    assert len(boxes) > 15
    assert min(box["height"] for box in boxes) >= 44 and min(box["width"] for box in boxes) >= 44


def test_pictures_say_in_words_what_they_show(page_of):
    page = page_of(row({"tone": sine(2000, 0.1, 2.0)}).html)
    wave, spectrum = (page.get_by_role("img").nth(n).get_attribute("aria-label") for n in (0, 1))
    assert wave == "Waveform of tone: 2.0 s, level -26 dB, peak -23 dB."
    assert spectrum.startswith("Spectrogram of tone, 0 to 8 kHz. Mean level of a bin: ")
    below, middle, above = map(int, re.findall(r"(-\d+) dB", spectrum))
    assert middle > below + 20 and middle > above + 20


def test_download_holds_the_sound(page_of):
    page = page_of(row({"tone": sine(2000, 0.1), "silence": np.zeros(RATE)}, title="A/b").html)
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download tone").click()
    assert waiting.value.suggested_filename == "A_b_tone.wav"
    decoded, rate = soundfile.read(waiting.value.path())
    assert rate == RATE and len(decoded) == RATE
    assert 20 * np.log10(np.sqrt(np.mean(decoded**2))) == pytest.approx(-26, abs=0.1)


def test_only_one_row_plays_and_only_the_first_warns(page_of):
    page = page_of(two_sweeps().html + row({"tone": sine(440, 0.1, 3.0)}).html)
    assert page.get_by_text("Turn the volume down").locator("visible=true").count() == 1
    buttons = page.get_by_role("button", name="Play")
    buttons.first.click()
    page.get_by_role("button", name="Pause").wait_for()
    buttons.first.click()  # of the second row, since the first one now says Pause
    page.wait_for_timeout(200)
    assert page.get_by_role("button", name="Pause").count() == 1
    assert page.locator(".effi").nth(1).get_by_role("button", name="Pause").count() == 1


def test_works_by_keyboard_and_on_a_narrow_page(page_of):
    page = page_of(two_sweeps().html, viewport={"width": 320, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Play"
    page.keyboard.press("Enter")
    hear(page, 500)
    page.keyboard.press("2")
    assert page.get_by_role("status").text_content() == "high"


def test_reduced_motion_moves_the_cursor_in_steps(page_of):
    page = page_of(two_sweeps().html, reduced_motion="reduce")
    play(page)
    page.wait_for_function(f"{POSITION} > 0.2")
    places = """() => new Promise((done) => {
      const seen = new Set(), end = performance.now() + 1500;
      const look = () => {
        seen.add(document.querySelector(".effi-cursor").style.left);
        performance.now() < end ? requestAnimationFrame(look) : done(seen.size);
      };
      look();
    })"""
    assert page.evaluate(places) <= 5


def test_plain_audio_remains_without_scripts(page_of):
    page = page_of(two_sweeps().html, java_script_enabled=False)
    assert page.locator("audio:visible").count() == 2
    assert page.get_by_text("trust the notebook").is_visible()
    assert page.get_by_role("button", name="Play").count() == 0


CLICKS = """async () => {
  const root = document.querySelector(".effi");
  const samples = new Float32Array(window.spy.fftSize);
  let steepest = 0, turned = 0;
  for (let index = 1; index < 13; index++) {
    root.effifusion.choose(index % 2);
    await new Promise((done) => setTimeout(done, 120));
    window.spy.getFloatTimeDomainData(samples);
    for (let i = 1; i < samples.length; i++) {
      steepest = Math.max(steepest, Math.abs(samples[i] - samples[i - 1]));
      if (samples.subarray(i, i + 40).every((x) => Math.abs(x) < 0.02)) turned++;
    }
  }
  return { steepest, turned };
}"""


def test_switching_fades_without_a_click(page_of):
    tone = sine(250, 0.07, 10.0)
    page = page_of(row({"one": tone, "against it": -tone}, pictures=False).html)
    play(page)
    hear(page, 250, slope=0)
    found = page.evaluate(CLICKS)
    # From one to its opposite the fade passes through silence, which takes some milliseconds each
    # time; no step is steeper than the tone.
    assert found["turned"] > 100
    assert found["steepest"] < 1.3 * 0.0708 * 2 * np.pi * 250 / RATE
