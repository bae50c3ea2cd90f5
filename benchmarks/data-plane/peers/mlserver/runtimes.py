"""Custom inference runtimes of MLServer, as its documentation describes them: one that does nothing, and one for ONNX."""

import numpy as np
import onnxruntime
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse
from mlserver.utils import get_model_uri


class NoOp(MLModel):
    async def load(self) -> bool:
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        x = NumpyCodec.decode_input(payload.inputs[0])
        return InferenceResponse(model_name=self.name, outputs=[NumpyCodec.encode_output("x", x)])


class Onnx(MLModel):
    async def load(self) -> bool:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        uri = await get_model_uri(self._settings)
        self._session = onnxruntime.InferenceSession(uri, options, providers=["CPUExecutionProvider"])
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        x = np.asarray(NumpyCodec.decode_input(payload.inputs[0]), dtype=np.float32)
        (y,) = self._session.run(None, {self._session.get_inputs()[0].name: x})
        return InferenceResponse(model_name=self.name, outputs=[NumpyCodec.encode_output("x", y)])
