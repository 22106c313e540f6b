"""The text that `golden/decode.py` and the example `dump` of crates/code print of a `.syn` file, read back: nodes with
their attributes, and float weights as arrays. The benchmark runs `dump`, being quicker; neither is the code that is
measured. Grouped and quantized weights are refused: peers start from the float network.
"""

import re
import subprocess
from dataclasses import dataclass
from urllib.parse import unquote

import numpy as np


@dataclass
class Node:
    name: str
    kind: str
    inputs: list
    attributes: dict


@dataclass
class Network:
    name: str
    nodes: list
    #: by node: weights (outputs, inputs of a group, height, width) and bias (outputs) or None, both f32
    weights: dict


def attributes(words):
    """Takes the words of one pair of braces from the front of `words`."""
    fields = {}
    while (word := words.pop(0)) != "}":
        if words[0] == "{":
            words.pop(0)
            value = attributes(words)
        else:
            words.pop(0)
            value = unquote(words.pop(0))
        before = fields.get(word)
        fields[word] = value if before is None else [*(before if isinstance(before, list) else [before]), value]
    return fields


def node(line):
    head, tail = line.split("{", 1)
    _, _, name, kind, _, *inputs = head.split()
    words = re.findall(r"[{}=]|[^{}=\s]+", tail.rsplit(" learning ", 1)[0])
    return Node(unquote(name), kind, [int(i) for i in inputs], attributes(words))


def floats(digits):
    return np.frombuffer(bytes.fromhex(digits), ">f4").astype(np.float32)


def parse(lines):
    """A `Network` of the lines of such a text."""
    title, nodes, weights, at = "", [], {}, None
    for line in lines:
        word, _, rest = line.rstrip("\n").partition(" ")
        if word == "name":
            title = unquote(rest)
        elif word == "node":
            nodes.append(node(line))
        elif word == "weights":
            at, *dims, _, form = rest.split()[:7]
            if form != "0":
                raise ValueError(f"layer {nodes[int(at)].name} has no float weights")
            at, dims, bias = int(at), [int(d) for d in dims], None
        elif word == "bias" and at is not None:
            bias = floats(rest)
        elif at is not None:
            weights[at], at = (floats(rest).reshape(dims), bias), None
    return Network(title, nodes, weights)


def read(dump, path):
    """Reads the file by the program `dump`."""
    with subprocess.Popen([str(dump), str(path)], stdout=subprocess.PIPE, text=True) as process:
        network = parse(process.stdout)
    if process.returncode != 0:
        raise ValueError(f"{path}: {dump} could not read it")
    return network
