// The runtime as an object: the other side of src/abi.rs. For workers, and for whatever else runs WebAssembly.

export class Classifier {
  #runtime;

  /** Takes an instance's exports. */
  constructor(exports) {
    this.#runtime = exports;
  }

  /** Starts a runtime of its own from a compiled module, for one network. */
  static async start(module) {
    return new Classifier((await WebAssembly.instantiate(module, {})).exports);
  }

  /** Opens a network: the bytes of a .syn. */
  open(bytes) {
    this.#give(bytes);
    this.#check(this.#runtime.synapress_open());
  }

  /** Prepares pictures otherwise than the file says: { resize, crop, mean, scale, channels }. */
  prepare({ resize, crop, mean, scale, channels }) {
    const rgb = channels === "rgb" ? 1 : 0;
    this.#check(this.#runtime.synapress_prepare(resize ?? 0, crop ?? 0, ...mean, scale, rgb));
  }

  /** The most probable classes, at most count: [{ class, probability }]. Pixels are (height, width, RGBA) in bytes. */
  classify(pixels, width, height, count) {
    this.#give(pixels);
    const found = this.#check(this.#runtime.synapress_classify(width, height, count));
    const classes = new Uint32Array(this.#memory, this.#runtime.synapress_classes(), found);
    const probabilities = new Float64Array(this.#memory, this.#runtime.synapress_probabilities(), found);
    return Array.from(classes, (index, at) => ({ class: index, probability: probabilities[at] }));
  }

  /** The integer scores of the last picture, the same on every machine. */
  scores() {
    const length = this.#runtime.synapress_scores_length();
    return length === 0 ? new Int16Array() : new Int16Array(this.#memory, this.#runtime.synapress_scores(), length).slice();
  }

  /** Name of the instructions that the network runs on. */
  kernel() {
    this.#runtime.synapress_kernel();
    return this.#text();
  }

  // Memory moves when it grows: views are made anew at each use.
  get #memory() {
    return this.#runtime.memory.buffer;
  }

  #give(bytes) {
    const address = this.#runtime.synapress_buffer(bytes.length) >>> 0;
    if (address === 0) throw new Error(`there is no memory for ${bytes.length} bytes`);
    new Uint8Array(this.#memory, address, bytes.length).set(bytes);
  }

  #check(result) {
    if (result < 0) throw new Error(this.#text());
    return result;
  }

  #text() {
    const { synapress_text, synapress_text_length } = this.#runtime;
    return new TextDecoder().decode(new Uint8Array(this.#memory, synapress_text(), synapress_text_length()));
  }
}
