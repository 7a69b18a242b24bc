"""The common thread: one sentence, `garage_fan`, as far as each chapter brings it.

Every chapter ends with one row of players: the noisy sentence first, what the chapters so far make
of it, and the clean sentence last. Most of it is computed when it is asked for. Three networks of
the ablation study are not part of the package: what they make of the sentence is kept in `thread/`,
in files that `python tools/red_thread.py` writes from their weights in `recipes/ablation`. They are
`tiny`, trained from the seed 0 on two hours of mixtures each: on the losses of chapter 05 alone,
differentiable PESQ among them; with the discriminator as well; and on the losses alone, with half
of the units removed in the middle of the training. In chapter 08 the first training of the shipped
`tiny` takes their place, and after it the shipped networks; chapter 10 mixes the original back.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import soundfile
import torch

from effifusion_lite.audio import SAMPLE_RATE
from effifusion_lite.enhancement import enhance
from effifusion_lite.evaluation import wiener_filter
from effifusion_lite.listening import clips
from effifusion_lite.listening.corpus import VARIABLE, prepared_folder
from effifusion_lite.listening.frames import untrained
from effifusion_lite.listening.player import Row, row
from effifusion_lite.metrics import score
from effifusion_lite.spectral import istft, stft
from effifusion_lite.weights import training_steps

NAME, SECONDS = "garage_fan", 4.0  # what is longer is cut
FOLDER = Path(__file__).parent / "thread"
STEP_SECONDS = 4  # of mixtures in a step of the first training of `tiny`
STEPS = (60, 400, 2200)  # of that training: what chapter 08 shows
# Name of a version: the file in `thread/`, and the folder of its weights in `recipes/ablation`.
PREPARED = {
    "losses alone": ("losses.flac", "complete"),
    "with discriminator": ("discriminator.flac", "with_GAN"),
    "half of the units": ("halved.flac", "50_of_the_units_removed"),
}
QUESTIONS = {
    0: "What does the Wiener filter leave of the fan, and what does it take from the voice?",
    1: "One version has the true magnitude. What is still wrong with its sound?",
    2: "Where does the Wiener filter fail for a moment, and where all the time?",
    3: "In which pauses does the fan sound alike, so that one pause could tell about another?",
    4: "Can you tell the untrained network from the noisy sentence?",
    5: "Which version has less noise in the pauses, the Wiener filter or the trained network? "
    "Which one keeps the edge of s and f?",
    6: "Switch between the versions with and without discriminator, in a pause and in a vowel: do "
    "you hear a difference?",
    7: "Half of the units are gone. Do you hear it in the pauses, or in the voice?",
    8: "What changes between the first minutes of training and the first half hour? What changes "
    "after that?",
    9: "Order the four networks by what you hear, then look at the scores. Is the order the same?",
    10: "Which version would you send to somebody who has to understand it? Which one to somebody "
    "who should like it?",
}


def thread(chapter: int, own: Mapping[str, np.ndarray] | None = None) -> Row:
    """The row of a chapter: the sentence, as far as the chapters up to this one bring it.

    Args:
        chapter: its number, 0 to 10.
        own: further versions, before the clean one: what a network that the chapter itself has
            trained makes of the noisy sentence, which :func:`sentence` gives.

    Returns:
        A player with PESQ and SI-SDR of each version. Where EFFIFUSION_VBD names a prepared
        VoiceBank+DEMAND, the sentence is one of its test set, and the title says which versions
        are left out, since they exist only for the built-in sentence.

    Shape:
        Each of `own` [N] samples at 16 kHz, as long as the sentence.

    Raises:
        ValueError: there is no such chapter, or `own` has another length or too many versions.
    """
    waveforms = versions(chapter)
    clean = waveforms.pop("clean")
    waveforms |= dict(own or {}) | {"clean": clean}
    about = clips.info(NAME)
    title = f"The common thread, chapter {chapter:02d}: {about.condition}"
    missing = [name for name in _makers(chapter) if name not in waveforms]
    if missing:
        names = ", ".join(f"'{name}'" for name in missing)
        title += f". Left out: {names}, made from the built-in sentence (unset {VARIABLE})"
    scored = [name for name in waveforms if name != "clean"]
    scores = {name: score(clean, waveforms[name]) for name in scored}
    return row(
        waveforms,
        SAMPLE_RATE,
        title=title,
        transcript=about.text,
        listen_for=QUESTIONS[chapter],
        scores={n: replace(s, stoi=None, segmental_snr=None) for n, s in scores.items()},
    )


def versions(chapter: int) -> dict[str, np.ndarray]:
    """The versions of the sentence that the row of a chapter plays.

    Args:
        chapter: its number, 0 to 10.

    Returns:
        Name and waveform of each, "noisy" first and "clean" last.

    Shape:
        Each [N] samples at 16 kHz, at most 4 s.

    Raises:
        ValueError: there is no such chapter.
    """
    if chapter not in QUESTIONS:
        raise ValueError(f"there is no chapter {chapter!r}: choose one of 0 to {max(QUESTIONS)}")
    clean, noisy = sentence()
    built_in = prepared_folder() is None
    made = {
        name: make(clean, noisy)
        for name, make in _makers(chapter).items()
        if built_in or name not in PREPARED
    }
    return {"noisy": noisy, **made, "clean": clean}


def sentence() -> list[np.ndarray]:
    """The clean and the noisy sentence, as long as the thread plays them.

    Shape:
        Both [N] samples at 16 kHz.
    """
    return [waveform[: round(SECONDS * SAMPLE_RATE)] for waveform in clips.pair(NAME)]


def true_magnitude(clean: np.ndarray, noisy: np.ndarray) -> np.ndarray:
    """The sound of the clean magnitude with the noisy phase.

    Args:
        clean: the clean sentence.
        noisy: the noisy sentence.

    Returns:
        The waveform.

    Shape:
        All [N] samples.
    """
    spectra = stft(torch.from_numpy(np.stack([clean, noisy])))  # [2, F, T]
    mixed = torch.polar(spectra[0].abs(), spectra[1].angle())  # [F, T]
    return istft(mixed[None], len(clean))[0].numpy()


def _makers(chapter: int) -> dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]]:
    """For the versions between noisy and clean, what makes them of both."""
    makers = {"Wiener filter": lambda clean, noisy: wiener_filter(noisy)}
    if chapter >= 1:
        makers["true magnitude, noisy phase"] = true_magnitude
    if 4 <= chapter <= 8:
        makers["untrained"] = lambda clean, noisy: enhance(noisy, SAMPLE_RATE, untrained())
    if 5 <= chapter <= 7:
        makers |= {name: partial(_read, name) for name in [*PREPARED][: chapter - 4]}
    if chapter == 8:
        files = training_steps()
        makers |= {_heard(step): partial(_enhance, files[step]) for step in STEPS}
    if chapter >= 9:
        makers |= {
            name: partial(_enhance, name) for name in ("tiny", "lite-pruned", "lite", "full")
        }
    if chapter == 10:
        makers["lite, strength 0.8"] = partial(_enhance, "lite", strength=0.8)
    return makers


def _heard(step: int) -> str:
    minutes = step * STEP_SECONDS / 60
    return f"{minutes:.0f} min heard" if minutes < 60 else f"{minutes / 60:.1f} h heard"


def _read(name: str, clean: np.ndarray, noisy: np.ndarray) -> np.ndarray:
    return soundfile.read(FOLDER / PREPARED[name][0], dtype="float32")[0]


def _enhance(
    model: str | Path, clean: np.ndarray, noisy: np.ndarray, strength: float = 1
) -> np.ndarray:
    return enhance(noisy, SAMPLE_RATE, model, strength=strength)
