// The page: loads what models.json lists, and hands pictures from their sources to the networks and guesses to the view.

import { Camera, Frame, decode } from "./sources.js";
import { COUNT, Panel, percentage } from "./view.js";

const at = (id) => document.getElementById(id);

/** One network in a worker of its own. */
class Network {
  #worker = new Worker("./worker.js", { type: "module" });
  #waiting = new Map();
  #next = 0;

  constructor() {
    this.#worker.onmessage = ({ data: { id, result, fault } }) => {
      const { done, failed } = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (fault === undefined) done(result);
      else failed(new Error(fault));
    };
    this.#worker.onerror = (event) => {
      for (const { failed } of this.#waiting.values()) failed(new Error(event.message ?? "the worker did not start"));
      this.#waiting.clear();
    };
  }

  ask(task, rest) {
    return new Promise((done, failed) => {
      this.#waiting.set(this.#next, { done, failed });
      this.#worker.postMessage({ id: this.#next++, task, ...rest });
    });
  }
}

async function get(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`${path} cannot be loaded (${answer.status})`);
  return answer;
}

/** Loads a network and makes its panel. */
async function load(model, module, id) {
  const [bytes, labels] = await Promise.all([
    get(model.file).then((answer) => answer.arrayBuffer()),
    model.labels ? get(model.labels).then((answer) => answer.json()) : undefined,
  ]);
  const network = new Network();
  const panel = new Panel(at("model"), model, labels, id);
  const { kernel } = await network.ask("open", { module, bytes: new Uint8Array(bytes), preprocess: model.preprocess });
  panel.runs(kernel);
  return { model, network, panel, chosen: true };
}

class Page {
  #networks;
  #frame;
  #camera = new Camera(at("video"));
  #busy = false;
  #again = false;
  #said = { text: "", when: 0 };

  constructor(networks) {
    this.#networks = networks;
    // What has no size to be brought to is meant for pictures a little larger than the network's input.
    const free = networks.filter(({ model }) => !model.preprocess.resize);
    const side = ({ model }) => model.preprocess.crop ?? Math.min(model.input[1], model.input[2]);
    this.#frame = new Frame(at("frame"), free.length > 0 ? Math.round(Math.max(...free.map(side)) * 8 / 7) : undefined);
  }

