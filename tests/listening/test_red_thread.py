"""The common thread: a row that grows, ends in the clean sentence, and holds what its names say."""

import sys

import numpy as np
import pytest
import soundfile
import torch

from effifusion_lite import enhance, metrics, weights
from effifusion_lite.listening import clips, red_thread
from effifusion_lite.listening.player import MOST
from effifusion_lite.spectral import stft
from tools import red_thread as tool

RATE = 16000


@pytest.fixture
def without_networks(monkeypatch):
    """Networks hand the sound through, softer: the rows are made at once."""
    monkeypatch.setattr(red_thread, "enhance", lambda noisy, rate, model, **how: noisy / 2)


def test_the_row_grows_from_noisy_to_clean(without_networks):
    rows = [[*red_thread.versions(chapter)] for chapter in range(11)]
    for names in rows:
        assert names[0] == "noisy" and names[-1] == "clean"
        assert 3 <= len(names) <= MOST
    for before, after in zip(rows[:8], rows[1:8], strict=False):
        assert before[:-1] == after[: len(before) - 1]
    growth = [len(after) - len(before) for before, after in zip(rows[:8], rows[1:8], strict=False)]
    assert growth == [1, 0, 0, 1, 1, 1, 1]
    assert rows[8][4:-1] == ["4 min heard", "27 min heard", "2.4 h heard"]
    assert {*weights.available()} <= {*rows[9]}
    assert rows[10] == [*rows[9][:-1], "lite, strength 0.8", "clean"]


def test_versions_are_what_their_names_say():
    made = red_thread.versions(8)
    clean, noisy = clips.pair("garage_fan")
    assert len(made["clean"]) == min(len(clean), 4 * RATE)
    assert np.array_equal(made["clean"], clean[: 4 * RATE])
    assert np.array_equal(made["noisy"], noisy[: 4 * RATE])
    last = weights.training_steps()[2200]
    assert np.array_equal(made["2.4 h heard"], enhance(made["noisy"], RATE, last))
    ratios = {name: metrics.si_sdr(made["clean"], made[name]) for name in [*made][:-1]}
    assert ratios["untrained"] < ratios["noisy"] < ratios["4 min heard"] < ratios["2.4 h heard"]


def test_true_magnitude_has_the_magnitude_of_one_and_the_phase_of_the_other():
    clean, noisy = red_thread.sentence()
    mixed = red_thread.true_magnitude(clean, noisy)
    assert np.abs(red_thread.true_magnitude(noisy, noisy) - noisy).max() < 1e-5
    spectra = stft(torch.from_numpy(np.stack([clean, noisy, mixed])))
    loud = spectra[0].abs() > spectra[0].abs().quantile(0.95)
    turned = torch.polar(torch.ones(()), (spectra[2] / spectra[1])[loud].angle()).real.mean()
    assert turned > 0.99
    errors = [(spectra[0].abs() - spectra[k].abs()).square().mean() for k in (1, 2)]
    assert errors[1] < 0.05 * errors[0]


def test_prepared_sounds_are_what_their_script_makes(tmp_path):
    tool.main(tmp_path)
    files = sorted(path.name for path in red_thread.FOLDER.iterdir())
    assert files == sorted(file for file, _ in red_thread.PREPARED.values())
    for file in files:
        made, kept = (soundfile.read(folder / file)[0] for folder in (tmp_path, red_thread.FOLDER))
        assert np.abs(made - kept).max() < 1e-3  # processors round in different ways
        assert (red_thread.FOLDER / file).stat().st_size < 60_000


@pytest.mark.parametrize("chapter", range(11))
def test_each_row_asks_and_is_scored(chapter, without_networks):
    player = red_thread.thread(chapter)
    scored = len(player.versions) - 1
    assert player.html.count("<dt>SI-SDR</dt>") == player.html.count("<dt>PESQ</dt>") == scored
    assert "<dt>STOI</dt>" not in player.html
    assert red_thread.QUESTIONS[chapter].endswith("?")
    assert f"chapter {chapter:02d}: fan noise" in player.html


def test_a_chapter_adds_what_it_has_trained_itself(without_networks):
    clean, noisy = red_thread.sentence()
    player = red_thread.thread(2, {"my network": 0.5 * (clean + noisy)})
    assert player.versions[-2:] == ("my network", "clean") and len(player.versions) == 5
    assert player.html.count("<dt>SI-SDR</dt>") == 4
    with pytest.raises(ValueError, match="one length"):
        red_thread.thread(2, {"my network": noisy[:-1]})


def test_without_pesq_the_row_has_dashes(without_networks, monkeypatch):
    monkeypatch.setitem(sys.modules, "pesq", None)
    assert red_thread.thread(0).html.count("–</dd>") == 2


def test_with_another_sentence_the_prepared_sounds_are_left_out(
    without_networks, monkeypatch, tmp_path
):
    monkeypatch.setattr(red_thread, "prepared_folder", lambda: tmp_path)
    assert not {*red_thread.PREPARED} & {*red_thread.versions(7)}
    player = red_thread.thread(6)
    assert player.versions[-2:] == ("untrained", "clean")
    title = "Left out: 'losses alone', 'with discriminator', made from the built-in sentence"
    assert title.replace("'", "&#x27;") in player.html
    monkeypatch.setattr(tool, "prepared_folder", lambda: tmp_path)
    with pytest.raises(SystemExit, match="unset EFFIFUSION_VBD"):
        tool.main(tmp_path)


@pytest.mark.parametrize("chapter", [-1, 11, "listening_lab"])
def test_unknown_chapters_are_refused(chapter):
    with pytest.raises(ValueError, match="no chapter"):
        red_thread.thread(chapter)
