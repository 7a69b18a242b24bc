"""Your own recording: upload a file or use the microphone, enhance, compare, download."""

import base64
import io
import itertools

import ipywidgets as widgets
import numpy as np
import soundfile
from IPython.display import display

from effifusion_lite import weights
from effifusion_lite.enhancement import enhance
from effifusion_lite.listening.live import Live, respond, without_kernel
from effifusion_lite.listening.page import Page, assemble
from effifusion_lite.listening.player import Row, row

LONGEST = 20.0  # s that are enhanced and shown
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
        browser allows it. The first 20 s are enhanced, the channels are averaged.
    """
    upload = widgets.FileUpload(accept="audio/*", description="Choose a file")
    model = widgets.Dropdown(options=weights.available(), value="tiny", description="weights")
    # The microphone's script writes its WAV file, as text, into a field that is not shown.
    inbox = widgets.Textarea(layout=widgets.Layout(display="none"), continuous_update=False)
    name = f"effi-inbox-{next(_numbers)}"
    inbox.add_class(name)
    microphone = widgets.Output()
    data = {"inbox": name, "longest": f"{LONGEST:g}"}
    recorder = Page(
        assemble("recorder", "", "", "", data, ["recorder.js"]), "Microphone: needs a browser."
    )
    with microphone:
        display(recorder)
    latest = {"sound": b""}

    def take_file(change) -> None:
        latest["sound"] = bytes(change["new"][0]["content"]) if change["new"] else b""

    def take_inbox(change) -> None:
        latest["sound"] = base64.b64decode(change["new"])

    upload.observe(take_file, names="value")
    inbox.observe(take_inbox, names="value")

    def work() -> list[Row | Page]:
        if not latest["sound"]:
            return [Page(f"<p>{STAYS}</p>", STAYS)]
        return [_enhanced(latest["sound"], model.value), Page(f"<p>{STAYS}</p>", STAYS)]

    text = f"With one you enhance a file of your own, or what your microphone records. {STAYS}"
    return Live(
        respond([upload, microphone, inbox, model], work, work(), [upload, inbox, model]),
        without_kernel(text, example.html if example else ""),
    )


def _enhanced(file: bytes, model: str) -> Row:
    try:
        samples, rate = soundfile.read(io.BytesIO(file), dtype="float32", always_2d=True)  # [N, C]
    except soundfile.SoundFileError as error:
        raise ValueError(
            "this is not a sound file that can be read: take WAV, FLAC, OGG or MP3"
        ) from error
    waveform = samples.mean(axis=1)[: round(LONGEST * rate)]  # [N]
    if not np.any(waveform):
        raise ValueError("the recording is silent: choose another file, or check the microphone")
    whole = len(samples) / rate
    title = f"Your recording, {whole:.1f} s at {rate} Hz"
    if whole > LONGEST:
        title += f"; here its first {LONGEST:g} s (`effifusion enhance` takes all of it)"
    return row(
        {"as recorded": waveform, model: enhance(waveform, rate, model)},
        rate,
        title=title,
        differences={"removed": ("as recorded", model)},
    )
