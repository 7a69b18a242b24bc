"""Sliders over prepared sounds: complete, and picture and sound move together."""

import base64
import io
import re

import numpy as np
import pytest
from hearing import POSITION, RATE, SECONDS, hear, sine, sweep
from PIL import Image

from effifusion_lite.listening import slider

SWEEPS = {"loud": sweep(500, 0.1), "soft": sweep(2500, 0.05)}


def test_slider_changes_sound_and_picture_without_losing_the_place(page_of):
    page = page_of(slider(SWEEPS, "level", beside={"high": sweep(4500, 0.05)}).html)
    place, level = page.get_by_role("slider").all()
    assert level.get_attribute("aria-valuetext") == "loud"
    picture = page.locator(".effi-spectrogram:visible").first
    page.get_by_role("button", name="Play").click()
    first = hear(page, 500)
    assert "level: loud" in picture.get_attribute("aria-label")
    level.press("ArrowRight")
    second = hear(page, 2500)
    assert level.get_attribute("aria-valuetext") == "soft"
    assert "level: soft" in picture.get_attribute("aria-label")
    page.keyboard.press("2")
    third = hear(page, 4500)
    assert first["position"] < second["position"] < third["position"]
    assert first["level"] - second["level"] == pytest.approx(6, abs=2)  # one gain
    level.press("ArrowLeft")  # whoever moves the slider hears it
    hear(page, 500)
    page.get_by_role("button", name="Pause").click()
    place.fill("19")
    assert page.evaluate(POSITION) == 19


def test_two_sliders_and_figures(page_of):
    sounds = {(a, b): sine(f, 0.1) for a, b, f in [(1, "x", 500), (1, "y", 900), (2, "x", 1500)]}
    with pytest.raises(ValueError, match="every pair"):
        slider(sounds, ["n", "letter"])
    sounds[2, "y"] = sine(3000, 0.1)
    figures = {pair: f"<p>figure {pair}</p>" for pair in sounds}
    texts = {(2, "y"): "the last"}
    page = page_of(
        slider(sounds, ["n", "letter"], figures=figures, texts=texts, start=(1, "y")).html
    )
    assert page.get_by_text("figure (1, 'y')").is_visible()
    page.locator(".effi-spectrogram:visible").wait_for()  # of the sound: a figure adds to it
    assert not page.get_by_text("the last").is_visible()
    page.get_by_role("slider", name="n", exact=True).press("ArrowRight")
    assert page.get_by_text("figure (2, 'y')").is_visible()
    assert page.get_by_text("the last").is_visible()
    page.get_by_role("button", name="Play").click()
    hear(page, 3000, slope=0)


def test_maps_have_time_and_cursor_of_the_sound_and_choose_it(page_of):
    shape = (201, 1 + int(SECONDS * RATE) // 100)
    values = {"loud": np.tile(np.linspace(0, 2, shape[1]), (201, 1)), "soft": np.zeros(shape)}
    page = page_of(
        slider(SWEEPS, "level", maps={"A <map>": values}, beside={"high": sweep(4500, 0.05)}).html
    )
    assert page.get_by_text("A <map> (0 dark, 2 bright)").locator("visible=true").count() == 1
    drawn = page.locator(".effi-map img:visible")
    assert drawn.get_attribute("alt") == "A <map>, at loud: from 0 to 2, median 1."
    page.locator(".effi-spectrogram:visible").nth(1).wait_for()
    boxes = [drawn.bounding_box()]
    boxes += [canvas.bounding_box() for canvas in page.locator(".effi-spectrogram:visible").all()]
    assert len(boxes) == 3 and len({(box["width"], box["height"]) for box in boxes}) == 1
    page.keyboard.press("Tab")
    page.keyboard.press("2")
    drawn.click(position={"x": boxes[0]["width"] / 4, "y": boxes[0]["height"] / 2})
    assert page.evaluate(POSITION) == pytest.approx(5, abs=0.1)
    assert page.evaluate("document.querySelector('.effi').effifusion.chosen()") == 0
    cursors = page.locator(".effi-cursor:visible").all()
    assert len(cursors) == 3  # sound, map, and the sound beside
    places = [cursor.evaluate("(cursor) => parseFloat(cursor.style.left)") for cursor in cursors]
    assert places == pytest.approx([25] * 3, abs=0.5)  # % of the width
    assert "4000 Hz" in page.locator(".effi-readout").text_content()
    page.keyboard.press("ArrowRight")  # the keys live on
    assert drawn.get_attribute("alt").startswith("A <map>, at soft")
    page.keyboard.press("Space")
    hear(page, 2500)


def test_map_is_drawn_from_low_to_high_frequencies():
    values = np.zeros((201, 161))
    values[:100, :80] = 1  # low and early
    sounds = {1: sine(400, 0.1), 2: sine(500, 0.1)}
    page = slider(sounds, "n", maps={"map": {1: values, 2: values}}).html
    data = re.search(r"image/jpeg;base64,([^\"]+)", page)[1]
    picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))), float).sum(axis=2)
    assert picture.shape == (201, 161)
    assert picture[150:, :70].mean() > 400 > 50 > picture[:90].mean()


def test_without_scripts_every_sound_and_figure_is_there(page_of):
    figures = {"loud": "<p>one</p>", "soft": "<p>two</p>"}
    page = page_of(slider(SWEEPS, "level", figures=figures).html, java_script_enabled=False)
    assert page.locator("audio:visible").count() == 2
    assert page.get_by_text("level: soft").is_visible() and page.get_by_text("two").is_visible()
    assert page.get_by_text("trust the notebook").is_visible()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(sounds={}, labels="x"), "needs sounds"),
        (dict(sounds={1: np.zeros(10), 2: np.zeros(11)}, labels="x"), "one length"),
        (dict(sounds={n: np.zeros(10) for n in range(25)}, labels="x"), "1 to 24"),
        (dict(sounds={1: np.zeros(10)}, labels=["x", "y"]), "as many labels"),
        (dict(sounds={1: np.zeros(10)}, labels="x", start=2), "cannot start at 2"),
        (dict(sounds={1: np.zeros(10)}, labels="x", texts={2: "t"}), "only for places"),
        (dict(sounds={1: np.zeros(RATE), 2: np.zeros(RATE)}, labels="x", figures={1: ""}), "every"),
        (dict(sounds={1: np.zeros(RATE)}, labels="x", maps={"m": {}}), "every place"),
        (
            dict(sounds={1: np.zeros(RATE)}, labels="x", maps={"m": {1: np.ones((2, 261))}}),
            "covers",
        ),
        (dict(sounds={1: np.zeros(RATE)}, labels="x", maps={"m": {1: np.ones(161)}}), "has shape"),
    ],
)
def test_sliders_that_cannot_be_made(arguments, message):
    with pytest.raises(ValueError, match=message):
        slider(**arguments)
