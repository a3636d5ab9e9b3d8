"""Opens an .mlpackage folder: manifest, specification, metadata, weight files."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...optional import require
from ...untrusted_json import parse_json
from ..checksum import require_unchanged
from .library import EXTRA, import_coremltools
from .problems import FormatError, problems_of
from .values import MAX_RANK
from .weights import WeightFile

MANIFEST = "Manifest.json"
MAX_MANIFEST_BYTES = 1 << 20
# The program of HRNet-32 has 0.5 MB; weights are in a file of their own.
MAX_SPEC_BYTES = 1 << 24
MAX_WEIGHT_BYTES = 1 << 31
MODEL_FOLDER = "@model_path/"
# Number in the enum ArrayDataType of FeatureTypes.proto.
FLOAT32_ARRAY = 65568


@dataclass(frozen=True)
class Package:
    """A decoded .mlpackage: its model.mlmodel, and the names and shapes of the float32 arrays a
    caller sees."""

    path: Path
    spec_file: Path
    program: Any
    inputs: Mapping[str, tuple[int, ...]]
    outputs: Mapping[str, tuple[int, ...]]
    metadata: Mapping[str, str]
    _weights: dict[Path, WeightFile] = field(default_factory=dict, compare=False, repr=False)

    def weights(self, name: str) -> WeightFile:
        """The weight file a program calls `name` ("@model_path/weights/weight.bin"). Raises
        FormatError: missing, damaged, or outside the package."""
        if not name.startswith(MODEL_FOLDER):
            raise FormatError(f"its weights are at '{name}', outside the package")
        file = _inside(self.path, self.spec_file.parent / name.removeprefix(MODEL_FOLDER))
        if file not in self._weights:
            self._weights[file] = WeightFile(file)
        return self._weights[file]


def open_package(path: Path, *, checked: bool = False) -> Package:
    """Read an .mlpackage folder; its weights only if they are to be checked, which refuses one that
    changed after export. Raises ArtifactError: not a folder, incomplete, changed, truncated, not an
    ML Program with float32 arrays, or with a manifest that points outside the folder;
    MissingExtraError: coremltools is not installed."""
    path = Path(path)
    with problems_of(path):
        if not path.is_dir():
            raise FormatError("an .mlpackage is a folder, and this is a file")
        spec_file = _specification(path)
        data = _read(spec_file, MAX_SPEC_BYTES)
        if not data:
            raise FormatError(f"its {spec_file.name} is empty")
        if checked:
            require_unchanged(path, data, *other_contents(path, spec_file))
        model = parse_model(data)
        if model.WhichOneof("Type") != "mlProgram":
            raise FormatError("it holds no ML Program (another kind of Core ML model, or damaged)")
        if model.description.state:
            raise FormatError("its model keeps state between calls")
        return Package(
            path=path,
            spec_file=spec_file,
            program=model.mlProgram,
            inputs=_features(model.description.input),
            outputs=_features(model.description.output),
            metadata=dict(model.description.metadata.userDefined),
        )


def parse_model(data: bytes) -> Any:
    """The `Model` message that a specification is. Raises FormatError: it is not one;
    MissingExtraError: coremltools is not installed."""
    messages = import_coremltools("coremltools.proto.Model_pb2")
    protobuf = require("google.protobuf.message", extra=EXTRA)
    try:
        return messages.Model.FromString(data)
    except protobuf.DecodeError as error:
        raise FormatError(f"its specification is damaged ({error})") from error


def other_contents(path: Path, spec_file: Path) -> list[bytes]:
    """The model's files except the specification, in the order of their names. Raises
    FormatError: a link out of the package, or more than `MAX_WEIGHT_BYTES`."""
    # Hidden files are not the model's: systems put them anywhere.
    files = (file for file in spec_file.parent.rglob("[!.]*") if not file.is_dir())
    inside = (_inside(path, file) for file in sorted(files) if file != spec_file)
    return [_read(file, MAX_WEIGHT_BYTES) for file in inside]


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


def _features(descriptions: Iterable[Any]) -> dict[str, tuple[int, ...]]:
    features: dict[str, tuple[int, ...]] = {}
    for description in descriptions:
        name, array = description.name, description.type.multiArrayType
        if array.dataType != FLOAT32_ARRAY or array.WhichOneof("ShapeFlexibility") is not None:
            raise FormatError(f"its tensor '{name}' is not a float32 array of fixed shape")
        shape = tuple(array.shape)
        if len(shape) > MAX_RANK or min(shape, default=1) < 1:
            raise FormatError(f"its tensor '{name}' has the shape {list(shape)}")
        features[name] = shape
    return features
