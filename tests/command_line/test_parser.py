"""The command line: what it writes, what it says, and its exit codes."""

import csv
import json
import subprocess
import sys

import numpy as np
import pytest
import torch

from effifusion_lite.audio import save_audio
from effifusion_lite.command_line.parser import main
from effifusion_lite.cost import MAC_SECONDS, describe
from effifusion_lite.generator import PRESETS, EffiFusionGenerator, preset
from effifusion_lite.training.runlog import COLUMNS
from effifusion_lite.weights import load, read_metadata, save_weights

RATE = 16000


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    save_weights(EffiFusionGenerator(preset("tiny", blocks=1)), path, {})
    return str(path)


def noise(*shape, seed=0):
    return (np.random.default_rng(seed).normal(size=shape) * 0.05).astype("float32")


def speech_like(seed=0, seconds=1.5):
    time = np.arange(int(seconds * RATE)) / RATE
    return noise(time.size, seed=seed) * (time % 0.5 < 0.3)


def run(*words):
    try:
        return main([str(word) for word in words])
    except SystemExit as leaving:
        return leaving.code


# ---------------------------------------------------------------- the whole


def test_help_needs_no_torch():
    program = """
import sys
from effifusion_lite.command_line.parser import main
try:
    main(["enhance", "--help"])
except SystemExit:
    assert "torch" not in sys.modules and "scipy" not in sys.modules
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "-o DIR" in result.stdout


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["nonsense"],
        ["enhance", "a.wav"],
        ["enhance", "-o", "out"],
        ["enhance", "a.wav", "-o", "out", "--jobs", "0"],
        ["evaluate", "clean"],
        ["evaluate", "clean", "noisy", "--limit", "0"],
        ["evaluate", "clean", "noisy", "--weights", "lite", "--enhanced", "x"],
        ["info"],
        ["info", "--preset", "tiny", "--weights", "lite"],
        ["train", "--preset", "tiny", "--out", "run"],
        ["train", "--preset", "tiny", "--out", "run", "--speech", "x"],
        ["train", "--preset", "tiny", "--out", "run", "--pairs", "x", "--noise", "x"],
        ["train", "--preset", "tiny", "--out", "run", "--pairs", "x", "--valid-noise", "x"],
        ["train", "--preset", "tiny", "--out", "run", "--pairs", "x", "--resume", "--init", "x"],
        ["train", "--out", "run", "--pairs", "x"],
        ["train", "--preset", "tiny", "--out", "run", "--pairs", "x", "--fit"],
        ["train", *"--preset tiny --out run --pairs x --fit --minutes 1 --steps 9".split()],
        ["train", *"--preset tiny --out run --pairs x --fit --minutes 1 --resume".split()],
        ["prune", "lite", "-o", "x.safetensors"],
        ["prune", "lite", "--rate", "half", "-o", "x.safetensors"],
    ],
)
def test_usage_errors_leave_with_2(words, capsys):
    assert run(*words) == 2
    assert "usage: effifusion" in capsys.readouterr().err


def assert_one_error(capsys, message):
    lines = capsys.readouterr().err.splitlines()
    errors = [line for line in lines if line.startswith("effifusion: ")]
    assert len(errors) == 1
    assert message in errors[0]


# ---------------------------------------------------------------- evaluate


@pytest.fixture
def folders(tmp_path):
    for index, name in enumerate(["a.wav", "b.wav", "c.wav"]):
        clean = speech_like(index)
        for folder, gain in (("clean", 0), ("noisy", 1), ("half", 0.5)):
            (tmp_path / folder).mkdir(exist_ok=True)
            waveform = clean + gain * 0.3 * noise(len(clean), seed=9 + index)
            save_audio(tmp_path / folder / name, waveform, RATE)
    return tmp_path / "clean", tmp_path / "noisy"


def test_evaluate_prints_and_writes(folders, tmp_path, capsys):
    words = ["--enhanced", tmp_path / "half", "--json", tmp_path / "s.json"]
    assert run("evaluate", *folders, *words, "--csv", tmp_path / "s.csv", "--processes", 1) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert rows[0] == ["3", "files", "noisy", "enhanced", "gain"]
    content = json.loads((tmp_path / "s.json").read_text())
    assert list(content) == ["noisy", "enhanced", "files"]
    assert rows[1][0] == "PESQ" and f"{content['enhanced']['pesq']:.3f}" == rows[1][4]
    assert content["enhanced"]["pesq"] > content["noisy"]["pesq"]
    with open(tmp_path / "s.csv", newline="") as file:
        assert [row["file"] for row in csv.DictReader(file)] == ["a.wav", "b.wav", "c.wav"]


@pytest.mark.parametrize("option", ["--json", "--csv", "--figure"])
def test_a_missing_folder_is_told_before_anything_is_scored(folders, tmp_path, option, capsys):
    place = tmp_path / "missing" / "scores.svg"
    assert run("evaluate", *folders, "--baseline", "wiener", option, place) == 1
    assert_one_error(capsys, f"{place.parent}: No such file or directory")


@pytest.mark.parametrize("system", ["weights", "wiener"])
def test_evaluate_can_enhance_by_itself(folders, tmp_path, weights, system, capsys):
    words = ["--weights", weights] if system == "weights" else ["--baseline", "wiener"]
    code = run("evaluate", *folders, *words, "--limit", 1, "--json", tmp_path / "s.json")
    assert code == 0
    content = json.loads((tmp_path / "s.json").read_text())
    assert [file["file"] for file in content["files"]] == ["a.wav"]
    assert None not in {content["enhanced"][name] for name in ("pesq", "estoi", "covl")}
    assert content["enhanced"]["sig"] is None  # was not asked for
    assert content["clean_enhanced"]["si_sdr"] > content["enhanced"]["si_sdr"]
    assert content["enhanced"] != content["noisy"]


def test_evaluate_takes_a_list_and_reports_what_is_missing(folders, tmp_path, capsys):
    (tmp_path / "list.txt").write_text("c.wav\n\nd.wav\n")
    words = ["--list", tmp_path / "list.txt", "--json", tmp_path / "s.json", "--processes", 1]
    assert run("evaluate", *folders, *words) == 1
    assert_one_error(capsys, "d.wav does not exist")
    files = json.loads((tmp_path / "s.json").read_text())["files"]
    assert [file["file"] for file in files] == ["c.wav", "d.wav"]
    assert files[0]["noisy"]["pesq"] > 1
    assert files[1]["noisy"]["pesq"] is None


def test_evaluate_says_what_could_not_be_scored(folders, capsys):
    clean, noisy = folders
    save_audio(clean / "a.wav", np.zeros(24000), RATE)
    assert run("evaluate", clean, noisy, "--limit", 2, "--processes", 1) == 0
    output = capsys.readouterr()
    assert "1 of 2 files without noisy pesq: the clean recording is silent" in output.err
    assert "noisy" in output.out


def test_evaluate_by_groups_with_a_figure(folders, tmp_path, capsys):
    (tmp_path / "log.txt").write_text("a bus 17.5\nb cafe 2.5\n")
    words = ["--baseline", "wiener", "--groups", tmp_path / "log.txt", "--processes", 1]
    files = ["--json", tmp_path / "s.json", "--figure", tmp_path / "s.svg"]
    assert run("evaluate", *folders, *words, *files) == 0
    output = capsys.readouterr()
    assert "bus (1) enhanced" in output.out and "17.5 dB (1) enhanced" in output.out
    assert "1 of 3 files are in no group" in output.err
    content = json.loads((tmp_path / "s.json").read_text())
    assert content["noise"]["bus"]["enhanced"]["csig"] == content["files"][0]["enhanced"]["csig"]
    assert "</svg>" in (tmp_path / "s.svg").read_text()


@pytest.mark.parametrize("other", ["noisy", "wiener", "half", "weights", "earlier"])
def test_evaluate_compares_two_systems(folders, tmp_path, weights, other, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where a folder noisy stands, too
    earlier = ["--baseline", "wiener", "--limit", 2, "--json", "s.json", "--processes", 1]
    if other == "earlier":
        assert run("evaluate", *folders, *earlier) == 0
    name = {"weights": weights, "earlier": "s.json"}.get(other, other)
    words = ["--enhanced", "half", "--compare", name, "--json", "t.json", "--processes", 1]
    capsys.readouterr()
    assert run("evaluate", *folders, *words) == 0
    output = capsys.readouterr()
    assert f"enhanced minus {name}, file by file" in output.out
    content = json.loads((tmp_path / "t.json").read_text())
    comparison = content["comparison"]["si_sdr"]
    assert comparison["count"] == (2 if other == "earlier" else 3)
    assert comparison["low"] <= comparison["mean"] <= comparison["high"]
    if other == "noisy":
        gain = content["enhanced"]["si_sdr"] - content["noisy"]["si_sdr"]
        assert comparison["mean"] == pytest.approx(gain)
    if other == "half":
        assert (comparison["mean"], comparison["shown"]) == (0, False)
        assert "not shown" in output.out
    assert ("1 of 3 files are not compared: s.json" in output.err) == (other == "earlier")


def test_evaluate_refuses_before_it_scores(folders, tmp_path, capsys):
    for words, message in (
        (["--compare", "noisy"], "--compare needs --weights, --enhanced or --baseline"),
        (["--baseline", "wiener", "--compare", "nonsense"], "there are no weights 'nonsense'"),
        (["--baseline", "wiener", "--compare", tmp_path / "x.json"], "x.json: No such file"),
        (["--figure", "figure.jpg"], "a name that ends in .svg or .png"),
        (["--groups", tmp_path / "x.csv"], "x.csv: No such file"),
    ):
        assert run("evaluate", *folders, *words) == 1
        assert_one_error(capsys, message)


def test_evaluate_with_nothing_to_do(tmp_path, folders, capsys):
    assert run("evaluate", tmp_path / "nowhere", folders[1]) == 1
    assert_one_error(capsys, "does not exist")
    assert run("evaluate", *folders, "--list", tmp_path / "nowhere.txt") == 1
    assert_one_error(capsys, "nowhere.txt: No such file or directory")


# ---------------------------------------------------------------- info


@pytest.mark.parametrize("name", list(PRESETS))
def test_info_of_a_preset(name, capsys):
    assert run("info", "--preset", name, "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert set(facts) == {"parameters", "modules", "macs_per_second", "size_bytes"}
    model = EffiFusionGenerator(PRESETS[name])
    assert facts["parameters"] == sum(parameter.numel() for parameter in model.parameters())
    assert sum(facts["modules"].values()) == facts["parameters"]
    assert facts["size_bytes"] == 4 * facts["parameters"]  # float32, no buffers


def test_info_of_weights_as_text(weights, capsys):
    assert run("info", "--weights", weights) == 0
    text = capsys.readouterr().out
    parameters = describe(load(weights))["parameters"]
    assert f"{parameters:,}" in text
    assert "phase_decoder" in text
    assert f"(on {MAC_SECONDS} s of audio)" in text
    assert run("info", "--weights", "nonsense") == 1
    assert_one_error(capsys, "there are no weights")
    assert run("info", "--preset", "nonsense") == 1
    assert_one_error(capsys, "there is no preset 'nonsense'")


def test_macs_of_sums_in_place_are_counted():
    small, large = (
        describe(EffiFusionGenerator(preset("tiny", blocks=1, dilations=(1,) * layers)))
        for layers in (1, 2)
    )
    frames, seconds, channels = 1 + MAC_SECONDS * 160, MAC_SECONDS, 16
    points = frames * (201 + 2 * 101) / seconds  # of the encoder and the two decoders
    one = points * 2 * channels * (9 + channels)  # a second layer, which reads two parts
    counted = large["macs_per_second"] - small["macs_per_second"]
    assert counted == pytest.approx(one, rel=1e-6)


def test_macs_of_attention_are_counted(monkeypatch):
    model = EffiFusionGenerator(preset("tiny", blocks=1))
    counted = describe(model)["macs_per_second"]
    monkeypatch.setattr(
        torch.nn.functional, "scaled_dot_product_attention", lambda query, key, value: value
    )
    without = describe(model)["macs_per_second"]
    frames, bins, channels = 1 + MAC_SECONDS * 160, 101, 16
    along_time, along_frequency = bins * frames**2, frames * bins**2
    expected = 2 * channels * (along_time + along_frequency) / MAC_SECONDS
    assert counted - without == pytest.approx(expected, abs=1)


# ---------------------------------------------------------------- prune


def test_prune_writes_smaller_weights_and_says_what_they_cost(tmp_path, weights, capsys):
    target = tmp_path / "smaller.safetensors"
    assert run("prune", weights, "--rate", 0.5, "-o", target) == 0
    text = capsys.readouterr().out
    before, after = describe(load(weights)), describe(load(target))
    for key in ("parameters", "macs_per_second"):
        assert after[key] < 0.7 * before[key]
        assert f"{before[key]:,}" in text and f"{after[key]:,}" in text
    assert run("enhance", "nowhere.wav", "-o", tmp_path, "--weights", target) == 1


def test_prune_says_what_is_wrong(tmp_path, weights, capsys):
    target = tmp_path / "smaller.safetensors"
    for rate in ("0", "1", "-0.5", "nan"):
        assert run("prune", weights, "--rate", rate, "-o", target) == 1
        assert_one_error(capsys, "the pruning rate must be above 0 and below 1")
    assert run("prune", "nonsense", "--rate", 0.5, "-o", target) == 1
    assert_one_error(capsys, "there are no weights 'nonsense'")
    assert run("prune", weights, "--rate", 0.5, "-o", tmp_path / "no" / "folder" / "x") == 1
    assert_one_error(capsys, "No such file or directory")
    assert not target.exists()


# ---------------------------------------------------------------- train


@pytest.fixture
def training(tmp_path):
    """A folder of pairs, and a configuration for two small steps without the discriminator."""
    for folder, gain in (("clean", 0), ("noisy", 1)):
        (tmp_path / "pairs" / folder).mkdir(parents=True)
        for index in range(2):
            waveform = speech_like(index) + gain * 0.3 * noise(24000, seed=9)
            save_audio(tmp_path / "pairs" / folder / f"{index}.wav", waveform, RATE)
    config = {
        "generator": {"channels": 16, "blocks": 1, "dilations": [1, 2]},
        "mixture": {"segment": 4000},
        "batch_size": 2,
        "gan": True,
        "steps": 1000,
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    return ["--config", tmp_path / "config.json", "--out", tmp_path / "run"]


def test_train_makes_weights_that_enhance(training, tmp_path):
    words = [*training, "--pairs", tmp_path / "pairs", "--no-gan", "--steps", 2, "--device", "cpu"]
    assert run("train", *words) == 0
    best = tmp_path / "run" / "best.safetensors"
    assert load(best).config.dilations == (1, 2)
    kept = json.loads((tmp_path / "run" / "config.json").read_text())
    assert (kept["steps"], kept["gan"], kept["batch_size"]) == (2, False, 2)
    assert kept["mixture"]["segment"] == 4000
    noisy = tmp_path / "pairs" / "noisy" / "0.wav"
    assert run("enhance", noisy, "-o", tmp_path / "out", "--weights", best) == 0


def test_train_from_weights_and_from_the_config_of_a_run(training, tmp_path):
    words = ["--pairs", tmp_path / "pairs", "--no-gan", "--steps", 1, "--device", "cpu"]
    assert run("train", *training, *words) == 0
    again = ["--config", tmp_path / "run" / "config.json", "--out", tmp_path / "again", *words]
    assert run("train", *again, "--init", tmp_path / "run" / "last.safetensors") == 0
    assert (tmp_path / "again" / "best.safetensors").exists()


def test_train_goes_on_from_smaller_weights_and_resumes(training, tmp_path, weights):
    smaller = tmp_path / "smaller.safetensors"
    assert run("prune", weights, "--rate", 0.5, "-o", smaller) == 0
    words = ["--pairs", tmp_path / "pairs", "--device", "cpu"]
    again = ["--out", tmp_path / "run", *words]
    config = ["--config", tmp_path / "config.json", "--no-gan", "--steps", 2]
    assert run("train", *config, *again, "--init", smaller, "--minutes", 0) == 0
    kept = json.loads((tmp_path / "run" / "config.json").read_text())
    assert kept["generator"]["widths"] == load(smaller).config.widths
    assert kept["mixture"]["segment"] == 4000  # the rest is that of the file
    assert run("train", *again, "--resume") == 0
    assert load(tmp_path / "run" / "last.safetensors").config == load(smaller).config
    assert read_metadata(tmp_path / "run" / "last.safetensors")["step"] == "2"


def test_train_is_validated_on_pairs_and_tells_of_itself(training, tmp_path, capsys):
    pairs = tmp_path / "pairs"
    words = ["--pairs", pairs, "--valid-pairs", pairs, "--no-gan", "--steps", 1, "--device", "cpu"]
    assert run("train", *training, *words) == 0
    (row,) = csv.DictReader(open(tmp_path / "run" / "valid.csv"))
    assert 0 < float(row["stoi"]) < 1
    capsys.readouterr()
    assert run("log", tmp_path / "run", "--weights", "x", "--data", "a, b", "--note", "two") == 0
    (told,) = csv.DictReader([",".join(COLUMNS), capsys.readouterr().out.strip()])
    assert (told["weights"], told["data"], told["note"]) == ("x", "a, b", "two")
    assert (told["steps"], told["planned"], told["best_step"]) == ("1", "1", "1")
    assert told["audio_seconds"] == "0.5"  # 2 examples of a quarter of a second
    assert told["valid_stoi"] == row["stoi"] and told["test200_pesq"] == ""
    for setting in ("generator.blocks=1", "mixture.segment=4000", "gan=False"):
        assert setting in told["settings"].split("; ")
    valid = ["--valid-speech", pairs / "clean", "--valid-noise", pairs / "noisy"]
    assert run("train", *training, *words, *valid) == 2


def test_train_refuses_a_preset_beside_other_weights(tmp_path, training, weights, capsys):
    words = ["--preset", "lite", "--out", tmp_path / "run", "--pairs", tmp_path / "pairs"]
    assert run("train", *words, "--no-gan", "--init", weights) == 1
    assert_one_error(capsys, "another configuration")


def test_a_run_from_before_a_setting_existed_can_be_resumed(training, tmp_path):
    words = ["--pairs", tmp_path / "pairs", "--no-gan", "--steps", 2, "--device", "cpu"]
    assert run("train", *training, *words, "--minutes", 0) == 0
    path = tmp_path / "run" / "config.json"
    kept = json.loads(path.read_text())
    del kept["generator"]["widths"]
    path.write_text(json.dumps(kept))
    assert run("train", *training, *words, "--resume") == 0


def test_train_says_what_is_wrong(training, tmp_path, capsys):
    pairs = ["--pairs", tmp_path / "pairs", "--no-gan"]
    assert run("train", *training, *pairs, "--resume") == 1
    assert_one_error(capsys, "holds no checkpoint")
    assert run("train", *training, "--pairs", tmp_path / "nowhere") == 1
    assert_one_error(capsys, "nowhere")
    (tmp_path / "config.json").write_text('{"step": 3}')
    assert run("train", *training, *pairs) == 1
    assert_one_error(capsys, "config.json is no training configuration")
    (tmp_path / "config.json").write_text("[]")
    assert run("train", *training, *pairs) == 1
    assert_one_error(capsys, "config.json is no training configuration")
    (tmp_path / "config.json").write_text("{")
    assert run("train", *training, *pairs) == 1
    assert_one_error(capsys, "config.json is no training configuration")
