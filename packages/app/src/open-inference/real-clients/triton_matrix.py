"""tritonclient against a server: triton_matrix.py HTTP_ADDRESS GRPC_ADDRESS. Prints one line of JSON for each case: the name of the
case, and its problem or null."""
import json
import sys

import numpy as np
import tritonclient.grpc as over_grpc
import tritonclient.http as over_http
from google.protobuf.json_format import MessageToJson
from tritonclient.grpc import model_config_pb2
from tritonclient.utils import InferenceServerException

MODEL = "echo"
TYPES = {
    "BOOL": np.bool_,
    "INT8": np.int8,
    "INT16": np.int16,
    "INT32": np.int32,
    "INT64": np.int64,
    "UINT8": np.uint8,
    "UINT16": np.uint16,
    "UINT32": np.uint32,
    "UINT64": np.uint64,
    "FP16": np.float16,
    "FP32": np.float32,
    "FP64": np.float64,
}
SHAPES = [[1], [0, 3], [2, 3], [2, 1, 2, 2]]


def values(datatype, shape):
    count = int(np.prod(shape))
    if datatype == "BYTES":
        return np.array([f"grüße {i}".encode() for i in range(count)], dtype=np.object_).reshape(shape)
    kind = TYPES[datatype]
    if datatype == "BOOL":
        return (np.arange(count) % 2 == 1).reshape(shape)
    if datatype.startswith("FP"):
        return (np.arange(count) * 0.5 - 1).astype(kind).reshape(shape)
    limits = np.iinfo(kind)
    ends = [limits.min, limits.max, 0]
    return np.array([ends[i % 3] for i in range(count)], dtype=kind).reshape(shape)


def case(name, check):
    try:
        check()
        problem = None
    except AssertionError as error:
        problem = f"wrong: {error}"
    except Exception as error:  # any exception of a client is a finding
        problem = f"{type(error).__name__}: {error}"
    print(json.dumps({"case": name, "problem": problem}), flush=True)


def same(found, sent):
    assert found is not None, "no output"
    assert found.shape == sent.shape, f"shape {found.shape} where {sent.shape} was sent"
    assert found.dtype == sent.dtype, f"type {found.dtype} where {sent.dtype} was sent"
    assert found.tolist() == sent.tolist(), f"{found.tolist()[:3]} where {sent.tolist()[:3]} was sent"


def http_echo(client, datatype, shape, binary_in, binary_out):
    sent = values(datatype, shape)
    tensor = over_http.InferInput("x", shape, datatype)
    tensor.set_data_from_numpy(sent, binary_data=binary_in)
    wanted = over_http.InferRequestedOutput("x", binary_data=binary_out)
    result = client.infer(MODEL, [tensor], outputs=[wanted], request_id="r-1")
    assert result.get_response()["id"] == "r-1", "another id"
    found = result.as_numpy("x")
    if datatype == "BYTES" and not binary_out:
        found = np.array([text.encode() for text in found.flatten()], dtype=np.object_).reshape(shape)
    same(found, sent)


def grpc_echo(client, datatype, shape):
    sent = values(datatype, shape)
    tensor = over_grpc.InferInput("x", shape, datatype)
    tensor.set_data_from_numpy(sent)
    result = client.infer(MODEL, [tensor], outputs=[over_grpc.InferRequestedOutput("x")], request_id="r-1")
    assert result.get_response().id == "r-1", "another id"
    same(result.as_numpy("x"), sent)


def refused(run, part):
    try:
        run()
    except InferenceServerException as error:
        assert part in str(error), f"{error} does not say {part}"
        return
    raise AssertionError("it was not refused")


def errors(kind, client, status):
    def infer(model, tensor, **more):
        return lambda: client.infer(model, [tensor], **more)

    good = kind.InferInput("x", [1], "FP32")
    good.set_data_from_numpy(np.zeros([1], np.float32))
    other = kind.InferInput("x", [1], "FP32")
    other.set_data_from_numpy(np.zeros([1], np.float32))
    other.set_shape([2])
    case(f"{status['name']} no such model", lambda: refused(infer("other", good), status["missing"]))
    case(f"{status['name']} a shape that lies", lambda: refused(infer(MODEL, other), "4 bytes where 8 were expected"))
    wanted = [kind.InferRequestedOutput("y")]
    case(f"{status['name']} no such output", lambda: refused(infer(MODEL, good, outputs=wanted), "the outputs are x"))
    case(f"{status['name']} priority and time-out", infer(MODEL, good, priority=1, timeout=5_000_000))


