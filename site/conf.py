"""Sphinx's settings for the site; `site/build.py` gathers its pages and calls Sphinx.

The theme is Furo: 62 kB of style and script, where those of PyData and Jupyter Book bring 2 MB.
Formulas become MathML here, so that a page needs no script for them, and their font holds just
the characters that the formulas use.
"""

import io
import logging
import re
from html import unescape
from importlib.resources import files
from pathlib import Path

from docutils import nodes
from fontTools import subset
from latex2mathml.converter import convert
from sphinx.util.logging import getLogger

from effifusion_lite import __version__

project = "effifusion-lite"
author = "The effifusion-lite authors"
project_copyright = f"{author}. Code MIT; text, figures, sounds and weights CC BY 4.0"
release = __version__
language = "en"

extensions = ["myst_nb", "sphinx.ext.githubpages", "gathered", "heard", "players"]
nb_execution_mode = "off"
nb_ipywidgets_js = {}  # the notebooks keep no state of widgets
nb_merge_streams = True
myst_enable_extensions = ["attrs_block", "deflist", "dollarmath"]
myst_dmath_double_inline = True
myst_heading_anchors = 3

html_theme = "furo"
html_title = project
html_favicon = "_static/icon.svg"
html_static_path = ["_static"]
templates_path = ["_templates"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_use_index = False
html_math_renderer = "mathml"
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"

# What latex2mathml does not know, or sets slanted.
IN_PLACE_OF = {
    r"\operatorname": r"\mathrm",
    r"\arg": r"\mathrm{arg}",
    "{aligned}": "{align*}",
}

logger = getLogger(__name__)
logging.getLogger("fontTools").setLevel(logging.WARNING)
FONT = files("ziamath") / "fonts" / "STIXTwoMath-Regular.ttf"  # SIL Open Font License 1.1
# Not in the text of a formula: its roots, and the slanted forms of Latin and Greek letters.
SLANTED = (*range(0x1D434, 0x1D468), *range(0x1D6E2, 0x1D71C))
DRAWN = {"√", "ℎ", *map(chr, SLANTED)}


def setup(app):
    """Connect MathML and its font to Sphinx."""
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    app.connect("build-finished", write_font)


def inline(self, node):
    """Write a formula within a line."""
    self.body.append(f"{mathml(node, 'inline')}&NoBreak;")  # a comma behind it stays there
    raise nodes.SkipNode


def block(self, node):
    """Write a formula of its own; a wide one scrolls in its box."""
    self.body.append(f'<div class="formula">{mathml(node, "block")}</div>\n')
    raise nodes.SkipNode


def mathml(node, display):
    """Turn TeX into MathML."""
    tex = node.astext()
    for unknown, known in IN_PLACE_OF.items():
        tex = tex.replace(unknown, known)
    converted = convert(tex, display=display)
    if "\\" in converted or "&<" in converted:
        logger.warning("latex2mathml does not know all of this formula", location=node)
    return converted


def write_font(app, error):
    """Write the part of the font that the formulas need, as the stylesheet names it."""
    if error:
        return
    pages = "".join(path.read_text(encoding="utf-8") for path in Path(app.outdir).rglob("*.html"))
    formulas = re.findall(r"<math.*?</math>", pages, re.DOTALL)
    used = set(unescape(re.sub(r"<[^>]+>", "", "".join(formulas))))
    options = subset.Options(flavor="woff", layout_features=["*"], name_IDs=["*"], hinting=False)
    font = subset.load_font(io.BytesIO(FONT.read_bytes()), options)
    subsetter = subset.Subsetter(options)
    subsetter.populate(text="".join(used | DRAWN))
    subsetter.subset(font)
    subset.save_font(font, str(Path(app.outdir) / "_static" / "math.woff"), options)
