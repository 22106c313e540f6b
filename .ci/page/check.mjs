// The page in Chromium: node check.mjs URL SITE FOLDER SYNAPRESS MODEL.syn PICTURES. The page at the URL serves that model
// (and perhaps others) with the pictures of the folder as samples, which the example `scores` wrote and classified; SITE
// is the same page, exported. Scores must be the native ones, and what the page shows of files and of a camera what
// `synapress classify` says of the same pixels. Pictures of the page go to PICTURES.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Browser } from "./devtools.mjs";

const [served, site, folder, synapress, model, pictures] = process.argv.slice(2);
const cases = JSON.parse(readFileSync(`${folder}/scores.json`));
const scratch = mkdtempSync(join(tmpdir(), "page-"));
const png = (number) => `${folder}/${String(number).padStart(2, "0")}.png`;
const assert = (holds, what) => {
  if (!holds) throw new Error(what);
};

/** What the command line says of a picture, as the page names it. */
function native(path) {
  const [{ top }] = JSON.parse(execFileSync(synapress, ["classify", model, path, "--json"])).images;
  return top.map(({ label, probability }) => ({ name: label.split(",")[0], percent: 100 * probability }));
}

/** A video of one picture, twice as large, in the middle of 640x480 grey pixels. */
function video(path, { width, height }, rgba) {
  const [w, h] = [640, 480];
  const luma = Buffer.alloc(w * h, 126);
  const chroma = [Buffer.alloc((w * h) / 4, 128), Buffer.alloc((w * h) / 4, 128)];
  const [left, top] = [(w - 2 * width) >> 1, (h - 2 * height) >> 1].map((n) => n & ~1);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [px, py] = [left + 2 * x, top + 2 * y];
      if (px < 0 || py < 0 || px >= w || py >= h) continue;
      const [r, g, b] = rgba.subarray(4 * (y * width + x));
      const l = 16 + (65.481 * r + 128.553 * g + 24.966 * b) / 255;
      for (const at of [py * w + px, py * w + px + 1, (py + 1) * w + px, (py + 1) * w + px + 1]) luma[at] = l;
      chroma[0][(py * w) / 4 + px / 2] = 128 + (-37.797 * r - 74.203 * g + 112 * b) / 255;
      chroma[1][(py * w) / 4 + px / 2] = 128 + (112 * r - 93.786 * g - 18.214 * b) / 255;
    }
  }
  const frame = [Buffer.from("FRAME\n"), luma, ...chroma];
  writeFileSync(path, Buffer.concat([Buffer.from("YUV4MPEG2 W640 H480 F10:1 Ip A1:1 C420jpeg\n"), ...frame, ...frame]));
}

/** The exported folder behind a host that knows nothing of it: no policy, no more types than it must have. */
function host() {
  const types = { html: "text/html", js: "text/javascript", css: "text/css", wasm: "application/wasm" };
  const server = createServer(({ url: path }, answer) => {
    try {
      const content = readFileSync(site + (path === "/" ? "/index.html" : path));
      answer.writeHead(200, { "Content-Type": types[path === "/" ? "html" : path.split(".").pop()] ?? "application/octet-stream" });
      answer.end(content);
    } catch {
      answer.writeHead(404).end();
    }
  });
  return new Promise((done) => server.listen(0, "127.0.0.1", () => done(server)));
}

const seen = 3;
video(`${scratch}/camera.y4m`, cases[seen], readFileSync(png(seen).replace(".png", ".rgba")));
const browser = new Browser(process.env.CHROMIUM ?? "chromium", [
  "--no-sandbox",
  `--user-data-dir=${scratch}/profile`,
  "--use-fake-ui-for-media-stream",
  "--use-fake-device-for-media-stream",
  `--use-file-for-fake-video-capture=${scratch}/camera.y4m`,
]);

/** What the first network's panel shows. */
const shown = () =>
  browser.evaluate(`[...document.querySelector(".model").querySelectorAll(".guesses li")].map((row) =>
    ({ name: row.children[0].textContent, percent: parseFloat(row.children[1].textContent) }))`);

function same(found, wanted, what) {
  assert(found[0].name === wanted[0].name, `${what}: the page says ${found[0].name}, the command line ${wanted[0].name}`);
  assert(Math.abs(found[0].percent - wanted[0].percent) < 0.06, `${what}: ${found[0].percent}%, not ${wanted[0].percent}%`);
}

const plain = await host();
/** Opens the page of a host, and waits for its networks. */
async function open(url) {
  await browser.send("Page.navigate", { url });
  // A page that has only begun has no element yet.
  const ready = "document.documentElement?.dataset.ready !== undefined";
  await browser.until(`location.href === ${JSON.stringify(url)} && ${ready}`, 120);
}

