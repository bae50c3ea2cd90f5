"""A model for MLServer: layers of random weights over 64 floats. The first float of a row stays unchanged, so that an answer shows
its request. `layers` in `parameters.extra` sets the size of a variant."""

import numpy as np
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse

WIDTH = 64


class Layers(MLModel):
    async def load(self) -> bool:
        chance = np.random.default_rng(1)
        count = self._settings.parameters.extra["layers"]
        self._layers = [chance.normal(0, 0.15, (WIDTH, WIDTH)).astype(np.float32) for _ in range(count)]
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        x = np.asarray(NumpyCodec.decode_input(payload.inputs[0]), dtype=np.float32)
        y = x
        for weights in self._layers:
            y = np.maximum(y @ weights, 0)
        y[..., 0] = x[..., 0]
        return InferenceResponse(model_name=self.name, outputs=[NumpyCodec.encode_output("x", y)])
