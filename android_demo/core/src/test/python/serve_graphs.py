"""Runs the graphs of a .tflite for the Java tests, over standard input and output.

A request is the graph's name in a line and, in the file's order of names, each input's bytes; the
answer is each output's bytes in the order of their names. Photo pixels, which are large, are sent
again only where the line ends in "pixels".
"""

import os
import sys
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter


def main(path: str) -> None:
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # libraries print to standard output as they like
    interpreter = Interpreter(model_content=Path(path).read_bytes(), num_threads=1)
    interpreter.allocate_tensors()
    runners = {
        name: interpreter.get_signature_runner(name) for name in interpreter.get_signature_list()
    }
    pixels: dict[str, np.ndarray] = {}
    while line := sys.stdin.buffer.readline():
        name, *fresh = line.decode().split()
        arrays = {}
        for tensor, entry in sorted(runners[name].get_input_details().items()):
            shape, kind = entry["shape"], np.dtype(entry["dtype"])
            if tensor == "pixels" and not fresh:
                arrays[tensor] = pixels[tensor]
                continue
            data = sys.stdin.buffer.read(int(np.prod(shape)) * kind.itemsize)
            arrays[tensor] = np.frombuffer(data, kind).reshape(shape)
            if tensor == "pixels":
                pixels[tensor] = arrays[tensor]
        for _, array in sorted(runners[name](**arrays).items()):
            out.write(np.ascontiguousarray(array).tobytes())
        out.flush()


if __name__ == "__main__":
    main(sys.argv[1])
