"""Bad input, as a table: a right result, or one clear sentence and an exit code that is not zero.

Everything goes through the command `effifusion enhance`; the waveforms go through the library too.
"""

import os
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import save_file

from effifusion_lite import enhance
from effifusion_lite.audio import AudioError, load_audio, save_audio
from effifusion_lite.audio.encoding import FLOAT_SUBTYPES
from effifusion_lite.audio.streams import read_format
from effifusion_lite.command_line.parser import main
from effifusion_lite.generator import EffiFusionGenerator, preset
from effifusion_lite.weights import WeightsError, load, save_weights

RATE = 16000


def noise(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape) * 0.05


def run(source, out, weights, *words):
    return main([str(w) for w in ("enhance", source, "-o", out, "--weights", weights, *words)])


def messages(capsys):
    error = capsys.readouterr().err
    assert "Traceback" not in error
    return [line for line in error.splitlines() if line.startswith("effifusion: ")]


# ---------------------------------------------------------------- what has a right result

STEREO = noise(2, 4417) * [[1], [0.01]]
TONE = np.sin(2 * np.pi * 200 * np.arange(8000) / RATE)

RIGHT = {  # name: samples, rate, file, subtype, format
    "one sample": (noise(1), RATE, "a.wav", "PCM_16", None),
    "5 ms": (noise(80), RATE, "a.wav", "PCM_16", None),
    "5 ms at 44.1 kHz": (noise(220), 44100, "a.wav", "PCM_16", None),
    "digital silence": (np.zeros((2, 5000)), 44100, "a.wav", "PCM_16", None),
    "DC": (np.full(8000, 0.3), RATE, "a.wav", "PCM_16", None),
    "-80 dBFS": (TONE * 1e-4, RATE, "a.wav", "PCM_24", None),
    "clipped": (np.clip(noise(8000) * 100, -1, 1), RATE, "a.wav", "PCM_16", None),
    "beyond full scale": (noise(8000) * 100, RATE, "a.wav", "FLOAT", None),
    "8 kHz": (noise(2411), 8000, "a.wav", "PCM_16", None),
    "44.1 kHz": (noise(8823), 44100, "a.wav", "PCM_16", None),
    "48 kHz": (noise(9607), 48000, "a.flac", "PCM_16", None),
    "96 kHz": (noise(19207), 96000, "a.wav", "FLOAT", None),
    "stereo": (STEREO, 44100, "a.wav", "PCM_24", None),
    "six channels": (noise(6, 3000), 48000, "a.wav", "PCM_24", "WAVEX"),
    "uint8": (noise(4000), RATE, "a.wav", "PCM_U8", None),
    "int16": (noise(4000), RATE, "a.wav", "PCM_16", None),
    "int24": (noise(4000), RATE, "a.wav", "PCM_24", None),
    "int32": (noise(4000), RATE, "a.wav", "PCM_32", None),
    "float64": (noise(4000), RATE, "a.wav", "DOUBLE", None),
    "A-law": (noise(4000), 8000, "a.wav", "ALAW", None),
    "ADPCM": (noise(4040), RATE, "a.wav", "IMA_ADPCM", None),
    "MP3": (noise(2, 9001), 44100, "a.mp3", None, None),
    "FLAC": (noise(2, 9001), 44100, "a.flac", "PCM_24", None),
    "OGG": (noise(2, 9001), 44100, "a.ogg", "VORBIS", None),
    "Opus": (noise(9001), 48000, "a.opus", "OPUS", None),
    "AIFF": (noise(2, 9001), 44100, "a.aiff", "PCM_16", None),
    "capital letters": (noise(4000), RATE, "A.WAV", "PCM_16", "WAV"),
    "a name with a line break": (noise(4000), RATE, "a\nb.wav", "PCM_16", None),
}
LOSSY = {"MPEG_LAYER_III": 0.1, "VORBIS": 0.1, "ALAW": 0.02, "IMA_ADPCM": 0.1, "PCM_U8": 2**-7}


@pytest.mark.filterwarnings("ignore::effifusion_lite.audio.encoding.ClippingWarning")
@pytest.mark.parametrize("name", RIGHT)
def test_a_right_result(tmp_path, weights, name, capsys):
    samples, rate, file, subtype, format = RIGHT[name]
    source, target = tmp_path / file, tmp_path / "out" / file
    save_audio(source, samples, rate, subtype, format)
    assert run(source, target.parent, weights) == 0
    assert all("dB softer" in line for line in messages(capsys))
    assert {path.name for path in target.parent.iterdir()} == {file, ".effifusion"}
    stored = read_format(source)
    assert read_format(target) == stored  # rate, channels, sample type
    noisy, enhanced = load_audio(source)[0], load_audio(target)[0]
    assert enhanced.shape == noisy.shape
    assert np.isfinite(enhanced).all()
    # the same as the library, and made softer where it would have been clipped
    expected = enhance(noisy, rate, load(weights))
    if stored.subtype not in FLOAT_SUBTYPES:
        expected = expected / max(1, np.abs(expected).max())
    if stored.subtype != "OPUS":  # which keeps the sound, not the waveform
        assert np.abs(enhanced - expected).max() < LOSSY.get(stored.subtype, 2**-14)


