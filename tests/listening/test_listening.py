import csv
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest

from effifusion_lite.audio import active_speech_level, measure_snr
from effifusion_lite.listening import clips
from effifusion_lite.listening.clips import FOLDER
from effifusion_lite.listening.noises import KINDS, make_noise

RATE = 16000
ROOT = Path(__file__).parents[2]
PLAN = ROOT / "tools" / "listening_set.toml"
OCTAVES = (100, 250, 500, 1000, 2000, 4000, 8000)  # Hz


# ---- the set -----------------------------------------------------------------------------------


def test_the_set_is_complete_and_small():
    files = {path for path in FOLDER.rglob("*") if path.suffix in (".flac", ".ogg")}
    files -= {*(FOLDER / "thread").iterdir()}  # made of a clip, see `red_thread.py`
    assert {FOLDER / clip.file for clip in clips.manifest() if clip.file} == files
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) < 6e6
    seconds = sum(clip.duration_s for clip in clips.manifest() if clip.split == "train")
    assert 9 * 60 < seconds < 11 * 60


def test_every_clip_says_what_it_is():
    seen = set()
    for clip in clips.manifest():
        assert clip.name not in seen
        seen.add(clip.name)
        assert clip.text and clip.voice and clip.gender in "FM" and clip.language and clip.licence
        if clip.split == "listening":
            assert "?" in clip.listen_for  # it asks, it does not tell
        if clip.kind == "noisy":
            assert clip.noise in KINDS and clip.clean in seen and clip.seed is not None
    assert {clip.noise for clip in clips.manifest() if clip.kind == "noisy"} == set(KINDS)
    listening = [clip for clip in clips.manifest() if clip.kind == "clean"]
    assert {clip.gender for clip in listening} == {"F", "M"}


def test_parts_share_neither_voices_nor_sentences():
    for attribute in ("voice", "text"):
        parts = {}
        for clip in clips.manifest():
            parts.setdefault(clip.split, set()).add(getattr(clip, attribute))
        assert set(parts) == {"listening", "train", "valid", "babble"}
        assert sum(map(len, parts.values())) == len(set.union(*parts.values()))


def test_speakers_of_the_training_data_are_heard_only():
    data = (ROOT / "TRAINING_DATA.md").read_text(encoding="utf-8")
    names = " ".join(re.findall(r"CMU ARCTIC, speakers ([a-z, ]+) \(", data))
    trained_on = set(re.findall(r"[a-z]+", names)) - {"and"}
    for clip in clips.manifest():
        if clip.voice in trained_on:
            assert clip.split == "listening" and not clip.scored
    assert "slt" in trained_on & {clip.voice for clip in clips.manifest()}


@pytest.mark.parametrize("name", clips.names("clean"))
def test_clean_clip(name):
    waveform, rate = clips.load(name)
    clip = clips.info(name)
    assert rate == RATE and waveform.dtype == np.float32
    assert len(waveform) == round(clip.duration_s * RATE) and 3 < clip.duration_s < 6
    assert active_speech_level(waveform, rate) == pytest.approx(-26, abs=0.3)
    assert np.abs(waveform).max() < 0.9


@pytest.mark.parametrize("name", clips.names("noisy"))
def test_noisy_clip_has_the_snr_of_its_label(name):
    clean, noisy = clips.pair(name)
    assert clean.shape == noisy.shape and noisy.dtype == np.float32
    assert measure_snr(clean, noisy - clean) == pytest.approx(clips.info(name).snr_db, abs=0.05)
    assert np.array_equal(noisy, clips.load(name)[0])


def test_sentences_lie_where_the_manifest_says():
    for split in ("train", "valid", "babble"):
        voices = clips.speech(split)
        for voice, waveform in voices.items():
            rows = [c for c in clips.manifest() if c.split == split and c.voice == voice]
            end = rows[-1].start_s + rows[-1].duration_s
            assert len(waveform) == pytest.approx(end * RATE, abs=2)
            first, _ = clips.load(rows[0].name)
            assert np.array_equal(first, waveform[: len(first)])
            # Each utterance was brought to -26 dB by itself, before it was encoded.
            levels = [active_speech_level(clips.load(clip.name)[0]) for clip in rows]
            assert levels == pytest.approx([-26] * len(rows), abs=0.7)


