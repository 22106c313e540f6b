// What is shown of a network: its guesses, how long they took, and what it is. Knows nothing of workers or cameras.

/** How many guesses are shown. */
export const COUNT = 5;

/** Frames whose median is shown. */
const RECENT = 15;

export class Panel {
  #root;
  #rows;
  #milliseconds;
  #rate;
  #recent = [];
  #labels;

  /** Makes the panel of a network as models.json has it, from the page's template. */
  constructor(template, model, labels, id) {
    this.#root = template.content.firstElementChild.cloneNode(true);
    this.#labels = labels;
    const title = this.#root.querySelector("h3");
    title.textContent = model.name;
    title.id = `model-${id}`;
    this.#root.setAttribute("aria-labelledby", title.id);
    const list = this.#root.querySelector(".guesses");
    list.setAttribute("aria-label", `Guesses of ${model.name}, the most probable first`);
    this.#rows = Array.from({ length: COUNT }, () => list.appendChild(row()));
    this.#milliseconds = this.#root.querySelector(".milliseconds");
    this.#rate = this.#root.querySelector(".rate");
    card(this.#root.querySelector("dl"), model);
    const history = this.#root.querySelector(".history");
    if (model.history.length === 0) {
      history.previousElementSibling.remove();
      history.remove();
    }
    for (const line of model.history) history.appendChild(element("li", line));
  }

  get root() {
    return this.#root;
  }

  /** Says what the network runs on, once it does. */
  runs(kernel) {
    const list = this.#root.querySelector("dl");
    list.append(element("dt", "Runs on"), element("dd", `WebAssembly, ${kernel}`));
  }

  /** The name of a class, in short. */
  name(index) {
    return (this.#labels?.[index] ?? `class ${index}`).split(",")[0];
  }

  /** Shows guesses [{ class, probability }] that took so many milliseconds. */
  show(guesses, milliseconds) {
    this.#rows.forEach((row, at) => {
      const guess = guesses[at];
      row.hidden = guess === undefined;
      if (!guess) return;
      const [name, percent, bar] = row.children;
      name.textContent = this.name(guess.class);
      name.title = this.#labels?.[guess.class] ?? "";
      percent.textContent = percentage(guess.probability);
      bar.style.setProperty("--share", guess.probability);
    });
    this.#recent.push(milliseconds);
    if (this.#recent.length > RECENT) this.#recent.shift();
    this.#milliseconds.textContent = this.median().toFixed(1);
  }

  /** Shows how many frames a second there are, or nothing. */
  showRate(rate) {
    this.#rate.textContent = rate === undefined ? "" : `, ${rate.toFixed(0)} frames/s`;
  }

  /** Median of recent times, in milliseconds. */
  median() {
    const sorted = [...this.#recent].sort((a, b) => a - b);
    return sorted[sorted.length >> 1] ?? NaN;
  }
}

/** Probability as text. */
export function percentage(probability) {
  const percent = 100 * probability;
  return percent >= 0.1 ? `${percent.toFixed(1)}%` : "< 0.1%";
}

function row() {
  const row = element("li");
  const bar = element("span");
  bar.className = "bar";
  bar.setAttribute("aria-hidden", "true");
  row.append(element("span"), element("span"), bar);
  row.children[1].className = "percent";
  row.children[0].textContent = "–";
  return row;
}

function element(name, text = "") {
  const element = document.createElement(name);
  element.textContent = text;
  return element;
}

/** What the network is, as terms and figures. */
function card(list, model) {
  const bits = (all) => all.join(", ");
  const [channels, height, width] = model.input;
  const rows = [
    ["File", `${size(model.bytes)} (${model.bytes.toLocaleString("en")} bytes)`],
    ["Ratio", `${model.ratio.toFixed(2)}× smaller than floats`],
    ["Parameters", model.parameters.toLocaleString("en")],
    ["Sparsity", `${(100 * model.sparsity).toFixed(1)}% zero`],
    ["Bits", `weights ${bits(model.weight_bits)}, layer outputs ${bits(model.output_bits)}`],
    ["Stored", `${model.bits_per_weight.toFixed(2)} bits a weight`],
    ...accuracy(model.accuracy),
    ["Input", `${width} × ${height}, ${channels === 1 ? "grey" : "colour"}`],
    ["Classes", model.classes.toLocaleString("en")],
  ];
  for (const [term, figure] of rows) list.append(element("dt", term), element("dd", figure));
}

/** Rows on accuracy, with 95% intervals; none where it is not known. */
function accuracy(known) {
  if (!known) return [];
  const figure = (value) => value.toFixed(2).replace("-", "−");
  const between = (interval) => (interval ? ` (${figure(interval[0])} to ${figure(interval[1])})` : "");
  const images = `${known.images.toLocaleString("en")} images`;
  const rows = [
    ["Top-1", `${figure(known.top1)}%${between(known.top1_interval)} of ${images}`],
    ["Top-5", `${figure(known.top5)}%${between(known.top5_interval)}`],
  ];
  const loss = known.loss_of_top1;
  if (loss) rows.push(["Lost", `${figure(loss.points)} points of top-1${between(loss.interval)} against floats`]);
  return rows;
}

function size(bytes) {
  if (bytes < 1e4) return `${bytes} B`;
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(0)} kB` : `${(bytes / 1e6).toFixed(2)} MB`;
}
