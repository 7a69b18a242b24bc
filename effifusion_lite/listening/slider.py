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
from effifusion_lite.plotting import map_html

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
    maps: Mapping[str, Mapping[Hashable, np.ndarray]] | None = None,
    figures: Mapping[Hashable, str] | None = None,
    start: Hashable | None = None,
    hop_length: int = 100,
) -> Page:
    """Let the reader move through prepared sounds.

    The page draws waveform and spectrogram of each sound. `maps`, `figures` and `texts` add what it
    cannot compute.

    Args:
        sounds: for each place of the slider its waveform, full scale = 1; with two sliders the
            places are pairs, and every pair of the two lists of values is there.
        labels: what the slider changes, with its unit; two labels for two sliders.
        sample_rate: samples per second, Hz.
        title: what the sound is.
        transcript: what is said; folded away at first.
        listen_for: what to listen for, as a question.
        beside: sounds that do not depend on the slider, to compare with.
        texts: for some or all places a line below the picture, such as scores.
        maps: further pictures over time and frequency below the spectrogram, with its width and its
            playing cursor: for the caption of each a map for every place. All maps with one caption
            have one colour scale.
        figures: for all places HTML of a picture that has no axis of time, such as a histogram (see
            `plotting.image_html`).
        start: the first place; the first of `sounds` if None.
        hop_length: samples from one frame of a map to the next.

    Returns:
        The sliders, which a notebook shows.

    Shape:
        Each waveform [N] samples, all of one length; each map [F, T], F frequencies from 0 Hz to
        half the sample rate, T frames that cover the sound.

    Raises:
        ValueError: there are more than 24 sounds, pairs are missing, a place has no map or figure,
            a map does not cover the time of its sound, `start` is no place, or a sound cannot be
            played.
    """
    labels = [labels] if isinstance(labels, str) else [*labels]
    places = {place if isinstance(place, tuple) else (place,): place for place in sounds}
    axes = [[*dict.fromkeys(values)] for values in zip(*places, strict=True)]
    texts, figures, maps = texts or {}, figures or {}, maps or {}
    _check_places(places, axes, labels, [*maps.values(), *([figures] if figures else [])], texts)
    grid = [places[pair] for pair in itertools.product(*axes)]
    named = {_name(labels, place): np.asarray(sounds[place], np.float64) for place in grid}
    named |= {name: np.asarray(waveform, np.float64) for name, waveform in (beside or {}).items()}
    check(named, MOST)
    first = grid[0] if start is None else start
    if first not in grid:
        raise ValueError(f"the slider cannot start at {start!r}: choose one of {grid}")
    seconds = len(next(iter(named.values()))) / sample_rate
    drawn = {place: "" for place in grid}
    for caption, given in maps.items():
        pictures = _map_pictures(caption, given, seconds, hop_length / sample_rate)
        drawn = {place: drawn[place] + pictures[place] for place in grid}
    gain_db = common_gain([*named.values()])
    cards = []
    for number, (name, waveform) in enumerate(named.items()):
        place = grid[number] if number < len(grid) else None
        extra = drawn.get(place, "") + figures.get(place, "")
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
        "seconds": f"{seconds:.6f}",
        "axes": json.dumps(shown, ensure_ascii=False),
        "start": json.dumps([axis.index(value) for axis, value in zip(axes, pair, strict=True)]),
    }
    page = assemble("slider", title, listen_for, body, data, ["fft.js", "picture.js", "slider.js"])
    return Page(page, f"Slider: {' and '.join(labels)}, {len(grid)} sounds")


def _name(labels: list[str], place: Hashable) -> str:
    values = place if isinstance(place, tuple) else (place,)
    return ", ".join(f"{label}: {value}" for label, value in zip(labels, values, strict=True))


def _map_pictures(
    caption: str, maps: Mapping[Hashable, np.ndarray], seconds: float, hop: float
) -> dict[Hashable, str]:
    """Draw the maps with one caption on one scale, each as wide as its sound is long."""
    arrays = {place: np.asarray(values, np.float64) for place, values in maps.items()}  # [F, T]
    for place, values in arrays.items():
        if values.ndim != 2 or not np.isfinite(values).all():
            raise ValueError(
                f"{caption!r} at {place!r} has shape {list(values.shape)}: a map holds finite "
                "values [F, T]"
            )
        covered = hop * values.shape[1]  # with a frame on each end it is a hop more than the sound
        if not -hop < covered - seconds < 1.5 * hop:
            raise ValueError(
                f"{caption!r} at {place!r} covers {covered:.2f} s, but the sound lasts "
                f"{seconds:.2f} s: cut both alike, or name the hop_length of the map"
            )
    low = min(values.min() for values in arrays.values())
    high = max(values.max() for values in arrays.values())
    dark = 0.0 if abs(low) < 1e-3 * high else low  # as it is read, beside `high`
    html_of = {}
    for place, values in arrays.items():
        alt = (
            f"{caption}, at {place}: from {values.min():.3g} to {values.max():.3g}, median "
            f"{np.median(values):.3g}."
        )
        html_of[place] = (
            f'<p class="effi-small">{html.escape(caption)} ({dark:.3g} dark, {high:.3g} bright)</p>'
            f'<div class="effi-picture effi-map">{map_html(values, alt, (low, high))}</div>'
        )
    return html_of


def _check_places(places, axes, labels, pictures, texts) -> None:
    if not places:
        raise ValueError("a slider needs sounds to move through")
    if len(labels) != len(axes) or len(labels) > 2:
        raise ValueError(f"{len(axes)} values in each place need as many labels, 1 or 2")
    missing = [pair for pair in itertools.product(*axes) if pair not in places]
    if missing:
        raise ValueError(f"two sliders need a sound for every pair of values; {missing} have none")
    known = {*places.values()}
    if not {*texts} <= known or any({*given} != known for given in pictures):
        raise ValueError(
            "give a map and a figure for every place of the slider, and texts only for places"
        )
