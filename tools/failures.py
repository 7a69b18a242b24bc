"""Where the shipped weights fail: by SNR, noise and voice, and what they take away of the voice.

    python tools/failures.py --valid-speech SPEECH/valid --valid-noise NOISE/valid \
        --out recipes/failures.csv

Each recording of the validation noise is mixed with an utterance of the validation speech at each
SNR, and each system enhances the mixtures. A row holds one system and one mixture:

    pitch_hz    median fundamental frequency of the clean voice
    pesq, si_sdr
    loud_db     what is left of the voice, in dB, in frames at most 15 dB below its active level:
                the projection on the clean voice, 0 dB if all of it is there, below if some is lost
    quiet_db    the same in frames 15 to 30 dB below: ends of words, weak consonants, breaths
"""

import argparse
import csv
import io
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import librosa
import numpy as np

from effifusion_lite.audio import SAMPLE_RATE, active_speech_level, mix_at_snr, write_atomically
from effifusion_lite.data import audio_files
from effifusion_lite.data.batches import read_all
from effifusion_lite.enhancement import enhance
from effifusion_lite.evaluation import wiener_filter
from effifusion_lite.metrics import score
from effifusion_lite.training.labels import worker_pool
from effifusion_lite.weights import available, load

SNRS = (2.5, 7.5, 12.5, 17.5)  # dB, those of the test set of VoiceBank+DEMAND
SECONDS = (2.5, 4.0)  # of speech in a mixture
FRAME = 320  # samples, 20 ms
LOUD, QUIET = (-15.0, np.inf), (-30.0, -15.0)  # dB, relative to the active speech level
LEVEL = 0.05  # root mean square of a mixture
COLUMNS = ("system", "noise", "snr_db", "pitch_hz", "pesq", "si_sdr", "loud_db", "quiet_db")


def mixtures(speech: Path, noise: Path, seed: int = 0) -> list[tuple[dict, np.ndarray, np.ndarray]]:
    """Facts, clean and noisy waveform `[N]` of each mixture, 16 kHz."""
    rng = np.random.default_rng(seed)
    shortest, longest = (round(seconds * SAMPLE_RATE) for seconds in SECONDS)
    utterances = [x[:longest] for x in read_all(audio_files(speech), speech) if len(x) >= shortest]
    if not utterances:
        raise SystemExit(f"failures: no utterance in {speech} lasts {SECONDS[0]} s")
    order, result = rng.permutation(len(utterances)), []
    files = audio_files(noise)
    for file, recording in zip(files, read_all(files, noise), strict=True):
        for snr_db in SNRS:
            clean = utterances[order[len(result) % len(order)]] / 32768
            start = rng.integers(len(recording))
            crop = np.take(recording, range(start, start + len(clean)), mode="wrap") / 32768
            noisy = mix_at_snr(clean, crop, snr_db)
            gain = LEVEL / np.sqrt(np.mean(noisy**2))
            facts = {"noise": file.stem, "snr_db": snr_db, "pitch_hz": round(pitch(clean), 1)}
            result.append((facts, gain * clean, gain * noisy))
    return result


def pitch(clean: np.ndarray) -> float:
    """Median fundamental frequency of the voiced frames of a waveform `[N]`, Hz."""
    frequencies, voiced, _ = librosa.pyin(clean, fmin=65, fmax=400, sr=SAMPLE_RATE)
    return float(np.median(frequencies[voiced]))


def voice_left(clean: np.ndarray, enhanced: np.ndarray, between: tuple[float, float]) -> float:
    """What is left of the voice, in dB, in frames whose level lies between two others.

    Args:
        clean, enhanced: waveforms `[N]`, 16 kHz.
        between: lowest and highest level in dB, relative to the active speech level.

    Returns:
        20 log₁₀ of the projection on the clean voice; NaN if no frame is of that level.
    """
    frames = [x[: len(x) // FRAME * FRAME].reshape(-1, FRAME) for x in (clean, enhanced)]
    levels = 10 * np.log10(np.mean(frames[0] ** 2, axis=1) + 1e-12) - active_speech_level(clean)
    clean, enhanced = (x[(levels > between[0]) & (levels <= between[1])] for x in frames)
    if not len(clean):
        return float("nan")
    return float(20 * np.log10(max(np.sum(clean * enhanced) / np.sum(clean**2), 1e-3)))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--valid-speech", type=Path, required=True, metavar="D")
    parser.add_argument("--valid-noise", type=Path, required=True, metavar="D")
    parser.add_argument("--out", type=Path, required=True, metavar="CSV")
    options = parser.parse_args(arguments)
    if find_spec("pesq") is None:
        raise SystemExit("failures: the scores need the package pesq")
    systems = {"noisy": lambda noisy: noisy, "wiener": wiener_filter}
    for name in available():
        systems[name] = partial(enhance, sample_rate=SAMPLE_RATE, weights=load(name))
    rows, jobs = [], []
    with worker_pool(2) as pool:
        for facts, clean, noisy in mixtures(options.valid_speech, options.valid_noise):
            for name, system in systems.items():
                enhanced = system(noisy)
                left = {
                    "loud_db": round(voice_left(clean, enhanced, LOUD), 2),
                    "quiet_db": round(voice_left(clean, enhanced, QUIET), 2),
                }
                rows.append({"system": name, **facts, **left})
                jobs.append(pool.submit(score, clean, enhanced))
        for row, job in zip(rows, jobs, strict=True):
            scores = job.result()
            if scores.pesq is None or scores.si_sdr is None:
                raise SystemExit(f"failures: {row} has no score: {scores.reasons}")
            row["pesq"], row["si_sdr"] = round(scores.pesq, 3), round(scores.si_sdr, 2)
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_atomically(options.out, text.getvalue().encode())


if __name__ == "__main__":
    main()
