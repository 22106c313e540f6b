"""ncnn on the CPU: fp32 by pnnx from ONNX, and int8 by ncnn's `ncnn2table` and `ncnn2int8`. Its PyPI package has neither, so
int8 needs a folder with both, built from ncnn's sources (`cmake -DNCNN_SIMPLEOCV=ON .. && make ncnn2table ncnn2int8`), that
NCNN_TOOLS names.
"""

import os
import subprocess
from pathlib import Path

import numpy as np

from peers import Skip

PACKAGES = ["ncnn", "pnnx"]
PRECISIONS = ["fp32", "int8"]
CALIBRATION = 64


def call(*command):
    out = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if out.returncode != 0:
        raise Skip(f"{Path(command[0]).name} failed: {(out.stderr.strip().splitlines() or ['no reason given'])[-1]}")


def tool(name):
    for place in [Path(os.environ.get("NCNN_TOOLS", "")), Path(os.environ.get("NCNN_TOOLS", "")) / "tools/quantize"]:
        if os.environ.get("NCNN_TOOLS") and (place / name).is_file():
            return place / name
    raise Skip(f"ncnn's PyPI package lacks {name}; NCNN_TOOLS may name a folder that has it")


def prepare(precision, network):
    """A path without its ending: `.param` and `.bin` belong to it."""
    import pnnx

    base = network.file("pnnx")
    base.mkdir(exist_ok=True)
    floats = base / "net.ncnn"
    if not floats.with_name("net.ncnn.param").exists():
        copy = base / "net.onnx"
        os.link(network.onnx, copy) if not copy.exists() else None
        shape = f"inputshape=[1,3,{network.side},{network.side}]"
        call(pnnx.EXEC_PATH, copy, shape, "fp16=0")
    if precision == "fp32":
        return floats
    table, int8 = tool("ncnn2table"), tool("ncnn2int8")
    whole = base / "int8"
    if not whole.with_suffix(".param").exists():
        files = []
        for i, image in enumerate(network.calibration[:CALIBRATION]):
            files.append(base / f"{i}.npy")
            np.save(files[-1], image)
        names = base / "images.txt"
        names.write_text("".join(f"{file}\n" for file in files))
        weights = [base / "net.ncnn.param", base / "net.ncnn.bin"]
        shape = f"shape=[{network.side},{network.side},3]"
        call(table, *weights, names, base / "net.table", shape, "thread=2", "method=kl", "type=1")
        call(int8, *weights, whole.with_suffix(".param"), whole.with_suffix(".bin"), base / "net.table")
    return whole


def load(model, shape, threads):
    import ncnn

    net = ncnn.Net()
    net.opt.num_threads, net.opt.use_vulkan_compute = threads, False
    if net.load_param(f"{model}.param") or net.load_model(f"{model}.bin"):
        raise SystemExit(f"ncnn cannot load {model}")

    def run(images):
        extractor = net.create_extractor()
        extractor.input("in0", ncnn.Mat(images, batch_index=0))
        return extractor.extract("out0")[1].numpy(batch_index=0)

    return run, ""
