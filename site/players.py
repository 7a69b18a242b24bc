"""Make pages light: what their players and figures carry becomes files of the site.

In a notebook each player holds its sounds, its style and its script, so that it works wherever the
notebook is opened. On the site, style and script of all players lie in `_static`, those of the
package as it is now; sounds and pictures lie in `_media`, named by what is in them, and a browser
gets them when they come near. A sound is there twice: as a file, which plays where scripts do not
run, and as a script, since a page in a folder may not read files.
"""

import base64
import hashlib
import html
import re
import struct
from collections import Counter
from pathlib import Path

from effifusion_lite import listening

SITE = Path(__file__).resolve().parent
PACKAGE = Path(listening.__file__).parent
SCRIPTS = (
    *("core.js", "wav.js", "fft.js", "picture.js", "player.js", "slider.js"),
    *("chance.js", "stage.js", "binomial.js", "abx.js", "rating.js", "room.js"),
)
STYLE = re.compile(r"<style>\.effi \{.*?</style>\n?", re.DOTALL)
SCRIPT = re.compile(r"<script>\(\(\) => \{\s*function makeLab\(\).*?</script>", re.DOTALL)
PLAYER = re.compile(r'<div class="effi"([^>]*? data-title="([^"]*)")')
SOUND = re.compile(r'src="data:audio/flac;base64,([^"]*)"')
DRAWING = re.compile(r'src="(?:\.\./)*(_images/[^"]*\.svg)"')
PICTURE = re.compile(r'src="data:image/(png|jpeg);base64,([^"]*)"')


def setup(app):
    """Connect all this to Sphinx."""
    app.connect("builder-inited", write_shared)
    app.connect("html-page-context", lighten)


def write_shared(app) -> None:
    """Write the style and scripts that come from the package, before Sphinx looks for them."""
    static = Path(app.outdir) / "_static"
    static.mkdir(parents=True, exist_ok=True)
    files = [*(PACKAGE / name for name in SCRIPTS), SITE / "players.js"]
    (static / "players.js").write_text(_joined(files), encoding="utf-8")
    pool = _joined([PACKAGE / "binomial.js", SITE / "pool.js"])
    (static / "pool.js").write_text(pool, encoding="utf-8")
    style = (PACKAGE / "lab.css").read_text(encoding="utf-8")
    (static / "players.css").write_text(style, encoding="utf-8")


def _joined(files: list[Path]) -> str:
    """One script of several, without comment lines and indentation."""
    script = "".join(file.read_text(encoding="utf-8") for file in files)
    script = re.sub(r"^\s*//.*\n|^[ \t]+", "", script, flags=re.MULTILINE)
    return f"(() => {{\n{script}}})();\n"


def lighten(app, pagename, templatename, context, doctree) -> None:
    """Take out of a page what becomes files, and give its players addresses."""
    body = context.get("body", "")
    root = "../" * pagename.count("/")
    media = Path(app.outdir) / "_media"
    media.mkdir(exist_ok=True)

    def sound(found: re.Match) -> str:
        name = _write(media, found[1], "flac")
        (media / f"{name}.js").write_text(f'effifusionSound("{name}", "{found[1]}");\n')
        return f'src="{root}_media/{name}.flac"'

    def picture(found: re.Match) -> str:
        name = _write(media, found[2], found[1])
        size = _size((media / f"{name}.{found[1]}").read_bytes())
        return f'src="{root}_media/{name}.{found[1]}" loading="lazy"{size}'

    def drawing(found: re.Match) -> str:
        size = _drawn_size(images[found[1].removeprefix("_images/")])
        return f'{found[0]} loading="lazy"{size}' if size else found[0]

    images = {name: Path(app.srcdir) / path for path, (_, name) in app.env.images.items()}
    body = DRAWING.sub(drawing, PICTURE.sub(picture, SOUND.sub(sound, body)))
    if PLAYER.search(body):
        body = STYLE.sub("", SCRIPT.sub("", body))
        app.add_css_file("players.css")
        app.add_js_file("players.js", loading_method="defer")
        seen: Counter[str] = Counter()
        body = PLAYER.sub(
            lambda found: f'<div id="{_id(found[2], seen)}" class="effi"{found[1]}', body
        )
    context["body"] = body


def _write(folder: Path, data: str, kind: str) -> str:
    """Write what is encoded, once; return its name without the ending."""
    content = base64.b64decode(data)
    name = hashlib.sha256(content).hexdigest()[:12]
    file = folder / f"{name}.{kind}"
    if not file.exists():
        file.write_bytes(content)
    return name


def _size(content: bytes) -> str:
    """Width and height of a PNG, so that the page keeps its place before it is there."""
    if content[:4] != b"\x89PNG":
        return ""
    width, height = struct.unpack(">II", content[16:24])
    return f' width="{width}" height="{height}"'


def _drawn_size(file: Path) -> str:
    """Width and height of a drawing in pixels; nothing where it has other units."""
    head = re.search(r"<svg[^>]*>", file.read_text(encoding="utf-8"))[0]
    sizes = [re.search(rf' {name}="(\d+)"', head) for name in ("width", "height")]
    return "".join(found[0] for found in sizes) if all(sizes) else ""


def _id(title: str, seen: Counter) -> str:
    """Address of a player, from its title: the same as long as the title stays."""
    words = re.findall(r"[a-z0-9]+", html.unescape(title).lower())[:8]
    name = "-".join(["sound", *words])
    seen[name] += 1
    return f"{name}-{seen[name]}" if seen[name] > 1 or not words else name
