#!/usr/bin/env python3
"""Computes an exported network from its memory images as FORMAT.md describes them, in plain integers, and compares
every layer with the golden vectors. It shares no code with Synapress. The argument is a folder of
`synapress export --to memh`."""

import json
import math
import os
import struct
import sys


def read(folder, place):
    """The integers of a memory."""
    with open(os.path.join(folder, place["file"])) as file:
        words = [int(line, 16) for line in file]
    assert len(words) == place["words"], place
    top = 1 << (place["word_bits"] - 1)
    return [w - 2 * top if place["signed"] and w >= top else w for w in words]


def shift(x, s):
    return (x + (1 << (s - 1))) >> s if s > 0 else x << -s


def saturate(x, f):
    low, high = (-(1 << (f["bits"] - 1)), (1 << (f["bits"] - 1)) - 1) if f["signed"] else (0, (1 << f["bits"]) - 1)
    return max(low, min(high, x))


def fixed(value, frac):
    """A number as an integer of 16 bits."""
    return max(-32768, min(32767, math.floor(value * 2.0**frac + 0.5)))


def single(value):
    """A number as it is in single precision."""
    return struct.unpack("f", struct.pack("f", value))[0]


def rows(folder, layer):
    """For each output its taps that have an entry, and their weights."""
    w, memories = layer["weights"], {name: read(folder, place) for name, place in layer["memories"].items()}
    table = memories["rows"]
    for output in range(w["dims"][0]):
        tap, row = 0, []
        for entry in memories["weights"][table[output] : table[output + 1]]:
            tap += entry >> w["code_bits"]
            code = entry & ((1 << w["code_bits"]) - 1)
            if w["code"] == "index":
                code = memories["codebook"][code]
            elif code >> (w["code_bits"] - 1):
                code -= 1 << w["code_bits"]
            row.append((tap, code))
            tap += 1
        yield row


def biases(folder, layer):
    """The bias of each output in the accumulator, 0 without one."""
    if layer["bias"] is None:
        return [0] * layer["weights"]["dims"][0]
    return [shift(b, -layer["bias"]["shift"]) for b in read(folder, layer["memories"]["bias"])]


