"""ONNX in and out, beside ONNX Runtime: `run.py [IMAGES]`, with PyTorch, torchvision, onnx and onnxruntime installed.

1. Networks of torchvision, exported by PyTorch in three ways (export.py), are imported; scores of random inputs must agree
   with those of ONNX Runtime within 1e-4 of the largest.
2. Each is exported again: ONNX Runtime must give the same scores for the copy, and the copy's own copy must be
   the same to the byte.
3. With the folder of models and images, GoogLeNet and SqueezeNet v1.1 are quantized with 64 images and exported as
   onnx-qdq; ONNX Runtime's top-1 on 500 images is counted beside that of the integers.

Results go to agreement.json and quantized.json beside this file. Numbers of the accuracy of random networks have no meaning.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnxruntime

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
SYN, OUTPUTS = TARGET / "synapress", TARGET / "examples" / "outputs"
#: of random images
IMAGES = 4
FORMS = ["script", "train", "dynamo"]


def run(*words):
    done = subprocess.run([str(w) for w in words], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, words))}\n{done.stderr}")
    return done.stdout


def runtime(model, pixels, level=onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL):
    """ONNX Runtime's scores, image by image."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = level
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return np.stack([session.run(None, {name: image[None]})[0].reshape(-1) for image in pixels])


def ours(model, pixels, folder):
    pixels.tofile(folder / "pixels")
    run(OUTPUTS, model, folder / "pixels", folder / "scores")
    return np.fromfile(folder / "scores", np.float32).reshape(len(pixels), -1)


def difference(a, b):
    return float(np.abs(a - b).max() / np.abs(b).max())


def agreement(folder):
    from export import NETWORKS, export

    rows = []
    for name in NETWORKS:
        export(name, folder)
        pixels = np.random.default_rng(1).standard_normal((IMAGES, 3, 224, 224)).astype(np.float32)
        for form in FORMS:
            model, copy = folder / f"{name}.{form}.onnx", folder / "copy.onnx"
            summary = json.loads(run(SYN, "import", model, "-o", folder / "net.syn", "--json"))
            wanted, found = runtime(model, pixels), ours(model, pixels, folder)
            run(SYN, "export", model, "--to", "onnx", "-o", copy)
            run(SYN, "export", copy, "--to", "onnx", "-o", folder / "again.onnx")
            row = {
                "network": name,
                "exporter": form,
                "layers": summary["layers"],
                "parameters": summary["parameters"],
                "import_difference": difference(found, wanted),
                "export_difference": difference(runtime(copy, pixels), wanted),
                "same_top1": int((found.argmax(1) == wanted.argmax(1)).sum()),
                "images": IMAGES,
                "copy_is_the_same": copy.read_bytes() == (folder / "again.onnx").read_bytes(),
            }
            rows.append(row)
            print(row, flush=True)
            assert row["import_difference"] < 1e-4 and row["export_difference"] < 1e-4 and row["copy_is_the_same"], row
        for file in folder.glob(f"{name}.*"):
            file.unlink()
    return rows


def quantized(shared, folder):
    models, data = shared / "models", shared / "data"
    train = data / "imagenet-train1000" / "imagenet-train1000.txt"
    val = data / "imagenet-val500" / "imagenet-val500.txt"
    labels = np.array([int(line.rsplit(" ", 1)[1]) for line in val.read_text().splitlines()])
    networks = {
        "GoogLeNet": models / "bvlc_googlenet",
        "SqueezeNet v1.1": models / "squeezenet_v1.1",
    }
    rows = []
    for name, place in networks.items():
        for bits in (8, 16):
            source = [place / "deploy.prototxt", next(place.glob("*.caffemodel"))]
            syn, qdq = folder / "quantized.syn", folder / "quantized.onnx"
            widths = ["--conv-bits", bits, "--fc-bits", bits, "--output-bits", bits]
            run(SYN, "quantize", *source, "--data", train, "--mean", "104,117,123", *widths, "-o", syn)
            run(SYN, "export", syn, "--to", "onnx-qdq", "-o", qdq)
            run(OUTPUTS, syn, "--list", val, folder / "pixels", folder / "scores")
            scores = np.fromfile(folder / "scores", np.float32).reshape(len(labels), -1)
            side = {"GoogLeNet": 224, "SqueezeNet v1.1": 227}[name]
            pixels = np.fromfile(folder / "pixels", np.float32).reshape(len(labels), 3, side, side)
            row = {"network": name, "bits": bits, "images": len(labels)}
            row["integers_top1"] = int((scores.argmax(1) == labels).sum())
            levels = {"plain": "ORT_DISABLE_ALL", "optimized": "ORT_ENABLE_ALL"}
            for level, option in levels.items():
                found = runtime(qdq, pixels, getattr(onnxruntime.GraphOptimizationLevel, option))
                row[f"{level}_top1"] = int((found.argmax(1) == labels).sum())
                row[f"{level}_agrees"] = int((found.argmax(1) == scores.argmax(1)).sum())
            rows.append(row)
            print(row, flush=True)
    return rows


def save(name, rows):
    about = {"onnxruntime": onnxruntime.__version__, "rows": rows}
    (HERE / name).write_text(json.dumps(about, indent=1) + "\n")


if __name__ == "__main__":
    subprocess.run(["cargo", "build", "--release", "-p", "synapress", "--bins", "--example", "outputs"], cwd=ROOT, check=True)
    with tempfile.TemporaryDirectory() as folder:
        save("agreement.json", agreement(Path(folder)))
        if len(sys.argv) > 1:
            save("quantized.json", quantized(Path(sys.argv[1]), Path(folder)))
