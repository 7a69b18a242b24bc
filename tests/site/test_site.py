"""The site as a reader gets it: built once, looked at as files and in a browser, offline."""

import csv
import re
import shutil
import subprocess
import sys
import threading
from functools import partial
from html import unescape
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import numpy as np
import pytest
from hearing import SPY, sine
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from effifusion_lite.audio import SAMPLE_RATE, save_audio
from effifusion_lite.listening import abx, row
from effifusion_lite.listening.abx import pool
from effifusion_lite.listening.room import pool_ratings
from notebooks.compose import METADATA, fold, metadata

for package in ("sphinx", "furo", "myst_nb", "latex2mathml", "ziamath"):
    pytest.importorskip(package, reason=f"{package} is not installed: pip install '.[site]'")

REPOSITORY = Path(__file__).resolve().parents[2]
BUILD = [sys.executable, REPOSITORY / "site" / "build.py", "--out"]
FORM = "notebooks/98_form.html"
CHAPTERS = sorted(path.stem for path in (REPOSITORY / "notebooks").glob("*.ipynb"))
PAGES = [
    "index.html",
    "listen.html",
    "try.html",
    "mixer.html",
    "RESULTS.html",
    "teach.html",
    "cite.html",
    "trace.html",
    "claims.html",
    "class_test.html",
    "pool.html",
    "glossary.html",
    "green.html",
    "made.html",
    "search.html",
    FORM,
]
PAGES += [f"notebooks/{name}.html" for name in CHAPTERS]
FIRST_PAGE, CHAPTER = 500_000, 3_000_000  # bytes, with all that is in the page
TEXT_OF_FIRST, TEXT = 50_000, 500_000  # of the page alone
# Addresses that a browser loads on its own when it shows a page; links are not among them.
LOADED = {
    "script": ("src",),
    "link": ("href",),
    "img": ("src", "srcset"),
    "audio": ("src",),
    "video": ("src", "poster"),
    "source": ("src", "srcset"),
    "track": ("src",),
    "iframe": ("src",),
    "embed": ("src",),
    "object": ("data",),
    "image": ("href", "xlink:href"),
    "use": ("href", "xlink:href"),
}
LINKS = {"next", "prev", "search", "index", "author", "copyright", "canonical"}
INLINE = ("data:", "blob:")
# Is this pitch heard, in Hz?
PITCH = """(wanted) => {
  if (!window.spy) return false;
  const bins = new Float32Array(window.spy.frequencyBinCount);
  window.spy.getFloatFrequencyData(bins);
  const best = bins.indexOf(Math.max(...bins));
  const frequency = best * window.spy.context.sampleRate / window.spy.fftSize;
  return bins[best] > -60 && Math.abs(frequency - wanted) < 20;
}"""
HEARD = """() => {
  const samples = new Float32Array(window.spy?.fftSize ?? 0);
  window.spy?.getFloatTimeDomainData(samples);
  return samples.some((sample) => Math.abs(sample) > 0.01);
}"""
# What makes the page wider than its window.
TOO_WIDE = """() => {
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width) return [];
  return [...document.querySelectorAll("body *")]
    .filter((element) => element.getBoundingClientRect().right > width + 1)
    .map((element) => element.outerHTML.slice(0, 200));
}"""


class Page(HTMLParser):
    """What a page loads on its own."""

    def __init__(self, text: str):
        super().__init__()
        self.addresses: list[str] = []
        self._in_style = False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self._in_style = tag == "style"
        self.addresses += in_style(given.get("style") or "")
        if tag == "link" and LINKS & set((given.get("rel") or "").split()):
            return
        for name in LOADED.get(tag, ()):
            if given.get(name):
                parts = given[name].split(",") if name == "srcset" else [given[name]]
                self.addresses += [part.split()[0] for part in parts]

    def handle_data(self, data):
        if self._in_style:
            self.addresses += in_style(data)


def in_style(text: str) -> list[str]:
    """Addresses that a style sheet loads."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    found = re.findall(r"""url\(\s*(?:"([^"]*)"|'([^']*)'|([^)"']*))\s*\)""", text)
    imports = re.findall(r"""@import\s+["']([^"']+)""", text)
    return ["".join(parts) for parts in found] + imports


