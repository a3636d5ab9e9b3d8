"""Random sessions on an artifact's session graphs against the Python session, with fresh seeds.

Without and with flip averaging, with made outputs of the network and with its own.

    python scripts/fuzz_session.py ARTIFACT... [--made 10000] [--real 500] [--seed N] [-o FILE]

Counts go to a JSON file; the exit code is 3 where anything differs.
"""

import argparse
import itertools
import json
import secrets
import sys
from pathlib import Path

from ritm_edge.files import write_output
from ritm_edge.runtimes.base import open_runtime
from ritm_edge.verification.session_check import check_session


def main() -> None:
    """Check every artifact and write what was counted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("artifacts", nargs="+", type=Path)
    parser.add_argument("--made", type=int, default=10_000, help="clicks with made outputs")
    parser.add_argument("--real", type=int, default=500, help="clicks with the artifact's network")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1 << 31))
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    found, passed = [], True
    for path in options.artifacts:
        runtime = open_runtime(path, threads=1)
        runs = ((True, options.made), (False, options.real))
        for (made, clicks), flip in itertools.product(runs, (False, True)):
            if not clicks:
                continue
            report = check_session(runtime, clicks=clicks, seed=options.seed, made=made, flip=flip)
            passed &= report.passed
            found.append({"file": path.name, "outputs": "made" if made else "network", "flip": flip,
                          "fit": (runtime.info.session or {}).get("fit") if runtime.info else None,
                          **report.as_dict()})  # fmt: skip
            print(json.dumps({**found[-1], "examples": len(report.examples)}), flush=True)
    if options.output is not None:
        document = {"kind": "ritm-edge session fuzz", "format_version": 1, "reports": found}
        write_output(options.output, json.dumps(document, indent=1) + "\n")
    sys.exit(0 if passed else 3)


if __name__ == "__main__":
    main()
