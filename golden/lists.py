"""Short lists of FORMAT.md in range code, decoding only: numbers, floats, text, codebooks."""

from rangecode import Models, scale


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


def mantissa(bits):
    """The mantissa of a float without a sign, and its exponent."""
    return bits & 0x7FFFFF | (bits >> 23 > 0) << 23, max(bits >> 23, 1)


def expected(before, last):
    """How much more the next magnitude is if it follows at the same distance."""
    (m, exponent), (n, above) = mantissa(before), mantissa(last)
    d, room = max(0, n - (m >> min(31, max(0, above - exponent)))), 2**24 - n
    return d if d <= room else room + ((d - room) >> 1)


class Spaces:
    """Lists of rising magnitudes."""

    def __init__(self):
        self.starts, self.models, self.noise = Numbers(), Models(), 96

    def list(self, code, count):
        out = []
        for i in range(count):
            last = out[-1] if out else 0
            out.append(last + (self.starts.decode(code, i) if i < 2 else self.space(code, expected(out[-2], last))))
        return out

    def space(self, code, expected):
        noise, distance = min(5, (self.noise >> 4).bit_length()), 0
        while distance < 239 and not code.bit(self.distance(noise, min(24, distance))):
            distance += 1
        self.noise += 4 * distance - (self.noise >> 2)
        step = scale(expected)
        if distance and code.bit(self.models["narrower"]):
            step = max(0, step - distance)
        else:
            step = min(239, step + distance)
        left = max(0, step // 8 - 1)
        return (step if step < 8 else 8 | step & 7) << left | code.plain(left)

    def distance(self, noise, distance):
        key = noise, distance
        if key not in self.models:
            self.models[key].q, self.models[key].k = 64 * (131072 // (4 + 2**noise)), 20
        return self.models[key]


def codebook(code, n):
    """For each entry whether it is negative, and its magnitude."""
    zero = (bool(code.plain(1)), 0)
    negative = code.uniform(n)
    spaces = Spaces()
    lists = [spaces.list(code, count) for count in (negative, n - 1 - negative)]
    ordered = [(True, m) for m in reversed(lists[0])] + [(False, m) for m in lists[1]]
    if not code.plain(1):
        return [zero, *ordered]
    places, entries = list(range(1, n)), [zero] * n
    for entry in ordered:
        entries[places.pop(code.uniform(len(places)))] = entry
    return entries