try {
  await browser.page();
  await open(served);

  const scores = await browser.evaluate(`(async () => {
    const [{ Classifier }, { Frame, decode }] = [await import("./classifier.js"), await import("./sources.js")];
    const { models, samples } = await (await fetch("models.json")).json();
    const classifier = await Classifier.start(await WebAssembly.compileStreaming(fetch("synapress.wasm")));
    classifier.open(new Uint8Array(await (await fetch(models[0].file)).arrayBuffer()));
    classifier.prepare(models[0].preprocess);
    const frame = new Frame(document.createElement("canvas"));
    const all = [];
    for (const { file } of samples) {
      const picture = await decode(await (await fetch(file)).blob());
      frame.draw(picture, picture.width, picture.height);
      const { data, width, height } = frame.pixels();
      classifier.classify(data, width, height, 5);
      all.push(Array.from(classifier.scores()));
    }
    return all;
  })()`);
  assert(scores.length === cases.length, `${scores.length} samples of ${cases.length}`);
  cases.forEach(({ scores: wanted }, i) => assert(wanted.join() === scores[i].join(), `sample ${i}: other scores than natively`));
  console.log(`Chromium: ${cases.length} pictures with the very scores of the native runtime`);

  // A file that is chosen.
  const { root } = await browser.send("DOM.getDocument");
  const { nodeId } = await browser.send("DOM.querySelector", { nodeId: root.nodeId, selector: "#file" });
  const wanted = native(png(1));
  await browser.send("DOM.setFileInputFiles", { nodeId, files: [png(1)] });
  await browser.until(`document.querySelector(".guesses li span").textContent === ${JSON.stringify(wanted[0].name)}`);
  same(await shown(), wanted, "file");
  writeFileSync(`${scratch}/broken.png`, "no picture");
  await browser.send("DOM.setFileInputFiles", { nodeId, files: [`${scratch}/broken.png`] });
  await browser.until(`document.getElementById("fault").textContent.includes("no picture")`);

  // Samples, by keyboard.
  await browser.evaluate(`document.querySelector("#samples button").focus()`);
  await browser.send("Input.dispatchKeyEvent", { type: "keyDown", key: "Enter", code: "Enter", text: "\r", windowsVirtualKeyCode: 13 });
  await browser.send("Input.dispatchKeyEvent", { type: "keyUp", key: "Enter", code: "Enter", windowsVirtualKeyCode: 13 });
  const first = native(png(0));
  await browser.until(`document.querySelector(".guesses li span").textContent === ${JSON.stringify(first[0].name)}`);
  await browser.until(`document.getElementById("status").textContent.includes(${JSON.stringify(first[0].name)})`);
  for (const [name, width, height, scheme] of [
    ["wide-light", 1280, 900, "light"], ["wide-dark", 1280, 900, "dark"], ["phone-light", 390, 844, "light"], ["phone-dark", 390, 844, "dark"],
  ]) await browser.picture(`${pictures}/${name}.png`, width, height, scheme);
  const wide = await browser.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth");
  assert(wide <= 0, `on a phone the page is ${wide} pixels too wide`);
  await browser.evaluate(`document.querySelectorAll("details").forEach((d) => (d.open = true))`);

  // Cards: accuracy is on those of networks that it is known of, and nowhere else.
  const { models } = await browser.evaluate(`fetch("models.json").then((answer) => answer.json())`);
  const cards = await browser.evaluate(`[...document.querySelectorAll(".model dl")].map((list) => list.innerText)`);
  models.forEach(({ name, accuracy }, at) => {
    const figures = accuracy ? [accuracy.top1, ...accuracy.top1_interval, accuracy.top5, ...accuracy.loss_of_top1.interval] : [];
    const missing = figures.map((figure) => figure.toFixed(2).replace("-", "−")).filter((figure) => !cards[at].includes(figure));
    assert(missing.length === 0, `the card of ${name} lacks ${missing.join(", ")}`);
    assert(cards[at].includes("Top-1") === Boolean(accuracy), `the card of ${name} speaks of accuracy`);
  });
  assert(models.some(({ accuracy }) => accuracy) || models.length === 1, "of no network accuracy is known");
  await browser.picture(`${pictures}/card.png`, 1280, 900, "light");

  // The camera: what is on the canvas while its frame does not change.
  await browser.evaluate(`document.getElementById("camera").click()`);
  await browser.until(`document.querySelector(".rate").textContent !== ""`);
  const data = await browser.evaluate(`document.getElementById("frame").toDataURL("image/png")`);
  await browser.evaluate("new Promise((done) => setTimeout(done, 2000))");
  const live = await shown();
  writeFileSync(`${scratch}/frame.png`, Buffer.from(data.split(",")[1], "base64"));
  same(live, native(`${scratch}/frame.png`), "camera");
  console.log(`camera: ${live[0].name}, ${live[0].percent}%, as the command line has it`);
  const times = await browser.evaluate(`[...document.querySelectorAll(".model")].map((panel) =>
    panel.querySelector("h3").textContent + panel.querySelector(".time").textContent.replace(/^/, " "))`);
  times.forEach((line) => console.log(`page: ${line}`));
  await browser.picture(`${pictures}/camera.png`, 1280, 900, "dark");
  await browser.evaluate(`document.getElementById("camera").click()`);
  await browser.until(`document.getElementById("camera").textContent === "Use the camera"`);

  // Everything that can be used has a name.
  const { nodes } = await browser.send("Accessibility.getFullAXTree");
  const usable = ["button", "checkbox", "combobox", "image", "region", "article"];
  const nameless = nodes.filter(({ ignored, role, name }) => !ignored && usable.includes(role?.value) && !name?.value);
  assert(nameless.length === 0, `without a name: ${nameless.map(({ role }) => role.value).join(", ")}`);

  // The exported folder, elsewhere.
  const elsewhere = `http://127.0.0.1:${plain.address().port}/`;
  await open(elsewhere);
  await browser.evaluate(`document.querySelector("#samples button").click()`);
  await browser.until(`document.querySelector(".guesses li span").textContent === ${JSON.stringify(first[0].name)}`);
  same(await shown(), first, "exported page");

  const hosts = [served, elsewhere];
  const strange = browser.requests.filter((asked) => !hosts.some((h) => asked.startsWith(h)) && !/^(blob|data|about):/.test(asked));
  assert(strange.length === 0, `the page asks elsewhere: ${strange.join(", ")}`);
  assert(browser.complaints.length === 0, browser.complaints.join("\n"));
} finally {
  await browser.close();
  plain.close();
  rmSync(scratch, { recursive: true, force: true });
}
