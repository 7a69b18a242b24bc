"""A smaller network: masks along a schedule, whole units removed; and a larger one, grown.

Chapter: 07 Dynamic pruning.
"""

from effifusion_lite.pruning.growth import grow
from effifusion_lite.pruning.masks import DynamicPruner, PruningSchedule, magnitude_mask, sparsity
from effifusion_lite.pruning.removal import choose_units, mask_units, narrow, remove_units
from effifusion_lite.pruning.units import removable_units

__all__ = [
    "DynamicPruner",
    "PruningSchedule",
    "choose_units",
    "grow",
    "magnitude_mask",
    "mask_units",
    "narrow",
    "removable_units",
    "remove_units",
    "sparsity",
]
