/** Refused writes of each pipeline, with the time of the next attempt. A changed object is tried at once. */
import type { Clock, Rng } from '@equipoise/core/model';
import { type RetryDelays, retryDelayMs } from '../cluster/retry-delay.js';
import type { ChildRefusal } from '../reconcile/reconciliation.js';

interface RefusedWrite {
  readonly digest: string;
  readonly refusal: ChildRefusal;
  readonly failures: number;
  readonly nextAtMs: number;
}

const DELAYS: RetryDelays = { shortestMs: 1_000, longestMs: 60_000 };

export class RefusedWrites {
  readonly #clock: Clock;
  readonly #rng: Rng;
  readonly #byPipeline = new Map<string, Map<string, RefusedWrite>>();

  constructor({ clock, rng }: { readonly clock: Clock; readonly rng: Rng }) {
    this.#clock = clock;
    this.#rng = rng;
  }

  of(pipeline: string): readonly ChildRefusal[] {
    return [...(this.#byPipeline.get(pipeline)?.values() ?? [])].map(({ refusal }) => refusal);
  }

  isDue(pipeline: string, id: string, digest: string): boolean {
    const refused = this.#byPipeline.get(pipeline)?.get(id);
    return refused === undefined || refused.digest !== digest || refused.nextAtMs <= this.#clock.nowMs();
  }

  /** Delay (ms) until the next attempt; undefined if nothing is refused. */
  againAfterMs(pipeline: string): number | undefined {
    const all = [...(this.#byPipeline.get(pipeline)?.values() ?? [])];
    if (all.length === 0) return undefined;
    return Math.max(1, Math.min(...all.map(({ nextAtMs }) => nextAtMs)) - this.#clock.nowMs());
  }

  /** `retryAfterMs`: shortest delay that the server asked for. */
  add(
    pipeline: string,
    id: string,
    {
      digest,
      refusal,
      retryAfterMs = 0,
    }: { readonly digest: string; readonly refusal: ChildRefusal; readonly retryAfterMs?: number | undefined },
  ): void {
    const refused = this.#byPipeline.get(pipeline) ?? new Map<string, RefusedWrite>();
    const before = refused.get(id);
    const failures = before?.digest === digest ? before.failures + 1 : 1;
    const delayMs = Math.max(retryAfterMs, retryDelayMs(failures, DELAYS, this.#rng));
    refused.set(id, { digest, refusal, failures, nextAtMs: this.#clock.nowMs() + delayMs });
    this.#byPipeline.set(pipeline, refused);
  }

  remove(pipeline: string, id: string): void {
    this.#byPipeline.get(pipeline)?.delete(id);
  }

  /** Forgets refused writes that are no longer due. */
  keepOnly(pipeline: string, isKept: (id: string, refused: Pick<RefusedWrite, 'digest'>) => boolean): void {
    const refused = this.#byPipeline.get(pipeline);
    for (const [id, each] of [...(refused ?? [])]) if (!isKept(id, each)) refused?.delete(id);
  }

  forget(pipeline: string): void {
    this.#byPipeline.delete(pipeline);
  }
}
