"""The noise mixer: pick speech, noise and ratio; hear the mixture, and hear it enhanced."""

from collections.abc import Sequence

import ipywidgets as widgets

from effifusion_lite import metrics, weights
from effifusion_lite.audio import mix_at_snr
from effifusion_lite.enhancement import enhance
from effifusion_lite.listening import clips
from effifusion_lite.listening.live import Live, respond, without_kernel
from effifusion_lite.listening.noises import KINDS, RATE
from effifusion_lite.listening.player import Row, row


def noise_mixer(
    speech: Sequence[str] | None = None,
    noise: str = "speech_shaped",
    snr_db: int = 5,
    seconds: float = 3.0,
) -> Live:
    """Make a live noise mixer.

    Args:
        speech: names of clean clips to choose from, the first one at first; all of them if None.
        noise: the noise at first, one of `noises.KINDS`.
        snr_db: the signal-to-noise ratio at first, dB.
        seconds: what is longer is cut.

    Returns:
        The widget. Without a kernel its first mixture is shown.

    Raises:
        ValueError: a clip or the noise is unknown.
    """
    speech = [*(speech or clips.names("clean"))]
    chosen = {
        "speech": widgets.Dropdown(options=speech, description="speech"),
        "noise": widgets.Dropdown(options=KINDS, value=noise, description="noise"),
        "snr_db": widgets.IntSlider(
            snr_db, -10, 20, 1, description="SNR (dB)", continuous_update=False
        ),
        "model": widgets.Dropdown(options=weights.available(), value="tiny", description="weights"),
    }

    def work() -> list[Row]:
        return [_mix(seconds, **{name: control.value for name, control in chosen.items()})]

    first = work()
    text = "With one you choose speech, noise, ratio and weights; this is the first mixture."
    box = respond([*chosen.values()], work, first)
    return Live(box, without_kernel(text, first[0].html))


def _mix(seconds: float, speech: str, noise: str, snr_db: int, model: str) -> Row:
    clean = clips.load(speech)[0][: round(seconds * RATE)]  # [N]
    noisy = mix_at_snr(clean, clips.noise(noise, len(clean) / RATE, seed=5), snr_db)  # [N]
    versions = {"noisy": noisy, model: enhance(noisy, RATE, model), "clean": clean}
    return row(
        versions,
        title=f"{speech} in {noise.replace('_', ' ')} noise, {snr_db} dB",
        transcript=clips.info(speech).text,
        scores={name: metrics.score(clean, versions[name]) for name in ("noisy", model)},
        differences={"removed": ("noisy", model)},
    )
