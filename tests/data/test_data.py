from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import soundfile
import torch

from effifusion_lite.audio import measure_snr, rms_db
from effifusion_lite.data import DataError, MixtureConfig, Mixtures, Pairs, StepDataset, read_pairs
from effifusion_lite.data.augmentation import (
    coloured_noise,
    made_noise,
    recording_floor,
    shape_spectrum,
    slow_modulation,
)
from effifusion_lite.data.batches import read_mono
from effifusion_lite.data.mixing import _weight
from effifusion_lite.listening import clips

PLAIN = MixtureConfig(
    segment=16000,
    snr_db=(5.0, 5.0),
    level_db=(-26.0, -26.0),
    generated_noise=0.0,
    second_noise=0.0,
    tilt_db=0.0,
)


@pytest.fixture(scope="module")
def noise_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("noise")
    for seed, kind in enumerate(("rain", "car")):
        samples = clips.noise(kind, 3.0, seed, "train")
        soundfile.write(folder / f"{kind}.wav", samples, 16000, subtype="FLOAT")
    return folder


@pytest.fixture(scope="module")
def mixtures(noise_folder):
    return Mixtures(clips.speech_folder("valid"), noise_folder, PLAIN)


def test_batches_are_a_function_of_seed_and_step(mixtures, noise_folder):
    again = Mixtures(clips.speech_folder("valid"), noise_folder, PLAIN)
    other = Mixtures(clips.speech_folder("valid"), noise_folder, PLAIN, seed=1)
    noisy, clean = mixtures.batch(3, 2)
    assert noisy.shape == clean.shape == (2, 16000)
    assert noisy.dtype == clean.dtype == torch.float32
    assert torch.equal(noisy, again.batch(3, 2)[0])
    assert torch.equal(mixtures.batch(3, 3)[0][:2], noisy)
    assert torch.equal(mixtures.batch(3, 1, first=1)[0], noisy[1:])
    assert not torch.equal(noisy, mixtures.batch(4, 2)[0])
    assert not torch.equal(noisy, other.batch(3, 2)[0])
    assert not torch.equal(noisy[0], noisy[1])


def test_snr_and_level_are_as_asked_for(mixtures):
    for noisy, clean in zip(*mixtures.batch(0, 8), strict=True):
        noisy, clean = noisy.numpy(), clean.numpy()
        assert measure_snr(clean, noisy - clean) == pytest.approx(5.0, abs=0.05)
        assert rms_db(noisy) == pytest.approx(-26.0, abs=0.05)


def test_crops_hold_speech(mixtures):
    levels = [rms_db(clean.numpy()) for clean in mixtures.batch(1, 16)[1]]
    assert min(levels) > -45


def test_random_noise_and_tilt_stay_finite(noise_folder):
    config = MixtureConfig(segment=8000, generated_noise=0.5, second_noise=0.5)
    data = Mixtures(clips.speech_folder("valid"), noise_folder, config)
    noisy, clean = data.batch(0, 16)
    assert noisy.isfinite().all()
    snr = [measure_snr(c.numpy(), (n - c).numpy()) for n, c in zip(noisy, clean, strict=True)]
    assert min(snr) > -3.1 and max(snr) < 18.1
    assert max(snr) - min(snr) > 5


def test_coloured_noise_has_the_slope_that_is_asked_for():
    rng = np.random.default_rng(0)
    spectrum = np.abs(np.fft.rfft(coloured_noise(160_000, -6.0, rng))) ** 2
    low, high = spectrum[5_000:10_000].mean(), spectrum[20_000:40_000].mean()  # two octaves apart
    assert 10 * np.log10(high / low) == pytest.approx(-12, abs=1)


def test_modulation_stays_within_its_depth():
    gain = 20 * np.log10(slow_modulation(32000, 12.0, np.random.default_rng(0)))
    assert -6 <= gain.min() < gain.max() <= 6


def test_a_short_utterance_is_continued_by_the_same_speaker(tmp_path, noise_folder):
    for speaker, value in (("a", 0.25), ("b", 0.5)):
        (tmp_path / speaker).mkdir()
        for i in range(3):
            samples = np.tile([value, -value], 2000)
            soundfile.write(tmp_path / speaker / f"{i}.wav", samples, 16000, subtype="PCM_16")
    data = Mixtures(tmp_path, noise_folder, PLAIN)
    for step in range(6):
        utterance = np.abs(data._utterance(np.random.default_rng(step), 16000))
        assert len(utterance) >= 16000
        assert utterance.min() == utterance.max()


def test_read_mono_mixes_channels_and_resamples(tmp_path):
    stereo = np.stack([np.full(44100, 0.5), np.zeros(44100)], axis=1)
    soundfile.write(tmp_path / "x.wav", stereo, 44100)
    samples = read_mono(tmp_path / "x.wav")
    assert samples.dtype == np.int16
    assert len(samples) == 16000
    assert abs(int(samples[8000]) - 8192) < 4


