"""One photo to try things on; `SOURCE.md` beside this file says where it is from."""

from pathlib import Path

from ..clicks import Click

# Two clicks that ask for the cup, then one that takes the saucer away.
SAMPLE_CLICKS = (
    Click(150, 290, positive=True, order=0),
    Click(236, 290, positive=True, order=1),
    Click(335, 190, positive=False, order=2),
)


def sample_photo() -> Path:
    """Path of the sample: a cup of coffee on a saucer, 400 x 600 pixels (height x width)."""
    return Path(__file__).parent / "coffee.jpg"
