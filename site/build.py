"""Build the site from the executed notebooks, which are not run again.

    python site/build.py                    into build/site
    python site/build.py --out FOLDER       into another folder
    python site/build.py --project FOLDER   from the notebooks of another folder

Sphinx reads the pages of this folder, the notebooks with their drawn figures, and the results. The
players of the home page and of the tour are made here, from the built-in clips.
"""

import argparse
import html
import os
import re
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
import tryit
from nbformat import NotebookNode
from sphinx.cmd.build import build_main

from effifusion_lite import enhance, load
from effifusion_lite.audio import SAMPLE_RATE
from effifusion_lite.listening import clips, row
from effifusion_lite.listening.corpus import VARIABLE
from effifusion_lite.listening.red_thread import NAME, thread

SITE = Path(__file__).resolve().parent
REPOSITORY = SITE.parent
TOUR = (1, 7, 8, 10)  # chapters whose rows hold all versions of that sentence
WORDS = {"slider": " (slider)", "abx": " (blind test)", "room": " (blind test and rating)"}
# The texts of a folded cell, closed and open, by its tag.
FOLDS = {
    "frame": ("Show the code", "Hide the code"),
    "guess": ("Show what comes out", "Hide what comes out"),
    "try": ("One answer", "One answer"),
}
# All of it keeps its place, so that the links in it hold.
FILES = (
    "RESULTS.md",
    "CITATION.cff",
    "figures/*.svg",
    "notebooks/*.ipynb",
    "notebooks/figures/*.svg",
)


def main(arguments: list[str] | None = None) -> int:
    """Gather what the site is made of and build it; return the exit status."""
    parser = argparse.ArgumentParser(prog="python site/build.py", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--out", type=Path, default=REPOSITORY / "build" / "site")
    parser.add_argument("--project", type=Path, default=REPOSITORY)
    given = parser.parse_args(arguments)
    out = given.out.resolve()
    if out.exists() and not (out / ".buildinfo").exists():
        parser.error(f"{out} holds no earlier site: name a folder that is not there yet")
    os.environ.pop(VARIABLE, None)  # no sound of a corpus gets into the pages
    with TemporaryDirectory() as temporary:
        source, built = Path(temporary) / "source", Path(temporary) / "site"
        gather(given.project, source)
        missing = tryit.add(source)
        options = ["-q", "-b", "html", "-c", str(SITE), "-d", str(Path(temporary) / "doctrees")]
        status = build_main([*options, str(source), str(built)])
        if status == 0:
            shutil.rmtree(out, ignore_errors=True)
            shutil.copytree(built, out)
            shutil.copytree(source / "extra", out, dirs_exist_ok=True)
    if status == 0:
        if missing:
            print(f"site: without the network in the page (try, mixer), since {missing}")
        size = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
        print(f"site: {size / 1e6:.0f} MB in {out}: open {out / 'index.html'}, or `make serve`")
    return status


def gather(project: Path, source: Path) -> None:
    """Fill the folder that Sphinx reads.

    Args:
        project: the project's folder, or one with the same files.
        source: a folder that is not there yet.
    """
    source.mkdir(parents=True)
    for page in SITE.glob("*.md"):
        shutil.copy(page, source)
    for pattern in FILES:
        for file in project.glob(pattern):
            target = source / file.relative_to(project)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target)
    chapters = []
    for path in sorted((source / "notebooks").glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        name_folds(notebook)
        tryit.link(notebook)
        nbformat.write(notebook, path)
        chapters.append(chapter(notebook, path.name))
    (source / "chapters.txt").write_text("\n".join(chapters), encoding="utf-8")
    (source / "first_sound.html").write_text(first_sound(), encoding="utf-8")
    for number in TOUR:
        (source / f"thread_{number:02}.html").write_text(thread(number).html, encoding="utf-8")


def name_folds(notebook: NotebookNode) -> None:
    """Let what is folded be called by what it is.

    Args:
        notebook: changed in place, where MyST-NB looks for it.
    """
    for cell in notebook.cells:
        for tag in FOLDS.keys() & set(cell.metadata.get("tags", [])):
            show, hide = FOLDS[tag]
            cell.metadata["mystnb"] = {"code_prompt_show": show, "code_prompt_hide": hide}


def chapter(notebook: NotebookNode, name: str) -> str:
    """Say what a chapter is, how long it takes and what is heard in it, in Markdown.

    Args:
        notebook: an executed chapter.
        name: of its file.

    Raises:
        ValueError: its head has no title or no time.
    """
    head = notebook.cells[0].source
    title = re.search(r"^# (.+)$", head, re.MULTILINE)
    time = re.search(r"\*\*Time and cost\.\*\*\s+(.+?\.)(?=\s)", head, re.DOTALL)
    if title is None or time is None:
        raise ValueError(f"{name}: the first cell lacks a title or **Time and cost.**")
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    page = "".join(output.get("data", {}).get("text/html", "") for output in outputs)
    players = re.findall(r'<div class="effi"[^>]* data-kind="(\w+)" data-title="([^"]+)"', page)
    titles = [html.unescape(heading) + WORDS.get(kind, "") for kind, heading in players]
    heard = "; ".join(titles)
    lines = [f"### [{title[1]}](notebooks/{name})", "", " ".join(time[1].split())]
    return "\n".join([*lines, "", f"*You hear:* {heard}.", ""] if heard else [*lines, ""])


def first_sound() -> str:
    """Make the player of the home page: one noisy sentence, cleaned by two networks."""
    clean, noisy = clips.pair(NAME)
    enhanced = {name: enhance(noisy, SAMPLE_RATE, load(name)) for name in ("tiny", "lite")}
    clip = clips.info(NAME)
    return row(
        {"noisy": noisy, **enhanced, "clean": clean},
        SAMPLE_RATE,
        title=f"One sentence, {clip.noise} noise at {clip.snr_db:.0f} dB",
        transcript=clip.text,
        listen_for="What is left of the noise between the words, and what does the voice lose?",
    ).html


if __name__ == "__main__":
    sys.exit(main())
