"""Where the time of a training goes.

Chapter: 06 The GAN loop.
"""

import time

TRAINING = ("data", "networks", "labels")  # what each step needs


class Clock:
    """Adds up the seconds between one call of :meth:`lap` and the next, by name."""

    def __init__(self):
        self.seconds: dict[str, float] = {}
        self.mark = time.monotonic()

    def lap(self, name: str) -> None:
        """Counts the time since the last lap under this name."""
        now = time.monotonic()
        self.seconds[name] = self.seconds.get(name, 0.0) + now - self.mark
        self.mark = now

    @property
    def training(self) -> float:
        """Seconds that went into the steps: waiting for data and labels, and computing."""
        return sum(self.seconds.get(name, 0.0) for name in TRAINING)

    def shares(self) -> str:
        """The share of each name, the largest first."""
        total = sum(self.seconds.values())
        parts = sorted(self.seconds.items(), key=lambda part: -part[1])
        return ", ".join(f"{name} {seconds / total:.0%}" for name, seconds in parts)
