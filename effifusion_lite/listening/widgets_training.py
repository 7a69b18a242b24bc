"""A training one can watch and hear: its curves and a sentence that improves; and the rate desk."""

import csv
import html
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import display
from matplotlib.axes import Axes
from torch import Tensor

from effifusion_lite.audio import SAMPLE_RATE
from effifusion_lite.enhancement import enhance
from effifusion_lite.generator import EffiFusionGenerator, GeneratorConfig
from effifusion_lite.listening.live import Live, respond, without_kernel
from effifusion_lite.listening.page import Page
from effifusion_lite.listening.player import row
from effifusion_lite.plotting import image_html

LOOK = 2.0  # s, from one look at a training's folder to the next
DRAW = 5.0  # s, from one picture to the next
MOST_SOUNDS = 5  # of a course, beside noisy and clean
RATES = (1e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0)
STEPS = (100, 300, 600, 1000)
SEEDS = 3


@dataclass
class Course:
    """What a training has shown so far.

    Args:
        folder: of its run.
        told: file with what it prints, see `start_training`.
        sounds: the sentence as it was enhanced after some steps.
        seconds: that were spent in following it.
    """

    folder: Path
    told: Path
    sounds: dict[int, np.ndarray] = field(default_factory=dict)
    seconds: float = 0.0

    def table(self, name: str) -> list[dict[str, float]]:
        """The lines of `log.csv` or `valid.csv`, by name, without what is empty."""
        path = self.folder / f"{name}.csv"
        if not path.exists():
            return []
        with open(path, newline="") as file:
            return [{k: float(v) for k, v in line.items() if v} for line in csv.DictReader(file)]

    def said(self) -> list[str]:
        """The lines that the training printed, without its progress bars."""
        if not self.told.exists():
            return []
        lines = map(str.strip, self.told.read_text(encoding="utf-8").splitlines())
        return [line for line in lines if line and "|" not in line]

    def kept(self) -> bool:
        """Whether there is a checkpoint to go on from."""
        return (self.folder / "checkpoint.pt").exists()

    def planned(self) -> int:
        """The number of steps in the plan."""
        return json.loads((self.folder / "config.json").read_text())["steps"]

    def generator(self) -> tuple[int, EffiFusionGenerator]:
        """Steps that are done, and the averaged network of the last checkpoint."""
        config = json.loads((self.folder / "config.json").read_text())["generator"]
        content = torch.load(self.folder / "checkpoint.pt", weights_only=True)
        model = EffiFusionGenerator(GeneratorConfig.from_dict(config))
        model.load_state_dict(content["state"]["average"])
        return content["step"], model.eval()


def start_training(arguments: Sequence[str | Path], told: Path) -> subprocess.Popen:
    """Start `effifusion train` in a process of its own.

    Args:
        arguments: its options.
        told: file that what it prints is added to.

    Returns:
        The process.
    """
    command = [sys.executable, "-m", "effifusion_lite", "train", *map(str, arguments)]
    with open(told, "a") as file:
        # In a session of its own, so that an interrupted cell ends it only by way of `follow`.
        return subprocess.Popen(command, stdout=file, stderr=file, start_new_session=True)


def follow(
    process: subprocess.Popen,
    course: Course,
    clean: np.ndarray,
    noisy: np.ndarray,
    stop_after: float | None = None,
    every: float = 40.0,
) -> Course:
    """Watch a training until it ends: curves, and a sentence enhanced by its newest checkpoint.

    An interrupt of the cell stops the training after its step; it can be resumed.

    Args:
        process: of `start_training`.
        course: where its sounds are kept; of an earlier part, if it is resumed.
        clean: speech.
        noisy: the same speech with noise.
        stop_after: seconds after which the training is asked to stop, as soon as it has a
            checkpoint; None for never.
        every: seconds from one sound to the next, at least.

    Returns:
        The course.

    Shape:
        `clean` and `noisy` [N] samples at 16 kHz.

    Raises:
        RuntimeError: the training failed; the message has the last line that it printed. Or it was
            stopped before its first checkpoint.
    """
    picture, player = (display(Page("", ""), display_id=True) for _ in range(2))
    began = drawn = heard = time.monotonic()
    stopped = False
    try:
        while process.poll() is None:
            time.sleep(LOOK)
            now = time.monotonic()
            due = stop_after is not None and now - began > stop_after
            if due and not stopped and course.kept():
                stopped = True
                process.terminate()
            if now - drawn > DRAW and course.table("log"):
                picture.update(curves(course))
                drawn = now
            if now - heard > every and _listen(course, noisy):
                player.update(_sounds(course, clean, noisy))
                heard = now
    except KeyboardInterrupt:
        print("interrupted: the training stops after its step")
    finally:
        if process.poll() is None and not stopped:
            stopped = True
            process.terminate()
    # Where a process cannot be asked to stop, it is ended; its last checkpoint stands.
    if process.wait() and not (stopped and course.kept()):
        if stopped:
            raise RuntimeError("the training was stopped before its first checkpoint: start anew")
        raise RuntimeError(f"the training failed: {' '.join(course.said()[-1:])}")
    course.seconds += time.monotonic() - began
    _listen(course, noisy, last=True)
    picture.update(curves(course))
    player.update(_sounds(course, clean, noisy))
    return course


