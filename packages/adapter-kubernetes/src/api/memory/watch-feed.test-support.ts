/** Unread events of one watch. */
import type { WatchEvent } from '../kube-api.js';

/** Queue between the pushing server and the pulling reader; may end with a failure. */
export class WatchFeed {
  readonly #waiting: WatchEvent[] = [];
  #end: { readonly failure?: Error } | undefined;
  #wake: () => void = () => {};
  /** Called once, when the watch has ended. */
  onEnd: () => void = () => {};

  push(event: WatchEvent): void {
    if (this.#end !== undefined) return;
    this.#waiting.push(event);
    this.#wake();
  }

  /** Loses all further events. */
  mute(): void {
    this.push = () => {};
  }

  end(failure?: Error): void {
    if (this.#end !== undefined) return;
    this.#end = failure === undefined ? {} : { failure };
    this.onEnd();
    this.#wake();
  }

  async *events(): AsyncGenerator<WatchEvent> {
    for (;;) {
      const event = this.#waiting.shift();
      if (event !== undefined) {
        yield event;
      } else if (this.#end !== undefined) {
        if (this.#end.failure !== undefined) throw this.#end.failure;
        return;
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }
}
