/*
 * A stream of Server-Sent Events, read by fetch: EventSource does not report comments, which distinguish a quiet stream from one that a
 * proxy holds back or a sleeping laptop has lost.
 */

const SILENCE = 40_000; // ms without a byte: the service sends a comment every 15 s
const REFUSED = 60_000; // ms before a failed stream is tried again
const RETRY = 3_000; // ms before an ended stream is tried again, unless it sets another time

export class Stream {
  /**
   * @param {string} path
   * @param {(data: any) => void} onEvent
   */
  constructor(path, onEvent) {
    this.path = path;
    this.onEvent = onEvent;
    /** Whether events or comments arrive. */
    this.isAlive = false;
    this.id = "";
    this.retry = RETRY;
    /** @type {AbortController | null} */
    this.open = null;
  }

  start() {
    if (this.open === null) {
      this.open = new AbortController();
      this.run(this.open.signal);
    }
  }

  stop() {
    this.open?.abort();
    this.open = null;
    this.isAlive = false;
  }

  /** @param {AbortSignal} signal */
  async run(signal) {
    while (!signal.aborted) {
      const pause = await this.read(signal).then(
        () => this.retry,
        () => REFUSED,
      );
      if (!signal.aborted) {
        this.isAlive = false;
        await new Promise((resolve) => setTimeout(resolve, pause, null));
      }
    }
  }

  /**
   * Reads one connection to its end. Fails if it was refused, or silent for too long.
   * @param {AbortSignal} signal
   */
  async read(signal) {
    const silence = new AbortController();
    const giveUp = () => silence.abort();
    let timer = setTimeout(giveUp, SILENCE);
    try {
      const headers = this.id ? { "Last-Event-ID": this.id } : undefined;
      const answer = await fetch(this.path, { headers, cache: "no-store", signal: AbortSignal.any([signal, silence.signal]) });
      if (answer.status !== 200 || answer.body === null) {
        throw new Error(`${answer.status}`);
      }
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let text = "";
      for (;;) {
        const { done, value } = await reader.read();
        if (done) {
          return;
        }
        clearTimeout(timer);
        timer = setTimeout(giveUp, SILENCE);
        const blocks = (text + value).split("\n\n");
        text = blocks.pop() ?? "";
        blocks.forEach((block) => this.take(block));
      }
    } finally {
      clearTimeout(timer);
      giveUp();
    }
  }

  /** @param {string} block */
  take(block) {
    const fields = new Map(block.split("\n").map((line) => /** @type {[string, string]} */ (line.split(/: ?(.*)/s, 2))));
    this.retry = Number(fields.get("retry") ?? this.retry);
    this.id = fields.get("id") ?? this.id;
    this.isAlive = true;
    if (fields.has("data")) {
      this.onEvent(JSON.parse(fields.get("data") ?? "null"));
    }
  }
}
