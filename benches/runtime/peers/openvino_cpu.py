"""OpenVINO on the CPU with the latency hint: fp32; bf16, which it takes for float networks of its own accord where the CPU
has it; int8 by NNCF's post-training quantization; and that without AMX, as on CPUs that have VNNI alone.
"""

from peers import Skip

PACKAGES = ["openvino", "nncf"]
PRECISIONS = ["fp32", "bf16", "int8", "int8, AMX off"]
CALIBRATION = 300


def flags():
    with open("/proc/cpuinfo") as file:
        return next((line.split() for line in file if line.startswith("flags")), [])


def prepare(precision, network):
    import openvino

    if precision == "bf16" and not {"avx512_bf16", "amx_bf16"} & set(flags()):
        raise Skip("this CPU has no bf16")
    if precision == "int8, AMX off" and "amx_int8" not in flags():
        raise Skip("this CPU has no AMX")
    kind = "int8" if "int8" in precision else "float"
    out = network.file(f"openvino-{kind}.xml")
    if not out.exists():
        model = openvino.Core().read_model(str(network.onnx))
        if kind == "int8":
            import nncf

            images = [image[None] for image in network.calibration[:CALIBRATION]]
            model = nncf.quantize(model, nncf.Dataset(images), subset_size=len(images))
        openvino.save_model(model, str(out), compress_to_fp16=False)
    return f"{out}:{precision}"


def environment(precision):
    return {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE_VNNI"} if precision == "int8, AMX off" else {}


def load(model, shape, threads):
    """The note tells the precision of what is not int8, and the kernels of convolutions and fully connected layers."""
    import openvino

    path, precision = model.rsplit(":", 1)
    core = openvino.Core()
    loaded = core.read_model(path)
    loaded.reshape(list(shape))
    settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads}
    if precision == "fp32":
        settings["INFERENCE_PRECISION_HINT"] = "f32"
    network = core.compile_model(loaded, "CPU", settings)
    kernels = {}
    for node in network.get_runtime_model().get_ordered_ops():
        told = node.get_rt_info()
        if told["layerType"].astype(str) in ("Convolution", "FullyConnected"):
            kernel = told["primitiveType"].astype(str)
            kernels[kernel] = kernels.get(kernel, 0) + 1
    hint = network.get_property("INFERENCE_PRECISION_HINT").to_string()
    note = "; ".join([hint, *(f"{n} {kernel}" for kernel, n in kernels.items())])
    request = network.create_infer_request()
    return lambda images: request.infer({0: images})[0], note
