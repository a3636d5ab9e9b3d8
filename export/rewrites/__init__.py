"""Exact rewrites of the inference graph: the same masks with less computation.

One pass per module; each declares a `REWRITE`. They run in the order of `ALL`, because later ones
use what earlier ones leave behind, on a copy of the model, before any converter sees it, so that
one rewrite serves every target. A target lists the passes that were measured to win on it.
"""

from collections.abc import Sequence
from copy import deepcopy

from torch import nn

from ritm_edge.errors import UsageError
from ritm_edge.io_spec import IOSpec
from ritm_edge.model.ritm import RitmModel

from . import (
    commute_upsampling,
    drop_dead_attention,
    fold_batch_norm,
    fold_scales,
    resize_by_matrices,
    two_stage_means,
    windowed_disks,
)
from .graph import RewritableGraph, Rewrite

ALL: tuple[Rewrite, ...] = (
    fold_batch_norm.REWRITE,
    fold_scales.REWRITE,
    windowed_disks.REWRITE,
    drop_dead_attention.REWRITE,
    two_stage_means.REWRITE,
    commute_upsampling.REWRITE,
    resize_by_matrices.REWRITE,
)
NAMES: tuple[str, ...] = tuple(rewrite.name for rewrite in ALL)
# Those that need no matrices; the others turn convolutions and resizes into matrix products.
FOLD_AND_DROP = tuple(rewrite.name for rewrite in ALL[:5])
# Where a runtime's own resize is as fast as the products, which also bring 0.2 MB of matrices.
WITHOUT_MATRICES = tuple(name for name in NAMES if name != resize_by_matrices.REWRITE.name)
# Integers keep the softmax of the context in float32, and would round the means instead.
FOR_INTEGERS = tuple(name for name in WITHOUT_MATRICES if name != two_stage_means.REWRITE.name)


def rewrite(
    model: RitmModel, spec: IOSpec, names: Sequence[str] = NAMES
) -> tuple[nn.Module, tuple[str, ...]]:
    """The inference graph of a copy of `model`, after the named passes.

    Args:
        model: in eval mode; it is not changed.
        spec: the size decides which passes can run: some need it fixed.
        names: of passes; the order is always that of `ALL`.

    Returns:
        The graph (`RewritableGraph`), and the names of the passes that found
        something to do.

    Raises:
        UsageError: an unknown name.
    """
    unknown = set(names) - set(NAMES)
    if unknown:
        raise UsageError(
            f"unknown rewrite '{min(unknown)}': choose from {', '.join(NAMES)}, or leave it out."
        )
    graph = RewritableGraph(deepcopy(model).eval())
    applied = [each.name for each in ALL if each.name in names and each.apply(graph, spec)]
    return graph.eval(), tuple(applied)