def test_silence_stays_silence(tmp_path, weights):
    save_audio(tmp_path / "a.wav", np.zeros((2, 5000)), 44100)
    assert run(tmp_path / "a.wav", tmp_path / "out", weights) == 0
    assert not load_audio(tmp_path / "out" / "a.wav")[0].any()


def test_the_stereo_picture_is_kept(tmp_path, weights):
    """Each channel is what it would be alone: 40 dB apart before, 40 dB apart after."""
    save_audio(tmp_path / "both.wav", STEREO, 44100, "FLOAT")
    assert run(tmp_path / "both.wav", tmp_path / "out", weights) == 0
    both = load_audio(tmp_path / "out" / "both.wav")[0]
    for index, channel in enumerate(STEREO):
        save_audio(tmp_path / "one.wav", channel, 44100, "FLOAT")
        assert run(tmp_path / "one.wav", tmp_path / "out", weights, "--overwrite") == 0
        np.testing.assert_allclose(load_audio(tmp_path / "out" / "one.wav")[0][0], both[index])


def test_the_level_is_kept(tmp_path, weights):
    """-80 dBFS is enhanced like -20 dBFS, 60 dB below."""
    for name, gain in (("loud.wav", 1), ("soft.wav", 1e-3)):
        save_audio(tmp_path / name, gain * noise(8000), RATE, "FLOAT")
        assert run(tmp_path / name, tmp_path / "out", weights) == 0
    loud, soft = (load_audio(tmp_path / "out" / f"{n}.wav")[0] for n in ("loud", "soft"))
    np.testing.assert_allclose(soft, loud * 1e-3, atol=1e-7)


def test_a_file_cut_off_gives_what_it_holds(tmp_path, weights):
    save_audio(tmp_path / "a.wav", noise(8000), RATE, "PCM_16")
    content = (tmp_path / "a.wav").read_bytes()
    (tmp_path / "a.wav").write_bytes(content[: 44 + 2 * 5000])
    assert run(tmp_path / "a.wav", tmp_path / "out", weights) == 0
    assert load_audio(tmp_path / "out" / "a.wav")[0].shape == (1, 5000)


# ---------------------------------------------------------------- what has none


def _samples(*samples):
    return lambda path: soundfile.write(path, np.array(samples), RATE, subtype="DOUBLE")


def _bytes(content):
    return lambda path: path.write_bytes(content)


def _header(path):
    soundfile.write(path, noise(100), RATE)
    path.write_bytes(path.read_bytes()[:20])


