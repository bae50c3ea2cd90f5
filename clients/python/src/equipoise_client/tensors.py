"""Tensors as numpy arrays: raw bytes on the wire (binary extension of the Open Inference Protocol)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Inputs = Mapping[str, Array | Sequence[str] | Sequence[bytes] | str | bytes]
Outputs = dict[str, Array]

JSON_LENGTH_HEADER = "inference-header-content-length"

_DTYPES: dict[str, np.dtype[Any]] = {
    "BOOL": np.dtype(np.bool_),
    "UINT8": np.dtype("u1"),
    "UINT16": np.dtype("<u2"),
    "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"),
    "INT8": np.dtype("i1"),
    "INT16": np.dtype("<i2"),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "FP16": np.dtype("<f2"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
}
_DATATYPES = {dtype.newbyteorder("="): name for name, dtype in _DTYPES.items()}


def infer_body(
    inputs: Inputs, *, outputs: Sequence[str] | None, request_id: str | None, parameters: Mapping[str, Any]
) -> tuple[bytes, dict[str, str]]:
    """Body and headers of a request. Raises TypeError for arrays that have no data type of the protocol."""
    if isinstance(outputs, str):
        raise TypeError(f"outputs must be a list of names, not the text {outputs!r}")
    entries: list[dict[str, Any]] = []
    parts: list[bytes] = []
    for name, value in inputs.items():
        datatype, shape, raw = _encoded(name, value)
        entries.append(
            {"name": name, "datatype": datatype, "shape": shape, "parameters": {"binary_data_size": len(raw)}}
        )
        parts.append(raw)
    request: dict[str, Any] = {"inputs": entries, "parameters": {**parameters, "binary_data_output": True}}
    if request_id is not None:
        request["id"] = request_id
    if outputs is not None:
        request["outputs"] = [{"name": name} for name in outputs]
    text = json.dumps(plain(request)).encode()
    # Aligned, the server reads the first tensor without a copy.
    text += b" " * (-len(text) % 8)
    headers = {"content-type": "application/octet-stream", JSON_LENGTH_HEADER: str(len(text))}
    return b"".join([text, *parts]), headers


def infer_outputs(content: bytes, json_length: str | None) -> tuple[Mapping[str, Any], Outputs]:
    """The JSON of an answer and its tensors. Raises ValueError if they contradict each other."""
    length = len(content) if json_length is None else int(json_length)
    answer: Mapping[str, Any] = json.loads(content[:length])
    outputs: Outputs = {}
    at = length
    for entry in answer["outputs"]:
        size = entry.get("parameters", {}).get("binary_data_size")
        if size is None:
            outputs[entry["name"]] = _from_json(entry)
        else:
            outputs[entry["name"]] = _from_raw(entry, content[at : at + size])
            at += size
    if at != len(content):
        raise ValueError(f"the answer has {len(content)} bytes, its tensors end at {at}")
    return answer, outputs


def plain(value: Any) -> Any:
    """Values of numpy as those of Python, which JSON has."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Mapping):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return value


def _encoded(name: str, value: Any) -> tuple[str, list[int], bytes]:
    array = _array(name, value)
    if array.dtype.kind in "USOT":
        return "BYTES", list(array.shape), b"".join(_element(name, item) for item in array.ravel())
    datatype = _DATATYPES.get(array.dtype.newbyteorder("="))
    if datatype is None:
        raise TypeError(f"input {name}: the data type {array.dtype} has no counterpart; use one of {_names()} or text")
    return datatype, list(array.shape), np.ascontiguousarray(array, dtype=_DTYPES[datatype]).tobytes()


def _array(name: str, value: Any) -> Array:
    if _is_text(value):
        return np.asarray(value, dtype=object)
    if np.ma.is_masked(value):
        raise TypeError(f"input {name}: an array with masked elements cannot be sent; fill them first")
    array = np.asarray(value)
    # Numpy makes texts of numbers in the same list, and cuts zero bytes off the ends of texts.
    if array.dtype.kind in "US" and isinstance(value, list | tuple):
        return np.asarray(value, dtype=object)
    return array


def _is_text(value: Any) -> bool:
    if isinstance(value, str | bytes):
        return True
    # An empty list is a list of no texts; an array without elements has a data type.
    return isinstance(value, list | tuple) and all(isinstance(item, str | bytes) for item in value)


def _element(name: str, item: object) -> bytes:
    if isinstance(item, str):
        raw = item.encode()
    elif isinstance(item, bytes):
        raw = bytes(item)
    else:
        raise TypeError(f"input {name}: an array of objects must hold str or bytes, not {type(item).__name__}")
    return len(raw).to_bytes(4, "little") + raw


def _names() -> str:
    return ", ".join(str(dtype) for dtype in _DTYPES.values())


def _from_raw(entry: Mapping[str, Any], raw: bytes) -> Array:
    name, shape = entry["name"], entry["shape"]
    if entry["datatype"] == "BYTES":
        elements = _elements(name, raw)
        return _objects(_texts(elements, entry.get("parameters", {}).get("content_type")), shape)
    # A copy, so that the caller may write to it and the whole answer is not kept.
    return np.frombuffer(raw, dtype=_dtype(entry)).reshape(shape).copy()


def _elements(name: str, raw: bytes) -> list[bytes]:
    elements: list[bytes] = []
    at = 0
    while at < len(raw):
        end = at + 4 + int.from_bytes(raw[at : at + 4], "little")
        if end > len(raw):
            raise ValueError(f"output {name}: an element ends after its tensor")
        elements.append(raw[at + 4 : end])
        at = end
    return elements


def _texts(elements: list[bytes], content_type: str | None) -> list[str | bytes]:
    """Text if all elements are UTF-8, unless the answer says that they are bytes."""
    if content_type == "application/octet-stream":
        return list(elements)
    try:
        return [element.decode() for element in elements]
    except UnicodeDecodeError:
        return list(elements)


def _objects(elements: Sequence[Any], shape: Sequence[int]) -> Array:
    array = np.empty(len(elements), dtype=object)
    array[:] = elements
    return array.reshape(shape)


def _from_json(entry: Mapping[str, Any]) -> Array:
    if entry["datatype"] == "BYTES":
        return _objects(entry["data"], entry["shape"])
    dtype = _dtype(entry)
    data = [np.nan if item is None else item for item in entry["data"]]
    return np.asarray(data, dtype=dtype).reshape(entry["shape"])


def _dtype(entry: Mapping[str, Any]) -> np.dtype[Any]:
    dtype = _DTYPES.get(entry["datatype"])
    if dtype is None:
        raise ValueError(f"output {entry['name']}: unknown data type {entry['datatype']}")
    return dtype