  /** Classifies what is on the canvas, by each network that is chosen, one after another so that times are their own. */
  async classify() {
    // One picture at a time; of those that come meanwhile the last one.
    if (this.#busy) {
      this.#again = true;
      return;
    }
    this.#busy = true;
    try {
      do {
        this.#again = false;
        const { data, width, height } = this.#frame.pixels();
        const firsts = [];
        for (const { network, panel } of this.#networks.filter(({ chosen }) => chosen)) {
          const { guesses, milliseconds } = await network.ask("classify", { pixels: data, width, height, count: COUNT });
          panel.show(guesses, milliseconds);
          firsts.push(`${panel.name(guesses[0].class)}, ${percentage(guesses[0].probability)}`);
        }
        this.#say(firsts);
      } while (this.#again);
    } finally {
      this.#busy = false;
    }
  }

  /** Tells those who do not see the bars, and not at every frame. */
  #say(firsts) {
    const names = this.#networks.filter(({ chosen }) => chosen).map(({ model }) => model.name);
    const text = firsts.length === 1 ? firsts[0] : firsts.map((first, i) => `${names[i]}: ${first}`).join("; ");
    const key = firsts.map((first) => first.slice(0, first.lastIndexOf(","))).join(";");
    const now = performance.now();
    if (this.#camera.on && (key === this.#said.text || now - this.#said.when < 3000)) return;
    this.#said = { text: key, when: now };
    at("status").textContent = text;
  }

  /** Shows and classifies a picture. */
  async picture(blob, name) {
    await this.attempt(async () => {
      const picture = await decode(blob);
      this.#turnOff();
      this.#frame.draw(picture, picture.width, picture.height);
      picture.close();
      this.#frame.describe(name);
      at("hint").hidden = true;
      await this.classify();
    });
  }

  /** Says what went wrong where everybody sees it. */
  async attempt(work) {
    at("fault").textContent = "";
    try {
      await work();
    } catch (error) {
      this.#turnOff();
      at("fault").textContent = error.message;
    }
  }

  async toggleCamera() {
    if (this.#camera.on) this.#turnOff();
    else await this.attempt(() => this.#watch());
  }

  async changeCamera(id) {
    await this.attempt(() => this.#watch(id));
  }

  async #watch(id) {
    const { devices, track } = await this.#camera.start(id);
    track.onended = () => this.#turnOff();
    at("camera").textContent = "Stop the camera";
    at("hint").hidden = true;
    this.#frame.describe("Picture of the camera");
    const list = at("cameras");
    list.replaceChildren(...devices.map((d, i) => new Option(d.label || `camera ${i + 1}`, d.deviceId)));
    list.value = track.getSettings().deviceId;
    at("cameras-label").hidden = devices.length < 2;
    const times = [];
    for (let video; (video = await this.#camera.next()) && track.readyState === "live"; ) {
      this.#frame.draw(video, video.videoWidth, video.videoHeight);
      await this.classify();
      times.push(performance.now());
      if (times.length > 15) times.shift();
      const rate = times.length > 1 ? (1000 * (times.length - 1)) / (times.at(-1) - times[0]) : undefined;
      this.#networks.forEach(({ panel }) => panel.showRate(rate));
    }
  }

  #turnOff() {
    this.#camera.stop();
    at("camera").textContent = "Use the camera";
    at("cameras-label").hidden = true;
    this.#networks.forEach(({ panel }) => panel.showRate());
  }
}

/** A box for each network, when there are several. One of them stays on. */
function chooser(networks, page) {
  if (networks.length < 2) return;
  const choice = at("choice");
  choice.hidden = false;
  const boxes = networks.map((entry) => {
    const box = document.createElement("input");
    box.type = "checkbox";
    box.checked = true;
    const label = document.createElement("label");
    label.append(box, ` ${entry.model.name}`);
    choice.append(label);
    box.onchange = () => {
      entry.chosen = box.checked;
      entry.panel.root.hidden = !box.checked;
      const chosen = networks.filter((other) => other.chosen);
      boxes.forEach((other, i) => (other.disabled = chosen.length === 1 && networks[i].chosen));
      if (at("hint").hidden) page.attempt(() => page.classify());
    };
    return box;
  });
}

function samples(list, page) {
  at("samples-part").hidden = list.length === 0;
  for (const { file, name } of list) {
    const image = new Image();
    Object.assign(image, { src: file, alt: "", loading: "lazy" });
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-label", `Sample: ${name}`);
    button.title = name;
    button.append(image);
    button.onclick = () => page.attempt(async () => page.picture(await (await get(file)).blob(), name));
    const item = document.createElement("li");
    item.append(button);
    at("samples").append(item);
  }
}

function listen(page) {
  at("camera").onclick = () => page.toggleCamera();
  at("cameras").onchange = (event) => page.changeCamera(event.target.value);
  at("choose").onclick = () => at("file").click();
  at("file").onchange = (event) => {
    const [file] = event.target.files;
    // The same file may be chosen again.
    if (file) page.picture(file, file.name).then(() => (event.target.value = ""));
  };
  const stage = at("stage");
  const over = (inside) => (event) => {
    event.preventDefault();
    stage.classList.toggle("over", inside);
  };
  document.addEventListener("dragover", over(true));
  document.addEventListener("dragleave", over(false));
  document.addEventListener("drop", (event) => {
    over(false)(event);
    const [file] = event.dataTransfer.files;
    if (file) page.picture(file, file.name);
  });
  document.addEventListener("paste", (event) => {
    const [file] = event.clipboardData.files;
    if (file) page.picture(file, "the pasted picture");
  });
}

async function begin() {
  const [{ models, samples: list }, module] = await Promise.all([
    get("./models.json").then((answer) => answer.json()),
    get("./synapress.wasm").then((answer) => answer.arrayBuffer()).then((bytes) => WebAssembly.compile(bytes)),
  ]);
  const networks = await Promise.all(models.map((model, id) => load(model, module, id)));
  at("waiting").remove();
  at("models").append(...networks.map(({ panel }) => panel.root));
  document.title = `${models.map((model) => model.name).join(", ")} · Synapress`;
  const page = new Page(networks);
  chooser(networks, page);
  samples(list, page);
  listen(page);
  document.documentElement.dataset.ready = "";
}

begin().catch((error) => {
  at("waiting")?.remove();
  at("fault").textContent = `The classifier does not start: ${error.message}.`;
});
