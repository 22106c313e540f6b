// Holds one network, so that the page never waits for it. Each message { id, task, ... } is answered by { id, result }
// or { id, fault }.

import { Classifier } from "./classifier.js";

let classifier;

const tasks = {
  async open({ module, bytes, preprocess }) {
    classifier = await Classifier.start(module);
    classifier.open(bytes);
    classifier.prepare(preprocess);
    // The first run grows buffers: it is not measured.
    classifier.classify(new Uint8Array(4), 1, 1, 1);
    return { kernel: classifier.kernel() };
  },

  classify({ pixels, width, height, count }) {
    const start = performance.now();
    const guesses = classifier.classify(pixels, width, height, count);
    return { guesses, milliseconds: performance.now() - start };
  },
};

self.onmessage = async ({ data: { id, task, ...rest } }) => {
  try {
    self.postMessage({ id, result: await tasks[task](rest) });
  } catch (error) {
    const stopped = error instanceof WebAssembly.RuntimeError;
    self.postMessage({ id, fault: stopped ? `the runtime stopped (${error.message}); load the page again` : error.message });
  }
};
