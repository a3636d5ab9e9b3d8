"""Opens an .mlpackage folder: manifest, specification, metadata, weight files."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...untrusted_json import parse_json
from ..checksum import require_unchanged
from .blobs import WeightFile
from .problems import FormatError, problems_of
from .schema import MODEL
from .values import MAX_RANK
from .wire import Decoded, decode

MANIFEST = "Manifest.json"
MAX_MANIFEST_BYTES = 1 << 20
# The program of HRNet-32 has 0.5 MB; weights are in a file of their own.
MAX_SPEC_BYTES = 1 << 24
MAX_WEIGHT_BYTES = 1 << 31
MODEL_FOLDER = "@model_path/"
# Number in the enum ArrayDataType of FeatureTypes.proto.
FLOAT32_ARRAY = 65568

Contents = dict[Path, NDArray[np.uint8]]


@dataclass(frozen=True)
class Package:
    """A decoded .mlpackage.

    Attributes:
        path: the folder.
        spec_file: its model.mlmodel.
        program: decoded `Program` message.
        inputs, outputs: name → shape of the float32 arrays a caller sees.
        metadata: user-defined metadata.
    """

    path: Path
    spec_file: Path
    program: Decoded
    inputs: Mapping[str, tuple[int, ...]]
    outputs: Mapping[str, tuple[int, ...]]
    metadata: Mapping[str, str]
    _contents: Contents = field(default_factory=dict, compare=False, repr=False)

    def others(self) -> list[NDArray[np.uint8]]:
        """Contents of the model's files but for the specification, in the order of their names."""
        return _others(self.path, self.spec_file, self._contents)

    def weights(self, name: str) -> WeightFile:
        """The weight file a program calls `name` ("@model_path/weights/weight.bin").

        Raises:
            FormatError: missing, damaged, or outside the package.
        """
        if not name.startswith(MODEL_FOLDER):
            raise FormatError(f"its weights are at '{name}', outside the package")
        file = self.spec_file.parent / name.removeprefix(MODEL_FOLDER)
        return WeightFile(file.name, _content(self.path, file, self._contents))


def open_package(path: Path, *, checked: bool = False) -> Package:
    """Read a package; its weights only if they are to be checked.

    Args:
        path: the .mlpackage folder.
        checked: refuse one that changed after export. What was checked is what is used.

    Raises:
        ArtifactError: not a folder, incomplete, changed, truncated, not an ML Program with float32
            arrays, or with a manifest that points outside the folder.
    """
    path = Path(path)
    with problems_of(path):
        if not path.is_dir():
            raise FormatError("an .mlpackage is a folder, and this is a file")
        spec_file = _specification(path)
        data = _read(spec_file, MAX_SPEC_BYTES)
        if not data:
            raise FormatError(f"its {spec_file.name} is empty")
        contents: Contents = {}
        if checked:
            require_unchanged(path, data, *_others(path, spec_file, contents))
        model = decode(data, MODEL)
        if "mlProgram" not in model:
            raise FormatError("it holds no ML Program (another kind of Core ML model, or damaged)")
        description = model.get("description", {})
        if description.get("state"):
            raise FormatError("its model keeps state between calls")
        return Package(
            path=path,
            spec_file=spec_file,
            program=model["mlProgram"],
            inputs=_features(description.get("input", [])),
            outputs=_features(description.get("output", [])),
            metadata=description.get("metadata", {}).get("userDefined", {}),
            _contents=contents,
        )


def _specification(path: Path) -> Path:
    """The file that the manifest calls the root model."""
    manifest_file = path / MANIFEST
    if not manifest_file.is_file():
        raise FormatError(f"it has no {MANIFEST}")
    try:
        manifest = parse_json(_read(manifest_file, MAX_MANIFEST_BYTES))
        relative = manifest["itemInfoEntries"][manifest["rootModelIdentifier"]]["path"]
    except (ValueError, KeyError, TypeError) as error:
        raise FormatError(f"its {MANIFEST} does not name a model") from error
    if not isinstance(relative, str):
        raise FormatError(f"its {MANIFEST} does not name a model")
    return _inside(path, path / "Data" / relative)


def _inside(path: Path, file: Path) -> Path:
    """`file`, if it is a regular file inside the package once every link is followed."""
    try:
        resolved = file.resolve()
    except (ValueError, RuntimeError) as error:  # a zero byte, or a circle of links
        raise FormatError("it names a file that cannot exist") from error
    if not resolved.is_relative_to(path.resolve()):
        raise FormatError(f"it points to {file.name} outside the package")
    if not resolved.is_file():
        raise FormatError(f"its {file.name} is missing")
    return resolved


def _read(file: Path, limit: int) -> bytes:
    with file.open("rb") as stream:
        data = stream.read(limit + 1)
    if len(data) > limit:
        raise FormatError(f"its {file.name} has more than {limit >> 20} MiB")
    return data


def _content(path: Path, file: Path, known: Contents) -> NDArray[np.uint8]:
    """Of a file of the package, which is read once."""
    file = _inside(path, file)
    if file not in known:
        if file.stat().st_size > MAX_WEIGHT_BYTES:
            raise FormatError(f"its {file.name} has more than {MAX_WEIGHT_BYTES >> 30} GiB")
        known[file] = np.fromfile(file, np.uint8)
    return known[file]


def _others(path: Path, spec_file: Path, known: Contents) -> list[NDArray[np.uint8]]:
    # Hidden files are not the model's: systems put them anywhere.
    files = (file for file in spec_file.parent.rglob("[!.]*") if not file.is_dir())
    return [_content(path, file, known) for file in sorted(files) if file != spec_file]


def _features(descriptions: list[Decoded]) -> dict[str, tuple[int, ...]]:
    features: dict[str, tuple[int, ...]] = {}
    for description in descriptions:
        name = description.get("name", "")
        array: dict[str, Any] = description.get("type", {}).get("multiArrayType", {})
        if array.get("dataType") != FLOAT32_ARRAY or {"shapeRange", "enumeratedShapes"} & set(
            array
        ):
            raise FormatError(f"its tensor '{name}' is not a float32 array of fixed shape")
        shape = tuple(array["shape"])
        if len(shape) > MAX_RANK or min(shape, default=1) < 1:
            raise FormatError(f"its tensor '{name}' has the shape {list(shape)}")
        features[name] = shape
    return features
