"""The blind test: equal loudness, an honest X, right statistics, results that can be pooled."""

import csv

import numpy as np
import pytest
from hearing import HEARD, RATE, sine
from scipy.stats import binomtest
from test_player import sounds_in

from effifusion_lite.listening import abx, pool
from effifusion_lite.listening.loudness import loudness

TONES = {"low": sine(500, 0.1, 2.0), "high": sine(4500, 0.02, 2.0)}
LETTER = f"""() => {{
  if (!window.spy) return null;
  const heard = ({HEARD})();
  if (heard.level < -60) return null;
  return heard.frequency < 2000 ? "a" : "b";
}}"""


def heard_letter(page):
    """Which of the two tones is heard, once it has been the same for three looks."""
    seen = []
    while len(seen) < 3 or len(set(seen[-3:])) > 1 or seen[-1] is None:
        page.wait_for_timeout(60)
        seen.append(page.evaluate(LETTER))
        assert len(seen) < 200, seen
    return seen[-1]


def test_both_are_equally_loud_and_marked_by_their_samples():
    test = abx(TONES)
    levels = [loudness(sound) for sound, _ in sounds_in(test.html)]
    assert levels[0] == pytest.approx(levels[1], abs=0.1)
    assert test.html == abx(TONES).html
    assert str(test) == "Blind ABX test: low or high?"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(versions={"a": np.zeros(RATE)}), "two versions"),
        (dict(versions={"a": np.zeros(RATE), "b": sine(400, 0.1)}), "blindly"),
        (dict(versions=TONES, trials=0), "1 to 100"),
        (dict(versions=TONES, trials=101), "1 to 100"),
    ],
)
def test_tests_that_cannot_be_made(arguments, message):
    with pytest.raises(ValueError, match=message):
        abx(**arguments)


def test_a_run_by_keyboard(page_of):
    page = page_of(abx(TONES, trials=4).html)
    page.keyboard.press("Tab")  # the number of trials
    page.keyboard.type("8")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.textContent") == "Play"
    page.keyboard.press("Enter")
    xs = []
    for trial in range(8):
        assert page.get_by_text(f"Trial {trial + 1} of 8", exact=True).first.is_visible()
        page.keyboard.press("a")  # too early: X was not heard, nothing happens
        assert page.get_by_role("button", name="X is A").is_disabled()
        page.keyboard.press("1")
        assert heard_letter(page) == "a"
        page.keyboard.press("2")
        assert heard_letter(page) == "b"
        page.keyboard.press("3")
        xs.append(heard_letter(page))
        wrong = {"a": "b", "b": "a"}[xs[-1]]
        page.keyboard.press(wrong if trial == 5 else xs[-1])
    result = page.locator(".effi-result")
    assert page.evaluate("document.activeElement.className") == "effi-result"
    text = result.text_content()
    assert "correctly in 7 of 8 trials (88 %)" in text
    assert "in 3.5 % of such tests" in text and "p = 0.035" in text
    interval = binomtest(7, 8).proportion_ci(0.95, method="exact")
    assert f"{100 * interval.low:.0f} % to {100 * interval.high:.0f} %" in text
    assert "below 5 %, the usual bound: the result is evidence that you hear a difference" in text
    assert "not the probability that you hear one" in text
    assert "If you repeat a test until it succeeds, you only cheat yourself" in text

    with page.expect_download() as waiting:
        page.get_by_role("button", name="Save as CSV").click()
    with open(waiting.value.path(), newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["x"].lower() for row in rows] == xs
    assert [row["correct"] for row in rows] == ["1"] * 5 + ["0", "1", "1"]
    pooled = pool([waiting.value.path()] * 2)
    assert (pooled.listeners, pooled.trials, pooled.correct) == (2, 16, 14)


