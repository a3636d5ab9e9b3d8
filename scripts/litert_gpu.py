"""Runs a .tflite file on LiteRT's GPU accelerator alone: litert_gpu.py FILE fp16|fp32.

For a Python with ai-edge-litert 2.3 and NumPy, and a Vulkan driver that VK_ICD_FILENAMES may
name. It must not raise when the file is opened: then the whole graph runs on the GPU. Afterwards
each line of standard input names an .npz of inputs by name (NHWC) and where to write the mask.
"""

import sys

import numpy as np
from ai_edge_litert.compiled_model import CompiledModel
from ai_edge_litert.hardware_accelerator import HardwareAccelerator
from ai_edge_litert.options import GpuOptions, Options


def main(path: str, precision: str) -> None:
    options = Options(
        hardware_accelerators=HardwareAccelerator.GPU,
        gpu_options=GpuOptions(enforce_f32=precision == "fp32"),
    )
    model = CompiledModel.from_file(path, options=options)
    print("whole", flush=True)
    ((key, names),) = model.get_signature_list().items()
    size = int(np.prod(model.get_output_tensor_details(key)["mask"]["shape"]))
    for line in sys.stdin:
        source, target = line.split()
        # New ones each time: those of a run that is over cannot be written again.
        inputs = {name: model.create_input_buffer_by_name(key, name) for name in names["inputs"]}
        outputs = {n: model.create_output_buffer_by_name(key, n) for n in names["outputs"]}
        with np.load(source) as arrays:
            for name, buffer in inputs.items():
                buffer.write(np.ascontiguousarray(arrays[name], np.float32))
        model.run_by_name(key, inputs, outputs)
        np.save(target, outputs["mask"].read(size, np.float32))
        print("done", flush=True)


main(*sys.argv[1:])
