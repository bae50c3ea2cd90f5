/** Quarantine of inputs, and their likeness to culprits, asked by item. The driver makes the keys. */
import { Culprits, type Sender } from './health/culprits.js';
import { Quarantine, type QuarantinedInput, type Verdict } from './health/quarantine.js';
import type { StageItem } from './request-state.js';
import type { ServingEffects } from './serving-effects.js';

/** Another loss of the same stage within this time (ms) makes inputs suspect. */
const LOSSES_WITHIN_MS = 10_000;

export class InputScreen<Payload, Context> {
  /** By stage, the time of its last loss. */
  readonly #lostAtMs = new Map<number, number>();
  readonly #quarantine = new Quarantine();
  /** By stage, since its first loss or hang. */
  readonly #culprits = new Map<number, Culprits>();
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
      this.#culpritsOf(item.stage).noteLoss(nowMs);
      if (isProof) {
        this.noteCulprit(item, nowMs);
        this.#quarantine.convict(item.stage, key, nowMs);
        this.#effects.inputQuarantined(item.stage, key);
      } else this.#quarantine.suspect(item.stage, key, nowMs);
    }
  }

  /** Records the loss of a replica. True if its stage has lost another one within 10 s: an input may be the cause. */
  noteLost(stage: number, nowMs: number): boolean {
    const beforeMs = this.#lostAtMs.get(stage) ?? Number.NEGATIVE_INFINITY;
    this.#lostAtMs.set(stage, nowMs);
    this.#culpritsOf(stage).noteLoss(nowMs);
    return nowMs - beforeMs <= LOSSES_WITHIN_MS;
  }

  /** True if the input of a batch is a suspect. */
  isSuspect([item]: readonly StageItem<Payload, Context>[], nowMs: number): boolean {
    return item !== undefined && this.verdictOn(item, nowMs) === 'suspect';
  }

  /** Records that an item completed alone. */
  acquit(item: StageItem<Payload, Context>, nowMs: number): void {
    if (this.#quarantine.screens(item.stage, nowMs)) this.#quarantine.acquit(item.stage, this.#effects.inputKey(item));
  }

  /** Records an item that ended its replica for sure. */
  noteCulprit(item: StageItem<Payload, Context>, nowMs: number): void {
    this.#culpritsOf(item.stage).noteCulprit(senderOf(item), nowMs);
  }

  /** Records that an item was dropped before it ran. `arrivals`: items that came to its stage so far. */
  noteDropped({ stage }: StageItem<Payload, Context>, arrivals: number, nowMs: number): void {
    this.#culprits.get(stage)?.noteDropped(arrivals, nowMs);
  }

  /** Records the items of a batch that have ended without a failure. */
  noteCompleted(batch: readonly StageItem<Payload, Context>[], nowMs: number): void {
    if (this.#culprits.size === 0) return;
    for (const { stage, request, withdrawn } of batch) {
      if (request.client === undefined || request.ended || withdrawn) continue;
      const culprits = this.#culprits.get(stage);
      if (culprits?.keepsRecords(nowMs)) culprits.noteCompleted(request.client);
    }
  }

  /** True if a request is like those whose inputs end replicas of its stage. */
  isAlike(
    item: StageItem<Payload, Context>,
    { replicas, isHopeless }: { readonly replicas: number; readonly isHopeless: boolean },
    nowMs: number,
  ): boolean {
    const culprits = this.#culprits.get(item.stage);
    return culprits?.isAlike({ ...senderOf(item), isHopeless }, replicas, nowMs) ?? false;
  }

  list(nowMs: number): readonly QuarantinedInput[] {
    return this.#quarantine.list(nowMs);
  }

  clear(stage: number, nowMs: number): number {
    return this.#quarantine.clear(stage, nowMs);
  }

  #culpritsOf(stage: number): Culprits {
    let culprits = this.#culprits.get(stage);
    if (culprits === undefined) {
      culprits = new Culprits();
      this.#culprits.set(stage, culprits);
    }
    return culprits;
  }
}

function senderOf<Payload, Context>({ request }: StageItem<Payload, Context>): Sender {
  return { client: request.client, patienceMs: request.dueAtMs - request.arrivedAtMs };
}
