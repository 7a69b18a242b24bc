"""Access: axe-core finds nothing in any player, in light and dark, in the states a reader meets."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hearing import PHONE, sine

from effifusion_lite.listening import abx, room, row, slider
from effifusion_lite.metrics import Scores
from effifusion_lite.plotting import image_html, plot_waveform

pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")
DARK = "<style>body { background: #111; color: #ddd; color-scheme: dark }</style>"


@pytest.mark.parametrize("options", [{}, PHONE], ids=["wide", "phone"])
@pytest.mark.parametrize("style", ["", DARK], ids=["light", "dark"])
def test_axe_finds_no_violation(page_of, style, options):
    from axe_playwright_python.sync_playwright import Axe

    low, high = sine(500, 0.1), sine(3000, 0.05)
    player = row(
        {"low": low, "high": high},
        title="A row",
        transcript="Words.",
        listen_for="The pitch.",
        scores={"low": Scores(pesq=1.5, reasons={"stoi": "too short"})},
        differences={"rest": ("low", "high")},
    )
    test = abx({"low": low, "high": high}, trials=1, title="A test")
    figure, axes = plt.subplots(figsize=(11, 2))
    plot_waveform(low, axes, "Wide")
    wide = image_html(figure, "A tone.")
    moved = slider(
        {1: low, 2: high},
        "number",
        title="A slider",
        beside={"none": np.zeros(16000)},
        maps={"A map": {1: np.eye(201, 161), 2: np.zeros((201, 161))}},
        figures={1: wide, 2: wide},
    )
    page = page_of(style + player.html + moved.html + test.html + wide, **options)
    page.locator(".effi-picture:visible").nth(5).wait_for()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    violations = Axe().run(page)
    assert violations.violations_count == 0, violations.generate_report()
    page.get_by_text("What is said").click()
    page.get_by_role("button", name="Start the test").click()
    violations = Axe().run(page)
    assert violations.violations_count == 0, violations.generate_report()
    page.keyboard.press("Space")
    page.locator(".effi").last.get_by_role("button", name="Pause").wait_for()
    page.keyboard.press("3")
    page.keyboard.press("a")
    page.locator(".effi-result").wait_for()
    violations = Axe().run(page)
    assert violations.violations_count == 0, violations.generate_report()


@pytest.mark.parametrize("options", [{}, PHONE], ids=["wide", "phone"])
@pytest.mark.parametrize("style", ["", DARK], ids=["light", "dark"])
def test_axe_finds_no_violation_in_the_listening_room(page_of, style, options):
    from axe_playwright_python.sync_playwright import Axe

    low, high = sine(500, 0.1), sine(3000, 0.05)
    made = room({"low": low, "high": high}, low + high, title="A room", listen_for="The pitch?")
    page = page_of(style + made.html, **options)
    states = [Axe().run(page)]
    page.get_by_role("button", name="Start the rating").click()
    states.append(Axe().run(page))
    page.get_by_role("button", name="Play").click()
    page.get_by_role("button", name="Pause").wait_for()
    for letter in "abcd":
        page.keyboard.press(letter)
        page.keyboard.press("ArrowUp")
    states.append(Axe().run(page))
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_role("button", name="Finish the rating").click()
    page.get_by_text("The file as text, to copy").click()
    states.append(Axe().run(page))
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for violations in states:
        assert violations.violations_count == 0, violations.generate_report()
