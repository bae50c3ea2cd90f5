/** Quarantine of inputs, asked by item. The driver makes the keys. */
import { Quarantine, type QuarantinedInput, type Verdict } from './health/quarantine.js';
import type { StageItem } from './request-state.js';
import type { ServingEffects } from './serving-effects.js';

/** Another loss of the same stage within this time (ms) makes inputs suspect. */
const LOSSES_WITHIN_MS = 10_000;

export class InputScreen<Payload, Context> {
  /** By stage, the time of its last loss. */
  readonly #lostAtMs = new Map<number, number>();
  readonly #quarantine = new Quarantine();
  readonly #effects: Pick<ServingEffects<Payload, Context, unknown>, 'inputKey' | 'inputQuarantined'>;

  constructor(effects: Pick<ServingEffects<Payload, Context, unknown>, 'inputKey' | 'inputQuarantined'>) {
    this.#effects = effects;
  }

  verdictOn(item: StageItem<Payload, Context>, nowMs: number): Verdict {
    if (!this.#quarantine.screens(item.stage, nowMs)) return 'free';
    return this.#quarantine.verdictOn(item.stage, this.#effects.inputKey(item), nowMs);
  }

  /** Records the items of a hung batch. `isProof`: the only item is the cause. */
  noteHung(batch: readonly StageItem<Payload, Context>[], isProof: boolean, nowMs: number): void {
    for (const item of batch) {
      const key = this.#effects.inputKey(item);
      if (isProof) {
        this.#quarantine.convict(item.stage, key, nowMs);
        this.#effects.inputQuarantined(item.stage, key);
      } else this.#quarantine.suspect(item.stage, key, nowMs);
    }
  }

  /** Records the loss of a replica. True if its stage has lost another one within 10 s: an input may be the cause. */
  noteLost(stage: number, nowMs: number): boolean {
    const beforeMs = this.#lostAtMs.get(stage) ?? Number.NEGATIVE_INFINITY;
    this.#lostAtMs.set(stage, nowMs);
    return nowMs - beforeMs <= LOSSES_WITHIN_MS;
  }

  /** Records that a suspect completed alone. */
  acquit(item: StageItem<Payload, Context>): void {
    this.#quarantine.acquit(item.stage, this.#effects.inputKey(item));
  }

  list(nowMs: number): readonly QuarantinedInput[] {
    return this.#quarantine.list(nowMs);
  }

  clear(stage: number, nowMs: number): number {
    return this.#quarantine.clear(stage, nowMs);
  }
}
