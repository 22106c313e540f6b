"""A float network as an ONNX model, opset 17, batch `N` left open: one operator for each layer, what only training needs
left out. Caffe's pooling rounds up, hence `ceil_mode`.
"""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def number(attributes, name, default):
    return int(attributes.get(name, default))


def pooling(node):
    a = node.attributes
    average = a.get("pool", "MAX") == "AVE"
    if a.get("global_pooling") == "true":
        return ("GlobalAveragePool" if average else "GlobalMaxPool"), {}
    side, stride, pad = number(a, "kernel_size", 0), number(a, "stride", 1), number(a, "pad", 0)
    if not side or (average and pad):
        raise ValueError(f"layer {node.name}: such pooling has no form in ONNX here")
    fields = {"kernel_shape": [side] * 2, "strides": [stride] * 2, "pads": [pad] * 4, "ceil_mode": 1}
    return ("AveragePool" if average else "MaxPool"), fields


def convolution(node):
    a = node.attributes
    side, pad, stride = number(a, "kernel_size", 0), number(a, "pad", 0), number(a, "stride", 1)
    fields = {"kernel_shape": [side] * 2, "strides": [stride] * 2, "pads": [pad] * 4, "group": number(a, "group", 1)}
    return "Conv", fields


def normalization(node):
    a = node.attributes
    fields = {"alpha": float(a.get("alpha", 1)), "beta": float(a.get("beta", 0.75)), "bias": float(a.get("k", 1))}
    return "LRN", {**fields, "size": number(a, "local_size", 5)}


SIMPLE = {
    "Convolution": convolution,
    "Pooling": pooling,
    "LRN": normalization,
    "ReLU": lambda node: ("Relu", {}),
    "Concat": lambda node: ("Concat", {"axis": 1}),
    "Softmax": lambda node: ("Softmax", {"axis": 1}),
}


def build(network):
    """An ONNX model with one input `data` (N, C, H, W) in BGR with the mean subtracted, and one output: probabilities."""
    operators, constants, outputs, data = [], [], [], None
    for i, node in enumerate(network.nodes):
        inputs = [outputs[j] for j in node.inputs]
        if node.kind == "Input":
            dims = [int(d) for d in node.attributes["shape"]["dim"]]
            data = helper.make_tensor_value_info("data", TensorProto.FLOAT, ["N", *dims[1:]])
            outputs.append("data")
            continue
        if node.kind == "Dropout":
            outputs.append(inputs[0])
            continue
        weights, bias = network.weights.get(i, (None, None))
        before = network.nodes[node.inputs[0]].attributes
        if node.kind == "InnerProduct" or (node.kind == "Softmax" and before.get("global_pooling") == "true"):
            operators.append(helper.make_node("Flatten", inputs, [f"flat{i}"], axis=1))
            inputs = [f"flat{i}"]
        if node.kind == "InnerProduct":
            kind, fields = "Gemm", {"transB": 1}
            weights = weights.reshape(weights.shape[0], -1)
        elif node.kind in SIMPLE:
            kind, fields = SIMPLE[node.kind](node)
        else:
            raise ValueError(f"layer {node.name}: {node.kind} has no form in ONNX here")
        for name, values in (("weights", weights), ("bias", bias)):
            if values is not None:
                constants.append(numpy_helper.from_array(np.ascontiguousarray(values), f"{name}{i}"))
                inputs.append(f"{name}{i}")
        outputs.append(f"t{i}")
        operators.append(helper.make_node(kind, inputs, [outputs[-1]], name=node.name, **fields))
    result = helper.make_tensor_value_info(outputs[-1], TensorProto.FLOAT, None)
    graph = helper.make_graph(operators, network.name, [data], [result], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    model = onnx.shape_inference.infer_shapes(model)
    onnx.checker.check_model(model)
    return model
