"""Your own recording: upload a file or use the microphone, enhance, compare, download."""

import base64
import functools
import io
import itertools

import ipywidgets as widgets
import numpy as np
import soundfile

from effifusion_lite import weights
from effifusion_lite.audio import SAMPLE_RATE
from effifusion_lite.enhancement import enhance
from effifusion_lite.listening.live import Live, Unusable, respond, without_kernel
from effifusion_lite.listening.page import Page, assemble
from effifusion_lite.listening.player import Row, row

LONGEST = 20.0  # s that are enhanced and shown
STRENGTHS = [round(0.1 * tenths, 1) for tenths in range(11)]
LARGEST = 10e6  # bytes of a file that is handed to the browser
STAYS = (
    "Your recording stays with the kernel that runs this notebook: on your machine if the kernel "
    "is yours, on Google's if you are on Colab."
)
_numbers = itertools.count(1)


def own_recording(example: Row | None = None) -> Live:
    """Make a live widget that enhances the reader's own recording.

    Args:
        example: what a page without a kernel shows, such as a row of a built-in clip.

    Returns:
        The widget: a file of any sample rate and number of channels, or the microphone where the
        browser allows it. The first 20 s are enhanced, the channels are averaged; a slider chooses
        the strength. What the kernel cannot read, such as the m4a files of telephones, the browser
        decodes.
    """
    upload = widgets.FileUpload(accept="audio/*", description="Choose a file")
    model = widgets.Dropdown(options=weights.available(), value="tiny", description="weights")
    strength = widgets.SelectionSlider(
        options=STRENGTHS, value=1.0, description="strength", continuous_update=False
    )
    # The script of the page writes its WAV file, as text, into a field that is not shown: the time,
    # so that the same sound counts as new, and the file.
    inbox = widgets.Textarea(layout=widgets.Layout(display="none"), continuous_update=False)
    name = f"effi-inbox-{next(_numbers)}"
    inbox.add_class(name)
    microphone = widgets.Output()
    microphone.append_display_data(_recorder(name))
    latest = {"sound": None}
    whole = functools.lru_cache(maxsize=1)(_whole)  # a new strength only mixes anew

    def take_file(change) -> None:
        latest["sound"] = bytes(change["new"][0]["content"]) if change["new"] else None

    def take_inbox(change) -> None:
        latest["sound"] = base64.b64decode(change["new"].split()[-1])

    upload.observe(take_file, names="value")
    inbox.observe(take_inbox, names="value")

    def work() -> list[Row | Page]:
        if latest["sound"] is None:
            return [_paragraph(STAYS)]
        if not latest["sound"]:
            raise Unusable("the file is empty: choose another one")
        try:
            found = whole(latest["sound"], model.value)
        except soundfile.SoundFileError:
            return [_recorder(name, latest["sound"])]
        return [*_enhanced(*found, model.value, strength.value), _paragraph(STAYS)]

    text = f"With one you enhance a file of your own, or what your microphone records. {STAYS}"
    return Live(
        respond(
            [upload, microphone, inbox, model, strength],
            work,
            work(),
            [upload, inbox, model, strength],
        ),
        without_kernel(text, example.html if example else ""),
    )


def _recorder(inbox: str, sound: bytes = b"") -> Page:
    """Page whose script fills the inbox: from the microphone, or with the given file, decoded."""
    if len(sound) > LARGEST:
        raise Unusable(
            f"the kernel cannot read this file, and its {len(sound) / 1e6:.0f} MB are too many to "
            "hand to the browser: cut it, or take WAV, FLAC, OGG or MP3"
        )
    data = {"inbox": inbox, "longest": f"{LONGEST:g}"}
    if sound:
        data["sound"] = f",{base64.b64encode(sound).decode('ascii')}"
    page = assemble("recorder", "", "", "", data, ["recorder.js"])
    return Page(page, "The browser decodes the file." if sound else "Microphone: needs a browser.")


def _whole(sound: bytes, model: str) -> tuple[np.ndarray, np.ndarray, int, float]:
    """The beginning of a file [N], what a network makes of it [N], its rate, its length in s."""
    samples, rate = soundfile.read(io.BytesIO(sound), dtype="float32", always_2d=True)
    waveform = samples.mean(axis=1)[: round(LONGEST * rate)]  # [N]
    if not np.isfinite(waveform).all():
        raise Unusable("the recording holds values that are no numbers: export it again")
    if not np.any(waveform):
        raise Unusable("the recording is silent: choose another file, or check the microphone")
    return waveform, enhance(waveform, rate, model), rate, len(samples) / rate


def _enhanced(
    waveform: np.ndarray,
    enhanced: np.ndarray,
    rate: int,
    seconds: float,
    model: str,
    strength: float,
) -> list[Page | Row]:
    """Row of a recording [N] and its enhanced form, and what is lost above 8 kHz."""
    title = f"Your recording, {seconds:.1f} s at {rate} Hz"
    if seconds >= LONGEST:  # the browser cuts what it hands over
        title = f"Your recording at {rate} Hz, its first {LONGEST:g} s (the command effifusion "
        title += "enhance takes all of it)"
    name = model if strength == 1 else f"{model}, strength {strength}"
    player = row(
        {"as recorded": waveform, name: strength * enhanced + (1 - strength) * waveform},
        rate,
        title=title,
        listen_for="What is gone besides the noise: breath, the edge of s and f, the room?",
        differences={"removed": ("as recorded", name)},
    )
    if rate <= SAMPLE_RATE or strength == 0:
        return [player]
    return [player, _paragraph(_above(waveform, rate, name, strength))]


def _above(waveform: np.ndarray, rate: int, name: str, strength: float) -> str:
    """What a network at 16 kHz cannot give back of a recording [N] at a higher rate."""
    power = np.abs(np.fft.rfft(waveform)) ** 2  # [F]
    gone = power[np.fft.rfftfreq(len(waveform), 1 / rate) > SAMPLE_RATE / 2].sum() / power.sum()
    softer = f"{-20 * np.log10(1 - strength):.0f} dB softer" if strength < 1 else "gone"
    return (
        f"The networks work at {SAMPLE_RATE} Hz: what your recording has above "
        f"{SAMPLE_RATE // 2000} kHz, {10 * np.log10(gone + 1e-12):.0f} dB relative to all of it, "
        f"is {softer} in “{name}” and is heard in “removed”, speech or not."
    )


def _paragraph(text: str) -> Page:
    return Page(f"<p>{text}</p>", text)
