"""The part of Core ML's file format that describes an ML Program, as data.

Field numbers are those of the public Model.proto, FeatureTypes.proto and MIL.proto
(https://apple.github.io/coremltools/mlmodel/); a test compares them with coremltools' own.
"""

from .wire import Field, Message

METADATA = Message("Metadata", {100: Field("userDefined", "string", keyed=True)})

ARRAY_FEATURE_TYPE = Message(
    "ArrayFeatureType",
    {
        1: Field("shape", "int64", repeated=True),
        2: Field("dataType", "int32"),
        21: Field("enumeratedShapes", "bytes"),
        31: Field("shapeRange", "bytes"),
    },
)
FEATURE_TYPE = Message(
    "FeatureType",
    {5: Field("multiArrayType", ARRAY_FEATURE_TYPE), 1000: Field("isOptional", "bool")},
)
FEATURE_DESCRIPTION = Message(
    "FeatureDescription", {1: Field("name", "string"), 3: Field("type", FEATURE_TYPE)}
)
MODEL_DESCRIPTION = Message(
    "ModelDescription",
    {
        1: Field("input", FEATURE_DESCRIPTION, repeated=True),
        10: Field("output", FEATURE_DESCRIPTION, repeated=True),
        13: Field("state", FEATURE_DESCRIPTION, repeated=True),
        100: Field("metadata", METADATA),
    },
)

DIMENSION = Message(
    "Dimension",
    {
        1: Field("constant", Message("ConstantDimension", {1: Field("size", "uint64")})),
        2: Field("unknown", Message("UnknownDimension", {1: Field("variadic", "bool")})),
    },
)
TENSOR_TYPE = Message(
    "TensorType",
    {
        1: Field("dataType", "int32"),
        2: Field("rank", "int64"),
        3: Field("dimensions", DIMENSION, repeated=True),
    },
)
VALUE_TYPE = Message(
    "ValueType",
    {
        1: Field("tensorType", TENSOR_TYPE),
        2: Field("listType", "bytes"),
        3: Field("tupleType", "bytes"),
        4: Field("dictionaryType", "bytes"),
        5: Field("stateType", "bytes"),
    },
)


def _packed(name: str, kind: str) -> Message:
    return Message(name, {1: Field("values", kind, repeated=True)})  # type: ignore[arg-type]


TENSOR_VALUE = Message(
    "TensorValue",
    {
        1: Field("floats", _packed("RepeatedFloats", "float")),
        2: Field("ints", _packed("RepeatedInts", "int32")),
        3: Field("bools", _packed("RepeatedBools", "bool")),
        4: Field("strings", _packed("RepeatedStrings", "string")),
        7: Field("bytes", Message("RepeatedBytes", {1: Field("values", "bytes")})),
    },
)
IMMEDIATE_VALUE = Message("ImmediateValue", {1: Field("tensor", TENSOR_VALUE)})
BLOB_FILE_VALUE = Message(
    "BlobFileValue", {1: Field("fileName", "string"), 2: Field("offset", "uint64")}
)
VALUE = Message(
    "Value",
    {
        2: Field("type", VALUE_TYPE),
        3: Field("immediateValue", IMMEDIATE_VALUE),
        5: Field("blobFileValue", BLOB_FILE_VALUE),
    },
)
NAMED_VALUE_TYPE = Message(
    "NamedValueType", {1: Field("name", "string"), 2: Field("type", VALUE_TYPE)}
)
BINDING = Message("Binding", {1: Field("name", "string"), 2: Field("value", VALUE)})
ARGUMENT = Message("Argument", {1: Field("arguments", BINDING, repeated=True)})
OPERATION = Message(
    "Operation",
    {
        1: Field("type", "string"),
        2: Field("inputs", ARGUMENT, keyed=True),
        3: Field("outputs", NAMED_VALUE_TYPE, repeated=True),
        4: Field("blocks", "bytes", repeated=True),
        5: Field("attributes", VALUE, keyed=True),
    },
)
BLOCK = Message(
    "Block",
    {
        1: Field("inputs", NAMED_VALUE_TYPE, repeated=True),
        2: Field("outputs", "string", repeated=True),
        3: Field("operations", OPERATION, repeated=True),
    },
)
FUNCTION = Message(
    "Function",
    {
        1: Field("inputs", NAMED_VALUE_TYPE, repeated=True),
        2: Field("opset", "string"),
        3: Field("block_specializations", BLOCK, keyed=True),
    },
)
PROGRAM = Message(
    "Program", {1: Field("version", "int64"), 2: Field("functions", FUNCTION, keyed=True)}
)
MODEL = Message(
    "Model",
    {
        1: Field("specificationVersion", "int32"),
        2: Field("description", MODEL_DESCRIPTION),
        502: Field("mlProgram", PROGRAM),
    },
)
