// The runtime for browsers under Node, on pictures that were classified natively: node scores.mjs RUNTIME.wasm MODEL.syn
// FOLDER, where the folder is what the example `scores` wrote. Every integer must be the same.
import { readFileSync } from "node:fs";
import { Classifier } from "../../apps/browser/page/classifier.js";

const [runtime, model, folder] = process.argv.slice(2);
const classifier = await Classifier.start(await WebAssembly.compile(readFileSync(runtime)));
classifier.open(readFileSync(model));
const cases = JSON.parse(readFileSync(`${folder}/scores.json`));
const times = [];
for (const [number, { width, height, scores, class: wanted }] of cases.entries()) {
  const pixels = readFileSync(`${folder}/${String(number).padStart(2, "0")}.rgba`);
  const start = performance.now();
  const [first] = classifier.classify(pixels, width, height, 5);
  times.push(performance.now() - start);
  const found = classifier.scores();
  const same = found.length === scores.length && scores.every((score, at) => score === found[at]);
  if (!same || first.class !== wanted) throw new Error(`picture ${number}: other scores than natively`);
}
for (const bytes of [readFileSync(model).subarray(0, 1000), new Uint8Array()]) {
  try {
    classifier.open(bytes);
  } catch (error) {
    if (error instanceof WebAssembly.RuntimeError || error.message === "") throw error;
    continue;
  }
  throw new Error("a damaged file was opened");
}
times.sort((a, b) => a - b);
const median = times[times.length >> 1].toFixed(1);
console.log(`Node: ${cases.length} pictures with the very scores of the native runtime, ${median} ms each (median)`);
