"""A row of sounds to compare by ear: one gain, one clock, switched in the middle of a word.

`IPython.display.Audio` brings every sound to full scale on its own, so that a noisy and an enhanced
version are heard at false levels. Here one gain serves the whole row. Everything is in the page
itself; where scripts are removed (a notebook that is not trusted), plain audio elements remain.
"""

import html
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from effifusion_lite.listening.loudness import common_gain, equal_gains
from effifusion_lite.listening.page import assemble, attribute, audio, check, transcript_html
from effifusion_lite.metrics import METRICS, Scores

MOST = 9  # versions, one for each key
TITLES = dict(zip(METRICS, ("PESQ", "STOI", "SI-SDR", "segmental SNR"), strict=True))
DIGITS = dict(zip(METRICS, (2, 3, 1, 1), strict=True))
UNITS = dict(zip(METRICS, ("", "", " dB", " dB"), strict=True))


@dataclass(frozen=True)
class Row:
    """Versions of one sound in a player; as the last value of a cell it displays itself.

    `html` is the player, `gain_db` the gain that all versions share.
    """

    html: str
    gain_db: float
    versions: tuple[str, ...]
    seconds: float

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return f"Player: {', '.join(self.versions)} ({self.seconds:.1f} s)"


def row(
    versions: Mapping[str, np.ndarray],
    sample_rate: int = 16000,
    title: str = "",
    transcript: str = "",
    listen_for: str = "",
    scores: Mapping[str, Scores] | None = None,
    differences: Mapping[str, tuple[str, str]] | None = None,
    equal_loudness: bool = False,
    pictures: bool = True,
) -> Row:
    """Put versions of one sound side by side, to be switched while they play.

    Args:
        versions: name and waveform of each version, full scale = 1.
        sample_rate: samples per second, Hz.
        title: what the sound is.
        transcript: what is said; folded away at first.
        listen_for: what to listen for, as a question.
        scores: scores of some or all versions, shown below them.
        differences: further versions, each the first named version minus the second: noisy minus
            enhanced is what was removed, enhanced minus clean is what is wrong. The page makes
            them, so they cost no space.
        equal_loudness: begin with all versions at equal loudness instead of one gain; the reader
            can change between the two. Differences keep the one gain.
        pictures: show waveform and spectrogram of each version.

    Returns:
        The row, which a notebook shows as a player.

    Shape:
        Each waveform [N] samples, all of one length.

    Raises:
        ValueError: there is no version or more than 9 with the differences, lengths differ, a
            waveform has several channels or values that are not finite, scores or differences
            name an unknown version, or equal loudness is asked for where a version has none.
    """
    waveforms = {name: np.asarray(waveform, np.float64) for name, waveform in versions.items()}
    scores, differences = scores or {}, differences or {}
    check(waveforms, MOST - len(differences))
    _check_names(waveforms, scores, differences)
    subtracted = {name: waveforms[a] - waveforms[b] for name, (a, b) in differences.items()}
    gain_db = common_gain([*waveforms.values(), *subtracted.values()])
    gain = 10 ** (gain_db / 20)
    played = {name: gain * waveform for name, waveform in waveforms.items()}
    gains = equal_gains([*played.values()], sample_rate)
    if equal_loudness and gains is None:
        raise ValueError(
            "the versions cannot be made equally loud: one is silent or shorter than 0.4 s, leave "
            "equal_loudness out"
        )
    seconds = len(next(iter(played.values()))) / sample_rate
    cards = []
    for number, (name, waveform) in enumerate(played.items(), 1):
        data = f' data-equal="{gains[number - 1]:.2f}"' if gains else ""
        sound = audio(waveform, sample_rate, name)
        cards.append(_card(number, name, data, sound + _scores_html(scores.get(name))))
    for number, (name, pair) in enumerate(differences.items(), len(played) + 1):
        first, second = ([*played].index(part) for part in pair)
        data = f' data-difference="{first} {second}" data-equal="0"'
        text = f"<p>{html.escape(pair[0])} minus {html.escape(pair[1])}</p>"
        cards.append(_card(number, name, data, text))
    body = (
        f'<div class="effi-versions">{"".join(cards)}</div>\n{transcript_html(transcript)}'
        f'<p class="effi-small">{_levels_text(gain_db, [*played], gains)}</p>'
    )
    data = {
        "rate": str(sample_rate),
        "seconds": f"{seconds:.6f}",
        "pictures": "yes" if pictures else "no",
        "equal": ("on" if equal_loudness else "off") if gains and len(gains) > 1 else "",
    }
    scripts = ["fft.js", "picture.js", "player.js"] if pictures else ["player.js"]
    page = assemble("player", title, listen_for, body, data, scripts)
    return Row(page, gain_db, (*played, *differences), seconds)


def score_text(scores: Scores, metric: str) -> str:
    """Write one score as the players show it.

    Args:
        scores: scores of a recording.
        metric: one of `metrics.METRICS`.

    Returns:
        Its value with its unit, "–" where there is none.
    """
    value = getattr(scores, metric)
    return "–" if value is None else f"{value:.{DIGITS[metric]}f}{UNITS[metric]}"


def _check_names(waveforms, scores, differences) -> None:
    unknown = [name for name in scores if name not in waveforms]
    if unknown:
        raise ValueError(f"there are scores of {unknown}, but no such versions in the row")
    for name, pair in differences.items():
        missing = [part for part in pair if part not in waveforms]
        if missing or name in waveforms:
            raise ValueError(
                f"the difference {name!r} needs a name of its own and the names of two versions, "
                f"but there are {[*waveforms]}"
            )


def _card(number: int, name: str, data: str, content: str) -> str:
    return (
        f'<div class="effi-version" data-name="{attribute(name)}"{data}>'
        f'<p class="effi-plain">{number} {html.escape(name)}</p>{content}</div>'
    )


def _scores_html(scores: Scores | None) -> str:
    if scores is None:
        return ""
    items = []
    for metric in METRICS:
        value, reason = getattr(scores, metric), scores.reasons.get(metric, "")
        if value is None and not reason:
            continue
        why = f' title="{attribute(reason)}"' if reason else ""
        items.append(
            f"<div><dt>{TITLES[metric]}</dt><dd{why}>{score_text(scores, metric)}</dd></div>"
        )
    return f'<dl class="effi-scores">{"".join(items)}</dl>'


def _levels_text(gain_db: float, names: list[str], gains: list[float] | None) -> str:
    text = f"One gain of {gain_db:+.1f} dB for the whole row, no peak above −1 dBTP."
    if gains and len(gains) > 1:
        listed = ", ".join(f"{n} {gain:+.1f} dB" for n, gain in zip(names, gains, strict=True))
        text += f" Equal loudness (ITU-R BS.1770) adds to it: {html.escape(listed)}."
    return text
