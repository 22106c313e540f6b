// Drives Chromium without a window through its DevTools protocol, over a pair of pipes.
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";

export class Browser {
  #process;
  #next = 1;
  #waiting = new Map();
  #session;
  #rest = "";
  #said = "";
  #ended;
  /** Everything that a page asked for, and what it complained about. */
  requests = [];
  complaints = [];

  constructor(program, flags) {
    // Containers have little shared memory, and no page of ours needs what Chromium asks its makers for.
    const base = [
      "--headless=new", "--remote-debugging-pipe", "--no-first-run", "--disable-gpu", "--disable-dev-shm-usage",
      "--disable-background-networking", "--disable-component-update", "--disable-sync",
    ];
    this.#process = spawn(program, [...base, ...flags], { stdio: ["ignore", "ignore", "pipe", "pipe", "pipe"] });
    this.#process.stderr.setEncoding("utf8").on("data", (text) => (this.#said = (this.#said + text).slice(-2000)));
    this.#process.stdio[4].setEncoding("utf8").on("data", (text) => {
      const messages = (this.#rest + text).split("\0");
      this.#rest = messages.pop();
      for (const message of messages) this.#take(JSON.parse(message));
    });
    const over = (what) => {
      this.#ended ??= `${program} ended (${what?.message ?? what}): ${this.#said}`;
      this.#waiting.forEach(({ failed }) => failed(new Error(this.#ended)));
      this.#waiting.clear();
    };
    this.#process.on("close", over).on("error", over);
    this.#process.stdio[3].on("error", over);
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
      if (this.#ended) return failed(new Error(this.#ended));
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
  async until(expression, seconds = 60) {
    const end = Date.now() + 1000 * seconds;
    while (Date.now() < end) {
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

  /** Ends the browser, in the end by force. */
  async close() {
    if (this.#ended) return;
    const gone = new Promise((done) => this.#process.on("close", done));
    this.#session = undefined;
    this.send("Browser.close").catch(() => {});
    const patience = setTimeout(() => this.#process.kill("SIGKILL"), 10_000);
    await gone;
    clearTimeout(patience);
  }
}
