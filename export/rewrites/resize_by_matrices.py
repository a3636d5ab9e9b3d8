"""The upsampled sums of HRNet's exchange modules as matrix products.

Every branch that is coarser than the target is widened by one matrix; one product with all the
height matrices side by side then resizes and adds them.
"""

from typing import cast

from torch import Tensor, nn

from ritm_edge.io_spec import IOSpec
from ritm_edge.model.hrnet import ExchangeModule, HRNetOCR

from .graph import RewritableGraph, Rewrite
from .interpolation import SumHeights, Widen, branch_sizes, matrix


class MatrixExchange(nn.Module):
    """`ExchangeModule` for branches of known size."""

    def __init__(self, module: ExchangeModule, sizes: list[tuple[int, int]]) -> None:
        super().__init__()
        self.branches, self.fuse_layers = module.branches, module.fuse_layers
        self.relu = module.relu
        count = len(module.branches)
        self.widen = nn.ModuleList(
            nn.ModuleList(Widen(sizes[t][1], sizes[s][1]) for s in range(t + 1, count))
            for t in range(count)
        )
        self.sum_heights = nn.ModuleList(
            SumHeights([matrix(sizes[t][0], sizes[s][0]) for s in range(t + 1, count)])
            for t in range(count - 1)
        )

    def forward(self, inputs: list[Tensor]) -> list[Tensor]:
        branches = [branch(x) for branch, x in zip(self.branches, inputs, strict=True)]
        return [self._fuse(branches, target) for target in range(len(branches))]

    def _fuse(self, branches: list[Tensor], target: int) -> Tensor:
        paths = cast(nn.ModuleList, self.fuse_layers[target])
        total = branches[target]
        for source in range(target):
            total = total + paths[source](branches[source])
        coarser = range(target + 1, len(branches))
        if coarser:
            widen = cast(nn.ModuleList, self.widen[target])
            widened = [
                each(paths[source](branches[source]))
                for each, source in zip(widen, coarser, strict=True)
            ]
            total = total + self.sum_heights[target](widened)
        return self.relu(total)


def apply(graph: RewritableGraph, spec: IOSpec) -> bool:
    """Replace the exchange modules of an HRNet of fixed size."""
    if spec.size is None:
        return False
    sizes = branch_sizes(*spec.size)
    replaced = 0
    for network in [m for m in graph.modules() if isinstance(m, HRNetOCR)]:
        for stage in (network.stage2, network.stage3, network.stage4):
            for index, module in enumerate(stage):
                stage[index] = MatrixExchange(cast(ExchangeModule, module), sizes)
                replaced += 1
    return replaced > 0


REWRITE = Rewrite("resize_by_matrices", apply)