def health(name, client):
    def check():
        assert client.is_server_live() and client.is_server_ready() and client.is_model_ready(MODEL)
        if name == "http":
            assert not client.is_model_ready("other")
        else:
            refused(lambda: client.is_model_ready("other"), "served: echo")

    case(f"{name} health", check)


def client_batches(name, kind, client):
    """Batches of the model `rows`, whose items have three numbers, and the extensions about it."""

    def infer(shape):
        sent = np.arange(np.prod(shape)).astype(np.float32).reshape(shape)
        tensor = kind.InferInput("x", shape, "FP32")
        tensor.set_data_from_numpy(sent)
        same(client.infer("rows", [tensor]).as_numpy("x"), sent)

    def equal(found, wanted):
        assert found == wanted, f"{found} where {wanted} was expected"

    def fields(message):
        return message if kind is over_http else json.loads(MessageToJson(message, preserving_proto_field_name=True))

    def metadata():
        tensor = fields(client.get_model_metadata("rows"))["inputs"][0]
        equal([int(size) for size in tensor["shape"]], [-1, 3])

    def config():
        found = fields(client.get_model_config("rows"))
        found = found if kind is over_http else found["config"]
        equal(found["max_batch_size"], 50)
        equal([int(size) for size in found["input"][0]["dims"]], [3])
        if kind is over_grpc:
            equal(client.get_model_config("rows").config.input[0].data_type, model_config_pb2.DataType.TYPE_FP32)
        else:
            equal(found["input"][0]["data_type"], "TYPE_FP32")

    def statistics():
        def count():
            return int(fields(client.get_inference_statistics("rows"))["model_stats"][0].get("inference_count", 0))

        before = count()
        infer([5, 3])
        equal(count() - before, 5)
        names = [model["name"] for model in fields(client.get_inference_statistics())["model_stats"]]
        equal(names, ["echo", "echo.a", "rows", "rows.a"])

    def index():
        found = fields(client.get_model_repository_index())
        models = found if kind is over_http else found["models"]
        equal([(model["name"], model["state"]) for model in models], [("echo", "READY"), ("rows", "READY")])

    for shape in [[3], [1, 3], [4, 3], [50, 3]]:
        case(f"{name} batch {shape}", lambda: infer(shape))
    case(f"{name} batch without items", lambda: refused(lambda: infer([0, 3]), "its leading dimension is 0"))
    case(f"{name} batch beyond half of the queue", lambda: refused(lambda: infer([51, 3]), "at most 50"))
    for check in [metadata, config, statistics, index]:
        case(f"{name} {check.__name__} of batches", check)


def main():
    http = over_http.InferenceServerClient(sys.argv[1], concurrency=4)
    grpc = over_grpc.InferenceServerClient(sys.argv[2])
    health("http", http)
    health("grpc", grpc)
    case("http server metadata", lambda: same(np.array(http.get_server_metadata()["name"]), np.array("equipoise")))
    case("grpc server metadata", lambda: same(np.array(grpc.get_server_metadata().name), np.array("equipoise")))
    for datatype in [*TYPES, "BYTES"]:
        for shape in SHAPES:
            case(f"grpc {datatype} {shape}", lambda: grpc_echo(grpc, datatype, shape))
            for binary_in in [True, False]:
                for binary_out in [True, False]:
                    # The client has no JSON form of FP16.
                    if datatype == "FP16" and not (binary_in and binary_out):
                        continue
                    name = f"http {datatype} {shape} {'raw' if binary_in else 'json'}/{'raw' if binary_out else 'json'}"
                    case(name, lambda: http_echo(http, datatype, shape, binary_in, binary_out))
    errors(over_http, http, {"name": "http", "missing": "served: echo"})
    errors(over_grpc, grpc, {"name": "grpc", "missing": "StatusCode.NOT_FOUND"})
    case("http model metadata", lambda: same(np.array(http.get_model_metadata(MODEL)["name"]), np.array(MODEL)))
    case("grpc model metadata", lambda: same(np.array(grpc.get_model_metadata(MODEL).name), np.array(MODEL)))
    client_batches("http", over_http, http)
    client_batches("grpc", over_grpc, grpc)
    pending = [http.async_infer(MODEL, [zeros(over_http)]) for _ in range(8)]
    case("http calls at once", lambda: [same(each.get_result().as_numpy("x"), np.zeros([1], np.float32)) for each in pending])
    http.close()
    grpc.close()


def zeros(kind):
    tensor = kind.InferInput("x", [1], "FP32")
    tensor.set_data_from_numpy(np.zeros([1], np.float32))
    return tensor


if __name__ == "__main__":
    main()
