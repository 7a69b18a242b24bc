"""A row of sounds to compare by ear: one gain, one clock, switched in the middle of a word.

`IPython.display.Audio` brings every sound to full scale on its own, so that a noisy and an enhanced
version are heard at false levels. Here one gain serves the whole row. Everything is in the page
itself; where scripts are removed (a notebook that is not trusted), plain audio elements remain.
"""

import base64
import hashlib
import html
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from effifusion_lite.audio import peak_db, rms_db
from effifusion_lite.metrics import METRICS, Scores

LOUDEST = -26.0  # dB, RMS of the loudest version after the common gain
PEAK = -1.0  # dB relative to full scale, which no sample exceeds
BITS = 13  # of each sample; rounding stays 54 dB below speech and saves a quarter of the size
PICTURE = (400, 100)  # pixels of a spectrogram
MOST = 9  # versions, one for each key
TITLES = dict(zip(METRICS, ("PESQ", "STOI", "SI-SDR (dB)", "segmental SNR (dB)"), strict=True))
DIGITS = dict(zip(METRICS, (2, 3, 1, 1), strict=True))


@dataclass(frozen=True)
class Row:
    """Versions of one sound in a player; as the last value of a cell it displays itself.

    `html` is the player, `gain_db` the gain that all versions share.

    Chapter: 00.
    Source: choice of this project.
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
    spectrogram: bool = False,
) -> Row:
    """Put versions of one sound side by side, to be switched while they play.

    Args:
        versions: name and waveform of each version, 1 to 9 of them, full scale = 1.
        sample_rate: samples per second, Hz.
        title: what the sound is.
        transcript: what is said; folded away at first.
        listen_for: what is to be heard, in a sentence.
        scores: scores of some or all versions, shown below.
        spectrogram: show the spectrogram of the version that is heard, with a moving cursor.

    Returns:
        The row, which a notebook shows as a player.

    Shape:
        Each waveform [N] samples, all of one length.

    Raises:
        ValueError: there is no version or more than 9, lengths differ, a waveform has several
            channels or values that are not finite, or scores name an unknown version.

    Chapter: 00.
    Source: choice of this project.
    """
    waveforms = {name: np.asarray(waveform, np.float64) for name, waveform in versions.items()}
    _check(waveforms, scores or {})
    gain_db = common_gain(list(waveforms.values()))
    gain = 10 ** (gain_db / 20)
    seconds = len(next(iter(waveforms.values()))) / sample_rate
    parts = []
    for number, (name, waveform) in enumerate(waveforms.items(), 1):
        sound = f'src="data:audio/flac;base64,{_flac(gain * waveform, sample_rate)}"'
        picture = _picture(gain * waveform, sample_rate, name) if spectrogram else ""
        parts.append(
            f'<div class="effi-version" data-name="{_attribute(name)}">'
            f"<p>{number} {html.escape(name)}</p>"
            f'<audio controls preload="none" aria-label="{_attribute(name)}" {sound}></audio></div>'
            f"{picture}"
        )
    body = "\n".join(
        [
            f"<style>{_read('player.css')}</style>",
            f'<p class="effi-title">{html.escape(title)}</p>' if title else "",
            f"<p>Listen for: {html.escape(listen_for)}</p>" if listen_for else "",
            '<div class="effi-live"></div>',
            *parts,
            _table(scores or {}, list(waveforms)),
            f"<details><summary>What is said</summary><p>{html.escape(transcript)}</p></details>"
            if transcript
            else "",
            f'<p class="effi-small">One gain of {gain_db:+.1f} dB for the whole row.'
            '<span class="effi-untrusted"> To switch between the versions while they play, run this'
            " cell or trust the notebook.</span></p>",
        ]
    )
    label = f"Sounds to compare{': ' + title if title else ''}"
    name = hashlib.sha256(body.encode()).hexdigest()[:12]
    page = (
        f'<div class="effi-row" role="group" aria-label="{_attribute(label)}" data-row="{name}" '
        f'data-seconds="{seconds:.6f}" data-lm-suppress-shortcuts="true">\n{body}\n</div>\n'
        f"<script>{_read('player.js')}</script>"
    )
    return Row(page, gain_db, tuple(waveforms), seconds)


def common_gain(waveforms: list[np.ndarray]) -> float:
    """Choose the one gain of a row.

    Args:
        waveforms: all versions.

    Returns:
        The gain in dB that brings the loudest version to an RMS level of -26 dB, or less, so that
        no peak exceeds -1 dB; 0 for silence.

    Shape:
        Each [N] samples.

    Chapter: 00.
    Source: choice of this project.
    """
    level, peak = max(map(rms_db, waveforms)), max(map(peak_db, waveforms))
    return float(min(LOUDEST - level, PEAK - peak)) if np.isfinite(peak) else 0.0


def _check(waveforms: dict[str, np.ndarray], scores: Mapping[str, Scores]) -> None:
    if not 1 <= len(waveforms) <= MOST:
        raise ValueError(f"a row holds 1 to {MOST} versions, not {len(waveforms)}")
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
    unknown = [name for name in scores if name not in waveforms]
    if unknown:
        raise ValueError(f"there are scores of {unknown}, but no such versions in the row")


def _flac(waveform: np.ndarray, sample_rate: int) -> str:
    step = 2.0 ** (1 - BITS)
    rounded = np.round(waveform / step) * step
    buffer = io.BytesIO()
    soundfile.write(
        buffer, rounded, sample_rate, format="FLAC", subtype="PCM_16", compression_level=1.0
    )
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def _picture(waveform: np.ndarray, sample_rate: int, name: str) -> str:
    from matplotlib import colormaps
    from PIL import Image
    from scipy.signal import stft

    from effifusion_lite.plotting import LEVEL_RANGE

    window = round(0.025 * sample_rate)
    hop = max(1, round(len(waveform) / 480))
    _, _, spectrum = stft(waveform, sample_rate, nperseg=window, noverlap=max(0, window - hop))
    level = 20 * np.log10(np.maximum(2 * np.abs(spectrum[::-1]), 1e-9))  # [F, T], 0 dB: full scale
    low, high = LEVEL_RANGE
    colours = colormaps["magma"]((level - low) / (high - low), bytes=True)[..., :3]  # [F, T, 3]
    buffer = io.BytesIO()
    Image.fromarray(colours).resize(PICTURE).save(buffer, "JPEG", quality=60)
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    alt = (
        f"Spectrogram of {name}: {len(waveform) / sample_rate:.1f} seconds to the right, 0 to "
        f"{sample_rate / 2000:g} kHz upwards, bright is loud."
    )
    return (
        f'<div class="effi-picture"><img alt="{_attribute(alt)}" '
        f'src="data:image/jpeg;base64,{data}"><span class="effi-cursor"></span></div>'
    )


def _table(scores: Mapping[str, Scores], names: list[str]) -> str:
    if not scores:
        return ""
    head = "".join(f'<th scope="col">{title}</th>' for title in TITLES.values())
    lines = []
    for name in names:
        cells = "".join(_cell(scores.get(name), metric) for metric in METRICS)
        lines.append(f'<tr><th scope="row">{html.escape(name)}</th>{cells}</tr>')
    return (
        '<div class="effi-wide" tabindex="0" role="region" aria-label="Scores">'
        '<table class="effi-scores"><thead><tr><th scope="col">version</th>'
        f"{head}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
    )


def _cell(scores: Scores | None, metric: str) -> str:
    value = getattr(scores, metric, None)
    if value is not None:
        return f"<td>{value:.{DIGITS[metric]}f}</td>"
    reason = scores.reasons.get(metric, "not scored") if scores else "not scored"
    return f'<td title="{_attribute(reason)}">–</td>'


def _attribute(text: str) -> str:
    return html.escape(" ".join(text.split()), quote=True)


def _read(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")
