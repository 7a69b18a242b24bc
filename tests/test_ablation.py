"""The ablation study: what it trains, what it tells, and that it goes on where it was stopped."""

import json
import tomllib
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
from scripts import script

from effifusion_lite.generator import EffiFusionGenerator, count_parameters
from effifusion_lite.listening import clips
from effifusion_lite.validation import Validation

STUDY = """
hours = 0.0003
seeds = [0, 1]
[base]
generator = "tiny"
batch_size = 1
warmup = 1
gan = false
mixture = { segment = 4000 }
[variants."complete"]
[variants."half removed"]
remove = 0.5
"""


@pytest.fixture
def ablation():
    return script("tools/ablation.py")


def test_each_variant_changes_what_its_name_says(ablation):
    study = tomllib.loads(ablation.STUDY.read_text())
    configs = {
        name: ablation.configuration(study["base"], variant, study["hours"], 0)
        for name, variant in study["variants"].items()
    }
    assert next(iter(configs)) == "complete"
    base = configs.pop("complete")
    assert base.steps * base.batch_size * base.mixture.segment / 16000 == 2 * 3600
    assert not configs["standard convolutions"].generator.separable
    assert not configs["single norm"].generator.dual_norm
    assert configs["with GAN"].gan and not base.gan
    assert configs["without compression"].generator.spectral.compression == 1.0
    assert configs["without multi-scale block"].generator.multi_scale_kernels == ()
    assert not configs["magnitude only"].generator.phase_decoder
    assert [configs[f"{n} % of the weights masked"].prune for n in (30, 50, 70)] == [0.3, 0.5, 0.7]
    assert {config.steps for config in configs.values()} == {base.steps}
    small, full = (
        count_parameters(EffiFusionGenerator(config.generator))
        for config in (configs["small dense model"], base)
    )
    assert 0.5 < small / full < 0.65


def test_a_study_from_the_first_step_to_the_table(ablation, tmp_path, monkeypatch, capsys):
    pytest.importorskip("pesq", reason="pesq is not installed")
    noise = 0.1 * np.random.default_rng(0).normal(size=64000)
    (tmp_path / "noise").mkdir()
    soundfile.write(tmp_path / "noise" / "a.wav", noise, 16000)
    few = partial(Validation.of_mixtures, mixtures=2, seconds=1.0)
    monkeypatch.setattr(Validation, "of_mixtures", few)
    monkeypatch.setattr(ablation, "CLIPS", ablation.CLIPS[:1])
    (tmp_path / "study.toml").write_text(STUDY)
    speech, noise, out = clips.speech_folder("train"), tmp_path / "noise", tmp_path / "out"
    folders = ["--speech", speech, "--noise", noise, "--valid-speech", speech]
    begin = ["--study", tmp_path / "study.toml"]
    words = [*begin, "run", *folders, "--valid-noise", noise, "--out", out]

    def call(*words):
        ablation.main([str(word) for word in words])
        return capsys.readouterr().out

    call(*words, "--seeds", 1)
    assert {path.parent.name for path in out.rglob("scores.json")} == {"1"}
    call(*words)
    scores = sorted(out.rglob("scores.json"))
    assert len(scores) == 4
    times = [path.stat().st_mtime_ns for path in scores]
    # A run that lost its end is taken up again, those that are whole are left alone.
    (out / "complete" / "1" / "scores.json").unlink()
    call(*words)
    again = [path.stat().st_mtime_ns for path in scores]
    assert [a == b for a, b in zip(times, again, strict=True)].count(False) == 1
    assert set(json.loads(scores[0].read_text())) >= {"pesq", "si_sdr"}

    rows = [line for line in call(*begin, "table", "--out", out).splitlines() if "|" in line]
    assert [row.split("|")[1].strip() for row in rows[2:]] == ["complete", "half removed"]
    parameters = [int(row.split("|")[5].replace(",", "")) for row in rows[2:]]
    assert parameters[0] == 48_814
    assert parameters[1] < 0.6 * parameters[0]

    listed = call(*begin, "clips", "--out", out, "--to", tmp_path / "heard").splitlines()
    assert [Path(line).stem for line in listed] == [
        "clean",
        "noisy",
        "complete",
        "half_removed",
    ]
    assert len({soundfile.info(line).frames for line in listed}) == 1


@pytest.mark.parametrize(
    ("base", "variant", "expected"),
    [
        ([2.0, 2.1], [1.8, 1.85], "+0.225"),
        ([2.0, 2.1], [1.95, 2.05], "not shown"),
        ([2.0], [1.0], "one seed: not shown"),
    ],
)
def test_a_difference_inside_the_spread_is_not_shown(ablation, base, variant, expected):
    assert ablation._lost(base, variant) == expected


def test_no_finished_run_is_said(ablation, tmp_path):
    with pytest.raises(SystemExit, match="no run of 'complete' is finished"):
        ablation.main(["table", "--out", str(tmp_path)])


def test_a_seed_that_the_study_has_not_is_named(ablation, tmp_path):
    folders = [f"--{name}=x" for name in ("speech", "noise", "valid-speech", "valid-noise", "out")]
    with pytest.raises(SystemExit, match=r"seeds \[0, 1, 2\], not \[7\]"):
        ablation.main(["run", *folders, "--seeds", "7"])
