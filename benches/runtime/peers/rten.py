"""RTen by a small program, `rten/`, that cargo builds against the released crate: fp32, and int8 as its own tool makes it,
which is ONNX Runtime's dynamic quantization; RTen runs no static one in integers.
"""

import json
import subprocess
from pathlib import Path

from peers import Skip

PACKAGES = []
PRECISIONS = ["fp32", "int8 dynamic"]
HERE = Path(__file__).parent.parent / "rten"


def program():
    return HERE / "target/release/rten-peer"


def build():
    command = ["cargo", "build", "--release", "-q", "--target-dir", str(HERE / "target")]
    out = subprocess.run(command, cwd=HERE, capture_output=True, text=True)
    if out.returncode != 0:
        raise Skip(f"cargo could not build it: {out.stderr.strip().splitlines()[-1]}")


def versions():
    lines = (HERE / "Cargo.lock").read_text().splitlines()
    version = lines[lines.index('name = "rten"') + 1]
    return "rten " + version.split('"')[1]


def prepare(precision, network):
    build()
    if precision == "fp32":
        return network.onnx
    out = network.file("dynamic.onnx")
    if not out.exists():
        from onnxruntime import quantization

        quantization.quantize_dynamic(str(network.onnx), str(out))
    return out


def call(*arguments):
    out = subprocess.run([str(a) for a in (program(), *arguments)], capture_output=True, text=True)
    if out.returncode != 0:
        raise Skip((out.stderr.strip().splitlines() or ["it failed"])[-1])
    return out.stdout


def measure(model, network, batch, threads, seconds):
    return json.loads(call(model, batch, threads, seconds, network.raw))


def classes(model, network):
    return [int(line) for line in call(model, 0, 2, 0, network.raw).split()]