def test_clips_and_manifest_agree_in_the_csv_too():
    with open(FOLDER / "clips" / "clips.csv", newline="", encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == len(clips.manifest())


def test_the_set_is_what_its_plan_says():
    plan = tomllib.loads(PLAN.read_text(encoding="utf-8"))
    for kind, keys in (
        ("clean", ("name", "text", "listen_for")),
        ("noisy", ("name", "clean", "noise", "snr_db", "seed", "listen_for")),
    ):
        rows = [clip for clip in clips.manifest() if clip.kind == kind]
        assert len(rows) == len(plan[kind])
        for clip, planned in zip(rows, plan[kind], strict=True):
            assert {key: getattr(clip, key) for key in keys} == {key: planned[key] for key in keys}
    for clip in clips.manifest():
        voice = plan["voices"][clip.voice]
        assert (clip.split, clip.gender, clip.language) == tuple(
            voice[key] for key in ("split", "gender", "language")
        )
        assert f"voice {voice['licence']}" in clip.licence


def test_notice_names_every_voice_its_program_and_its_licence():
    lines = (FOLDER / "NOTICE.md").read_text(encoding="utf-8").splitlines()
    table = {line.split(" | ")[0].strip("| "): line for line in lines if line.startswith("| ")}
    for name, voice in tomllib.loads(PLAN.read_text(encoding="utf-8"))["voices"].items():
        for fact in (voice["engine"], f"`{voice['id']}`", voice["package"], voice["licence"]):
            assert fact in table[name]
        assert ("heard only" in table[name]) == voice.get("heard_only", False)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: clips.load("kettle"), "choose one of"),
        (lambda: clips.pair("clb_kettle"), "not a noisy clip"),
        (lambda: clips.names("loud"), "ask for"),
        (lambda: clips.noise("thunder", 1, 0), "choose one of"),
        (lambda: clips.noise("babble", 1, 0, "test"), "no split"),
        (lambda: clips.noise("rain", 0, 0), "longer"),
        (lambda: clips.speech("test"), "no split"),
        (lambda: make_noise("babble", 1, 0), "made of voices"),
    ],
)
def test_errors_say_what_to_do(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# ---- noises ------------------------------------------------------------------------------------


def spectral_centroid(noise):
    power = np.abs(np.fft.rfft(noise)) ** 2
    return float(np.sum(power * np.fft.rfftfreq(len(noise), 1 / RATE)) / np.sum(power))


def modulation_depth(noise):
    """Standard deviation of the level in windows of 20 ms over its mean: 0 for a steady sound."""
    level = np.sqrt(np.mean(noise[: len(noise) // 320 * 320].reshape(-1, 320) ** 2, axis=1))
    return float(level.std() / level.mean())


@pytest.mark.parametrize("kind", KINDS)
def test_noise_comes_from_its_seed(kind):
    first, again, other = (clips.noise(kind, 2.5, seed) for seed in (1, 1, 2))
    assert first.shape == (40000,) and first.dtype == np.float32
    assert np.array_equal(first, again) and not np.allclose(first, other)
    assert 10 * np.log10(np.mean(first.astype(float) ** 2)) == pytest.approx(-26, abs=0.01)
    assert clips.noise(kind, 0.01, 3).shape == (160,)


def test_noises_differ_in_spectrum_and_modulation():
    noises = {kind: clips.noise(kind, 10.0, 5) for kind in KINDS}
    centroid = {kind: spectral_centroid(noise) for kind, noise in noises.items()}
    depth = {kind: modulation_depth(noise) for kind, noise in noises.items()}
    assert centroid["car"] < 300 < centroid["speech_shaped"] < 1000
    assert centroid["rain"] > 2500 and centroid["dishes"] > 2500
    assert depth["speech_shaped"] < 0.2 and depth["fan"] < 0.2
    assert depth["babble"] > 1.3 * depth["speech_shaped"]
    assert depth["keyboard"] > 0.7 and depth["dishes"] > 0.7
    kinds = list(KINDS)
    for index, one in enumerate(kinds):
        for two in kinds[index + 1 :]:
            octaves = abs(np.log2(centroid[one] / centroid[two]))
            assert octaves > 0.3 or abs(depth[one] - depth[two]) > 0.08, (one, two)


def octave_shares(waveform):
    """Power of each octave in dB, relative to that of all of them."""
    power = np.abs(np.fft.rfft(waveform)) ** 2
    edges = np.searchsorted(np.fft.rfftfreq(len(waveform), 1 / RATE), OCTAVES)
    bands = np.array([power[low:high].sum() for low, high in zip(edges, edges[1:], strict=False)])
    return 10 * np.log10(bands / bands.sum())


def kurtosis(waveform):
    """3 for Gaussian noise, more where short loud events stand out."""
    return float(np.mean(waveform**4) / np.mean(waveform**2) ** 2)


def flatness(waveform):
    """Geometric over arithmetic mean of the spectrum from 100 Hz to 4 kHz, dB: low for tones."""
    frames = waveform[: len(waveform) // 4096 * 4096].reshape(-1, 4096) * np.hanning(4096)
    power = np.abs(np.fft.rfft(frames, axis=1))[:, 26:1024] ** 2
    ratio = np.log(power).mean(axis=1) - np.log(power.mean(axis=1))
    return float(10 / np.log(10) * ratio.mean())


def syllable_rhythm(waveform):
    """Share of the envelope's fluctuation between 2 and 8 Hz in all of it up to 50 Hz."""
    blocks = np.abs(waveform[: len(waveform) // 160 * 160]).reshape(-1, 160).mean(axis=1)  # 100 Hz
    power = np.abs(np.fft.rfft(blocks - blocks.mean())) ** 2
    frequency = np.fft.rfftfreq(len(blocks), 0.01)
    return float(power[(frequency >= 2) & (frequency <= 8)].sum() / power.sum())


@pytest.mark.parametrize("seed", [3, 8])
def test_each_noise_has_the_marks_of_what_it_resembles(seed):
    noises = {kind: clips.noise(kind, 8.0, seed).astype(float) for kind in KINDS}
    spoken = np.concatenate([clips.load(name)[0] for name in clips.names("clean")])
    for kind in ("babble", "speech_shaped"):  # the long-term spectrum of speech
        assert np.abs(octave_shares(noises[kind]) - octave_shares(spoken)).max() < 4
    steady = syllable_rhythm(noises["speech_shaped"])
    assert syllable_rhythm(noises["babble"]) > 2 * steady and syllable_rhythm(spoken) > 2 * steady
    assert octave_shares(noises["car"])[0] > -2  # of what lies above 100 Hz
    assert octave_shares(noises["rain"])[:2].max() < -20
    assert octave_shares(noises["rain"])[5] > -6
    for kind in ("speech_shaped", "car"):
        assert kurtosis(noises[kind]) == pytest.approx(3, abs=0.6)
    for kind in ("rain", "keyboard", "dishes"):  # drops, strokes, clinks
        assert kurtosis(noises[kind]) > 5
    tonal = {kind: flatness(noise) for kind, noise in noises.items()}
    assert min(tonal, key=tonal.get) == "music" and tonal["music"] < tonal["speech_shaped"] - 10
    spectrum = np.abs(np.fft.rfft(noises["fan"]))  # bins of 1/8 Hz
    for tone in (100, 200, 1150):  # the hum, and the whine of the blades
        around = spectrum[8 * tone - 160 : 8 * tone + 160]
        assert spectrum[8 * tone - 8 : 8 * tone + 8].max() > 8 * np.median(around)


def test_babble_takes_the_voices_of_its_part():
    heard = [clips.noise("babble", 1.0, 7, split) for split in ("listening", "train", "valid")]
    assert not np.allclose(heard[0], heard[1]) and not np.allclose(heard[1], heard[2])
