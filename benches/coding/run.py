"""Coded sizes and speeds of published networks at every effort, beside other coders of the same indices or codes: xz,
zstd, NNCodec (`pip install nncodec`, which may be in the environment of another Python that NNCODEC_PYTHON names; without
it that column stays empty) and Deep Compression's layout with fixed widths and with Huffman codes. Codebooks, biases and
the graph are in none of the others' figures. Then how long a whole VGG-16 takes to decode on two threads.

    python3 benches/coding/run.py MODELS [FOLDER]

MODELS holds the folders `bvlc_googlenet`, `squeezenet_v1.1` (deploy.prototxt and caffemodel) and
`squeezenet_deep_compression` (SqueezeNet_deploy.prototxt and compressed_SqueezeNet.net); what is absent is left out.
Files go to FOLDER, a temporary one by default. Prints a table and writes the figures to `benches/coding/results.csv` and `vgg16.csv`.
Speeds are those of one thread in its own time, which a busy machine still makes longer.
"""

import csv
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import huffman

ROOT = Path(__file__).parent.parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
HEAD = ["network", "effort", "weights", "nonzero", "entropy", "weight bytes", "codebook bytes", "bias bytes"]
HEAD += ["framing bytes", "file bytes", "encode M/s", "decode M/s", "two threads", "xz -9e", "zstd -19", "NNCodec"]
HEAD += ["Deep Compression", "with Huffman"]


def run(command):
    return subprocess.run([str(c) for c in command], cwd=ROOT, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout


def packed(command, path):
    try:
        out = subprocess.run([*command, "-c", str(path)], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    except FileNotFoundError:
        return ""
    return len(out.stdout)


def nncodec(levels):
    python = os.environ.get("NNCODEC_PYTHON", "python3")
    out = subprocess.run([python, Path(__file__).parent / "nnc.py", levels], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if out.returncode != 0:
        print(f"skipped: NNCodec ({(out.stderr.strip().splitlines() or ['no reason given'])[-1]})")
        return ""
    return out.stdout.split()[-1]


def vgg16(syn, folder):
    """A whole VGG-16, weights drawn by seed, 91.6% of them zero, on two threads."""
    release = TARGET / "release"
    weights, pruned, grouped = folder / "vgg16.caffemodel", folder / "vgg16.syn", folder / "vgg16-5.syn"
    run([release / "examples/make_caffemodel", "zoo:vgg16", weights, "--seed", "1"])
    prototxt = ROOT / "crates/import/zoo/vgg16.prototxt"
    run([syn, "prune", prototxt, weights, "--sparsity", "0.9161", "-o", pruned])
    run([syn, "group", pruned, "--bits", "5", "-o", grouped])
    rows = []
    for _ in range(3):
        environment = {**os.environ, "RAYON_NUM_THREADS": "2"}
        out = subprocess.run([release / "examples/decode", grouped], env=environment, check=True, stdout=subprocess.PIPE, text=True)
        count, seconds, decoded, peak = out.stdout.strip().split(",")
        over = (int(peak) - int(decoded)) / 2**20
        rows.append([count, grouped.stat().st_size, seconds, decoded, peak, f"{over:.0f}"])
        print(f"VGG-16: {count} weights in {seconds} s, peak memory {over:.0f} MiB over the decoded size", flush=True)
    with (Path(__file__).parent / "vgg16.csv").open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["weights", "file bytes", "seconds", "decoded bytes", "peak bytes", "MiB over"])
        writer.writerows(rows)


def main():
    models = Path(sys.argv[1]).resolve()
    folder = Path(sys.argv[2] if len(sys.argv) > 2 else tempfile.mkdtemp()).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cargo", "build", "--release", "-q", "-p", "synapress"], cwd=ROOT, check=True)
    subprocess.run(["cargo", "build", "--release", "-q", "-p", "synapress-code", "--examples"], cwd=ROOT, check=True)
    subprocess.run(["cargo", "build", "--release", "-q", "-p", "synapress-import", "--examples"], cwd=ROOT, check=True)
    syn, coding = TARGET / "release/synapress", TARGET / "release/examples/coding"

    def encode(name, prototxt, weights):
        path = folder / f"{name}.syn"
        run([syn, "encode", prototxt, weights, "-o", path])
        return path

    cases = []
    deep = models / "squeezenet_deep_compression"
    if deep.is_dir():
        path = encode("dc", deep / "SqueezeNet_deploy.prototxt", deep / "compressed_SqueezeNet.net")
        cases.append(("SqueezeNet, Deep Compression", path, []))
    for name, title in [("bvlc_googlenet", "GoogLeNet"), ("squeezenet_v1.1", "SqueezeNet")]:
        base = models / name
        if not base.is_dir():
            continue
        path = encode(name, base / "deploy.prototxt", base / f"{name}.caffemodel")
        for zeros in ("0.9", "0.67"):
            pruned, grouped = folder / f"{name}-{zeros}.syn", folder / f"{name}-{zeros}-5.syn"
            run([syn, "prune", path, "--sparsity", zeros, "-o", pruned])
            run([syn, "group", pruned, "--bits", "5", "-o", grouped])
            cases.append((f"{title}, 32 centroids, {zeros} zero", grouped, []))
        for zeros in ("0.9", "0.67", "0"):
            cases.append((f"{title}, 8 bits, {zeros} zero", path, [zeros]))
    rows = []
    levels = folder / "levels"
    for title, path, zeros in cases:
        out = run([coding, path, *(zeros or ["0"]), levels])
        peers = [packed(["xz", "-9e"], levels), packed(["zstd", "-19", "-q"], levels)]
        peers += [nncodec(levels), *huffman.sizes(levels)]
        for line in out.split():
            rows.append([title, *line.split(","), *peers])
            print(f"{title:40}" + "".join(f"{v:>11}" for v in rows[-1][1:]), flush=True)
    with (Path(__file__).parent / "results.csv").open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(HEAD)
        writer.writerows(rows)
    vgg16(syn, folder)


main()
