/** Notices that the other end of a link has stopped speaking: both ends say something every second, so long a silence means that it hangs. */

const LONGEST_SILENCE_MS = 15_000;

/** Calls back once when nothing was heard for too long. */
export class SilenceWatch {
  readonly #timer: NodeJS.Timeout;

  constructor(onSilence: () => void) {
    this.#timer = setTimeout(onSilence, LONGEST_SILENCE_MS).unref();
  }

  heard(): void {
    this.#timer.refresh();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}
