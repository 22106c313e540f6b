"""Short lists of FORMAT.md in range code, decoding only: numbers, floats, text, codebooks."""

from rangecode import Models


class Numbers:
    """Numbers of up to 32 bits in the context of how many bits an earlier one had."""

    def __init__(self):
        self.models = Models()

    def decode(self, code, t):
        models = self.models
        bits = code.tree(6, lambda node: models[t, node], lambda node: models["common", node])
        if bits < 2:
            return bits
        head = 2 | code.bit(models["second", bits])
        return head << (bits - 2) | code.plain(bits - 2)


def coded_text(code, n):
    out, last, models, lucky = bytearray(), {}, Models(), 0
    for i in range(n):
        recent = bytes(out[-4:]) if i >= 4 else None
        expected = last.get(recent) if recent else None
        if recent:
            last[recent] = i
        hit = 0
        if expected is not None:
            hit = code.bit(models["match", min(lucky, 15)])
            lucky = lucky + 1 if hit else 0
        if hit:
            out.append(out[expected])
            continue
        before = out[-1] if out else 0
        out.append(code.tree(8, lambda node: models[before, node], lambda node: models["common", node]))
    return bytes(out)


def coded_floats(code, n):
    models, out, before = Models(), [], 0
    highest = code.plain(8)
    for _ in range(n):
        if not code.bit(models["same"]):
            sign, below = code.bit(models["sign"]), 0
            while below < highest and not code.bit(models["below", below]):
                below += 1
            mantissa = 0 if code.bit(models["empty"]) else code.plain(23)
            before = sign << 31 | (highest - below) << 23 | mantissa
        out.append(before)
    return out


def coded_integers(code, n):
    numbers, models, out, t = Numbers(), Models(), [], 0
    for _ in range(n):
        magnitude = numbers.decode(code, t)
        t = magnitude.bit_length()
        out.append(-magnitude if magnitude and code.bit(models["sign"]) else magnitude)
    return out


def codebook(code, n):
    """For each entry whether it is negative, and its magnitude."""
    zero = (bool(code.plain(1)), 0)
    negative = code.uniform(n)
    numbers, lists = Numbers(), []
    for count in (negative, n - 1 - negative):
        magnitudes, t = [0], 32
        for _ in range(count):
            more = numbers.decode(code, t)
            t = more.bit_length()
            magnitudes.append(magnitudes[-1] + more)
        lists.append(magnitudes[1:])
    ordered = [(True, m) for m in reversed(lists[0])] + [(False, m) for m in lists[1]]
    if not code.plain(1):
        return [zero, *ordered]
    places, entries = list(range(1, n)), [zero] * n
    for entry in ordered:
        entries[places.pop(code.uniform(len(places)))] = entry
    return entries
