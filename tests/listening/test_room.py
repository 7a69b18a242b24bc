"""The listening room: equal loudness, blind letters, honest ratings, results that can be pooled."""

import csv

import numpy as np
import pytest
from hearing import HEARD, PHONE, RATE, sine
from scipy.signal import welch
from scipy.stats import ttest_1samp
from test_player import sounds_in

from effifusion_lite.listening import pool, pool_ratings, room
from effifusion_lite.listening.loudness import loudness
from effifusion_lite.listening.room import ANCHOR, REFERENCE, anchor

PITCHES = {"low": 500, "middle": 1500, "high": 2500, REFERENCE: 3000}
TONES = {name: sine(PITCHES[name], 0.1, 2.0) for name in ("low", "middle", "high")}
CLEAN = sine(PITCHES[REFERENCE], 0.05, 2.0) + sine(5000, 0.02, 2.0)
PITCH = f"""() => {{
  if (!window.spy) return null;
  const heard = ({HEARD})();
  return heard.level < -60 ? null : heard.frequency;
}}"""


def heard_version(page):
    """Name of the tone that is heard, once it has been the same for three looks."""
    seen = []
    while len(seen) < 3 or len(set(seen[-3:])) > 1 or seen[-1] is None:
        page.wait_for_timeout(60)
        pitch = page.evaluate(PITCH)
        near = [name for name, place in PITCHES.items() if pitch and abs(pitch - place) < 100]
        seen.append(near[0] if near else None)
        assert len(seen) < 200, seen
    return seen[-1]


def saved(page):
    """What the page saves, as lines, and its file."""
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Save as CSV").click()
    with open(waiting.value.path(), newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file)), waiting.value


def test_all_are_equally_loud():
    made = room(TONES, CLEAN)
    levels = [loudness(sound) for sound, _ in sounds_in(made.html)]
    assert len(levels) == 5 and np.ptp(levels) < 0.1
    assert made.html == room(TONES, CLEAN).html
    assert str(made) == "Listening room: low, middle, high"


def test_the_anchor_keeps_what_is_below_3500_hz():
    noise = np.random.default_rng(1).normal(0, 0.1, 4 * RATE)
    frequencies, before = welch(noise, RATE, nperseg=1024)
    gain = 10 * np.log10(welch(anchor(noise), RATE, nperseg=1024)[1] / before)
    assert np.abs(gain[(frequencies > 100) & (frequencies < 3400)]).max() < 0.5
    assert gain[(frequencies > 4050) & (frequencies < 7900)].max() < -50
    pulse = np.zeros(999)
    pulse[500] = 1.0
    assert anchor(pulse).argmax() == 500 and len(anchor(pulse)) == 999


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(versions={"a": sine(400, 0.1, 2.0)}), "2 to 10 versions, not 1"),
        (dict(versions={str(i): CLEAN for i in range(11)}), "2 to 10 versions, not 11"),
        (dict(versions={"a": CLEAN, REFERENCE: CLEAN}), "is taken"),
        (dict(versions={"a": CLEAN, ANCHOR: CLEAN}), "is taken"),
        (dict(versions={"a": CLEAN, "b": np.zeros(2 * RATE)}), "blindly"),
        (dict(versions={"a": CLEAN, "b": CLEAN[:-1]}), "one length"),
        (dict(trials=0), "1 to 100"),
    ],
)
def test_rooms_that_cannot_be_made(arguments, message):
    with pytest.raises(ValueError, match=message):
        room(**(dict(versions=TONES, reference=CLEAN) | arguments))


def test_a_rating_by_keyboard(page_of):
    page = page_of(room(TONES, CLEAN).html)
    button = page.get_by_role("button", name="Start the rating")
    button.focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.textContent") == "Play"
    page.keyboard.press("Space")
    done = page.get_by_role("button", name="Finish the rating")
    assert heard_version(page) == REFERENCE  # the open one
    names = {}
    for place, letter in enumerate("abcde"):
        assert done.is_disabled()
        page.keyboard.press(letter)
        names[letter.upper()] = heard_version(page)
        for _ in range(1 + 2 * place):  # the first press rates it 50
            page.keyboard.press("ArrowUp")
    assert "All are heard and rated" in page.locator(".effi-live").text_content()
    done.click()
    assert page.evaluate("document.activeElement.className") == "effi-result"
    rows, file = saved(page)
    assert [row["letter"] for row in rows] == list("ABCDE")
    assert [row["rating"] for row in rows] == ["50", "52", "54", "56", "58"]
    assert {row["version"] for row in rows} == {*TONES, REFERENCE, ANCHOR}
    assert file.suggested_filename == f"rating_{rows[0]['test']}.csv"
    for row in rows:  # the letter played what the file says; the anchor has the reference's pitch
        played = REFERENCE if row["version"] == ANCHOR else row["version"]
        assert names[row["letter"]] == played
    roles = {row["version"]: row["role"] for row in rows}
    assert (
        roles[REFERENCE] == "reference" and roles[ANCHOR] == "anchor" and roles["low"] == "version"
    )
    text = page.locator(".effi-result").text_content()
    given = {row["version"]: row["rating"] for row in rows}
    assert f"gave the hidden reference {given[REFERENCE]}, and the anchor {given[ANCHOR]}" in text
    assert "below 90" in text
    ranked = page.locator(".effi-result tbody tr td:first-child").all_text_contents()
    assert ranked == sorted(given, key=lambda name: -int(given[name]))
    page.get_by_text("The file as text, to copy").click()
    shown = page.get_by_role("textbox").input_value()
    assert (
        shown.splitlines()[0] == "test,letter,version,role,rating" and len(shown.splitlines()) == 6
    )
    assert pool_ratings([file.path()]).left_out == 1


