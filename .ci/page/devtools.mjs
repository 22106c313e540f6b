// Drives Chromium without a window through its DevTools protocol, over a pair of pipes.
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";

export class Browser {
  #process;
  #next = 1;
  #waiting = new Map();
  #session;
  #rest = "";
  /** Everything that a page asked for, and what it complained about. */
  requests = [];
  complaints = [];

  constructor(program, flags) {
    const base = ["--headless=new", "--remote-debugging-pipe", "--no-first-run", "--disable-gpu"];
    this.#process = spawn(program, [...base, ...flags], { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
    this.#process.stdio[4].setEncoding("utf8").on("data", (text) => {
      const messages = (this.#rest + text).split("\0");
      this.#rest = messages.pop();
      for (const message of messages) this.#take(JSON.parse(message));
    });
    const over = () => this.#waiting.forEach(({ failed }) => failed(new Error(`${program} ended`)));
    this.#process.on("exit", over).on("error", over);
  }

  #take({ id, result, error, method, params }) {
    if (id !== undefined) {
      const { done, failed } = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error) failed(new Error(error.message));
      else done(result);
    } else if (method === "Network.requestWillBeSent") this.requests.push(params.request.url);
    else if (method === "Runtime.exceptionThrown") this.complaints.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text);
    else if (method === "Log.entryAdded" && params.entry.level === "error") this.complaints.push(`${params.entry.text} ${params.entry.url ?? ""}`);
  }

  send(method, params = {}) {
    const id = this.#next++;
    const message = { id, method, params, ...(this.#session && { sessionId: this.#session }) };
    return new Promise((done, failed) => {
      this.#waiting.set(id, { done, failed });
      this.#process.stdio[3].write(`${JSON.stringify(message)}\0`);
    });
  }

  /** Opens an empty page, which all later messages are for. */
  async page() {
    const { targetId } = await this.send("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await this.send("Target.attachToTarget", { targetId, flatten: true });
    this.#session = sessionId;
    for (const domain of ["Page", "Runtime", "Log", "Network", "DOM", "Accessibility"]) await this.send(`${domain}.enable`);
  }

  /** The value of an expression, promises awaited. */
  async evaluate(expression) {
    const options = { expression, awaitPromise: true, returnByValue: true, userGesture: true };
    const { result, exceptionDetails } = await this.send("Runtime.evaluate", options);
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  /** Waits until an expression is true. */
  async until(expression, seconds = 30) {
    for (let tries = 0; tries < 20 * seconds; tries++) {
      if (await this.evaluate(expression)) return;
      await new Promise((done) => setTimeout(done, 50));
    }
    throw new Error(`not within ${seconds} s: ${expression}; ${this.complaints.join("; ")}`);
  }

  /** A picture of the whole page. */
  async picture(path, width, height, scheme) {
    await this.send("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile: width < 600 });
    await this.send("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: scheme }] });
    await this.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done, 300)))");
    const { data } = await this.send("Page.captureScreenshot", { captureBeyondViewport: true });
    writeFileSync(path, Buffer.from(data, "base64"));
  }

  async close() {
    const gone = new Promise((done) => this.#process.on("exit", done));
    this.#session = undefined;
    this.send("Browser.close").catch(() => {});
    await gone;
  }
}
