"""The listening room: blind tests of any two versions, and a rating of all of them, in one page.

A blind test asks whether there is a difference; a rating asks how large it is, on a scale from 0 to
100. The open reference shows what 100 means. It is hidden among the versions once more, and so is
an anchor that everybody should hear as worse: whoever rates these two oddly did not listen, or not
well enough. Results of a class are pooled by `pool_ratings`, those of blind tests by `pool`.
"""

import csv
import html
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.signal import firwin, kaiser_beta

from effifusion_lite.evaluation.intervals import Interval, mean_interval
from effifusion_lite.listening.abx import SCRIPTS, blind_sounds
from effifusion_lite.listening.page import Page, assemble, attribute, audio, check

MOST = 10  # versions; with reference and anchor twelve to be rated
COLUMNS = ["test", "letter", "version", "role", "rating"]
REFERENCE, ANCHOR = "reference", "anchor (below 3.5 kHz)"
BOUND = 90  # a listener who rates the hidden reference lower is left out
STOP_DB = 60.0  # attenuation of what the anchor has lost


def room(
    versions: Mapping[str, np.ndarray],
    reference: np.ndarray,
    sample_rate: int = 16000,
    title: str = "",
    listen_for: str = "",
    trials: int = 10,
) -> Page:
    """Make a listening room: an ABX test of any two versions, or a rating of all of them.

    Args:
        versions: name and waveform of each version, full scale = 1.
        reference: what all versions should sound like: the clean speech.
        sample_rate: samples per second, Hz.
        title: what the sounds are.
        listen_for: a question about where a difference may be heard.
        trials: how many trials of a blind test to propose.

    Returns:
        The room, which a notebook shows. All sounds have equal loudness, letters are dealt at
        random, and answers come as CSV files without names.

    Shape:
        Each waveform [N] samples, all of one length.

    Raises:
        ValueError: there are less than 2 or more than 10 versions, one has a name that is taken,
            they cannot be played, one is silent or shorter than 0.4 s, or `trials` is not 1 to 100.

    Source: rating with hidden reference and anchor after ITU-R BS.1534-3 ("MUSHRA"), with one
    anchor of two and one sentence at a time.
    """
    waveforms = {name: np.asarray(waveform, np.float64) for name, waveform in versions.items()}
    if not 2 <= len(waveforms) <= MOST:
        raise ValueError(f"a room holds 2 to {MOST} versions, not {len(waveforms)}")
    if taken := {REFERENCE, ANCHOR} & waveforms.keys():
        raise ValueError(f"the name {taken.pop()!r} is taken: call the version something else")
    if not 1 <= trials <= 100:
        raise ValueError(f"choose 1 to 100 trials, not {trials}")
    waveforms[REFERENCE] = np.asarray(reference, np.float64)
    check(waveforms, MOST + 1)
    waveforms[ANCHOR] = anchor(waveforms[REFERENCE], sample_rate)
    roles = ["version"] * len(versions) + ["reference", "anchor"]
    sounds, data = blind_sounds(waveforms, sample_rate, trials)
    cards = []
    for name, role, waveform in zip(waveforms, roles, sounds, strict=True):
        sound = audio(waveform, sample_rate, name)
        cards.append(
            f'<div class="effi-version" data-name="{attribute(name)}" data-role="{role}">'
            f'<p class="effi-plain">{html.escape(name)}</p>{sound}</div>'
        )
    body = (
        f'<div class="effi-versions">{"".join(cards)}</div>'
        '<p class="effi-small">All of them have equal loudness (ITU-R BS.1770).</p>'
    )
    scripts = [*SCRIPTS, "rating.js", "room.js"]
    page = assemble("room", title or "Listening room", listen_for, body, data, scripts)
    return Page(page, f"Listening room: {', '.join(versions)}")


def anchor(reference: np.ndarray, sample_rate: int = 16000) -> np.ndarray:
    """Take from a sound what is above 3.5 kHz: everybody hears that it is worse.

    Args:
        reference: the sound.
        sample_rate: samples per second, Hz.

    Returns:
        The sound through a low-pass filter without delay; down to less than 1/1000 from 4 kHz on.

    Shape:
        [N] samples in and out.

    Source: the low anchor of ITU-R BS.1534-3; the filter is a window design by Kaiser (1974).
    """
    taps = 1 + 2 * round(STOP_DB / 14 * sample_rate / 400)  # 400 Hz from pass band to stop band
    window = ("kaiser", kaiser_beta(STOP_DB))
    kernel = firwin(taps, 3700, window=window, fs=sample_rate)
    return np.convolve(reference, kernel, mode="full")[taps // 2 :][: len(reference)]


@dataclass(frozen=True)
class Ratings:
    """Ratings of several listeners, 0 to 100.

    `ratings` holds the ratings [listeners] of each version, in the same order of listeners;
    `left_out` counts those who did not find the hidden reference.
    """

    ratings: dict[str, np.ndarray]
    listeners: int
    left_out: int

    def interval(self, version: str) -> Interval | None:
        """Mean rating of a version with its 95 % interval; None with less than two listeners."""
        return mean_interval(self.ratings[version])

    def difference(self, version: str, other: str) -> Interval | None:
        """Mean of `version` minus `other`, listener by listener; None with less than two."""
        return mean_interval(self.ratings[version] - self.ratings[other])


def pool_ratings(files: Iterable[str | Path]) -> Ratings:
    """Put the ratings of a class together, one CSV file for each listener.

    Each listener counts once, and listeners are what the intervals speak about: ratings of one
    listener do not tell what another would have said.

    Args:
        files: what the page saved.

    Returns:
        The ratings of all who gave the hidden reference 90 or more.

    Raises:
        ValueError: there is no file, one is no result of a rating, or they are of several tests.

    Source: who is left out after ITU-R BS.1534-3, for a single sentence.
    """
    kept: dict[str, list[float]] = {}
    tests, left_out, count = set(), 0, 0
    for file in files:
        rows = _rows(Path(file))
        tests |= {row["test"] for row in rows}
        rated = {row["version"]: float(row["rating"]) for row in rows}
        if len(tests) > 1:
            listed = ", ".join(sorted(tests))
            raise ValueError(f"the files belong to several tests ({listed}): pool each alone")
        if rated[REFERENCE] < BOUND:
            left_out += 1
            continue
        count += 1
        for version, rating in rated.items():
            kept.setdefault(version, []).append(rating)
    if not tests:
        raise ValueError("there is no result to pool: name the CSV files that the page saved")
    return Ratings({name: np.array(values) for name, values in kept.items()}, count, left_out)


def _rows(file: Path) -> list[dict[str, str]]:
    """The lines of one listener's file, once they are known to be ratings."""
    with open(file, newline="", encoding="utf-8") as opened:
        reader = csv.DictReader(opened)
        rows = list(reader)
    names = [row["version"] for row in rows] if reader.fieldnames == COLUMNS else []
    good = REFERENCE in names and len(names) == len({*names})
    if not good or not all(_is_rating(row["rating"]) for row in rows):
        raise ValueError(f"{file} is no result of a rating: take the files the page saved")
    return rows


def _is_rating(text: str | None) -> bool:
    try:
        return text is not None and 0 <= float(text) <= 100
    except ValueError:
        return False
