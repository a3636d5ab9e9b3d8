"""Every artifact in another process: the same masks, and the same description of itself."""

import numpy as np

from ritm_edge import open_runtime
from ritm_edge.devices.inputs import round_inputs
from ritm_edge.devices.remote import RemoteRuntime
from ritm_edge.runtimes.base import ModelFile

from .artifacts import each_target


@each_target
def test_an_artifact_answers_as_it_does_here(exported):
    path = exported[1].path
    here = open_runtime(path, threads=1)
    inputs = round_inputs(here.spec, here.spec.size, seed=0, index=0)
    with RemoteRuntime(ModelFile(path, threads=1)) as there:
        there.open()
        assert (there.name, there.engine, there.sha256) == (here.name, here.engine, here.sha256)
        assert there.info.parity == here.info.parity
        assert there.info.io == there.spec == here.spec
        np.testing.assert_array_equal(there.run(inputs)["mask"], here.run(inputs)["mask"])
