"""Make the prepared sounds of the common thread: `python tools/red_thread.py`.

Enhances the built-in sentence with the networks of the ablation study in `recipes/ablation` and
writes one FLAC file for each into `effifusion_lite/listening/thread/`.
"""

import sys
from pathlib import Path

import numpy as np
import soundfile

from effifusion_lite.audio import SAMPLE_RATE
from effifusion_lite.enhancement import enhance
from effifusion_lite.listening.corpus import VARIABLE, prepared_folder
from effifusion_lite.listening.red_thread import FOLDER, PREPARED, sentence

ABLATION = Path(__file__).resolve().parents[1] / "recipes" / "ablation"
STEP = 2.0**-13  # of the samples: rounding keeps the files small


def main(target: Path = FOLDER) -> None:
    """Write all files to `target`."""
    if prepared_folder() is not None:
        sys.exit(f"unset {VARIABLE}: the prepared sounds are made of the built-in sentence")
    target.mkdir(exist_ok=True)
    _, noisy = sentence()
    for file, variant in PREPARED.values():
        enhanced = enhance(noisy, SAMPLE_RATE, ABLATION / variant / "weights.safetensors")
        soundfile.write(target / file, STEP * np.round(enhanced / STEP), SAMPLE_RATE)


if __name__ == "__main__":
    main()
