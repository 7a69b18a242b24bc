"""A blind test in the page: can you hear the difference at all?

In each trial X is A or B, by chance. Who hears no difference guesses and is right half of the time;
so the number of right answers says how likely it is that there was something to be heard.
"""

import csv
import hashlib
import html
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from effifusion_lite.listening.loudness import common_gain, equal_gains
from effifusion_lite.listening.page import Page, assemble, attribute, audio, check

COLUMNS = ["test", "trial", "x", "answer", "correct", "seconds"]
SCRIPTS = ["chance.js", "stage.js", "binomial.js", "abx.js"]


def abx(
    versions: Mapping[str, np.ndarray],
    sample_rate: int = 16000,
    trials: int = 10,
    title: str = "",
    listen_for: str = "",
) -> Page:
    """Make a blind ABX test of two sounds at equal loudness.

    Args:
        versions: name and waveform of A and of B, full scale = 1.
        sample_rate: samples per second, Hz.
        trials: how many trials to propose; the reader can take another number.
        title: what the sounds are.
        listen_for: a question about where a difference may be heard.

    Returns:
        The test, which a notebook shows: trials in random order, at the end the exact binomial
        p-value and a 95 % confidence interval in plain words, what it means to repeat the test,
        and a CSV file without names.

    Shape:
        Each waveform [N] samples, both of one length.

    Raises:
        ValueError: there are not two versions, they cannot be played, one is silent or shorter than
            0.4 s (equal loudness needs more), or `trials` is not 1 to 100.

    Source: choice of this project; interval by Clopper and Pearson (1934).
    """
    waveforms = {name: np.asarray(waveform, np.float64) for name, waveform in versions.items()}
    check(waveforms, 2)
    if len(waveforms) != 2:
        raise ValueError(f"a test needs two versions, A and B, not {len(waveforms)}")
    if not 1 <= trials <= 100:
        raise ValueError(f"choose 1 to 100 trials, not {trials}")
    sounds, data = blind_sounds(waveforms, sample_rate, trials)
    cards = []
    for letter, name, waveform in zip("AB", waveforms, sounds, strict=True):
        sound = audio(waveform, sample_rate, name)
        cards.append(
            f'<div class="effi-version" data-name="{attribute(name)}">'
            f'<p class="effi-plain">{letter} {html.escape(name)}</p>{sound}</div>'
        )
    body = (
        f'<div class="effi-versions">{"".join(cards)}</div>'
        '<p class="effi-small">A and B have equal loudness (ITU-R BS.1770).</p>'
    )
    page = assemble("abx", title or "Blind test", listen_for, body, data, SCRIPTS)
    return Page(page, f"Blind ABX test: {' or '.join(waveforms)}?")


def blind_sounds(
    waveforms: dict[str, np.ndarray], sample_rate: int, trials: int
) -> tuple[list[np.ndarray], dict[str, str]]:
    """The sounds of a blind test at equal loudness, and what its page must know of them.

    Args:
        waveforms: name and sound of each, of one length.
        sample_rate: samples per second, Hz.
        trials: number of trials of an ABX test.

    Returns:
        The sounds in their order, and facts for the page, by which results of one test are known.

    Shape:
        each `[N]` samples.

    Raises:
        ValueError: one is silent or too short for its loudness to be measured.
    """
    gain = 10 ** (common_gain([*waveforms.values()]) / 20)
    played = [gain * waveform for waveform in waveforms.values()]
    gains = equal_gains(played, sample_rate)
    if gains is None:
        raise ValueError("a sound that is silent or shorter than 0.4 s cannot be tested blindly")
    digest = hashlib.sha256(b"".join(waveform.tobytes() for waveform in played)).hexdigest()
    facts = {
        "rate": str(sample_rate),
        "seconds": f"{len(played[0]) / sample_rate:.6f}",
        "trials": str(trials),
        "test": digest[:8],
    }
    return [10 ** (g / 20) * waveform for g, waveform in zip(gains, played, strict=True)], facts


@dataclass(frozen=True)
class Pooled:
    """Results of several listeners together.

    `p_value` is the probability that guessing gives as many right answers or more, `low` and `high`
    are the ends of the exact 95 % confidence interval of the share of right answers.
    """

    listeners: int
    trials: int
    correct: int
    p_value: float
    low: float
    high: float


def pool(files: Iterable[str | Path]) -> Pooled:
    """Put the CSV files of a class together, one for each run of the same test.

    Trials of one listener and of several count alike, as if all heard equally well. The p-value
    holds where every run is pooled, not only those that went well.

    Args:
        files: what the page saved.

    Returns:
        The pooled result.

    Raises:
        ValueError: there is no file, one is no result of an ABX test, or they are of several tests.

    Source: exact binomial test; interval by Clopper and Pearson (1934).
    """
    from scipy.stats import binomtest

    files = [Path(file) for file in files]
    rows = []
    for file in files:
        with open(file, newline="", encoding="utf-8") as opened:
            reader = csv.DictReader(opened)
            found = list(reader)
        if reader.fieldnames != COLUMNS or not found:
            raise ValueError(f"{file} is no result of an ABX test: take the files the page saved")
        rows += found
    if not rows:
        raise ValueError("there is no result to pool: name the CSV files that the page saved")
    tests = sorted({line["test"] for line in rows})
    if len(tests) > 1:
        raise ValueError(f"the files belong to several tests ({', '.join(tests)}): pool each alone")
    correct = sum(line["x"] == line["answer"] for line in rows)
    test = binomtest(correct, len(rows), 0.5, alternative="greater")
    interval = binomtest(correct, len(rows)).proportion_ci(0.95, method="exact")
    return Pooled(len(files), len(rows), correct, test.pvalue, interval.low, interval.high)