def _listen(course: Course, noisy: np.ndarray, last: bool = False) -> bool:
    """Enhance the sentence with a checkpoint that is new; say whether there was one."""
    if not course.kept():
        return False
    step, model = course.generator()
    if step in course.sounds or (len(course.sounds) >= MOST_SOUNDS - 1 and not last):
        return False
    course.sounds[step] = enhance(noisy, SAMPLE_RATE, model)
    return True


def _sounds(course: Course, clean: np.ndarray, noisy: np.ndarray) -> Page:
    steps = sorted(course.sounds)[-MOST_SOUNDS:]
    versions = {f"step {step}": course.sounds[step] for step in steps}
    return row(
        {"noisy": noisy, **versions, "clean": clean},
        SAMPLE_RATE,
        title="The same sentence along the training",
        listen_for="What improves first, the pauses or the voice? What is still wrong at the end?",
    )


def curves(course: Course) -> Page:
    """Draw the loss of a training and the scores of its validation over its steps.

    Args:
        course: the training.

    Returns:
        The picture.
    """
    log, valid = course.table("log"), course.table("valid")
    steps = [line["step"] for line in log]
    loss = np.array([line["loss"] for line in log])
    figure, axes = plt.subplots(1, 2, figsize=(10, 2.8), layout="constrained")
    axes[0].plot(steps, loss, color="0.7", linewidth=1, label="as logged")
    if len(loss) > 8:
        width = max(3, len(loss) // 10)
        smooth = np.convolve(loss, np.ones(width) / width, "valid")
        axes[0].plot(steps[width - 1 :], smooth, linewidth=2, label=f"mean of {width}")
        axes[0].legend(fontsize=8)
    axes[0].set(xlabel="step", ylabel="loss", xlim=(0, course.planned()))
    text = f"{int(steps[-1]) if steps else 0} of {course.planned()} steps."
    if len(loss):
        text += f" Loss {loss[: len(loss) // 10 + 1].mean():.3f} at first, "
        text += f"{loss[-(len(loss) // 10) - 1 :].mean():.3f} at last."
    if valid:
        key, name = ("pesq", "PESQ") if "pesq" in valid[0] else ("si_sdr", "SI-SDR")
        _validation(axes[1], valid, key, name)
        shown = [f"{line[key]:.2f} after step {int(line['step'])}" for line in valid]
        text += f" {name} of the validation: {', '.join(shown[:1] + shown[1:][-1:])}."
    else:
        axes[1].set_axis_off()
    return Page(image_html(figure, f"Loss and validation of a training. {text}"), text)


def _validation(axes: Axes, valid: list[dict[str, float]], key: str, name: str) -> None:
    axes.plot([line["step"] for line in valid], [line[key] for line in valid], "o-", label=name)
    axes.set(xlabel="step", ylabel=name, title="validation: held-out speakers")


def rate_desk(run: Callable[[float, str, int, int], Tensor], schedules: Sequence[str]) -> Live:
    """Make a live desk of a short training: its peak rate, its schedule and its length.

    Args:
        run: `(rate, schedule, steps, seed) -> losses`, the chapter's own, on held-out frames.
        schedules: the names that `run` takes.

    Returns:
        The widget: curves of three seeds, and where they end. Without a kernel the picture of its
        first state is shown: rate 0.003, the first schedule, 300 steps.

    Shape:
        the result of `run` [points], evenly spaced over the steps.
    """
    style = {"description_width": "initial"}
    rate = widgets.SelectionSlider(
        options=[(f"{value:g}", value) for value in RATES],
        value=3e-3,
        description="peak rate",
        continuous_update=False,
        style=style,
    )
    schedule = widgets.Dropdown(options=[*schedules], description="schedule", style=style)
    steps = widgets.SelectionSlider(
        options=STEPS, value=300, description="steps", continuous_update=False, style=style
    )

    def work() -> list[Page]:
        values = rate.value, schedule.value, steps.value
        return [_runs(*values, [run(*values, seed) for seed in range(SEEDS)])]

    first = work()
    text = "With one you choose rate, schedule and length; this is the first state."
    return Live(respond([rate, schedule, steps], work, first), without_kernel(text, first[0].html))


def _runs(rate: float, schedule: str, steps: int, losses: list[Tensor]) -> Page:
    ends = [loss[-1].item() for loss in losses]
    text = f"Peak rate {rate:g}, {schedule}, {steps} steps: "
    if np.isfinite(ends).all():
        text += f"the validation loss ends at {min(ends):.4g} to {max(ends):.4g}."
    else:
        text += "the loss is no number any more."
    figure, axes = plt.subplots(figsize=(8, 2.8), layout="constrained")
    for seed, (loss, line) in enumerate(zip(losses, ("-", "--", ":"), strict=True)):
        axes.plot(np.linspace(0, steps, len(loss)), loss, line, label=f"seed {seed}")
    axes.set(xlabel="step", ylabel="validation loss")
    axes.legend(fontsize=8)
    page = image_html(figure, f"Validation loss over the steps. {text}")
    return Page(f"{page}<p>{html.escape(text)}</p>", text)
