/** Asks the API server for one pipeline every few seconds, so that a probe can follow the server's availability. */
import type { AlarmClock } from '@equipoise/core/model';
import type { KubeApi } from '../api/kube-api.js';
import { pipelines } from './observed-objects.js';
import { orAborted, wait } from './wait.js';

const EVERY_MS = 5_000;
/** An older answer says nothing about now. */
const FRESH_MS = 15_000;

export class ServerContact {
  readonly #api: KubeApi;
  readonly #clock: AlarmClock;
  readonly #namespace: string | undefined;
  #answeredAtMs: number | undefined;

  constructor(deps: { readonly api: KubeApi; readonly clock: AlarmClock }, namespace: string | undefined) {
    this.#api = deps.api;
    this.#clock = deps.clock;
    this.#namespace = namespace;
  }

  /** True if the server answered recently. */
  get isFresh(): boolean {
    return this.#answeredAtMs !== undefined && this.#clock.nowMs() - this.#answeredAtMs <= FRESH_MS;
  }

  async run(signal: AbortSignal): Promise<void> {
    const selection = { type: pipelines, namespace: this.#namespace };
    while (!signal.aborted) {
      await orAborted(
        this.#api.list(selection, { limit: 1 }).then(
          () => {
            this.#answeredAtMs = this.#clock.nowMs();
          },
          // The watches report failures.
          () => {},
        ),
        signal,
      );
      await wait(this.#clock, EVERY_MS, signal);
    }
  }
}