def foreign(addresses: list[str]) -> list[str]:
    """Those that are not part of the site, wherever its folder lies."""
    return [
        address
        for address in addresses
        if address.startswith("/") or urlsplit(address).scheme not in ("", "data")
    ]


def own_files(addresses: list[str], folder: Path) -> list[Path]:
    """The files that these addresses name on a page in this folder."""
    paths = {urlsplit(address).path for address in addresses if not address.startswith("data:")}
    return [folder / unquote(path) for path in sorted(paths) if path]


def read(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def form() -> nbformat.NotebookNode:
    """A chapter with what the builder makes of the tags, two players, and much that is wide."""
    tones = {"first": (400, 900), "second": (1700, 2600)}
    players = [
        row({"low": sine(low, 0.1, 3), "high": sine(high, 0.1, 3)}, title=f"The {name} player")
        for name, (low, high) in tones.items()
    ]
    test = abx({"A": sine(500, 0.1), "B": sine(900, 0.1)}, title="A blind test")
    picture = "src='data:image/gif;base64,R0lGODlhAQABAAAAACw=' style='min-width: 900px'"
    box = "<div role='group' tabindex='0' style='overflow-x: auto'>"
    wide = f"{box}<img alt='A wide figure' {picture}></div>"

    def html(page, **metadata):
        output = new_output("display_data", {"text/html": page, "text/plain": ""})
        return new_code_cell("frame = 1", outputs=[output], metadata=metadata)

    text = (
        r"Why is $\operatorname{atan2}(1, \sqrt{x_t}) \le \Big( \sum_k 2^k \Big)$? "
        r"$$\begin{aligned} h &= \frac12 \\ h^2 &= \frac14 \end{aligned}$$"
    )
    head = "# 98 · The form\n\n**Time and cost.** Two minutes, 1.5 at best. Nothing is downloaded."
    hint = fold("Hint 1", f"Take `x`.\n\n- **one**\n\n{text}\n\n```python\nx = 2\n```")

    def printing(source, text, **metadata):
        output = new_output("stream", name="stdout", text=text)
        return new_code_cell(source, outputs=[output], metadata=metadata)

    return new_notebook(
        cells=[
            new_markdown_cell(head),
            new_markdown_cell("## 1 A section\n\n![A drawing of two boxes](figures/boxes.svg)"),
            new_code_cell("shown = 1  # " + 200 * "x"),
            html(players[0].html, **metadata(["frame"])),
            html(players[1].html, **metadata(["frame"])),
            html(wide, **metadata(["frame"])),
            html(test.html),
            html("<table><tr>" + 30 * "<td>cell</td>" + "</tr></table>"),
            printing("guess = 1", "the surprise\n", **metadata(["guess"])),
            printing("# Answer: three.\n3", "the outcome\n", **metadata(["try"])),
            new_markdown_cell(hint),
            new_markdown_cell(text),
        ],
        metadata=METADATA,
    )


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The site, with one chapter more, in a folder below the one that a server shows."""
    project = tmp_path_factory.mktemp("project")
    for name in ("RESULTS.md", "CITATION.cff"):
        shutil.copy(REPOSITORY / name, project)
    for name in ("figures", "notebooks"):
        shutil.copytree(REPOSITORY / name, project / name)
    figures = project / "notebooks" / "figures"
    figures.mkdir(exist_ok=True)
    shutil.copy(REPOSITORY / "figures" / "results.svg", figures / "boxes.svg")
    nbformat.write(form(), project / "notebooks" / "98_form.ipynb")
    out = tmp_path_factory.mktemp("server") / "course" / "site"
    run = subprocess.run([*BUILD, out, "--project", project], capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (0, "")  # Sphinx says there what is missing
    assert f"open {out / 'index.html'}" in run.stdout
    return out


# ---- the files ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "page",
    [
        '<script src="https://cdn.example/require.js"></script>',
        '<link rel="stylesheet" href="//fonts.example/a.css">',
        '<link rel="preload" href="/rooted.js">',
        '<img src="http://a.example/b.png">',
        '<img srcset="own.png 1x, https://a.example/b.png 2x">',
        '<audio src="https://a.example/b.flac"></audio>',
        '<p style="background: url(https://a.example/b.png)">',
        "<style>@import 'https://a.example/b.css';</style>",
        '<style>@font-face { src: url("https://a.example/b.woff") }</style>',
    ],
)
def test_a_foreign_address_is_found(page):
    assert len(foreign(Page(page).addresses)) == 1


def test_links_and_inline_data_are_no_foreign_addresses():
    page = '<a href="https://a.example"></a><link rel="next" href="b.html"><img src="data:x">'
    assert foreign(Page(page).addresses) == []


def test_pages_load_only_files_of_the_site(site):
    pages = list(site.rglob("*.html"))
    assert {str(page.relative_to(site)) for page in pages} >= set(PAGES)
    for file in [*pages, *site.rglob("*.css"), *site.rglob("*.svg")]:
        found = Page(read(file)).addresses if file.suffix == ".html" else in_style(read(file))
        assert foreign(found) == [], file
        assert [path for path in own_files(found, file.parent) if not path.is_file()] == []


def test_links_within_the_site_hold(site):
    for page in site.rglob("*.html"):
        links = re.findall(r'<a [^>]*href="([^"]*)"', read(page))
        inside = [link for link in links if not urlsplit(link).scheme]
        assert [file for file in own_files(inside, page.parent) if not file.is_file()] == []


@pytest.mark.parametrize("name", PAGES)
def test_pages_are_light(site, name):
    page = site / name
    files = {page, *own_files(Page(read(page)).addresses, page.parent)}
    files = {file.with_suffix(".js") if file.suffix == ".flac" else file for file in files}
    weight = sum(file.stat().st_size for file in files)
    assert weight < (FIRST_PAGE if name == "index.html" else CHAPTER)
    assert page.stat().st_size < (TEXT_OF_FIRST if name == "index.html" else TEXT)


def test_players_bring_script_style_sounds_and_pictures_only_once(site):
    pages = [read(page) for page in site.rglob("*.html")]
    assert not [text for text in pages if re.search('makeLab|src="data:|<style>.effi', text)]
    assert sum(text.count('src="../_static/players.js') for text in pages) == 1 + len(CHAPTERS)
    sounds, scripts = (
        {file.stem for file in (site / "_media").glob(end)} for end in ("*.flac", "*.js")
    )
    assert sounds == scripts and len(sounds) > 100
    ids = re.findall(r'<div id="(sound-[^"]*)"', read(site / FORM))
    assert ids == ["sound-the-first-player", "sound-the-second-player", "sound-a-blind-test"]


def test_home_page_lists_the_chapters_with_their_time_and_what_is_heard(site):
    text = read(site / "index.html")
    assert "Two minutes, 1.5 at best." in text and "Nothing is downloaded" not in text
    assert "The first player; The second player; A blind test (blind test)" in text
    for name in CHAPTERS:
        assert f'href="notebooks/{name}.html"' in text


def test_the_font_holds_every_character_of_the_formulas(site):
    from fontTools.ttLib import TTFont

    held = TTFont(site / "_static" / "math.woff").getBestCmap().keys()
    assert {ord(drawn) for drawn in "√𝑥ℎ𝜀"} <= held  # what a browser draws is not all text
    formulas = re.findall(r"<math.*?</math>", read(site / FORM), re.DOTALL)
    assert len(formulas) == 4
    text = unescape(re.sub(r"<[^>]+>", "", "".join(formulas)))
    written = {letter for letter in text if not letter.isspace()}
    assert {"∑", "≤", "h"} <= written and "<msqrt>" in "".join(formulas)
    assert "".join(formulas).count("<mtr>") == 4
    assert {letter for letter in written if ord(letter) not in held} == set()


def test_a_folder_that_holds_no_site_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    run = subprocess.run([*BUILD, tmp_path], capture_output=True, text=True)
    assert run.returncode == 2 and "holds no earlier site" in run.stderr
    assert read(tmp_path / "mine.txt") == "mine"


def test_every_term_of_the_glossary_is_used_in_its_chapter(site):
    with open(REPOSITORY / "site" / "glossary.csv", newline="", encoding="utf-8") as file:
        terms = list(csv.DictReader(file))
    assert len({term["term"].lower() for term in terms}) == len(terms) > 50
    page = read(site / "glossary.html")
    for term in terms:
        (name,) = (name for name in CHAPTERS if name.startswith(f"{int(term['chapter']):02}_"))
        notebook = nbformat.read(REPOSITORY / "notebooks" / f"{name}.ipynb", as_version=4)
        text = " ".join(" ".join(cell.source for cell in notebook.cells).split())
        assert term["term"].lower() in text.lower(), term
        found = re.search(rf"<dt>{re.escape(term['term'])}.*?</dd>", page, re.DOTALL)
        assert f'href="notebooks/{name}.html"' in found[0] and term["meaning"].endswith(".")


def test_one_second_is_seen_and_heard_after_each_stage(site):
    page = read(site / "trace.html")
    sections = re.findall("<section>(.*?)</section>", page, re.DOTALL)
    assert len(sections) > 15 and all(part.count("<img") == 2 for part in sections)
    heard = [part for part in sections if part.count("<audio") == 2]
    names = " ".join(re.findall("<h2>(.*?)</h2>", " ".join(heard)))
    for name in ("waveform", "mask after the encoder", "mask after block 1", "enhanced waveform"):
        assert name in names


def test_the_page_of_claims_holds_those_of_all_chapters(site):
    page = read(site / "claims.html")
    rows = [row.split("</tr>")[0] for row in page.split("<tr")[1:] if "<td" in row]
    for name in CHAPTERS:
        notebook = read(REPOSITORY / "notebooks" / "source" / f"{name}.py")
        links = [row for row in rows if f'href="notebooks/{name}.html' in row]
        assert len(links) == notebook.count("    Claim(\n")
    text = unescape(re.sub("<[^>]+>", "", page))
    assert "Three seeds, 48 mixtures for the ablation" in text and "PESQ 3.45" in text
    assert "That 0.3 is better than 0.4 or 0.5: not shown." in text
    assert "<strong>not shown</strong>" in page


# ---- in a browser ------------------------------------------------------------------------------


class Quiet(SimpleHTTPRequestHandler):
    """A server that writes no log."""

    def log_message(self, *_):
        pass


@pytest.fixture(scope="session")
def server(site):
    """Shows the folder above the site, so that its pages have a path before theirs."""
    handler = partial(Quiet, directory=str(site.parents[1]))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/course/site/"
        server.shutdown()


@pytest.fixture(params=["file", "server"])
def address(request, site):
    return f"{site.as_uri()}/" if request.param == "file" else request.getfixturevalue("server")


@pytest.fixture
def browse(chromium, address):
    """Open a page of the site; fails on console errors and on requests that leave it."""
    contexts, problems = [], []

    def note(request):
        if not request.url.startswith((address, *INLINE)):
            problems.append(f"asks for {request.url}")

    def failed(request):
        if request.failure != "net::ERR_ABORTED":  # a page that is left cancels what it waits for
            problems.append(f"fails: {request.url}")

    def open_page(name, **options):
        options.setdefault("viewport", {"width": 1280, "height": 900})
        context = chromium.new_context(offline=address.startswith("file"), **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", note)
        page.on("requestfailed", failed)
        page.add_init_script(SPY)
        page.goto(address + name)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert problems == []


def play(player):
    player.scroll_into_view_if_needed()
    player.get_by_role("button", name="Play").click()


def test_players_of_one_page_play_one_at_a_time(browse):
    page = browse(FORM)
    first, second, test = page.locator(".effi").all()
    play(first)
    page.wait_for_function(PITCH, arg=400)
    page.keyboard.press("2")
    page.wait_for_function(PITCH, arg=900)
    play(second)
    page.wait_for_function(PITCH, arg=1700)
    assert first.get_by_role("button", name="Play").is_visible()
    page.keyboard.press("2")
    page.wait_for_function(PITCH, arg=2600)
    test.get_by_role("button", name="Start the test").wait_for()


SECOND = "document.getElementById('sound-the-second-player').effifusion"


def test_sounds_come_when_they_come_into_view(browse):
    page = browse("listen.html", viewport={"width": 390, "height": 300})
    arrived = "document.querySelectorAll('script[src*=_media]')"
    page.locator(".effi").first.scroll_into_view_if_needed()
    page.locator(".effi-spectrogram").first.wait_for()
    first = page.evaluate(f"{arrived}.length")
    assert 0 < first <= page.locator(".effi").first.locator("audio").count() + 1
    page.locator(".effi").last.scroll_into_view_if_needed()
    page.wait_for_function(f"{arrived}.length > {first}")


def test_a_link_leads_to_a_place_in_a_player(browse, address):
    page = browse(f"{FORM}#sound-the-second-player?version=high&t=0.50&loop=0.40-0.90")
    assert page.evaluate("document.activeElement.id") == "sound-the-second-player"
    page.wait_for_function("scrollY > 0")
    chosen, loop, position = (
        page.evaluate(f"{SECOND}.{what}()") for what in ("chosen", "loop", "position")
    )
    assert (chosen, loop, position) == (1, [0.4, 0.9], 0.5)
    second = page.locator(".effi").nth(1)
    second.get_by_role("button", name="1 low").click()
    second.get_by_role("button", name="Copy a link to this place").click()
    second.get_by_text(re.compile("Copied|is now this link")).wait_for()
    link = page.evaluate("location.href")
    assert link == f"{address}{FORM}#sound-the-second-player?version=low&t=0.50&loop=0.40-0.90"
    # Within a page a link works as well, in what is folded too; what it does not know, it leaves.
    page.evaluate(
        "location.hash = '#sound-the-first-player?version=none&t=0.3&loop=x&view=0.2-0.6'"
    )
    page.wait_for_function("document.activeElement.id === 'sound-the-first-player'")
    ends = page.locator(".effi").first.locator(".effi-begin:visible")
    assert ends.all_text_contents() == ["0.20 s", "0.20 s"]


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (390, 844), (320, 640)])
def test_the_first_sound_is_on_the_first_screen(browse, width, height):
    page = browse("index.html", viewport={"width": width, "height": height})
    button = page.get_by_role("button", name="Play")
    box = button.bounding_box()
    assert box["y"] + box["height"] <= height
    button.click()
    page.wait_for_function(HEARD)


AT_HAND = pytest.mark.parametrize("address", ["file"], indirect=True)


def saved(page):
    """The file that a finished test saves."""
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Save as CSV").click()
    return waiting.value.path()


def lines(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@AT_HAND
def test_a_link_gives_everyone_the_same_blind_test(browse):
    page = browse("class_test.html")
    assert page.locator("#rooms .effi:visible").count() == 0
    page.get_by_label("Trials of each listener").fill("6")
    page.get_by_label("Seed").fill("class 3b")
    page.get_by_role("checkbox", name="tiny").check()
    assert page.get_by_label("Link").input_value() == ""  # three systems are no pair
    page.get_by_role("checkbox", name="noisy").uncheck()
    link = page.get_by_label("Link").input_value()
    page.get_by_role("button", name="Open the test").click()
    page.wait_for_url(link)
    orders = []
    for _ in range(2):
        room = page.locator("#rooms .effi:visible")
        assert room.get_by_text("There are 6 trials.").is_visible()
        room.get_by_role("button", name="Start the test").click()
        room.get_by_role("button", name="Play").click()
        room.get_by_role("button", name="Pause").wait_for()
        assert room.get_by_role("button", name="1 A: tiny").is_visible()
        for _ in range(6):
            page.keyboard.press("3")
            page.keyboard.press("a")
        found = lines(saved(page))
        orders.append([line["x"] for line in found])
        assert found[0]["test"].endswith("-3-5") and len(found) == 6
        page.reload()
    assert orders[0] == orders[1] and len(set(orders[0])) == 2


@pytest.mark.parametrize("address", ["server"], indirect=True)
@pytest.mark.parametrize(
    ("name", "scheme"),
    [
        ("RESULTS.html", "light"),
        ("claims.html", "dark"),
        ("class_test.html", "dark"),
        ("class_test.html?sentence=2&kind=rating&system=noisy&system=lite", "light"),
    ],
)
def test_tables_and_tests_are_accessible(browse, name, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    violations = axe.run(browse(name, color_scheme=scheme))
    assert violations.violations_count == 0, violations.generate_report()


@AT_HAND
def test_a_link_that_describes_no_test_says_so(browse):
    page = browse("class_test.html?sentence=9&kind=abx&system=lite&system=tiny&trials=3")
    assert "does not describe a test" in page.locator("#refused").text_content()
    assert page.locator("#rooms .effi:visible").count() == 0
    page.get_by_label("rating").check()
    page.get_by_role("checkbox", name="tiny").check()
    assert "trials" not in page.get_by_label("Link").input_value()


@AT_HAND
def test_a_rating_of_some_systems(browse):
    page = browse("class_test.html?sentence=1&kind=rating&system=noisy&system=lite")
    page.get_by_role("button", name="Start the rating").click()
    page.get_by_role("button", name="Play").click()
    page.get_by_role("button", name="Pause").wait_for()
    for letter in "abcd":
        page.keyboard.press(letter)
        page.keyboard.press("ArrowUp")
    page.get_by_role("button", name="Finish the rating").click()
    path = saved(page)
    versions = {"noisy", "lite", "reference", "anchor (below 3.5 kHz)"}
    assert {line["version"] for line in lines(path)} == versions
    assert lines(path)[0]["test"].endswith("-1-5")
    assert pool_ratings([path]).left_out == 1


def values(page):
    return [float(one.get_attribute("value")) for one in page.locator("#pooled data").all()]


@AT_HAND
def test_blind_tests_are_pooled_as_in_python(browse, tmp_path):
    page = browse("pool.html")
    draw = np.random.default_rng(3)
    for number, rate in enumerate((0.5, 0.62, 1.0)):
        files = []
        for listener in range(1 + 9 * number):
            x, right = draw.integers(2, size=20), draw.random(20) < rate
            answers = np.where(right, x, 1 - x)
            rows = [
                f"t,{i},{'AB'[a]},{'AB'[b]},{int(a == b)},1.5"
                for i, (a, b) in enumerate(zip(x, answers, strict=True), 1)
            ]
            files.append(tmp_path / f"{number}-{listener}.csv")
            head = "test,trial,x,answer,correct,seconds"
            files[-1].write_text("\n".join([head, *rows, ""]), encoding="utf-8")
        page.get_by_label("Files").set_input_files(files)
        page.get_by_text(f"{len(files)} files, {20 * len(files)} trials").wait_for()
        pooled = pool(files)
        expected = [pooled.correct / pooled.trials, pooled.low, pooled.high, pooled.p_value]
        assert values(page) == pytest.approx(expected, rel=1e-9)
        said = page.locator("#pooled").text_content()
        assert ("hears a difference" in said) == (pooled.p_value < 0.05)


@AT_HAND
@pytest.mark.parametrize("listeners", [2, 3, 10, 31])
def test_ratings_are_pooled_as_in_python(browse, tmp_path, listeners):
    page = browse("pool.html")
    draw = np.random.default_rng(listeners)
    names = {"x": "version", 'y, "so"': "version", "reference": "reference", "anchor": "anchor"}
    files = []
    for listener in range(listeners + 1):
        ratings = [*draw.integers(30, 80, 2), 100 if listener else 80, 20]
        files.append(tmp_path / f"{listener}.csv")
        with open(files[-1], "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["test", "letter", "version", "role", "rating"])
            for letter, (name, role), rating in zip("ABCD", names.items(), ratings, strict=True):
                writer.writerow(["t", letter, name, role, rating])
    page.get_by_label("Files").set_input_files(files)
    page.get_by_text(f"{listeners} listeners; 1 left out").wait_for()
    pooled = pool_ratings(files)
    ranked = sorted(names, key=lambda name: -pooled.ratings[name].mean())
    found = [pooled.interval(name) for name in ranked]
    found.append(pooled.difference(ranked[0], ranked[1]))
    expected = [value for one in found for value in (one.mean, one.low, one.high)]
    assert values(page) == pytest.approx(expected, rel=1e-9)


@AT_HAND
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,mark\nx,1\n", "no result of a test"),
        ("test,trial,x,answer,correct,seconds\nu,1,A,A,1,1\n", "several tests (t, u)"),
        ("test,letter,version,role,rating\nt,A,reference,reference,99\n", "pool each kind alone"),
    ],
)
def test_files_that_do_not_belong_together_are_refused(browse, tmp_path, text, message):
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    good.write_text("test,trial,x,answer,correct,seconds\nt,1,A,A,1,1\n", encoding="utf-8")
    bad.write_text(text, encoding="utf-8")
    page = browse("pool.html")
    page.get_by_label("Files").set_input_files([good, bad])
    page.locator("#pooled").get_by_text(message).wait_for()


@AT_HAND
def test_a_rating_out_of_range_is_refused(browse, tmp_path):
    (tmp_path / "1.csv").write_text(
        "test,letter,version,role,rating\nt,A,reference,reference,120\n", encoding="utf-8"
    )
    page = browse("pool.html")
    page.get_by_label("Files").set_input_files([tmp_path / "1.csv"])
    page.get_by_text("1.csv is no result of a rating").wait_for()


def test_play_stays_in_sight_on_a_phone(browse):
    page = browse(FORM, viewport={"width": 390, "height": 600})
    bar = page.locator(".effi .effi-bar").first
    page.locator(".effi-version").nth(1).get_by_role("button", name="Download").click()
    header = page.locator(".mobile-header").bounding_box()
    assert bar.bounding_box()["y"] == pytest.approx(header["y"] + header["height"], abs=2)


def test_a_keyboard_reaches_the_other_pages_on_a_phone(browse):
    page = browse(FORM, viewport={"width": 390, "height": 700})
    link = page.locator(".sidebar-drawer").get_by_role("link", name="Results", exact=True)
    assert link.bounding_box()["x"] < 0
    for _ in range(40):
        page.keyboard.press("Tab")
        if link.evaluate("(link) => link === document.activeElement"):
            break
    page.wait_for_timeout(500)  # it slides
    assert link.bounding_box()["x"] >= 0
    page.keyboard.press("Enter")
    page.wait_for_url("**/RESULTS.html")


@pytest.mark.parametrize("name", PAGES)
def test_no_page_scrolls_sideways_on_a_phone(browse, name):
    page = browse(name, viewport={"width": 390, "height": 700}, has_touch=True)
    page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true")
    for width in (390, 320):
        page.set_viewport_size({"width": width, "height": 700})
        page.wait_for_timeout(100)
        assert page.evaluate(TOO_WIDE) == []


def test_what_is_folded_is_closed_and_opens_with_a_key(browse):
    page = browse(FORM)
    code = page.locator(".cell_input", has_text="frame = 1")
    assert [one.is_visible() for one in code.all()] == [False, False, False, True, True]
    names = page.locator("summary:visible").all_inner_texts()
    assert names == [*3 * ["Show the code"], "Show what comes out", "One answer", "Hint 1"]
    for hidden in ("the surprise", "# Answer: three.", "the outcome", "one"):
        text = page.get_by_text(hidden, exact=True)
        assert not text.is_visible()
        page.locator("details", has=text).locator("summary").first.focus()
        page.keyboard.press("Enter")
        text.wait_for()
        page.keyboard.press("Enter")
    hint = page.locator("details", has_text="Hint 1")
    assert hint.locator("li strong").text_content() == "one"
    assert hint.locator("math").count() == 2
    assert hint.locator(".highlight .n").text_content() == "x"


def test_drawn_figures_are_seen_and_have_their_text(browse):
    figure = browse(FORM).get_by_role("img", name="A drawing of two boxes")
    figure.wait_for()
    assert figure.evaluate("(image) => image.complete && image.naturalWidth > 0")


def test_formulas_are_drawn_with_their_font(browse):
    page = browse(FORM)
    formula = page.locator("article math:visible").first
    assert "atan2" in formula.text_content() and "\\" not in formula.text_content()
    assert page.evaluate("document.fonts.ready.then(() => document.fonts.check('16px Formulas'))")


@AT_HAND
def test_paper_shows_what_can_be_read(browse):
    page = browse(FORM, viewport={"width": 720, "height": 900})
    page.emulate_media(media="print")
    for name in ("Play", "Hide the code", "Copy a link to this place", "Download low"):
        assert page.get_by_role("button", name=name).count() == 0
    assert page.get_by_role("button", name="1 low").first.is_visible()
    assert page.evaluate("document.querySelector('pre').scrollWidth") <= 720  # its line is broken


def test_code_can_be_hidden_and_the_page_remembers(browse, address):
    page = browse(FORM)
    code, frame = page.locator(".cell_input").first, page.locator("details.above-input").first
    assert code.is_visible() and frame.is_visible()
    page.get_by_role("button", name="Hide the code", pressed=False).click()
    assert not code.is_visible() and not frame.is_visible()
    assert page.locator(".effi").first.is_visible()
    page.get_by_text("One answer").locator("visible=true").click()
    assert page.get_by_text("the outcome").is_visible()
    page.goto(f"{address}notebooks/{CHAPTERS[0]}.html")
    assert not page.locator(".cell_input").first.is_visible()
    page.get_by_role("button", name="Hide the code", pressed=True).press("Enter")
    assert page.locator(".cell_input").first.is_visible()


def test_pages_lead_on_and_are_found(browse, address):
    page = browse("index.html")
    for name in ("listen", "try", "mixer", *CHAPTERS[:2]):
        page.locator(".related-pages a.next-page").press("Enter")
        page.wait_for_url(f"**/{name}.html", wait_until="domcontentloaded", timeout=60_000)
    page.goto(f"{address}search.html?q=spectrograms")
    results = page.locator("#search-results li a")
    results.first.wait_for()
    assert any("01_spec" in link.get_attribute("href") for link in results.all())


@pytest.mark.parametrize("address", ["server"], indirect=True)  # axe asks for the style sheets
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "name", ["index.html", "listen.html", "try.html", "mixer.html", "search.html", FORM]
)
def test_pages_are_accessible(browse, name, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    violations = axe.run(browse(name, color_scheme=scheme))
    assert violations.violations_count == 0, violations.generate_report()


def test_the_network_runs_in_pages(browse, address, tmp_path):
    page = browse("try.html", viewport={"width": 390, "height": 800})
    missing = page.get_by_text("was built without the network")
    if missing.count():
        pytest.skip(missing.text_content())
    save_audio(tmp_path / "tone.wav", sine(500, 0.1), SAMPLE_RATE)
    page.get_by_label("Choose a recording").set_input_files(tmp_path / "tone.wav")
    page.get_by_text("tone by tiny").wait_for()
    look_at_wide_and_dark(page, address)
    page.goto(f"{address}mixer.html")
    page.get_by_role("button", name="Enhance with tiny").click()
    page.get_by_role("cell", name="tiny").wait_for()
    look_at_wide_and_dark(page, address)


def look_at_wide_and_dark(page, address):
    assert page.evaluate(TOO_WIDE) == []
    if address.startswith("file"):  # axe asks for the style sheets
        return
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        violations = axe.run(page)
        assert violations.violations_count == 0, violations.generate_report()


def test_widgets_without_a_kernel_lead_to_the_network_in_a_page(site):
    page = read(site / "notebooks" / f"{CHAPTERS[0]}.html")
    assert '<a href="../mixer.html">' in page and '<a href="../try.html">' in page