def test_guessing_is_told_as_such_and_order_is_random(page_of):
    page = page_of(abx(TONES, trials=40).html)
    page.get_by_role("button", name="Start the test").click()
    page.keyboard.press("3")
    assert page.get_by_role("button", name="X is A").is_disabled()  # nothing sounds yet
    page.get_by_role("button", name="Play").click()
    page.get_by_role("button", name="Pause").wait_for()
    for _ in range(40):
        page.keyboard.press("3")
        page.keyboard.press("a")
    text = page.locator(".effi-result").text_content()
    right = int(text.split("correctly in ")[1].split()[0])
    assert 4 <= right <= 36  # X was A in some and B in others: outside once in 10^8 runs
    test = binomtest(right, 40, 0.5, alternative="greater")
    interval = binomtest(right, 40).proportion_ci(0.95, method="exact")
    assert f"{100 * interval.low:.0f} % to {100 * interval.high:.0f} %" in text
    if test.pvalue >= 0.05:
        assert "does not show that you hear a difference" in text
        assert "26 right answers would have been needed" in text
        assert binomtest(26, 40, 0.5, alternative="greater").pvalue < 0.05


def test_keys_live_on_after_an_answer_by_mouse(page_of):
    page = page_of(abx(TONES, trials=2).html)
    page.get_by_role("button", name="Start the test").click()
    page.get_by_role("button", name="Play").click()
    page.get_by_role("button", name="3 X").click()
    page.get_by_role("button", name="X is A").click()
    assert page.get_by_text("Trial 2 of 2", exact=True).first.is_visible()
    page.keyboard.press("3")
    page.keyboard.press("b")
    page.locator(".effi-result").wait_for()


def test_a_second_test_counts_the_first(page_of):
    page = page_of(abx(TONES, trials=5).html)
    for trials in (5, 10):
        page.get_by_role("spinbutton").fill(str(trials))
        page.get_by_role("button", name="Start the test").click()
        page.get_by_role("button", name="Play").click()
        page.get_by_role("button", name="Pause").wait_for()
        for _ in range(trials):
            page.keyboard.press("3")
            page.keyboard.press("a")
        text = page.locator(".effi-result").text_content()
        if trials == 5:
            assert "number of trials was fixed beforehand" in text
            page.get_by_role("button", name="Test again").click()
    # 5 of 5 and 9 of 10 are needed: guessing reaches the bound in one of the two now and then.
    reached = [binomtest(k, n, 0.5, alternative="greater").pvalue for k, n in ((5, 5), (9, 10))]
    assert max(reached) < 0.05 < binomtest(8, 10, 0.5, alternative="greater").pvalue
    share = 100 * (1 - (1 - reached[0]) * (1 - reached[1]))
    assert "This is your test number 2 here" in text
    assert f"with a probability of {share:.1f} %" in text


def write(path, test, answers):
    lines = [f"{test},{n},{x},{a},{int(x == a)},1.0" for n, (x, a) in enumerate(answers, 1)]
    path.write_text("\n".join(["test,trial,x,answer,correct,seconds", *lines]) + "\n")
    return path


def test_class_is_pooled(tmp_path):
    one = write(tmp_path / "1.csv", "t", ["AA", "BB", "AB"])
    two = write(tmp_path / "2.csv", "t", ["BB", "BB"])
    pooled = pool([one, two])
    assert (pooled.listeners, pooled.trials, pooled.correct) == (2, 5, 4)
    assert pooled.p_value == pytest.approx(6 / 32)
    assert pooled.low < 0.8 < pooled.high


def test_files_that_cannot_be_pooled(tmp_path):
    other = write(tmp_path / "1.csv", "u", ["AA"])
    with pytest.raises(ValueError, match="several tests"):
        pool([other, write(tmp_path / "2.csv", "t", ["AA"])])
    with pytest.raises(ValueError, match="no result to pool"):
        pool([])
    broken = tmp_path / "3.csv"
    broken.write_text("name,mark\nx,1\n")
    with pytest.raises(ValueError, match="no result of an ABX test"):
        pool([broken])
