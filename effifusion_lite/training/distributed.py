"""One training on several processes, one for each GPU, on one machine or more.

``torchrun`` starts them. Each computes its share of every batch; the gradients are averaged, so
that all processes take the same step and hold the same weights.

Chapter: 06 The GAN loop.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

PATIENCE = timedelta(hours=1)  # for the process that validates, while the others wait


@dataclass(frozen=True)
class Group:
    """The processes of a training, as one of them sees them. Its methods are called by all of them.

    Args:
        rank: number of this process, from 0.
        size: number of processes.
    """

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the process that validates, and that writes the folder of the run."""
        return self.rank == 0

    def share(self, batch_size: int) -> int:
        """Number of examples of a batch that each process takes.

        Raises:
            ValueError: if the batch cannot be divided evenly.
        """
        if batch_size % self.size:
            raise ValueError(
                f"a batch of {batch_size} examples does not divide evenly over {self.size} "
                "processes: change batch_size or the number of processes"
            )
        return batch_size // self.size

    def parallel(self, model: nn.Module) -> nn.Module:
        """The model itself, or a wrapper whose backward pass averages its gradients."""
        # Nothing is copied at each call: all processes compute the same buffers.
        return model if self.size == 1 else DistributedDataParallel(model, broadcast_buffers=False)

    def any(self, flag: bool) -> bool:
        """Whether the flag is up in any of the processes."""
        if self.size == 1:
            return flag
        up = torch.tensor(int(flag))
        dist.all_reduce(up, dist.ReduceOp.MAX)
        return bool(up)

    def mean(self, values: dict[str, float]) -> dict[str, float]:
        """Mean of each value over the processes."""
        if self.size == 1:
            return values
        total = torch.tensor(list(values.values()), dtype=torch.float64)
        dist.all_reduce(total)
        return dict(zip(values, (total / self.size).tolist(), strict=True))

    def from_first(self, value):
        """What the first process has, in all of them."""
        box = [value]
        if self.size > 1:
            dist.broadcast_object_list(box)
        return box[0]

    def join(self, part: Tensor) -> Tensor:
        """The parts of a batch put together again.

        Shape:
            ``[B / size, ...]`` → ``[B, ...]``.
        """
        if self.size == 1:
            return part
        parts = [torch.empty_like(part) for _ in range(self.size)]
        dist.all_gather(parts, part.contiguous())
        return torch.cat(parts)

    def part(self, whole: Tensor) -> Tensor:
        """Inverse of :meth:`join`."""
        return whole.chunk(self.size)[self.rank]


ALONE = Group()


def is_first() -> bool:
    """Whether this process is the first one of its training, or the only one.

    Source: environment that torchrun sets.
    """
    return int(os.environ.get("RANK", 0)) == 0


@contextmanager
def processes(device: torch.device) -> Iterator[Group]:
    """The processes that torchrun started; where it did not, a group of one.

    On GPUs, each process takes that of its number on the machine.

    Args:
        device: kind of device that they compute on.

    Source: torchrun and torch.distributed.
    """
    if dist.is_initialized():  # by the caller, who ends it too
        yield Group(dist.get_rank(), dist.get_world_size())
        return
    if int(os.environ.get("WORLD_SIZE", 1)) == 1:
        yield ALONE
        return
    if device.type == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group(
        "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo", timeout=PATIENCE
    )
    try:
        yield Group(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()
