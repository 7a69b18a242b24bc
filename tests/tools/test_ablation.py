"""The ablation study: what it trains, what it tells, and that it goes on where it was stopped."""

import json
import tomllib
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from scripts import script

from effifusion_lite.generator import EffiFusionGenerator, count_parameters
from effifusion_lite.listening import clips
from effifusion_lite.training import Validation
from effifusion_lite.weights import load

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
    assert not configs["phase without the noisy one"].generator.phase_correction
    assert study["variants"]["50 % of the units removed"]["remove"] == 0.5
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
    results = ["--results", tmp_path / "results"]
    words = [*begin, "run", *folders, "--valid-noise", noise, "--out", out, *results]

    def call(*words):
        ablation.main([str(word) for word in words])
        return capsys.readouterr().out

    call(*words, "--seeds", 1)
    with pytest.raises(SystemExit, match="seed 0 of 'complete' is not finished"):
        call(*begin, "table", *results)
    call(*words)
    scores = sorted((tmp_path / "results").rglob("?.json"))
    assert [path.stem for path in scores] == ["0", "1", "0", "1"]
    before = [json.loads(path.read_text())["scores"] for path in scores]
    assert set(before[0]) >= {"pesq", "si_sdr"}
    # A run that lost its end is taken up again, and ends as before.
    scores[1].unlink()
    (out / "complete" / "1" / "last.safetensors").unlink()
    call(*words)
    after = [json.loads(path.read_text())["scores"] for path in scores]
    assert after == [pytest.approx(values, rel=1e-5) for values in before]
    with pytest.raises(SystemExit, match="all is finished"):
        call(*words)
    kept = scores[1].read_text()
    scores[1].unlink()
    noisy = tmp_path / "results" / "noisy.json"
    of_these = noisy.read_text()
    noisy.write_text('{"scores": {"pesq": 1.5, "si_sdr": 99.0}}')
    with pytest.raises(SystemExit, match="the mixtures are others"):
        call(*words)
    noisy.write_text(of_these)
    scores[1].write_text(kept)

    rows = [line for line in call(*begin, "table", *results).splitlines() if "|" in line]
    names = [row.split("|")[1].strip() for row in rows[2:]]
    assert names == ["the noisy mixtures", "complete", "half removed"]
    parameters = [int(row.split("|")[7].replace(",", "")) for row in rows[3:]]
    assert parameters[0] == 48_814
    assert parameters[1] < 0.6 * parameters[0]

    listed = call(*begin, "clips", *results, "--to", tmp_path / "heard").splitlines()
    assert [Path(line).stem for line in listed] == [
        "clean",
        "noisy",
        "complete",
        "half_removed",
    ]
    assert len({soundfile.info(line).frames for line in listed}) == 1

    (tmp_path / "study.toml").write_text(STUDY.replace("warmup = 1", "warmup = 2"))
    with pytest.raises(SystemExit, match="comes from another study"):
        call(*begin, "table", *results)


@pytest.mark.parametrize(
    ("base", "variant", "expected"),
    [
        ([2.0, 2.1], [1.8, 1.85], "-0.225"),
        ([2.0, 2.1], [1.95, 2.05], "not shown"),
        ([2.0], [1.0], "one seed: not shown"),
    ],
)
def test_a_difference_inside_the_spread_is_not_shown(ablation, base, variant, expected):
    assert ablation._difference(base, variant, 3) == expected


def test_a_seed_that_the_study_has_not_is_named(ablation, tmp_path):
    folders = [f"--{name}=x" for name in ("speech", "noise", "valid-speech", "valid-noise", "out")]
    with pytest.raises(SystemExit, match=r"seeds \[0, 1, 2\], not \[7\]"):
        ablation.main(["run", *folders, "--seeds", "7"])


def test_the_printed_table_is_that_of_the_results(ablation):
    study = tomllib.loads(ablation.STUDY.read_text())
    options = SimpleNamespace(results=ablation.RESULTS, study=ablation.STUDY)
    finished = {name: runs for name, runs in ablation.finished(study, options).items() if 0 in runs}
    rows = [line.split(" | ") for line in (ablation.RESULTS / "table.md").read_text().splitlines()]
    assert [row[0].removeprefix("| ") for row in rows[3:]] == list(finished)
    for row, runs in zip(rows[3:], finished.values(), strict=True):
        pesq, si_sdr = ([scores[m] for scores in runs.values()] for m in ("pesq", "si_sdr"))
        assert row[1] == str(len(runs))
        assert row[2] == ablation._spread(pesq, 3)
        assert row[4] == ablation._spread(si_sdr, 2)
        model = load(ablation.weights(ablation.RESULTS, row[0].removeprefix("| ")))
        assert row[6].split(",")[:2] == f"{count_parameters(model):,}".split(",")
        if row[0] != "| complete":
            base = [scores["pesq"] for scores in finished["complete"].values()]
            assert row[3] == ablation._difference(base, pesq, 3)
