"""The live widgets without a browser: they follow their controls, and say what goes wrong."""

import base64
import datetime
import io
import re

import ipywidgets
import numpy as np
import pytest
import soundfile
from hearing import RATE, sine
from IPython.core.interactiveshell import InteractiveShell

from effifusion_lite.enhancement import enhance
from effifusion_lite.generator import count_parameters
from effifusion_lite.listening import clips, widgets_recording
from effifusion_lite.listening.live import Live, Unusable, respond
from effifusion_lite.listening.widgets_kernel import kernel_desk
from effifusion_lite.listening.widgets_mixer import noise_mixer
from effifusion_lite.listening.widgets_pruning import KINDS, pruning_desk, without
from effifusion_lite.listening.widgets_recording import _recorder, own_recording
from effifusion_lite.listening.widgets_stft import stft_explorer
from effifusion_lite.pruning import removable_units
from effifusion_lite.weights import load


@pytest.fixture(autouse=True)
def shell():
    """A kernel's shell: it shows what is displayed, and exceptions of a widget."""
    yield InteractiveShell.instance()
    InteractiveShell.clear_instance()


NAMES = ["clb_zebra", "rms_boat"]


def state(widget):
    """The line that says how far the work is."""
    [line] = [child.value for child in widget.children if type(child) is ipywidgets.HTML]
    return line


def shown(box):
    """Texts of what a widget shows before a control changes."""
    return [output["data"]["text/plain"] for output in box.children[-1].outputs]


def control(live, description):
    [found] = [
        child for child in live.widget.children if getattr(child, "description", "") == description
    ]
    return found


def test_both_forms_are_in_one_output():
    bundle = Live(ipywidgets.IntSlider(), "<p>still</p>")._repr_mimebundle_()
    assert bundle["text/html"] == "<p>still</p>"
    assert "application/vnd.jupyter.widget-view+json" in bundle


def test_work_is_announced_and_its_failure_is_told(capsys):
    seen = []
    slider = ipywidgets.IntSlider(0)

    def work():
        seen.append(state(box))
        if slider.value == 2:
            raise ValueError("two is <too> much")
        return [f"value {slider.value}"]

    box = respond([slider], work, ["first"])
    slider.value = 1
    assert "At work" in seen[0] and "Ready after" in state(box)
    slider.value = 2
    assert "did not work: two is &lt;too&gt; much" in state(box)
    assert "ValueError" in capsys.readouterr().out  # the output shows all of it
    slider.value = 3
    assert "Ready after" in state(box)
    assert shown(box) == ["'first'"]


def test_what_the_reader_can_mend_is_told_without_a_traceback(capsys):
    slider = ipywidgets.IntSlider(0)

    def work():
        if slider.value == 1:
            raise Unusable("one is <no> good")
        return [f"value {slider.value}"]

    box = respond([slider], work, ["first"])
    slider.value = 1  # raises nothing
    assert "did not work: one is &lt;no&gt; good" in state(box)
    slider.value = 2
    assert "Ready after" in state(box) and "value 2" in capsys.readouterr().out


def test_mixer_mixes_at_the_ratio(capsys):
    mixer = noise_mixer(NAMES, noise="car", snr_db=5, seconds=1.5)
    assert "no kernel" in mixer.html and "clb_zebra in car noise, 5 dB" in mixer.html
    assert clips.info("clb_zebra").text in mixer.html
    control(mixer, "SNR (dB)").value = -5
    control(mixer, "speech").value = "rms_boat"
    assert "Ready after" in state(mixer.widget)
    assert "Player: noisy, tiny, clean, removed (1.5 s)" in capsys.readouterr().out


def test_mixer_with_an_unknown_name_is_refused_at_once():
    with pytest.raises(ValueError, match="no clip"):
        noise_mixer(["nobody"])
    with pytest.raises(ipywidgets.widgets.trait_types.traitlets.TraitError):
        noise_mixer(NAMES, noise="thunder")