REFUSED = {  # name: how the file is made, what is said
    "empty": (lambda path: path.touch(), "is empty (0 bytes): record or copy it again"),
    "no samples": (_samples(), "holds no samples: the recording is empty"),
    "one NaN": (_samples(0.1, np.nan, 0.1), "holds NaN or infinite samples: repair the recording"),
    "infinite": (_samples(0.1, -np.inf), "holds NaN or infinite samples: repair the recording"),
    "too large": (_samples(0.1, 1e300), "holds NaN or infinite samples: repair the recording"),
    "text": (_bytes(b"These are words. " * 50), "is not a sound file that can be read (WAV, FLAC"),
    "half a header": (_header, "is not a sound file that can be read"),
    "zeros": (_bytes(bytes(5000)), "is not a sound file that can be read"),
    "directory": (lambda path: path.mkdir(), "holds no sound files: name a folder with recordings"),
    "missing": (lambda path: None, "does not exist: check the name and the folder"),
    "link to nothing": (lambda path: path.symlink_to("nowhere"), "does not exist: check the name"),
    "link to itself": (lambda path: path.symlink_to(path), "Too many levels of symbolic links"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_one_clear_sentence(tmp_path, weights, name, capsys):
    make, sentence = REFUSED[name]
    make(tmp_path / "a.wav")
    assert run(tmp_path / "a.wav", tmp_path / "out", weights) == 1
    [message] = messages(capsys)
    assert message.startswith(f"effifusion: {tmp_path}/a.wav")
    assert sentence in message
    assert list((tmp_path / "out").iterdir()) == []
    if name != "directory":
        with pytest.raises(ValueError):
            enhance(load_audio(tmp_path / "a.wav")[0], RATE, load(weights))


# ---------------------------------------------------------------- weights


class Trap:
    def __reduce__(self):
        return (pytest.fail, ("the pickle was opened",))


def _foreign(path):
    save_file({"x": torch.zeros(3)}, path)


def _unfit(path):
    model = EffiFusionGenerator(preset("tiny", blocks=1))
    model.config = preset("tiny", blocks=2)
    save_weights(model, path)


def _of_nan(path):
    model = EffiFusionGenerator(preset("tiny", blocks=1))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(torch.nan)
    save_weights(model, path)


def _truncated(path):
    save_weights(EffiFusionGenerator(preset("tiny", blocks=1)), path)
    path.write_bytes(path.read_bytes()[:-1000])


WEIGHTS = {
    "missing": (lambda path: None, "there are no weights"),
    "a directory": (lambda path: path.mkdir(), "there are no weights"),
    "empty": (lambda path: path.touch(), "is not a complete .safetensors file"),
    "text": (_bytes(b"words " * 100), "is not a complete .safetensors file"),
    "truncated": (_truncated, "is not a complete .safetensors file"),
    "of another program": (_foreign, "holds weights of another program"),
    "of another shape": (_unfit, "do not fit together"),
    "NaN": (_of_nan, "its weights are broken"),
    "a pickle": (lambda p: p.write_bytes(pickle.dumps(Trap())), "is not a complete .safetensors"),
    "of torch.save": (lambda p: torch.save(Trap(), p), "is not a complete .safetensors file"),
}


@pytest.mark.parametrize("name", WEIGHTS)
def test_weights_are_named_in_one_sentence(tmp_path, name, capsys):
    make, sentence = WEIGHTS[name]
    make(tmp_path / "w.safetensors")
    save_audio(tmp_path / "a.wav", noise(4000), RATE)
    assert run(tmp_path / "a.wav", tmp_path / "out", tmp_path / "w.safetensors") == 1
    [message] = messages(capsys)
    assert sentence in message
    assert list((tmp_path / "out").iterdir()) == []
    with pytest.raises(WeightsError if name != "NaN" else ValueError):
        enhance(noise(4000), RATE, tmp_path / "w.safetensors")


# ---------------------------------------------------------------- where nothing can be written


@pytest.fixture
def source(tmp_path):
    save_audio(tmp_path / "a.wav", noise(40000), RATE)
    return tmp_path / "a.wav"


def test_no_permission_to_write(source, weights, capsys):
    """Root may write anywhere, so root becomes another user for a moment."""
    with tempfile.TemporaryDirectory() as place:  # where another user may look
        out = Path(place) / "out"
        out.mkdir()
        readable = Path(place) / "a.wav"
        readable.write_bytes(source.read_bytes())
        for path, mode in ((readable, 0o644), (out, 0o555), (Path(place), 0o755)):
            path.chmod(mode)
        root = os.geteuid() == 0
        model = load(weights)  # before, since its folder is closed to others
        try:
            if root:
                os.seteuid(65534)
            from effifusion_lite.enhancement.recordings import enhance_file

            with pytest.raises(AudioError, match="out/a.wav cannot be written: Permission denied"):
                enhance_file(readable, out / "a.wav", model)
            assert (
                main(["enhance", str(readable), "-o", str(out / "new"), "--weights", "tiny"]) == 1
            )
        finally:
            if root:
                os.seteuid(0)
        [message] = messages(capsys)
        assert message == f"effifusion: {out}/new: Permission denied"
        assert list(out.iterdir()) == []


@pytest.mark.parametrize(
    ("out", "sentence"),
    [
        ("/proc/nowhere", "/proc/nowhere: No such file or directory"),
        ("a.wav", "a.wav: File exists"),
        ("a.wav/out", "a.wav/out: Not a directory"),
        (".", "a.wav would be overwritten: choose another folder than its own"),
    ],
)
def test_outputs_that_cannot_be(source, weights, out, sentence, capsys):
    before = source.read_bytes()
    assert run(source, source.parent / out, weights) == 1
    [message] = messages(capsys)
    assert message.endswith(sentence)
    assert source.read_bytes() == before
    assert [path.name for path in source.parent.iterdir()] == ["a.wav"]


def test_a_directory_in_the_place_of_the_output(source, weights, capsys):
    (source.parent / "out" / "a.wav").mkdir(parents=True)
    assert run(source, source.parent / "out", weights) == 1
    [message] = messages(capsys)
    assert message.endswith("out/a.wav cannot be written: Is a directory")
    assert [path.name for path in (source.parent / "out").iterdir()] == ["a.wav"]


@pytest.mark.parametrize("room", [0, 50_000, 100_000])  # 160,000 bytes of float32, 80,044 of WAV
def test_a_full_disk(source, weights, full_disk, room, capsys):
    with full_disk(room):
        assert run(source, source.parent / "out", weights) == 1
    [message] = messages(capsys)
    assert message.endswith("out/a.wav cannot be written: File too large")
    assert list((source.parent / "out").iterdir()) == []


def test_a_disk_that_is_really_full(source, weights, capsys):
    out = source.parent / "disk"
    out.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=150k", "tmpfs", str(out)]
    try:
        mounted = subprocess.run(mount, capture_output=True).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("a small disk can be mounted by root alone")
    try:
        assert run(source, out, weights) == 1
        [message] = messages(capsys)
        assert message.endswith("disk/a.wav cannot be written: No space left on device")
        assert list(out.iterdir()) == []
    finally:
        subprocess.run(["umount", str(out)], check=True)


# ---------------------------------------------------------------- the real process


def test_the_process_says_it_and_leaves_with_1(tmp_path, weights):
    (tmp_path / "a.wav").write_text("words")
    words = ["enhance", "a.wav", "-o", "out", "--weights", str(weights)]
    result = subprocess.run(
        [sys.executable, "-m", "effifusion_lite", *words],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr.startswith("effifusion: a.wav is not a sound file that can be read")
    assert result.stderr.count("\n") == 1