@pytest.fixture
def pairs_folder(tmp_path):
    for side in ("clean", "noisy"):
        (tmp_path / side).mkdir()
    for name in clips.names("noisy")[:3]:
        for side, samples in zip(("clean", "noisy"), clips.pair(name), strict=True):
            soundfile.write(tmp_path / side / f"{name}.flac", samples, 16000)
    return tmp_path


def test_pairs_stay_together(pairs_folder):
    data = Pairs(pairs_folder, segment=16000)
    noisy, clean = data.batch(0, 6)
    assert noisy.shape == (6, 16000)
    for n, c in zip(noisy.numpy(), clean.numpy(), strict=True):
        assert np.corrcoef(n, c)[0, 1] > 0.3
    assert torch.equal(noisy, Pairs(pairs_folder, segment=16000).batch(0, 6)[0])
    assert torch.equal(noisy[4:], data.batch(0, 2, first=4)[0])


def test_short_pairs_are_repeated(pairs_folder):
    noisy, _ = Pairs(pairs_folder, segment=160_000).batch(0, 1)
    assert noisy.shape == (1, 160_000)


def test_some_of_the_pairs_at_even_distances(pairs_folder):
    pairs = read_pairs(pairs_folder, limit=9)
    assert len(pairs) == 3
    for kept, pair in zip(read_pairs(pairs_folder, limit=2), pairs, strict=False):
        assert np.array_equal(kept, pair)
    (kept,) = read_pairs(pairs_folder, limit=1)
    assert np.array_equal(kept, pairs[0])


def test_true_training_pairs(shared_data):
    data = Pairs(shared_data / "vbd_train_sample")
    noisy, clean = data.batch(0, 4)
    assert noisy.shape == (4, 32000)
    assert data.seconds[0] > 20


def test_step_dataset_counts_its_steps(mixtures):
    steps = StepDataset(mixtures, size=2, steps=5)
    assert len(steps) == 5
    assert torch.equal(steps[4][0], mixtures.batch(4, 2)[0])
    share = StepDataset(mixtures, size=1, steps=5, first=1)
    assert torch.equal(share[4][0], mixtures.batch(4, 2)[0][1:])


def test_unusable_folders_say_what_is_wrong(tmp_path, noise_folder, pairs_folder):
    with pytest.raises(DataError, match="not a folder"):
        Mixtures(tmp_path / "nowhere", noise_folder)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(DataError, match="holds no sound files"):
        Mixtures(empty, noise_folder)
    silent = tmp_path / "silent"
    silent.mkdir()
    soundfile.write(silent / "x.wav", np.zeros(32000), 16000)
    with pytest.raises(DataError, match="noise holds next to nothing but silence"):
        Mixtures(clips.speech_folder("valid"), silent, PLAIN).batch(0, 1)
    with pytest.raises(DataError, match="speech holds next to nothing but silence"):
        Mixtures(silent, noise_folder, PLAIN).batch(0, 1)
    partner = next((pairs_folder / "noisy").iterdir())
    soundfile.write(partner, np.zeros(100), 16000)
    with pytest.raises(DataError, match="differ in length"):
        Pairs(pairs_folder)
    partner.unlink()
    with pytest.raises(DataError, match="is missing"):
        Pairs(pairs_folder)


def test_made_noise_of_every_kind_has_the_length_that_is_asked_for():
    voice = clips.pair(clips.names("noisy")[0])[0]
    lengths, kinds = set(), {}
    for seed in range(60):
        noise = made_noise(8000, np.random.default_rng(seed), lambda number: number * [voice])
        lengths.add(len(noise))
        kinds[np.round(rms_db(noise / np.abs(noise).max()))] = seed
    assert lengths == {8000}
    assert len(kinds) > 5  # peaky and steady ones


def test_speech_is_resampled_to_another_speed(noise_folder, tmp_path):
    (tmp_path / "a").mkdir()
    time = np.arange(64000) / 16000
    soundfile.write(tmp_path / "a" / "tone.wav", 0.3 * np.sin(2 * np.pi * 1000 * time), 16000)
    for speed in (0.8, 1.0, 1.25):
        config = MixtureConfig(segment=16000, tilt_db=0.0, speed=(speed, speed))
        clean = Mixtures(tmp_path, noise_folder, config).batch(0, 1)[1][0].numpy()
        assert clean.shape == (16000,)
        assert np.abs(np.fft.rfft(clean)).argmax() == pytest.approx(1000 * speed, abs=2)


def test_weights_of_noise_make_it_more_or_less_likely(noise_folder):
    config = MixtureConfig(noise_weights=(("rain", 3.0), ("ra", 2.0), ("ain", 9.0), ("snow", 0.0)))
    data = Mixtures(clips.speech_folder("valid"), noise_folder, config)
    assert data.noise_odds == pytest.approx([1 / 7, 6 / 7])  # car, rain: equally long files