def weighted(folder, layer, x):
    g, (channels, height, width) = layer["window"], layer["input_shapes"][0]
    outputs, (kh, kw), out = layer["weights"]["dims"][0], g["kernel"], []
    for o, (row, bias) in enumerate(zip(rows(folder, layer), biases(folder, layer))):
        first = o // (outputs // g["groups"]) * (channels // g["groups"])
        for y in range(layer["output_shape"][1]):
            for column in range(layer["output_shape"][2]):
                total = bias
                for t, weight in row:
                    iy = y * g["stride"][0] + t // kw % kh * g["dilation"][0] - g["pad"][0]
                    ix = column * g["stride"][1] + t % kw * g["dilation"][1] - g["pad"][1]
                    if 0 <= iy < height and 0 <= ix < width:
                        total += weight * x[((first + t // (kh * kw)) * height + iy) * width + ix]
                out.append(shift(total, layer["accumulator"]["shift"]))
    return out


def pooled(layer, x):
    a, (channels, height, width), s = layer["attributes"], layer["input_shapes"][0], layer["input_shifts"][0]
    sizes = lambda name, short, default: [a.get(f"{short}_{axis}", a.get(name, default)) for axis in "hw"]
    kernel, stride, pad = sizes("kernel_size", "kernel", 0), sizes("stride", "stride", 1), sizes("pad", "pad", 0)
    ends = [a.get(f"pad_end_{axis}", a.get("pad_end", p)) for axis, p in zip("hw", pad)]
    if a.get("global_pooling"):
        kernel = [height, width]
    out = []
    for c in range(channels):
        for y in range(layer["output_shape"][1]):
            for column in range(layer["output_shape"][2]):
                pixels, n = [[]], 1
                for at, size, k, step, p, end in zip((y, column), (height, width), kernel, stride, pad, ends):
                    start = at * step
                    pixels.append(range(max(0, start - p), min(size, start - p + k)))
                    n *= min(start + k, size + p + end) - start if a.get("count_include_pad", True) else len(pixels[-1])
                values = [x[(c * height + iy) * width + ix] for iy in pixels[1] for ix in pixels[2]]
                if a["pool"] == "MAX":
                    out.append(shift(max(values), s))
                else:
                    l = (n - 1).bit_length()
                    out.append(shift(sum(values) * (((1 << (16 + l)) // n + 1) // 2), 15 + l + s))
    return out


def normalized(folder, layer, x):
    a, (channels, height, width), s = layer["attributes"], layer["input_shapes"][0], layer["input_shifts"][0]
    table, half, out = read(folder, layer["memories"]["table"]), a.get("local_size", 5) // 2, []
    within = a.get("norm_region") == "WITHIN_CHANNEL"
    near = lambda at, size: range(max(0, at - half), min(size, at + half + 1))
    for c in range(channels):
        for y in range(height):
            for column in range(width):
                places = [(c, iy, ix) for iy in near(y, height) for ix in near(column, width)]
                places = places if within else [(ic, y, column) for ic in near(c, channels)]
                q = sum(x[(ic * height + iy) * width + ix] ** 2 for ic, iy, ix in places)
                b = q.bit_length()
                e = table[q if q < 64 else 64 * (b - 6) + (q >> (b - 7)) - 64] & 0xFFFF
                out.append(shift(x[(c * height + y) * width + column] * (512 + (e & 511)), (e >> 9) - 32 + s))
    return out


def combined(layer, inputs, formats):
    a, target = layer["attributes"], layer["output_format"]["frac"]
    operation, fracs = a.get("operation", "SUM"), [f["frac"] for f in formats]
    if operation == "PROD":
        return [shift(math.prod(values), sum(fracs) - target) for values in zip(*inputs)]
    if operation == "MAX":
        return [max(shift(v, s) for v, s in zip(values, layer["input_shifts"])) for values in zip(*inputs)]
    c = a.get("coeff", [1.0] * len(inputs))
    c = [single(v) for v in (c if isinstance(c, list) else [c])]
    largest = max(abs(v) for v in c)
    g = max(g for g in range(-64, 65) if math.floor(largest * 2.0**g + 0.5) <= 32767)
    common = min(max(fracs), min(fracs) + 24)
    terms = [[shift(v * fixed(k, g), f - common) for v in x] for x, k, f in zip(inputs, c, fracs)]
    return [shift(sum(values), common + g - target) for values in zip(*terms)]


def compute(folder, layer, inputs, formats):
    """A layer's integers, not yet saturated."""
    kind, x = layer["kind"], inputs[0]
    area = math.prod(layer["output_shape"][1:])
    if layer["window"]:
        return weighted(folder, layer, x)
    if kind in ("Scale", "PReLU"):
        weights = [dict(row).get(0, 0) for row in rows(folder, layer)]
        weights *= layer["output_shape"][0] // len(weights)
        right, s = layer["accumulator"]["shift"], layer["input_shifts"][0]
        if kind == "Scale":
            bias = biases(folder, layer)
            return [shift(weights[i // area] * v + bias[i // area], right) for i, v in enumerate(x)]
        return [shift(v, s) if v >= 0 else shift(weights[i // area] * v, right) for i, v in enumerate(x)]
    if kind == "ReLU":
        s, n = layer["input_shifts"][0], fixed(single(layer["attributes"].get("negative_slope", 0)), 14)
        return [shift(v, s) if v >= 0 else shift(v * n, s + 14) for v in x]
    if kind == "Clip":
        a, frac = layer["attributes"], layer["output_format"]["frac"]
        low, high = [math.floor(single(a[end]) * 2.0**frac + 0.5) for end in ("min", "max")]
        return [max(low, min(high, shift(v, layer["input_shifts"][0]))) for v in x]
    if kind == "Pooling":
        return pooled(layer, x)
    if kind == "LRN":
        return normalized(folder, layer, x)
    if kind in ("Sigmoid", "TanH", "Power"):
        table, f = read(folder, layer["memories"]["table"]), formats[0]
        lowest = -(1 << (f["bits"] - 1)) if f["signed"] else 0
        return [table[(v - lowest) >> max(0, f["bits"] - 12)] for v in x]
    if kind == "Eltwise":
        return combined(layer, inputs, formats)
    assert kind in ("Concat", "Split", "Flatten", "Reshape", "Dropout"), f"{kind} is not described"
    return [shift(v, s) for part, s in zip(inputs, layer["input_shifts"]) for v in part]


def main(folder):
    with open(os.path.join(folder, "manifest.json")) as file:
        manifest = json.load(file)
    layers, wrong = manifest["layers"], 0
    for golden in manifest["golden"]:
        outputs = {}
        for layer in layers:
            number, to = layer["node"], layer["output_format"]
            if to is None:
                continue
            expected = read(folder, golden["outputs"][str(number)])
            if layer["inputs"]:
                formats = [layers[i]["output_format"] for i in layer["inputs"]]
                found = compute(folder, layer, [outputs[i] for i in layer["inputs"]], formats)
                outputs[number] = [saturate(v, to) for v in found]
            else:
                outputs[number] = expected
            if outputs[number] != expected:
                wrong += 1
                print(f"{golden['image']}: {layer['name']} ({layer['kind']}) differs from the golden vector")
    kinds = sorted({layer["kind"] for layer in layers})
    print(f"{folder}: {wrong} layers differ; {len(manifest['golden'])} images; {', '.join(kinds)}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
