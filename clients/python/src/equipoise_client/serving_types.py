# Made from docs/reference/openapi-serving.json by scripts/python-client/generate-types.

from __future__ import annotations

from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict


class Duration(TypedDict):
    count: int
    ns: int


class Feedback(TypedDict):
    id: str
    item: NotRequired[int]
    score: NotRequired[float]
    label: NotRequired[Any]


class FeedbackAnswer(TypedDict, closed=True):
    id: str
    item: NotRequired[int]
    score: float
    variants: NotRequired[dict[str, str]]


class IndexEntry(TypedDict):
    name: str
    version: str
    state: Literal['READY', 'UNAVAILABLE']
    reason: str


class Output(TypedDict):
    name: str
    parameters: NotRequired[dict[str, str | float | bool]]


class Output1(TypedDict):
    name: str
    datatype: str
    shape: list[int]
    parameters: NotRequired[dict[str, str | float | bool]]
    data: NotRequired[list[Any]]


class InferResponse(TypedDict):
    model_name: str
    id: str
    parameters: NotRequired[dict[str, str | float | bool]]
    outputs: list[Output1]


class InputItem(TypedDict):
    name: str
    data_type: str
    dims: list[int]


class OutputItem(TypedDict):
    name: str
    data_type: str
    dims: list[int]


class ModelConfig(TypedDict, closed=True):
    name: str
    platform: str
    backend: str
    max_batch_size: int
    input: list[InputItem]
    output: list[OutputItem]


class Refusal(TypedDict):
    error: str
    code: str
    reason: NotRequired[str]
    details: dict[str, Any]
    docs: str


class RequestInput(TypedDict):
    name: str
    datatype: str
    shape: list[int]
    parameters: NotRequired[dict[str, str | float | bool]]
    data: NotRequired[list[Any]]


class RunResponse(TypedDict, closed=True):
    id: str
    pipeline: str
    outputs: dict[str, Any]
    missing: NotRequired[list[str]]
    latencyMs: float


class ServerMetadata(TypedDict):
    name: str
    version: str
    extensions: list[str]


class BatchStat(TypedDict):
    batch_size: int
    compute_input: Duration
    compute_infer: Duration
    compute_output: Duration


class ModelStat(TypedDict):
    name: str
    version: str
    last_inference: NotRequired[int]
    inference_count: int
    execution_count: int
    inference_stats: dict[str, Duration]
    batch_stats: list[BatchStat]


class Statistics(TypedDict, closed=True):
    model_stats: list[ModelStat]


class TensorMetadata(TypedDict):
    name: str
    datatype: str
    shape: list[int]


class InferRequest(TypedDict):
    id: NotRequired[str]
    parameters: NotRequired[dict[str, str | float | bool]]
    inputs: list[RequestInput]
    outputs: NotRequired[list[Output]]


class ModelMetadata(TypedDict, closed=True):
    name: str
    platform: str
    versions: NotRequired[list[str]]
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]
