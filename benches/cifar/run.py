"""Networks of the zoo for CIFAR-10, trained from nothing and compressed at the paper's sparsities, on two threads:

    python3 benches/cifar/run.py TRAIN TEST FOLDER [NAME...]

TRAIN and TEST are what `--data` and `--val` take; test images are only looked at, by nothing that is trained or searched.
Networks are kept in FOLDER, where a run that was interrupted goes on. What training came to is written to
NAME.trained.json and the table of its compression, by NAME.toml, to NAME.json beside this file.
"""

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from compress import TARGET, build, cpu, table  # noqa: E402

#: name: network of the zoo, passes over the training images and what else training images are put through
NETWORKS = {
    "vgg16-half": ("vgg16_cifar10_half", 24, ""),
    "vgg16-half-cutout": ("vgg16_cifar10_half", 28, "--cutout 8"),
    "googlenet": ("googlenet_cifar10", 12, ""),
}
IMAGES = "--mean 125,123,114 --shift 4 --threads 2"
TRAINING = "--batch 128 --learning-rate 0.1 --nesterov --decay 5e-4 --label-smoothing 0.1 --warmup 400 --checkpoint-every 200"


def run(words, out):
    """Seconds of the clock and of the processor that a command which writes `out` took, its interrupted runs included:
    they are kept beside `out`."""
    kept = out.with_suffix(".seconds.json")
    earlier = json.loads(kept.read_text()) if kept.exists() else [0.0, 0.0]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    try:
        subprocess.run([*(str(word) for word in words), "-o", str(out)], check=True)
    finally:
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        took = [round(earlier[0] + time.monotonic() - start, 1), round(earlier[1] + spent, 1)]
        kept.write_text(json.dumps(took))
    kept.unlink()
    return took


def train(name, data, out):
    zoo, epochs, more = NETWORKS[name]
    settings = f"{IMAGES} {more} {TRAINING} --epochs {epochs} --test-interval {5 * 391}".split()
    clock, spent = run([TARGET / "release/synapress", "train", f"zoo:{zoo}", *data, *settings], out)
    figures = json.loads(out.with_suffix(".json").read_text())
    about = {"network": f"zoo:{zoo}", "data": data[1].name, "settings": " ".join(settings), "cpu": cpu()}
    about |= {"seconds": clock, "processor_seconds": spent, "images": figures["images"]}
    tests = figures["training"]["tests"]
    (HERE / f"{name}.trained.json").write_text(json.dumps(about | {"tests": tests}, indent=1) + "\n")


def compress(name, data, net, out):
    settings = [*IMAGES.split(), *NETWORKS[name][2].split(), "--recipe", HERE / f"{name}.toml"]
    clock, spent = run([TARGET / "release/synapress", "compress", net, *data, *settings], out)
    figures = json.loads(out.with_suffix(".json").read_text())
    about = {"cpu": cpu(), "data": data[1].name, "seconds": clock, "processor_seconds": spent}
    (HERE / f"{name}.json").write_text(json.dumps(about | table(figures), indent=1) + "\n")


def main():
    data = ["--data", Path(sys.argv[1]).resolve(), "--val", Path(sys.argv[2]).resolve()]
    folder = Path(sys.argv[3])
    folder.mkdir(parents=True, exist_ok=True)
    build()
    for name in sys.argv[4:] or NETWORKS:
        trained = folder / f"{name}.syn"
        if not trained.exists():
            train(name, data, trained)
        compress(name, data, trained, folder / f"{name}-compressed.syn")


main()
