"""Where tests find data that is not in the repository, and how they skip without it."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# Beside the checkout; RITM_EDGE_SHARED names another place.
SHARED = Path(os.environ.get("RITM_EDGE_SHARED", ROOT.parent / "shared"))
GOLDEN = ROOT / "tests" / "golden"
WHOLE_GOLDEN = SHARED / "golden"
TRAIN_DATA = SHARED / "data" / "train"
EVAL_DATA = SHARED / "data" / "eval"

requires_whole_golden = pytest.mark.skipif(
    not WHOLE_GOLDEN.is_dir(),
    reason=f"what the published implementation computed from photos is not at {WHOLE_GOLDEN}",
)
requires_data = pytest.mark.skipif(
    not EVAL_DATA.is_dir(), reason=f"photos with masks not at {SHARED / 'data'}"
)
