"""Two deployments in a row in Ray Serve, by model composition with handles and with dynamic batching, as its documentation describes them."""

import json
import os
import signal
import sys
import threading

import numpy as np
import onnxruntime
import ray
from ray import serve
from starlette.requests import Request

BATCH = {"max_batch_size": 16, "batch_wait_timeout_s": 0.001}
MODELS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "models")


@serve.deployment(num_replicas=1, max_ongoing_requests=256, ray_actor_options={"num_cpus": 0.25})
class NoOp:
    @serve.batch(**BATCH)
    async def __call__(self, rows: list[np.ndarray]) -> list[np.ndarray]:
        return rows


@serve.deployment(num_replicas=1, max_ongoing_requests=256, ray_actor_options={"num_cpus": 0.25})
class Onnx:
    def __init__(self, model: str) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        path = os.path.join(MODELS, model)
        self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    @serve.batch(**BATCH)
    async def __call__(self, rows: list[np.ndarray]) -> list[np.ndarray]:
        (y,) = self._session.run(None, {self._session.get_inputs()[0].name: np.stack(rows)})
        return list(y)


@serve.deployment(num_replicas=1, max_ongoing_requests=256, ray_actor_options={"num_cpus": 0.25})
class Chain:
    def __init__(self, first, second) -> None:
        self._first = first
        self._second = second

    async def __call__(self, request: Request) -> dict:
        body = json.loads(await request.body())
        x = np.asarray(body["inputs"][0]["data"], dtype=np.float32)
        y = await self._second.remote(self._first.remote(x))
        return {"outputs": [{"name": "x", "datatype": "FP32", "shape": list(y.shape), "data": y.tolist()}]}


if __name__ == "__main__":
    port = int(sys.argv[1])
    ray.init(num_cpus=2, include_dashboard=False, logging_level="ERROR", configure_logging=False)
    quiet = {"log_level": "ERROR", "enable_access_log": False}
    serve.start(http_options={"host": "127.0.0.1", "port": port}, logging_config=quiet)
    no_ops = [NoOp.options(name=f"NoOp{i}").bind() for i in (1, 2)]
    layers = [Onnx.options(name=f"Onnx{i}").bind(f"layer-{i}.onnx") for i in (1, 2)]
    serve.run(Chain.options(name="NoOpChain").bind(*no_ops), name="no-op", route_prefix="/no-op")
    serve.run(Chain.options(name="OnnxChain").bind(*layers), name="onnx", route_prefix="/onnx")
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    print(f"ready {port}", flush=True)
    stopping.wait()
    serve.shutdown()
    ray.shutdown()
