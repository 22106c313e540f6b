"""ONNX Runtime on the CPU: fp32, and int8 by its own static quantization (QDQ, weights with a scale for each channel)."""

PACKAGES = ["onnxruntime"]
PRECISIONS = ["fp32", "int8"]
CALIBRATION = 64


def prepare(precision, network):
    if precision == "fp32":
        return network.onnx
    out = network.file("qdq.onnx")
    if out.exists():
        return out
    from onnxruntime import quantization
    from onnxruntime.quantization import shape_inference

    class Images(quantization.CalibrationDataReader):
        def __init__(self):
            self.images = iter(network.calibration[:CALIBRATION])

        def get_next(self):
            image = next(self.images, None)
            return None if image is None else {"data": image[None]}

    ready = network.file("preprocessed.onnx")
    shape_inference.quant_pre_process(str(network.onnx), str(ready))
    quantization.quantize_static(
        str(ready),
        str(out),
        Images(),
        quant_format=quantization.QuantFormat.QDQ,
        per_channel=True,
        activation_type=quantization.QuantType.QUInt8,
        weight_type=quantization.QuantType.QInt8,
    )
    return out


def load(model, shape, threads):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    options.add_free_dimension_override_by_name("N", shape[0])
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return lambda images: session.run(None, {"data": images})[0], ""
