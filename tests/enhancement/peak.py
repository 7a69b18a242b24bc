"""The memory that a recording of a given length takes, measured in a process of its own."""

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import resource, sys
from pathlib import Path
import numpy as np, soundfile
from effifusion_lite.enhancement.recordings import enhance_file
from effifusion_lite.generator import preset

class Same:
    config = preset("tiny")
    def __call__(self, magnitude, phase):
        return magnitude, phase

folder, rate = Path(sys.argv[1]), int(sys.argv[2])
second = np.random.default_rng(0).normal(size=(rate, 2)).astype("float32") * 0.1
with soundfile.SoundFile(folder / "a.wav", "w", rate, 2, "PCM_16") as file:
    for gain in map(int, sys.argv[3].split(",")):
        file.write(gain * second)
enhance_file(folder / "a.wav", folder / "b.wav", Same())
assert soundfile.info(folder / "b.wav").frames == soundfile.info(folder / "a.wav").frames
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak_kb(folder: Path, rate: int, gains: list[int]) -> int:
    """Largest memory while stereo noise is enhanced, a second for each gain (0 is silence)."""
    words = [sys.executable, "-c", PROGRAM, str(folder), str(rate), ",".join(map(str, gains))]
    result = subprocess.run(words, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return int(result.stdout)
