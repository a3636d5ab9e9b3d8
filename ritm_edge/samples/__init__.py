"""One photo to try things on; `SOURCE.md` beside this file says where it is from."""

from pathlib import Path


def sample_photo() -> Path:
    """Path of the sample: an astronaut in her suit, 512 × 512 pixels."""
    return Path(__file__).parent / "astronaut.jpg"
