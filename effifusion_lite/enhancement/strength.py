"""How much of the enhancement: the original is mixed back for listeners who want less of it.

Chapter: 10 Out of the notebook.
"""

from collections.abc import Iterable, Iterator

import numpy as np


def check_strength(strength: float) -> None:
    """Refuse a strength that is no share.

    Raises:
        ValueError: it does not lie between 0 and 1.
    """
    if not 0 <= strength <= 1:  # NaN too
        raise ValueError(
            f"a strength of {strength} cannot be: it must lie between 0, the recording as it is, "
            "and 1, all that the network does"
        )


def mix_back(
    enhanced: Iterable[np.ndarray], original: Iterable[np.ndarray], strength: float
) -> Iterator[np.ndarray]:
    """Mix a stream with what it was made of: strength · enhanced + (1 − strength) · original.

    Args:
        enhanced: one channel.
        original: the same samples before; where it is cut into blocks makes no difference.
        strength: between 0 and 1.

    Returns:
        The mixture, in the blocks of `enhanced`.

    Shape:
        each `[1, n]` samples.
    """
    if strength == 1:  # nothing is read a second time
        yield from enhanced
        return
    original, held = iter(original), np.zeros((1, 0), np.float32)
    for block in enhanced:
        length = block.shape[1]
        while held.shape[1] < length:
            held = np.concatenate([held, next(original)], axis=1)
        yield strength * block + (1 - strength) * held[:, :length]
        held = held[:, length:]
