"""An .openvino file: OpenVINO's pair of files in one."""

from .zipped import ZippedModel


class OpenVinoFile(ZippedModel):
    """`model.xml` and `model.bin`."""

    SUFFIX = ".openvino"
    GRAPH = "model.xml"
    WEIGHTS = "model.bin"