def test_explorer_draws_and_measures(capsys):
    clean, noisy = (waveform[:RATE] for waveform in clips.pair("river_rain"))
    explorer = stft_explorer(clean, noisy)
    assert "Windows of 25 ms, frequencies 40 Hz apart, [201, 161] values" in explorer.html
    assert explorer.html.count("<audio") == 0  # the sounds at these settings stand in the chapter
    capsys.readouterr()
    control(explorer, "window").value = 1024
    control(explorer, "exponent c").value = 1.0
    said = capsys.readouterr().out.split("Windows of ")[-1]
    assert said.startswith("64 ms") and "[513, 63] values" in said
    assert "error lies 1" in said  # more than 100 dB below the speech
    assert "Player: its own phase, noisy phase, zero phase, random phase" in said
    with pytest.raises(ValueError, match="one length"):
        stft_explorer(clean, noisy[1:])


def encoded(waveform, rate, subtype="PCM_16"):
    buffer = io.BytesIO()
    soundfile.write(buffer, waveform, rate, format="WAV", subtype=subtype)
    return buffer.getvalue()


def hand(live, file):
    """Do what the script of the recorder does."""
    [field] = [child for child in live.widget.children if isinstance(child, ipywidgets.Textarea)]
    field.value = f"1700000000000 {base64.b64encode(file).decode()}"


def test_recording_of_any_rate_is_enhanced(capsys):
    live = own_recording()
    assert "stays with the kernel" in live.html
    stereo = np.stack([sine(300, 0.1), sine(500, 0.1)], axis=1)
    hand(live, encoded(stereo, 44100))
    assert "Ready after" in state(live.widget)
    assert "Player: as recorded, tiny, removed (0.4 s)" in capsys.readouterr().out


def test_what_is_lost_above_8_khz_is_said(capsys):
    live = own_recording()
    time = np.arange(48000) / 48000
    tones = 0.1 * np.sin(2 * np.pi * 1000 * time) + 0.01 * np.sin(2 * np.pi * 12000 * time)
    hand(live, encoded(tones, 48000, "FLOAT"))
    said = capsys.readouterr().out
    assert "above 8 kHz, -20 dB relative to all of it, is gone in “tiny”" in said
    control(live, "strength").value = 0.9
    assert "is 20 dB softer in “tiny, strength 0.9”" in capsys.readouterr().out
    hand(live, encoded(sine(1000, 0.1), RATE))
    assert "above 8 kHz" not in capsys.readouterr().out


@pytest.mark.parametrize("strength", [0.0, 0.3])
def test_the_original_is_mixed_back(capsys, monkeypatch, strength):
    shown, asked = [], widgets_recording.row

    def spy(waveforms, *arguments, **options):
        shown.append(waveforms)
        return asked(waveforms, *arguments, **options)

    enhanced = []
    work = widgets_recording.enhance
    monkeypatch.setattr(
        widgets_recording, "enhance", lambda *given: enhanced.append(given) or work(*given)
    )
    monkeypatch.setattr(widgets_recording, "row", spy)
    live = own_recording()
    noise = 0.1 * np.random.default_rng(1).standard_normal(RATE)
    hand(live, encoded(noise, RATE, "FLOAT"))
    control(live, "strength").value = strength
    assert f"Player: as recorded, tiny, strength {strength}, removed" in capsys.readouterr().out
    original, full = shown[0].values()
    mixed = shown[1][f"tiny, strength {strength}"]
    np.testing.assert_allclose(mixed, strength * full + (1 - strength) * original, atol=1e-6)
    assert len(enhanced) == 1  # the network is not asked again


