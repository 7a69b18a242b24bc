"""The folder of a training run: configuration, logs, checkpoint and weights.

Chapter: 06 The GAN loop.
"""

import csv
import io
import json
import pickle
from dataclasses import asdict
from pathlib import Path

import torch

from effifusion_lite.audio import write_atomically
from effifusion_lite.data import Batches
from effifusion_lite.generator import EffiFusionGenerator
from effifusion_lite.metrics import METRICS
from effifusion_lite.training.configuration import read_recipe
from effifusion_lite.training.validation import CLEAN_IN
from effifusion_lite.weights import save_weights

LOG = (
    ["step", "loss", "magnitude", "phase", "complex", "waveform", "consistency", "metric"]
    + ["perceptual", "discriminator", "label", "gradient", "audio_per_second"]
)  # fmt: skip
VALID = ["step", *METRICS, *CLEAN_IN]
FREE = {"workers", "label_workers", "log_every"}  # may differ when a run goes on


# What a checkpoint raises that is not one of this program.
BROKEN = (AttributeError, KeyError, TypeError, ValueError, RuntimeError)


class RunError(ValueError):
    """A folder that does not hold the run that is asked for; the message says what to do."""


def damaged(folder: Path) -> RunError:
    """What to raise where the checkpoint of a run cannot be used."""
    return RunError(
        f"{folder / 'checkpoint.pt'} is damaged: start a new run with --init, from "
        f"last.safetensors or best.safetensors in {folder}"
    )


def _minutes(data: dict) -> str:
    return f"{data['speech_minutes']} min of speech, {data['noise_minutes']} min of noise"


class Run:
    """The folder of one training.

    Every file in it is replaced in one step: a killed training leaves the last whole version.

    Args:
        folder: where the run is kept.
        config: the configuration as a dictionary.
        resume: go on with the run in the folder.

    Raises:
        RunError: if the folder holds a run and ``resume`` is false, or none and it is true, or a
            run of another configuration.
    """

    def __init__(self, folder: Path, config: dict, resume: bool):
        self.folder = folder
        self.checkpoint = folder / "checkpoint.pt"
        self.best = float("-inf")
        kept = folder / "config.json"
        if resume:
            if not self.checkpoint.is_file():
                raise RunError(f"{folder} holds no checkpoint: start without --resume")
            before = json.loads(json.dumps(asdict(read_recipe(kept))))  # new fields: defaults
            config = json.loads(json.dumps(config))
            changed = [k for k in config if k not in FREE and before.get(k) != config[k]]
            if changed:
                raise RunError(
                    f"the run in {folder} was started with another {', '.join(changed)}: resume "
                    "with the same settings (--resume alone takes them), or start a new run from "
                    "its weights with --init"
                )
        else:
            if self.checkpoint.exists():
                raise RunError(f"{folder} already holds a run: add --resume or take another folder")
            folder.mkdir(parents=True, exist_ok=True)
            self.keep(config)
            self._write("log", [LOG])
            self._write("valid", [VALID])

    def hears(self, data: Batches, resume: bool) -> None:
        """Remembers what the run is trained on, as far as the data can tell it.

        Raises:
            RunError: if ``resume`` is true and the run has heard other recordings.
        """
        digest = getattr(data, "digest", None)
        if digest is None:
            return
        speech, noise = (round(seconds / 60, 1) for seconds in data.seconds)
        now = {"digest": digest, "speech_minutes": speech, "noise_minutes": noise}
        kept = self.folder / "data.json"
        if resume and kept.is_file():  # older runs have none
            before = json.loads(kept.read_text())
            if before["digest"] != digest:
                raise RunError(
                    f"the run in {self.folder} has heard other recordings: {_minutes(before)}, now "
                    f"{_minutes(now)}. Resume with the same, or start a new run from its weights "
                    "with --init"
                )
        write_atomically(kept, json.dumps(now, indent=2).encode())

    def keep(self, config: dict) -> None:
        """Writes ``config.json``."""
        write_atomically(self.folder / "config.json", json.dumps(config, indent=2).encode())

    def log(self, step: int, values: dict[str, float]) -> None:
        """Adds a line to ``log.csv``; values that a step does not have stay empty."""
        row = [step, *(f"{values[k]:.6g}" if k in values else "" for k in LOG[1:])]
        self._write("log", [row], "a")

    def validated(
        self, step: int, scores: dict[str, float], model: EffiFusionGenerator, final: bool
    ) -> None:
        """Adds a line to ``valid.csv``, and keeps final weights if they are the best so far.

        Best is the highest PESQ, or SI-SDR where PESQ cannot be computed. Weights with pruning
        still ahead are not final.
        """
        row = [step, *(f"{scores[k]:.4f}" if k in scores else "" for k in VALID[1:])]
        self._write("valid", [row], "a")
        score = scores.get("pesq", scores["si_sdr"])
        if final and score > self.best:
            self.best = score
            self.save_weights("best", model, step)

    def save_weights(self, name: str, model: EffiFusionGenerator, step: int) -> None:
        """Writes weights as safetensors into the folder."""
        save_weights(model, self.folder / f"{name}.safetensors", {"step": str(step)})

    def save(self, step: int, state: dict) -> None:
        """Writes the checkpoint after ``step`` steps."""
        content = io.BytesIO()
        torch.save({"step": step, "best": self.best, "state": state}, content)
        write_atomically(self.checkpoint, content.getbuffer())

    def restore(self) -> tuple[int, dict]:
        """Reads the checkpoint; later lines of the logs are dropped, they will be written again.

        Returns:
            Number of steps that are done, and the state.

        Raises:
            RunError: if the file is damaged.
        """
        try:
            content = torch.load(self.checkpoint, map_location="cpu", weights_only=True)
            step, self.best = int(content["step"]), float(content["best"])
            state = content["state"]
        except (*BROKEN, OSError, EOFError, pickle.UnpicklingError) as error:
            raise damaged(self.folder) from error
        for name, head in (("log", LOG), ("valid", VALID)):  # an older run had the first columns
            with open(self.folder / f"{name}.csv", newline="") as file:
                rows = list(csv.reader(file))[1:]
            self._write(name, [head, *(row for row in rows if row and int(row[0]) <= step)])
        return step, state

    def _write(self, name: str, rows: list[list], mode: str = "w") -> None:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        if mode == "w":
            write_atomically(self.folder / f"{name}.csv", text.getvalue().encode())
        else:
            with open(self.folder / f"{name}.csv", "a") as file:
                file.write(text.getvalue())
