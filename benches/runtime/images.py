"""Labelled images of a list file as the arrays that networks take: blue green red, mean subtracted, centre crop."""

from pathlib import Path

import numpy as np
from PIL import Image

MEAN = np.array([104, 117, 123], np.float32).reshape(3, 1, 1)


def paths(list_file, count):
    """The first `count` images, as pairs of path and label."""
    lines = Path(list_file).read_text().split("\n")[:count]
    return [(Path(list_file).parent / p, int(label)) for p, label in (line.rsplit(" ", 1) for line in lines if line)]


def shrink(list_file, side, count, folder):
    """Writes the first `count` images as PNG of `side` pixels, and a list of these, whose path it returns."""
    folder.mkdir(exist_ok=True)
    lines = []
    for path, label in paths(list_file, count):
        small = folder / f"{path.stem}.png"
        Image.open(path).convert("RGB").resize((side, side), Image.BILINEAR).save(small)
        lines.append(f"{small} {label}\n")
    (folder / "list.txt").write_text("".join(lines))
    return folder / "list.txt"


def load(list_file, side, count):
    """The first `count` images (count, 3, side, side) f32, and their labels. Pictures that are too small are made larger."""
    batch, labels = [], []
    for path, label in paths(list_file, count):
        picture = Image.open(path).convert("RGB")
        if min(picture.size) < side:
            size = [max(side, round(n * side / min(picture.size))) for n in picture.size]
            picture = picture.resize(size, Image.BILINEAR)
        left, top = ((n - side) // 2 for n in picture.size)
        pixels = np.asarray(picture.crop((left, top, left + side, top + side)), np.float32)
        batch.append(pixels[:, :, ::-1].transpose(2, 0, 1) - MEAN)
        labels.append(label)
    return np.stack(batch), np.array(labels)
