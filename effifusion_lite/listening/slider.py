"""One or two sliders over sounds that were prepared: they work on a page without Python.

All sounds run on one clock, so moving the slider while it plays changes the sound in the middle of
a word; the picture follows.
"""

import html
import itertools
import json
from collections.abc import Hashable, Mapping, Sequence

import numpy as np

from effifusion_lite.listening.loudness import common_gain
from effifusion_lite.listening.page import (
    Page,
    assemble,
    attribute,
    audio,
    check,
    transcript_html,
)

MOST = 24  # sounds: with 3 s each they take about 1.5 MB


def slider(
    sounds: Mapping[Hashable, np.ndarray],
    labels: str | Sequence[str],
    sample_rate: int = 16000,
    title: str = "",
    transcript: str = "",
    listen_for: str = "",
    beside: Mapping[str, np.ndarray] | None = None,
    texts: Mapping[Hashable, str] | None = None,
    figures: Mapping[Hashable, str] | None = None,
    start: Hashable | None = None,
) -> Page:
    """Let the reader move through prepared sounds.

    Args:
        sounds: for each place of the slider its waveform, full scale = 1; with two sliders the
            places are pairs, and every pair of the two lists of values is there.
        labels: what the slider changes, with its unit; two labels for two sliders.
        sample_rate: samples per second, Hz.
        title: what the sound is.
        transcript: what is said; folded away at first.
        listen_for: what is to be heard, in a sentence.
        beside: sounds that do not depend on the slider, to compare with.
        texts: for some or all places a line below the picture, such as scores.
        figures: for all places HTML of a picture (see `plotting.image_html`), shown instead of
            waveform and spectrogram.
        start: the first place; the first of `sounds` if None.

    Returns:
        The sliders, which a notebook shows.

    Shape:
        Each waveform [N] samples, all of one length.

    Raises:
        ValueError: there are more than 24 sounds, pairs are missing, a place has no figure, `start`
            is no place, or a sound cannot be played.
    """
    labels = [labels] if isinstance(labels, str) else [*labels]
    places = {place if isinstance(place, tuple) else (place,): place for place in sounds}
    axes = [[*dict.fromkeys(values)] for values in zip(*places, strict=True)]
    texts, figures = texts or {}, figures or {}
    _check_places(places, axes, labels, figures, texts)
    grid = [places[pair] for pair in itertools.product(*axes)]
    named = {_name(labels, place): np.asarray(sounds[place], np.float64) for place in grid}
    named |= {name: np.asarray(waveform, np.float64) for name, waveform in (beside or {}).items()}
    check(named, MOST)
    first = grid[0] if start is None else start
    if first not in grid:
        raise ValueError(f"the slider cannot start at {start!r}: choose one of {grid}")
    gain_db = common_gain([*named.values()])
    cards = []
    for number, (name, waveform) in enumerate(named.items()):
        place = grid[number] if number < len(grid) else None
        extra = figures.get(place, "")
        extra += f"<p>{html.escape(texts[place])}</p>" if place in texts else ""
        sound = audio(10 ** (gain_db / 20) * waveform, sample_rate, name)
        cards.append(
            f'<div class="effi-version" data-name="{attribute(name)}">'
            f'<p class="effi-plain">{html.escape(name)}</p>{sound}{extra}</div>'
        )
    body = (
        f'<div class="effi-versions">{"".join(cards)}</div>\n{transcript_html(transcript)}'
        f'<p class="effi-small">One gain of {gain_db:+.1f} dB for all sounds.</p>'
    )
    pair = first if isinstance(first, tuple) else (first,)
    shown = [(label, [*map(str, axis)]) for label, axis in zip(labels, axes, strict=True)]
    data = {
        "rate": str(sample_rate),
        "seconds": f"{len(next(iter(named.values()))) / sample_rate:.6f}",
        "axes": json.dumps(shown, ensure_ascii=False),
        "start": json.dumps([axis.index(value) for axis, value in zip(axes, pair, strict=True)]),
        "figures": "yes" if figures else "no",
    }
    page = assemble("slider", title, listen_for, body, data, ["fft.js", "picture.js", "slider.js"])
    return Page(page, f"Slider: {' and '.join(labels)}, {len(grid)} sounds")


def _name(labels: list[str], place: Hashable) -> str:
    values = place if isinstance(place, tuple) else (place,)
    return ", ".join(f"{label}: {value}" for label, value in zip(labels, values, strict=True))


def _check_places(places, axes, labels, figures, texts) -> None:
    if not places:
        raise ValueError("a slider needs sounds to move through")
    if len(labels) != len(axes) or len(labels) > 2:
        raise ValueError(f"{len(axes)} values in each place need as many labels, 1 or 2")
    missing = [pair for pair in itertools.product(*axes) if pair not in places]
    if missing:
        raise ValueError(f"two sliders need a sound for every pair of values; {missing} have none")
    wrong = [place for place in (*figures, *texts) if place not in places.values()]
    if wrong or (figures and len(figures) < len(places)):
        raise ValueError("give a figure for every place of the slider, and texts only for places")
