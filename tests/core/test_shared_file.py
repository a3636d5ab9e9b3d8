"""The file that a browser and this process hand arrays over in."""

from pathlib import Path

import numpy as np
import pytest

from ritm_edge.devices.frames import MAX_ANSWER, ProtocolError
from ritm_edge.devices.shared_file import SharedFile

TOKEN = "0123456789abcdef" * 2


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "other").write_text("something else")
    (tmp_path / "a" / "empty").touch()
    (tmp_path / "a" / "link").symlink_to("nowhere")
    (tmp_path / "a" / "b" / "00000000").write_text(TOKEN)
    return tmp_path / "a" / "b" / "00000000"


@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
@pytest.mark.parametrize("shape", [(1, 3, 4, 5), (1, 0, 3), (), (3,)])
def test_either_side_reads_what_the_other_wrote(path, tmp_path, shape, dtype):
    ours, theirs = SharedFile.find(tmp_path, TOKEN), SharedFile(path)
    array = np.random.default_rng(0).uniform(0, 255, shape).astype(dtype)
    for given in ({"a": array, "b": array.T}, {"a": array}, {}):
        for one, other in ((ours, theirs), (theirs, ours)):
            found = other.get(one.put(given))
            assert found.keys() == given.keys()
            for name, each in given.items():
                assert found[name].dtype == dtype
                assert found[name].flags.writeable
                np.testing.assert_array_equal(found[name], each)


def test_only_the_file_with_the_token_is_found(path, tmp_path):
    assert SharedFile.find(tmp_path, TOKEN[::-1]) is None
    (tmp_path / "outside").write_text(TOKEN[::-1])
    (path.parent / "alias").symlink_to(tmp_path / "outside")
    assert SharedFile.find(path.parent, TOKEN[::-1]) is None
    assert SharedFile.find(tmp_path / "missing", TOKEN) is None


def test_a_file_that_is_cut_off_is_no_result(path):
    file = SharedFile(path)
    entries = file.put({"mask": np.ones((1, 1, 40, 40), np.float32)})
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ProtocolError, match="has not written"):
        file.get(entries)


def test_no_more_is_read_than_the_largest_answer_has(path):
    entry = {"name": "mask", "type": "uint8", "shape": [MAX_ANSWER + 1]}
    with pytest.raises(ProtocolError, match=str(MAX_ANSWER + 1)):
        SharedFile(path).get([entry])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_a_full_disk_ends_the_connection():
    with pytest.raises(ConnectionError, match="No space left"):
        SharedFile(Path("/dev/full")).put({"mask": np.ones(4, np.float32)})
