"""How many cores a process may use, and threads that do not fight over them.

torch's threads spin while they wait for each other. Where other programs compute, too, a thread
often waits for one that the system has put aside, and burns the time that this one would need.
`effifusion benchmark busy` measures what that costs.
"""

import os
import sys

SPINS = "2000"  # turns that a waiting thread of libgomp spins before it sleeps; 300,000 by default
QUOTAS = {"cpu.max": "max", "cpu/cpu.cfs_quota_us": "-1"}  # files of cgroups v2 and v1: no quota


def cores() -> int:
    """Number of cores that this process may use, by its affinity and its container's quota."""
    from loky import cpu_count

    return cpu_count()


def share_cores() -> None:
    """Lets torch start no more threads than there are cores, and bounds how long they spin.

    Both only where the user has not said it. OpenMP reads its settings when torch is loaded; where
    torch is there already, its threads can only be made fewer: one, where other programs take all
    of the cores at present.

    Source: OMP_NUM_THREADS, OMP_WAIT_POLICY and GOMP_SPINCOUNT of libgomp (Linux).
    """
    loaded = "torch" in sys.modules
    waits = {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} & os.environ.keys()
    if not waits and not loaded:
        os.environ["GOMP_SPINCOUNT"] = SPINS
    if "OMP_NUM_THREADS" in os.environ:
        return
    if loaded:
        import torch

        taken = not waits and hasattr(os, "getloadavg") and os.getloadavg()[0] > cores()
        torch.set_num_threads(min(torch.get_num_threads(), 1 if taken else cores()))
    elif _has_quota():
        os.environ["OMP_NUM_THREADS"] = str(cores())


def _has_quota(folder: str = "/sys/fs/cgroup") -> bool:
    for name, unlimited in QUOTAS.items():
        try:
            with open(os.path.join(folder, name)) as file:
                if not file.read().startswith(unlimited):
                    return True
        except FileNotFoundError:
            pass  # the other version of cgroups, or another system
    return False