def test_a_rating_by_touch(page_of):
    page = page_of(room(TONES, CLEAN).html, **PHONE)
    page.get_by_role("button", name="Start the rating").tap()
    page.get_by_role("button", name="Play").tap()
    page.get_by_role("button", name="Pause").wait_for()
    sliders = page.locator(".effi-rated input")
    for number in range(5):
        box = sliders.nth(number).bounding_box()
        sliders.nth(number).tap(position={"x": box["width"] - 3, "y": box["height"] / 2})
        page.get_by_role("button", name="ABCDE"[number], exact=True).and_(
            page.locator("[aria-pressed=true]")
        ).wait_for()  # what is rated is what is heard
        page.wait_for_timeout(100)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_role("button", name="Finish the rating").tap()
    assert "at 90 or above" in page.locator(".effi-result").text_content()
    rows, file = saved(page)
    assert pool_ratings([file.path()]).listeners == 1
    assert all(int(row["rating"]) >= 95 for row in rows)


def test_letters_are_dealt_anew(page_of):
    page = page_of(
        room({str(i): sine(300 + 100 * i, 0.1, 0.5) for i in range(10)}, CLEAN[:8000]).html
    )
    orders = set()
    for _ in range(2):
        page.get_by_role("button", name="Start the rating").click()
        page.get_by_role("button", name="Play").click()
        page.get_by_role("button", name="Pause").wait_for()
        for letter in "abcdefghijkl":
            page.keyboard.press(letter)
            page.keyboard.press("ArrowUp")
        page.get_by_role("button", name="Finish the rating").click()
        orders.add(tuple(row["version"] for row in saved(page)[0]))
        page.get_by_role("button", name="Test again").click()
    assert len(orders) == 2  # alike once in 12! runs


def test_a_blind_test_of_two_that_the_reader_chose(page_of):
    page = page_of(room(TONES, CLEAN, trials=2).html)
    first, second = page.get_by_role("combobox").all()
    assert first.locator("option").all_text_contents() == [*TONES]
    second.select_option(label="low")  # the one that A has: the two exchange
    assert first.locator("option:checked").text_content() == "middle"
    first.select_option(label="high")
    page.get_by_role("button", name="Start the test").click()
    page.get_by_role("button", name="Play").click()
    page.keyboard.press("1")
    assert heard_version(page) == "low"  # in the order of the room
    page.keyboard.press("2")
    assert heard_version(page) == "high"
    for _ in range(2):
        page.keyboard.press("3")
        assert heard_version(page) in ("low", "high")
        page.keyboard.press("a")
    rows, file = saved(page)
    assert rows[0]["test"].endswith("-1-3")
    assert pool([file.path()]).trials == 2
    page.get_by_role("button", name="Test again").click()
    assert page.get_by_role("combobox").first.locator("option:checked").text_content() == "high"


def write(path, ratings, test="t"):
    names = {"x": "version", "y": "version", REFERENCE: "reference", ANCHOR: "anchor"}
    lines = ["test,letter,version,role,rating"]
    for letter, (name, role), rating in zip("ABCD", names.items(), ratings, strict=True):
        lines.append(f'{test},{letter},"{name}",{role},{rating}')
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")
    return path


def test_class_is_pooled(tmp_path):
    given = [(60, 50, 100, 20), (70, 65, 95, 30), (90, 70, 89, 10), (50, 45, 90, 40)]
    files = [write(tmp_path / f"{i}.csv", ratings) for i, ratings in enumerate(given)]
    pooled = pool_ratings(files)
    assert (pooled.listeners, pooled.left_out) == (3, 1)
    assert pooled.ratings["x"].tolist() == [60, 70, 50]
    expected = ttest_1samp([60, 70, 50], 0).confidence_interval(0.95)
    interval = pooled.interval("x")
    assert (interval.low, interval.high) == pytest.approx(tuple(expected))
    assert pooled.difference("x", "y").mean == pytest.approx(20 / 3)
    assert pool_ratings(files[:1]).interval("x") is None


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: path.write_text("name,mark\nx,1\n"), "no result of a rating"),
        (
            lambda path: path.write_text("test,letter,version,role,rating\n"),
            "no result of a rating",
        ),
        (lambda path: write(path, (50, 50, 101, 50)), "no result of a rating"),
        (lambda path: write(path, (50, "", 100, 50)), "no result of a rating"),
        (lambda path: path.write_text(path.read_text().replace('"y"', '"x"')), "no result"),
        (lambda path: write(path, (50, 50, 100, 50), "u"), "several tests"),
    ],
)
def test_files_that_cannot_be_pooled(tmp_path, spoil, message):
    good, bad = (write(tmp_path / name, (60, 50, 100, 20)) for name in ("1.csv", "2.csv"))
    spoil(bad)
    with pytest.raises(ValueError, match=message):
        pool_ratings([good, bad])


def test_nothing_to_pool():
    with pytest.raises(ValueError, match="no result to pool"):
        pool_ratings([])
