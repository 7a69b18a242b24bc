"""Make the weights of the listening lab: snapshots of a training of `tiny`, in half precision.

    python tools/training_steps.py FOLDER

Reads `tiny-NNNNN.safetensors` from FOLDER, NNNNN being the step; writes at most nine of them below
`effifusion_lite/pretrained/steps/`, in place of those that are there.
"""

import sys
from pathlib import Path

from effifusion_lite.weights import SHIPPED, load, save_weights, training_steps

MOST = 9  # files of about 115 kB


def thin(steps: list[int], most: int = MOST) -> list[int]:
    """Leave steps out until few remain, the ratios between neighbours as even as can be.

    Args:
        steps: rising, above 0.
        most: how many may stay, at least 2.

    Returns:
        Those that stay, the first and the last among them.
    """
    kept = list(steps)
    while len(kept) > most:
        kept.pop(min(range(1, len(kept) - 1), key=lambda i: kept[i + 1] / kept[i - 1]))
    return kept


def main(folder: Path, target: Path = SHIPPED / "steps") -> None:
    """Write the snapshots of `folder` that stay to `target`."""
    found = training_steps(folder)
    if not found:
        sys.exit(f"there is no tiny-NNNNN.safetensors in {folder}: name the folder of snapshots")
    for old in training_steps(target).values():
        old.unlink()
    for step in thin(list(found)):
        path = target / f"tiny-{step:05d}.safetensors"
        save_weights(load(found[step]).half(), path, {"step": str(step)})
        print(path, path.stat().st_size, "bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
