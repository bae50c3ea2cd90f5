/**
 * Work of several owners, one piece a frame: all charts at once would take longer than a frame. Later work of an owner
 * replaces its waiting work. Work of a hidden owner waits until it is shown.
 */
export class FrameQueue {
  readonly #onFrame: (run: () => void) => void;
  readonly #waiting = new Map<object, () => void>();
  readonly #hidden = new Set<object>();
  #isAsked = false;

  /** `onFrame` calls once, at the next frame. */
  constructor(onFrame: (run: () => void) => void) {
    this.#onFrame = onFrame;
  }

  put(owner: object, work: () => void): void {
    this.#waiting.set(owner, work);
    this.#ask();
  }

  /** Owners are shown until they are said to be hidden. */
  show(owner: object, isShown: boolean): void {
    if (isShown) this.#hidden.delete(owner);
    else this.#hidden.add(owner);
    this.#ask();
  }

  /** Drops the owner and its waiting work. */
  forget(owner: object): void {
    this.#waiting.delete(owner);
    this.#hidden.delete(owner);
  }

  #ask(): void {
    if (this.#isAsked || this.#next() === undefined) return;
    this.#isAsked = true;
    this.#onFrame(() => this.#runNext());
  }

  #next(): object | undefined {
    for (const owner of this.#waiting.keys()) if (!this.#hidden.has(owner)) return owner;
    return undefined;
  }

  #runNext(): void {
    this.#isAsked = false;
    const owner = this.#next();
    const work = owner && this.#waiting.get(owner);
    if (owner === undefined || work === undefined) return;
    this.#waiting.delete(owner);
    this.#ask();
    work();
  }
}
