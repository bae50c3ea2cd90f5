"""Writes the trained nets from work/ to ../models as ONNX: python3 export.py

fp32, opset 13, first dimension named "batch". Batch norms are folded into the convolutions before them.
Needs torch and onnx; do not import onnxruntime in the same process (both register the same schemas).
"""
import os

import onnx
import torch

from nets import CLASSIFIERS, DETECTORS

MODELS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "models")


def export(kind, name, net, shape, names):
    net.load_state_dict(torch.load(f"work/{kind}-{name}.pt"))
    net.eval()
    path = f"{MODELS}/{kind}-{name}.onnx"
    torch.onnx.export(net, torch.zeros(2, *shape), path, opset_version=13, input_names=names[:1], output_names=names[1:],
                      dynamic_axes={each: {0: "batch"} for each in names})
    model = onnx.load(path)
    model.doc_string = f"shelf-scan {kind}-{name}"
    onnx.checker.check_model(model)
    onnx.save(model, path)
    parameters = sum(each.numel() for each in net.parameters())
    print(f"{kind}-{name}: {parameters} parameters, {os.path.getsize(path) / 1024:.0f} KB")


if __name__ == "__main__":
    os.makedirs(MODELS, exist_ok=True)
    for name, build in DETECTORS.items():
        export("detect", name, build(), (1, 224, 224), ["image", "cells"])
    for name, build in CLASSIFIERS.items():
        export("classify", name, build(), (1, 64, 64), ["crop", "probabilities"])
