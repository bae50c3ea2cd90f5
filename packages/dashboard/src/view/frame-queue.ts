/**
 * Work of several owners, one piece a frame: all charts at once would take longer than a frame. Later work of an owner
 * replaces its waiting work.
 */
export class FrameQueue {
  readonly #onFrame: (run: () => void) => void;
  readonly #waiting = new Map<object, () => void>();
  #isAsked = false;

  /** `onFrame` calls once, at the next frame. */
  constructor(onFrame: (run: () => void) => void) {
    this.#onFrame = onFrame;
  }

  put(owner: object, work: () => void): void {
    this.#waiting.set(owner, work);
    this.#ask();
  }

  #ask(): void {
    if (this.#isAsked || this.#waiting.size === 0) return;
    this.#isAsked = true;
    this.#onFrame(() => this.#runNext());
  }

  #runNext(): void {
    this.#isAsked = false;
    const [next] = this.#waiting;
    if (next === undefined) return;
    const [owner, work] = next;
    this.#waiting.delete(owner);
    this.#ask();
    work();
  }
}
