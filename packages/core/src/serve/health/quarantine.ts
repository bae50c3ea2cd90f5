/**
 * Inputs that hung a stage, by stage and key. An input that hung alone is guilty: it is refused for 10 minutes. Inputs
 * of a larger hung batch are suspects: each runs alone until it has completed once. So are inputs that hung alone on a
 * server elsewhere, because a lost connection or machine looks like a hang.
 */

export type Verdict = 'free' | 'suspect' | 'guilty';

export interface QuarantinedInput {
  readonly stage: number;
  readonly key: string;
  readonly untilMs: number;
}

const KEPT_MS = 600_000;
const MOST_INPUTS = 10_000;

export class Quarantine {
  readonly #guilty = new RecentInputs();
  readonly #suspects = new RecentInputs();
  /** By stage, the instant when its last input expires. */
  readonly #screenedUntilMs = new Map<number, number>();

  /** True if inputs of a stage may be listed. Otherwise no digest is needed. */
  screens(stage: number, nowMs: number): boolean {
    const untilMs = this.#screenedUntilMs;
    return untilMs.size > 0 && nowMs < (untilMs.get(stage) ?? Number.NEGATIVE_INFINITY);
  }

  verdictOn(stage: number, key: string, nowMs: number): Verdict {
    if (this.#guilty.has(stage, key, nowMs)) return 'guilty';
    return this.#suspects.has(stage, key, nowMs) ? 'suspect' : 'free';
  }

  suspect(stage: number, key: string, nowMs: number): void {
    this.#keep(this.#suspects, { stage, key, untilMs: nowMs + KEPT_MS });
  }

  convict(stage: number, key: string, nowMs: number): void {
    this.#suspects.delete(stage, key);
    this.#keep(this.#guilty, { stage, key, untilMs: nowMs + KEPT_MS });
  }

  acquit(stage: number, key: string): void {
    this.#suspects.delete(stage, key);
  }

  /** Guilty inputs, least recently used first. */
  list(nowMs: number): readonly QuarantinedInput[] {
    return this.#guilty.list(nowMs);
  }

  /** Frees all inputs of a stage, suspects included. Returns the number of guilty ones. */
  clear(stage: number, nowMs: number): number {
    this.#suspects.clear(stage, nowMs);
    this.#screenedUntilMs.delete(stage);
    return this.#guilty.clear(stage, nowMs);
  }

  #keep(inputs: RecentInputs, input: QuarantinedInput): void {
    inputs.add(input);
    this.#screenedUntilMs.set(input.stage, input.untilMs);
  }
}

/** Bounded: the least recently used input leaves first. */
class RecentInputs {
  readonly #inputs = new Map<string, QuarantinedInput>();

  has(stage: number, key: string, nowMs: number): boolean {
    const id = idOf(stage, key);
    const input = this.#inputs.get(id);
    if (input === undefined) return false;
    this.#inputs.delete(id);
    if (nowMs >= input.untilMs) return false;
    this.#inputs.set(id, input);
    return true;
  }

  add(input: QuarantinedInput): void {
    const id = idOf(input.stage, input.key);
    this.#inputs.delete(id);
    this.#inputs.set(id, input);
    if (this.#inputs.size <= MOST_INPUTS) return;
    for (const oldest of this.#inputs.keys()) {
      this.#inputs.delete(oldest);
      return;
    }
  }

  delete(stage: number, key: string): void {
    this.#inputs.delete(idOf(stage, key));
  }

  list(nowMs: number): readonly QuarantinedInput[] {
    return [...this.#inputs.values()].filter(({ untilMs }) => nowMs < untilMs);
  }

  clear(stage: number, nowMs: number): number {
    const ofStage = this.list(nowMs).filter((input) => input.stage === stage);
    for (const { key } of ofStage) this.delete(stage, key);
    return ofStage.length;
  }
}

const idOf = (stage: number, key: string): string => `${stage} ${key}`;
