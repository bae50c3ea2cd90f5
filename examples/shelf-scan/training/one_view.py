"""Cuts the models of one view out of the largest ones in ../models: python3 one_view.py

`classify-l` is the mean of four views of a crop, `detect-l` of two of an image. The first view is the input as it is. The
cut keeps the nodes between the input and the answer for the first view, and their weights. Needs onnx, but not torch.
"""
import os

import onnx

MODELS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "models")


def cut(source, target, first, last):
    """first: tensor of the views, which the input replaces. last: answer for the views, which becomes the output."""
    model = onnx.load(f"{MODELS}/{source}.onnx")
    graph = model.graph
    [given], [answer] = graph.input, graph.output
    names = {first: given.name, last: answer.name}
    needed, kept = {last}, []
    for node in reversed(graph.node):
        if first in node.output or needed.isdisjoint(node.output):
            continue
        needed.update(node.input)
        kept.append(node)
    for node in kept:
        node.input[:] = [names.get(each, each) for each in node.input]
        node.output[:] = [names.get(each, each) for each in node.output]
    weights = [each for each in graph.initializer if each.name in needed]
    for field, values in (("node", kept[::-1]), ("initializer", weights), ("value_info", [])):
        copies = [type(each)() for each in values]
        for copy, each in zip(copies, values):
            copy.CopyFrom(each)
        graph.ClearField(field)
        getattr(graph, field).extend(copies)
    model.doc_string = f"shelf-scan {target}"
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, f"{MODELS}/{target}.onnx")
    print(f"{target}: {len(kept)} nodes, {os.path.getsize(f'{MODELS}/{target}.onnx') / 1024:.0f} KB")


if __name__ == "__main__":
    cut("classify-l", "classify-l1", "/Concat_1_output_0", "/Softmax_output_0")
    cut("detect-l", "detect-l1", "image", "/Concat_output_0")
