// Runs programs of tests that were compiled for wasm32-unknown-unknown: node wasm.mjs PROGRAM... They say nothing there;
// a test that fails is a trap, whose trace names it.
import { readFileSync } from "node:fs";
import { basename } from "node:path";

Error.stackTraceLimit = 100;
if (process.argv.length < 3) throw new Error("no program to run");
for (const path of process.argv.slice(2)) {
  const { instance } = await WebAssembly.instantiate(readFileSync(path), {});
  const status = instance.exports.main(0, 0);
  if (status !== 0) throw new Error(`${path} ended with status ${status}`);
  console.log(`${basename(path)}: passed`);
}
