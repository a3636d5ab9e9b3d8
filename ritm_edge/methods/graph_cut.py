"""Interactive graph cut (Boykov and Jolly, ICCV 2001), with the max-flow of PyMaxflow."""

import cv2
import numpy as np
from numpy.typing import NDArray

from ..optional import require
from .seeds import BACKGROUND, OBJECT

maxflow = require("maxflow", extra="methods")

# weight: of differences between neighbours against colours; the paper leaves it open, 50 is what
# GrabCut's authors found. The histograms' bins of each channel and their smoothing are our choice.
PARAMETERS = {"bins": 16, "weight": 50.0, "smoothing": 1.0}
HARD = 1e6
# The neighbours to the right, below, and on both diagonals, with their distances.
NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))


def segment(photo: NDArray[np.uint8], seeds: NDArray[np.int8]) -> NDArray[np.bool_]:
    """Mask, bool [H, W], of a photo, uint8 RGB [H, W, 3], and seeds as `seeds.seed_map` has
    them."""
    if not (seeds == OBJECT).any():
        return np.zeros(seeds.shape, bool)
    colours = cv2.cvtColor(photo, cv2.COLOR_RGB2LAB).astype(np.float64)
    graph = maxflow.Graph[float]()
    nodes = graph.add_grid_nodes(seeds.shape)
    every = np.concatenate([_difference(colours, step).ravel() for step in NEIGHBOURS])
    variance = float(every.mean()) if every.any() else 1.0  # of one colour, or one pixel
    for step in NEIGHBOURS:
        weights = np.zeros(seeds.shape)
        between = np.exp(-_difference(colours, step) / (2 * variance)) / np.hypot(*step)
        rows, columns = slice(0, seeds.shape[0] - step[0]), _columns(seeds.shape[1], step[1])
        weights[rows, columns] = PARAMETERS["weight"] * between
        structure = np.zeros((3, 3))
        structure[1 + step[0], 1 + step[1]] = 1
        graph.add_grid_edges(nodes, weights=weights, structure=structure, symmetric=True)
    to_object, to_background = (_cost(photo, seeds == sign) for sign in (OBJECT, BACKGROUND))
    # A pixel pays what the other side's colours cost it; seeds are fixed.
    to_object[seeds == OBJECT], to_background[seeds == OBJECT] = 0, HARD
    to_object[seeds == BACKGROUND], to_background[seeds == BACKGROUND] = HARD, 0
    graph.add_grid_tedges(nodes, to_background, to_object)
    graph.maxflow()
    found: NDArray[np.bool_] = ~graph.get_grid_segments(nodes)
    return found


def _columns(width: int, step: int) -> slice:
    """Columns of the pixels that have a neighbour at this step."""
    return slice(max(0, -step), width - max(0, step))


def _difference(colours: NDArray[np.float64], step: tuple[int, int]) -> NDArray[np.float64]:
    """Squared distance of the colours of each pixel that has such a neighbour, and of that one."""
    height, width = colours.shape[:2]
    rows, columns = slice(0, height - step[0]), _columns(width, step[1])
    first = colours[rows, columns]
    there = slice(step[0], height), slice(columns.start + step[1], columns.stop + step[1])
    squares: NDArray[np.float64] = ((first - colours[there]) ** 2).sum(axis=2)
    return squares


def _cost(photo: NDArray[np.uint8], seeded: NDArray[np.bool_]) -> NDArray[np.float64]:
    """−log of each pixel's colour in a smoothed histogram of the seeds' colours."""
    bins = int(PARAMETERS["bins"])
    index = (photo // (256 // bins)).astype(np.intp)
    histogram = np.zeros((bins, bins, bins))
    np.add.at(histogram, tuple(index[seeded].T), 1.0)
    for axis in range(3):
        histogram = _smoothed(histogram, axis)
    histogram += 1e-3
    histogram /= histogram.sum()
    cost: NDArray[np.float64] = -np.log(histogram[tuple(index.transpose(2, 0, 1))])
    return cost


def _smoothed(histogram: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """With a Gaussian along one axis."""
    positions = np.arange(histogram.shape[axis])
    kernel = np.exp(-((positions[:, None] - positions) ** 2) / (2 * PARAMETERS["smoothing"] ** 2))
    moved = np.moveaxis(histogram, axis, -1) @ (kernel / kernel.sum(axis=0))
    return np.moveaxis(moved, -1, axis)
