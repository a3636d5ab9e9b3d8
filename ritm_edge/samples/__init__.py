"""One photo to try things on; `SOURCE.md` beside this file says where it is from."""

from pathlib import Path


def sample_photo() -> Path:
    """Path of the sample: an astronaut in her suit, 512 × 512 pixels."""
    return Path(__file__).parent / "astronaut.jpg"


def sample_label_map() -> Path:
    """Path of the sample's objects, an 8-bit PNG of the same size: ids 1 to 5, 0 elsewhere."""
    return Path(__file__).parent / "astronaut-objects.png"