@pytest.mark.parametrize(
    ("name", "factor"), [("rain2.wav", 3.0), ("heavy_rain.wav", 3.0), ("train.wav", 1.0)]
)
def test_a_weight_counts_for_words_that_begin_with_its_text(name, factor):
    assert _weight(name, (("rain", 3.0),)) == factor


def test_a_random_envelope_changes_the_spectrum_and_not_more(noise_folder):
    white = np.random.default_rng(0).standard_normal(160_000)

    def octaves(envelope_db):
        shaped = shape_spectrum(white, np.random.default_rng(1), 0.0, envelope_db)
        power = np.abs(np.fft.rfft(shaped)) ** 2
        edges = [2000 * 2**k for k in range(6)]  # 200 Hz to 6400 Hz
        return 10 * np.log10([power[a:b].mean() for a, b in pairwise(edges)])

    assert np.ptp(octaves(0.0)) < 0.5
    assert 2 < np.ptp(octaves(6.0)) < 30


def test_weights_of_speech_count_for_the_folders_of_speakers(noise_folder, tmp_path):
    sound = 0.1 * np.random.default_rng(0).normal(size=9000)
    for speaker in ("libri_1", "vctk_p226"):
        (tmp_path / speaker).mkdir()
        soundfile.write(tmp_path / speaker / "1.wav", sound, 16000)
    config = MixtureConfig(segment=8000, speech_weights=(("vctk", 3.0),))
    assert Mixtures(tmp_path, noise_folder, config).speech_odds == pytest.approx([0.25, 0.75])


def test_some_mixtures_are_nearly_clean(noise_folder):
    config = replace(PLAIN, snr_db=(0.0, 10.0), nearly_clean=0.5)
    batch = Mixtures(clips.speech_folder("valid"), noise_folder, config).batch(0, 30)
    noisy, clean = (side.numpy() for side in batch)
    snr = [measure_snr(c, n) for c, n in zip(clean, noisy - clean, strict=True)]
    assert 6 < sum(value > 10.1 for value in snr) < 24
    assert -0.1 < min(snr) and max(snr) < 50.1


def test_the_floor_of_a_recording_is_part_of_the_target(noise_folder):
    speech = np.random.default_rng(0).normal(size=32000)
    floors = [recording_floor(speech, np.random.default_rng(i)) for i in range(50)]
    levels = [rms_db(floor) for floor in floors]
    assert -66 < min(levels) < -45 and -45 < max(levels) < -29
    folder = clips.speech_folder("valid")
    config = replace(PLAIN, snr_db=(60.0, 60.0))
    pairs = [
        Mixtures(folder, noise_folder, replace(config, floor=share)).batch(0, 8)
        for share in (0.0, 1.0)
    ]
    residual = [rms_db((noisy - clean).numpy()) for noisy, clean in pairs]
    assert residual[1] == pytest.approx(residual[0], abs=0.5)  # noisy has the floor, too


def test_noise_with_rumble_keeps_its_snr_and_is_not_part_of_the_target(noise_folder):
    folder = clips.speech_folder("valid")
    frequency = np.fft.rfftfreq(PLAIN.segment, 1 / 16000)
    low = {}
    for share in (0.0, 1.0):
        config = replace(PLAIN, noise_rumble=share)
        noisy, clean = (side.numpy() for side in Mixtures(folder, noise_folder, config).batch(0, 8))
        noise = noisy - clean
        pairs = zip(clean, noise, strict=True)
        assert [measure_snr(*pair) for pair in pairs] == pytest.approx([5.0] * 8, abs=0.1)
        power = np.abs(np.fft.rfft(noise)) ** 2
        low[share] = power[:, frequency < 200].sum(1) / power.sum(1)
    assert min(low[1.0]) > 0.05 > 10 * min(low[0.0])  # that of rain


def test_rumble_has_the_level_and_the_edge_that_were_asked_for(noise_folder):
    folder, frequency = clips.speech_folder("valid"), np.fft.rfftfreq(PLAIN.segment, 1 / 16000)
    deep = replace(PLAIN, noise_rumble=1.0, rumble_db=(20.0, 20.0), rumble_hz=(5.0, 10.0))
    noisy, clean = (side.numpy() for side in Mixtures(folder, noise_folder, deep).batch(0, 8))
    power = np.abs(np.fft.rfft(noisy - clean)) ** 2
    below_30_hz = power[:, frequency < 30].sum(1) / power.sum(1)
    assert below_30_hz == pytest.approx([100 / 101] * 8, abs=0.01)
    with pytest.raises(ValueError, match="rumble_hz"):
        replace(PLAIN, rumble_hz=(0.0, 150.0))