def test_what_is_said_to_be_gone_above_8_khz_is_gone():
    time = np.arange(48000) / 48000
    noise = 0.01 * np.random.default_rng(1).standard_normal(48000)
    tone = 0.05 * np.sin(2 * np.pi * 12000 * time)
    enhanced = enhance((noise + tone).astype(np.float32), 48000, "tiny")
    power = np.abs(np.fft.rfft(np.stack([noise + tone, enhanced]))) ** 2  # [2, F], 1 Hz apart
    assert power[1, 9000:].sum() < 1e-4 * power[0, 9000:].sum()


def test_what_the_kernel_cannot_read_is_handed_to_the_browser():
    shown = _recorder("effi-inbox-7", b"\x00\x00\x00 ftypM4A ")
    data = re.search(r'data-sound=",([^"]+)"', shown.html)[1]
    assert base64.b64decode(data) == b"\x00\x00\x00 ftypM4A "
    assert 'data-inbox="effi-inbox-7"' in shown.html
    with pytest.raises(Unusable, match="11 MB are too many"):
        _recorder("effi-inbox-7", bytes(11_000_000))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (encoded(np.full(RATE, np.nan), RATE, "FLOAT"), "no numbers"),
        (encoded(np.zeros(RATE), RATE), "silent"),
    ],
)
def test_recording_that_cannot_be_enhanced(content, message):
    live = own_recording()
    hand(live, content)
    assert message in state(live.widget)


def test_an_empty_file_is_named():
    live = own_recording()
    [upload] = [c for c in live.widget.children if isinstance(c, ipywidgets.FileUpload)]
    file = {"name": "a.wav", "type": "audio/wav", "size": 0, "content": memoryview(b"")}
    upload.value = ({**file, "last_modified": datetime.datetime.now(datetime.UTC)},)
    assert "the file is empty" in state(live.widget)


def test_kernel_desk_works_once_for_each_choice(capsys):
    clean, noisy = (waveform[:RATE] for waveform in clips.pair("river_rain"))
    desk = kernel_desk(noisy, clean)
    assert "no kernel" in desk.html and desk.html.count("<audio") == 2
    assert "The kernel spans 50 ms and 80 Hz" in desk.html
    capsys.readouterr()
    control(desk, "kernel").value = "as it is"
    said = capsys.readouterr().out
    assert said.count("Player: noisy, after the kernel") == 1  # although six controls have moved
    before, after = map(float, re.findall(r"([\d.-]+) dB", said))
    assert before == after  # the identity gives back what came in
    control(desk, "step, bins").value = 8
    assert "12 ms and 640 Hz" in capsys.readouterr().out
    [grid] = [child for child in desk.widget.children if isinstance(child, ipywidgets.GridBox)]
    grid.children[4].value = 0.5  # a factor, which SI-SDR does not hear
    assert f"{before} dB before, {after} dB after" in capsys.readouterr().out
    grid.children[4].value = 0.0
    assert "leaves nothing" in state(desk.widget)
    with pytest.raises(ValueError, match="one length"):
        kernel_desk(noisy, clean[1:])


def test_pruning_desk_removes_what_its_sliders_say(capsys):
    clean, noisy = (waveform[:RATE] for waveform in clips.pair("river_rain"))
    tiny = load("tiny")
    desk = pruning_desk(clean, noisy, tiny, rate=0)
    assert "no kernel" in desk.html and "48,814 parameters (100 %), 100 % of the MACs" in desk.html
    control(desk, "hidden units").value = 50
    said = capsys.readouterr().out
    smaller = without(tiny, {"hidden units": 0.5})
    assert f"{count_parameters(smaller):,} parameters" in said
    assert {*smaller.config.widths} == {n for n in removable_units(tiny) if "feed_forward" in n}
    with pytest.raises(ValueError, match="cannot start at 55"):
        pruning_desk(clean, noisy, tiny, rate=55)
    with pytest.raises(ValueError, match="one length"):
        pruning_desk(clean, noisy[1:], tiny)


def test_every_unit_has_a_kind_on_the_desk():
    for name in removable_units(load("lite")):
        assert sum(part in name for part in KINDS.values()) == 1
