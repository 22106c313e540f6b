// Where pictures come from: a camera, a file, a sample. Each ends up on the canvas; what is seen in them is not known here.

/** The longest side of a picture on the canvas, in pixels. */
const MOST_SIDE = 4096;

/** The canvas that holds the picture that is classified. */
export class Frame {
  #canvas;
  #context;
  #short;

  /** Short sides are brought down to `short` pixels, if given: for networks whose files name no size. */
  constructor(canvas, short) {
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d", { willReadFrequently: true });
    this.#short = short ?? Infinity;
  }

  /** Draws a picture of these sides, never larger than it is. */
  draw(picture, width, height) {
    const factor = Math.min(1, this.#short / Math.min(width, height), MOST_SIDE / Math.max(width, height));
    const [w, h] = [width, height].map((side) => Math.max(1, Math.round(side * factor)));
    if (this.#canvas.width !== w) this.#canvas.width = w;
    if (this.#canvas.height !== h) this.#canvas.height = h;
    this.#context.imageSmoothingQuality = "high";
    this.#context.fillStyle = "#fff";
    this.#context.fillRect(0, 0, w, h);
    this.#context.drawImage(picture, 0, 0, w, h);
  }

  /** Its pixels: { data, width, height }. */
  pixels() {
    return this.#context.getImageData(0, 0, this.#canvas.width, this.#canvas.height);
  }

  describe(text) {
    this.#canvas.setAttribute("aria-label", text);
  }
}

/** Decodes a picture file. */
export async function decode(blob) {
  try {
    return await createImageBitmap(blob, { colorSpaceConversion: "none" });
  } catch {
    throw new Error("This file is no picture that the browser can read.");
  }
}

/** A camera that is on or off. */
export class Camera {
  #video;
  #stream;

  constructor(video) {
    this.#video = video;
  }

  get on() {
    return this.#stream !== undefined;
  }

  /** Turns on a camera, the one of this id if given. Gives all that there are. */
  async start(id) {
    this.stop();
    if (!navigator.mediaDevices) {
      throw new Error("Browsers lend a camera only to pages of this device (localhost) or behind https.");
    }
    const which = id ? { deviceId: { exact: id } } : { facingMode: "environment" };
    const video = { ...which, width: { ideal: 640 }, height: { ideal: 480 } };
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video, audio: false });
    } catch (error) {
      throw new Error(FAULTS[error.name] ?? `The camera cannot be used: ${error.message}`);
    }
    this.#stream = stream;
    this.#video.srcObject = stream;
    await this.#video.play();
    const devices = await navigator.mediaDevices.enumerateDevices();
    return { devices: devices.filter((d) => d.kind === "videoinput"), track: stream.getVideoTracks()[0] };
  }

  stop() {
    this.#stream?.getTracks().forEach((track) => track.stop());
    this.#stream = undefined;
    this.#video.srcObject = null;
  }

  /** Waits for the next frame; gives the video, or nothing once the camera is off. */
  async next() {
    await new Promise((done) => {
      // A camera that was turned off brings no frame.
      const late = setTimeout(done, 500);
      const now = () => (clearTimeout(late), done());
      if (this.#video.requestVideoFrameCallback) this.#video.requestVideoFrameCallback(now);
      else requestAnimationFrame(now);
    });
    return this.on && this.#video.videoWidth > 0 ? this.#video : undefined;
  }
}

const FAULTS = {
  NotAllowedError: "The camera was not allowed. Allow it for this page in the browser's settings.",
  NotFoundError: "There is no camera.",
  NotReadableError: "The camera is in use by another program.",
};
