"""The tables of docs/devices.md: half_precision.py FILE... -o RESULTS.json

Of each exported file: every mode of `verify --emulate fp16` on one object of the sample photo, and
`verify --delegates` where the file is for an engine that takes parts. Compared with the embedded
weights of the file's model.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

KIND = "ritm-edge accelerators"


def verify(path: Path, *options: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "ritm_edge", "verify", path, *options, "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if not done.stdout:
        raise SystemExit(f"verify {path} {' '.join(options)} failed")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    given = parser.parse_args()
    artifacts = []
    for path in given.files:
        found = verify(path, "--emulate", "fp16")
        if path.suffix in (".onnx", ".tflite"):
            found |= verify(path, "--delegates")
        artifacts.append(found)
        print(path.name, *(f"{m['mode']} {m['safe']}" for m in found["modes"]), flush=True)
        text = json.dumps({"kind": KIND, "artifacts": artifacts}, indent=1)
        given.output.write_text(text + "\n")


if __name__ == "__main__":
    main()
