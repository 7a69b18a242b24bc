"""What all players share in their HTML: sounds as FLAC, texts, style and script in one string."""

import base64
import hashlib
import html
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import soundfile

BITS = 13  # of each sample; rounding stays 54 dB below speech and saves a quarter of the size
QUIETER = "Turn the volume down before the first sound, then up to where it is pleasant."
UNTRUSTED = (
    "To switch between the sounds while they play, run this cell or trust the notebook; where "
    "nothing can be played, open the notebook with <code>make lab</code>."
)


@dataclass(frozen=True)
class Page:
    """A piece of HTML; as the last value of a cell it displays itself.

    `text` stands for it where there is no HTML.
    """

    html: str
    text: str

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return self.text


def check(waveforms: Mapping[str, np.ndarray], most: int) -> None:
    """Refuse versions that cannot run on one clock.

    Args:
        waveforms: name and waveform of each version.
        most: the largest number of versions.

    Shape:
        Each [N] samples, all of one length.

    Raises:
        ValueError: there is no version or there are too many, lengths differ, or a waveform has
            several channels or values that are not finite.
    """
    if not 1 <= len(waveforms) <= most:
        raise ValueError(f"a player holds 1 to {most} versions, not {len(waveforms)}")
    for name, waveform in waveforms.items():
        if waveform.ndim != 1 or len(waveform) == 0:
            raise ValueError(
                f"{name!r} has shape {list(waveform.shape)}: give one channel [N] of samples"
            )
        if not np.isfinite(waveform).all():
            raise ValueError(f"{name!r} holds NaN or infinite samples and cannot be played")
    if len({len(waveform) for waveform in waveforms.values()}) > 1:
        lengths = ", ".join(f"{name}: {len(waveform)}" for name, waveform in waveforms.items())
        raise ValueError(f"all versions run on one clock and need one length, but have {lengths}")


def audio(waveform: np.ndarray, sample_rate: int, label: str) -> str:
    """Put a sound into an audio element that holds its FLAC file.

    Args:
        waveform: full scale = 1; rounded to 13 bits.
        sample_rate: samples per second, Hz.
        label: name of the sound.

    Returns:
        The element.

    Shape:
        `waveform` [N] samples.
    """
    step = 2.0 ** (1 - BITS)
    rounded = np.round(waveform / step) * step
    buffer = io.BytesIO()
    soundfile.write(
        buffer, rounded, sample_rate, format="FLAC", subtype="PCM_16", compression_level=1.0
    )
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    return (
        f'<audio controls preload="none" aria-label="{attribute(label)}" '
        f'src="data:audio/flac;base64,{data}"></audio>'
    )


def assemble(
    kind: str, title: str, listen_for: str, body: str, data: Mapping[str, str], scripts: list[str]
) -> str:
    """Make the whole of a player: texts, style, body and script; nothing is loaded from elsewhere.

    Args:
        kind: "player", "abx", "room" or "slider".
        title: what the sound is.
        listen_for: a question to the ear.
        body: HTML between the controls and the script.
        data: what the script has to know, as `data-` attributes.
        scripts: names of the JavaScript files beside this module that the kind needs besides
            `core.js` and `wav.js`; the last one has the function `start` + kind.

    Returns:
        HTML.
    """
    parts = [
        f'<p class="effi-title">{html.escape(title)}</p>' if title else "",
        f"<p>While you listen: {html.escape(listen_for)}</p>" if listen_for else "",
        f'<p class="effi-quieter">{QUIETER}</p>',
        f'<p class="effi-untrusted">{UNTRUSTED}</p>',
        '<div class="effi-live"></div>',
        body,
    ]
    attributes = "".join(f' data-{name}="{attribute(text)}"' for name, text in data.items())
    label = f"Sounds to compare{': ' + title if title else ''}"
    return (
        f'<div class="effi" role="group" aria-label="{attribute(label)}" data-kind="{kind}" '
        f'data-title="{attribute(title)}" data-lm-suppress-shortcuts="true"{attributes}>\n'
        f"<style>{_read('lab.css')}</style>\n{''.join(part + chr(10) for part in parts if part)}"
        f"</div>\n<script>{_script(kind, tuple(scripts))}</script>"
    )


def transcript_html(transcript: str) -> str:
    """Fold the text of a sound away.

    Args:
        transcript: what is said.

    Returns:
        HTML; empty if there is no text.
    """
    if not transcript:
        return ""
    return f"<details><summary>What is said</summary><p>{html.escape(transcript)}</p></details>"


def attribute(text: str) -> str:
    """Escape a text for an attribute.

    Args:
        text: any text.

    Returns:
        The text in one line.
    """
    return html.escape(" ".join(text.split()), quote=True)


@cache
def _script(kind: str, names: tuple[str, ...]) -> str:
    core, own = _read("core.js"), "".join(map(_read, ("wav.js", *names)))
    version = hashlib.sha256(core.encode()).hexdigest()[:8]  # another core, another lab
    return f"""(() => {{
{core}{own}const lab = ((window.effifusion ??= {{}})["{version}"] ??= makeLab());
for (const root of document.querySelectorAll('[data-kind="{kind}"]:not([data-ready])'))
lab.begin(root, start{kind.capitalize()});
}})();"""


@cache
def _read(name: str) -> str:
    """A file beside this one, without comment lines and indentation."""
    text = (Path(__file__).parent / name).read_text(encoding="utf-8")
    return re.sub(r"^\s*//.*\n|^[ \t]+", "", text, flags=re.MULTILINE)
