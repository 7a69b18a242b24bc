"""Pages that are gathered when the site is built: the claims of all chapters, and the glossary."""

import csv
import html
import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode

GLOSSARY = Path(__file__).resolve().parent / "glossary.csv"
CELL = re.compile(r"<td[^>]*>(.*?)</td>", re.DOTALL)
SPECIAL = re.compile(r"([\\`*_{}\[\]<>$|#~])")
CLAIMS = """# What the paper says, and what came out here

Every chapter ends with such a table; here are all of them, taken from the notebooks as they were
last run. "Read in" says where a statement stands: of the paper, only its abstract and summaries by
others were at hand. What is not larger than its spread over seeds, files or listeners is marked
**not shown**: that is neither a proof that there is an effect, nor that there is none.
"""
TERMS = """# Glossary

One sentence for each term, as this series uses it, and the chapter that explains it.
"""


def setup(app):
    """Connect this to Sphinx."""
    app.connect("builder-inited", write_pages)


def write_pages(app) -> None:
    """Write the pages beside the others, before Sphinx looks for pages."""
    source = Path(app.srcdir)
    files = sorted((source / "notebooks").glob("*.ipynb"))
    notebooks = {file.name: nbformat.read(file, as_version=4) for file in files}
    (source / "claims.md").write_text(claims(notebooks), encoding="utf-8")
    (source / "glossary.md").write_text(glossary([*notebooks]), encoding="utf-8")


def claims(notebooks: dict[str, NotebookNode]) -> str:
    """Write the page of all claims, in Markdown.

    Args:
        notebooks: the executed chapters by the names of their files.
    """
    parts, rows, unshown = [], 0, 0
    for name, notebook in notebooks.items():
        found = claim_rows(notebook)
        if not found:
            continue
        heads = _headings(notebook)
        parts.append(f"\n## [{heads[0]}](notebooks/{name})\n")
        parts.append("| the paper | read in | here | where | why they differ, or not |")
        parts.append("|---|---|---|---|---|")
        for statement, origin, ours, where, reason in found:
            rows += 1
            unshown += "not shown" in ours.lower()
            place = _place(where, heads[1:], name)
            cells = (_marked(statement), _marked(origin), _marked(ours), place, _marked(reason))
            parts.append(f"| {' | '.join(cells)} |")
    count = f"\n{rows} claims; in {unshown} of them something is not shown.\n"
    return "\n".join([CLAIMS + count, *parts, ""])


def claim_rows(notebook: NotebookNode) -> list[list[str]]:
    """The rows of a chapter's claim table: statement, origin, ours, section, reason."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    pages = [output.get("data", {}).get("text/html", "") for output in outputs]
    tables = [
        page for page in pages if '<th scope="col" style="text-align: left">The paper' in page
    ]
    rows = [CELL.findall(row) for table in tables for row in table.split("<tr>")]
    return [[html.unescape(cell) for cell in row] for row in rows if row]


def glossary(names: list[str]) -> str:
    """Write the page of the glossary, in Markdown.

    Args:
        names: of the files of all chapters, which begin with their numbers.
    """
    files = {name[:2]: name for name in names}
    parts = [TERMS]
    for term in sorted(terms(), key=lambda term: term["term"].lower()):
        number = f"{int(term['chapter']):02}"
        facts = [f"{key} {_marked(term[key])}" for key in ("symbol", "unit") if term[key]]
        facts.append(f"[chapter {number}](notebooks/{files[number]})")
        line = f"{_marked(term['meaning'])} *{', '.join(facts)}*"
        parts.append(f"{_marked(term['term'])}\n: {line}\n")
    return "\n".join(parts)


def terms() -> list[dict[str, str]]:
    """The rows of `glossary.csv`."""
    with open(GLOSSARY, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _headings(notebook: NotebookNode) -> list[str]:
    """Title of a chapter, then the titles of its sections."""
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    return re.findall(r"^##? (.+)$", text, re.MULTILINE)


def _place(where: str, sections: list[str], name: str) -> str:
    """What says where a number comes from, with a link to the first section that it names."""
    number = re.search(r"sections? (\d+)", where)
    title = next((s for s in sections if number and s.startswith(f"{number[1]} ")), "")
    if not title or "$" in title:
        return f"[{_marked(where)}](notebooks/{name})"
    anchor = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
    return f"[{_marked(where)}](notebooks/{name}#{anchor})"


def _marked(text: str) -> str:
    """A text that stands in Markdown as it is, but for what is not shown."""
    text = SPECIAL.sub(r"\\\1", " ".join(text.split()))
    return re.sub(r"not shown", "**not shown**", text, flags=re.IGNORECASE)
