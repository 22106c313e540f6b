"""The networks of the benchmark, each as float `.syn`, as ONNX of the very same weights, and compressed by Synapress; and
the images that they are calibrated, compared and timed with.

`vgg16-fc` is fc6 to fc8 of VGG-16 (25088-4096-4096-1000), weights drawn by seed, 95% of them zero, behind a 1x1
convolution that makes 512 channels of a 7x7 image: a thousandth of the arithmetic, and so it takes images as others do.
`vgg16-fc-dense` is the same with all weights; its compressed form has 4-bit weights.
"""

import functools
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import float_onnx
import images
import syn

ROOT = Path(__file__).parent.parent.parent
RELEASE = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
SYNAPRESS = RELEASE / "synapress"
PREPROCESS = ["--mean", "104,117,123"]
#: images of TRAIN that peers may calibrate on; as many as NNCF takes by default
CALIBRATION = 300
#: share of zeros, in groups of 1x4 input channels, of the row `int8 compressed` where no file is given: to be timed, with
#: more zeros than accuracy allows; the files of whoever measures a claim come by `--compressed`
SPARSITY = {"googlenet": 0.6, "squeezenet_v1.1": 0.3}


def layer(name, kind, bottom, parameters=""):
    top = bottom if kind == "ReLU" else name
    return f'layer {{ name: "{name}" type: "{kind}" bottom: "{bottom}" top: "{top}" {parameters} }}\n'


def vgg16_fc():
    shape = "shape { dim: 1 dim: 3 dim: 7 dim: 7 }"
    text = f'name: "VGG-16 fc"\nlayer {{ name: "data" type: "Input" top: "data" input_param {{ {shape} }} }}\n'
    text += layer("features", "Convolution", "data", "convolution_param { num_output: 512 kernel_size: 1 }")
    text += layer("relu5", "ReLU", "features")
    before = "features"
    for i, outputs in ((6, 4096), (7, 4096), (8, 1000)):
        text += layer(f"fc{i}", "InnerProduct", before, f"inner_product_param {{ num_output: {outputs} }}")
        before = f"fc{i}"
        if i < 8:
            text += layer(f"relu{i}", "ReLU", before)
    return text + layer("prob", "Softmax", "fc8")


def run(*command):
    out = subprocess.run([str(c) for c in command], cwd=ROOT, capture_output=True, text=True)
    if out.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))} failed:\n{out.stderr}")
    return out.stdout


def build():
    cargo = ["cargo", "build", "--release", "-q"]
    run(*cargo, "-p", "synapress")
    run(*cargo, "-p", "synapress-code", "--example", "dump")
    run(*cargo, "-p", "synapress-import", "--example", "make_caffemodel")


@dataclass
class Network:
    name: str
    side: int
    folder: Path
    train: Path
    val: Path
    #: how many images of `val` the peers' top-1 is compared on
    compared: int
    batches: list
    #: a compressed network to measure in place of one made here
    given: Path | None = None

    def file(self, name):
        return self.folder / f"{self.name}-{name}"

    @property
    def float_syn(self):
        return self.file("float.syn")

    @property
    def onnx(self):
        return self.file("float.onnx")

    @functools.cached_property
    def calibration(self):
        return images.load(self.train, self.side, CALIBRATION)[0]

    @property
    def arrays(self):
        """Images to time and compare on, `.npy`."""
        return self.file("images.npy")

    @property
    def raw(self):
        """The same as little-endian floats and nothing else."""
        return self.file("images.f32")

    def make(self, models):
        """Writes the float `.syn`, the ONNX model and the images, and says which classes the images have."""
        needed = max(self.compared, *self.batches)
        if self.side == 7:
            self.train = images.shrink(self.train, self.side, CALIBRATION, self.file("train"))
            self.val = images.shrink(self.val, self.side, needed, self.file("val"))
            prototxt, weights, dense = self.file("net.prototxt"), self.file("net.caffemodel"), self.file("dense.syn")
            if not self.float_syn.exists():
                prototxt.write_text(vgg16_fc())
                run(RELEASE / "examples/make_caffemodel", prototxt, weights, "--seed", 1)
                whole = self.name == "vgg16-fc-dense"
                run(SYNAPRESS, "encode", prototxt, weights, *PREPROCESS, "-o", self.float_syn if whole else dense)
                if not whole:
                    prune = ["prune", dense, "--sparsity", 0.95, "--spread", "layer", "--exclude", "features"]
                    run(SYNAPRESS, *prune, "-o", self.float_syn)
        elif not self.float_syn.exists():
            source = models / {"googlenet": "bvlc_googlenet"}.get(self.name, self.name)
            weights = source / f"{source.name}.caffemodel"
            run(SYNAPRESS, "encode", source / "deploy.prototxt", weights, *PREPROCESS, "-o", self.float_syn)
        if not self.onnx.exists():
            import onnx

            onnx.save(float_onnx.build(syn.read(RELEASE / "examples/dump", self.float_syn)), self.onnx)
        pictures, labels = images.load(self.val, self.side, needed)
        np.save(self.arrays, pictures)
        pictures.astype("<f4").tofile(self.raw)
        return labels

    def quantized(self, source, name, fc_bits=8):
        out = self.file(name)
        if not out.exists():
            bits = ["--conv-bits", 8, "--fc-bits", fc_bits, "--output-bits", 8]
            run(SYNAPRESS, "quantize", source, "--data", self.train, "--limit", 64, *bits, "-o", out)
        return out

    def compressed(self):
        """8-bit weights and outputs, pruned: fc layers grouped to 5 bits, others in groups of 1x4 input channels. Dense
        fc layers have 4-bit weights."""
        if self.given:
            return self.given
        if self.name == "vgg16-fc-dense":
            return self.quantized(self.float_syn, "compressed.syn", 4)
        between = self.file("between.syn")
        if between.exists():
            return self.quantized(between, "compressed.syn")
        if self.name == "vgg16-fc":
            run(SYNAPRESS, "group", self.float_syn, "--bits", 5, "-o", between)
        else:
            prune = ["prune", self.float_syn, "--pattern", "1x4", "--sparsity", SPARSITY[self.name], "--spread", "layer"]
            resolve = ["--rounds", 4, "--data", self.train, "--limit", 256, "--resolve-images", 128, "--steps", 0]
            run(SYNAPRESS, *prune, *resolve, "-o", between)
        return self.quantized(between, "compressed.syn")
