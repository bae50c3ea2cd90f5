/** Newest parts of a source by key, until their maximum age. Beyond `maxKeys`, the oldest part is forgotten. */
import { type Linked, LinkedQueue } from '../kernel/linked-queue.js';

interface NewestPartsDeps<Part> {
  readonly maxAgeMs: number;
  readonly maxKeys: number;
  forget(part: Part): void;
}

interface KeptPart<Part> extends Linked<KeptPart<Part>> {
  readonly key: string;
  readonly part: Part;
  readonly timeMs: number;
  readonly untilMs: number;
}

export class NewestParts<Part> {
  readonly #deps: NewestPartsDeps<Part>;
  readonly #byKey = new Map<string, KeptPart<Part>>();
  /** In the order of arrival, in which they also expire. */
  readonly #queue = new LinkedQueue<KeptPart<Part>>();

  constructor(deps: NewestPartsDeps<Part>) {
    this.#deps = deps;
  }

  /** Undefined without parts. */
  get expiresAtMs(): number | undefined {
    return this.#queue.first?.untilMs;
  }

  /** `late`: the kept part has a later time. */
  keep(key: string, { part, timeMs, nowMs }: { part: Part; timeMs: number; nowMs: number }): 'kept' | 'late' {
    const { maxAgeMs, maxKeys } = this.#deps;
    const known = this.#byKey.get(key);
    if (known !== undefined) {
      if (timeMs < known.timeMs) return 'late';
      this.#remove(known);
    } else if (this.#queue.size >= maxKeys) this.#remove(this.#queue.first as KeptPart<Part>);
    const kept = { key, part, timeMs, untilMs: nowMs + maxAgeMs };
    this.#byKey.set(key, kept);
    this.#queue.push(kept);
    return 'kept';
  }

  newest(key: string, nowMs: number): Part | undefined {
    const kept = this.#byKey.get(key);
    return kept === undefined || kept.untilMs <= nowMs ? undefined : kept.part;
  }

  remove(key: string): void {
    const kept = this.#byKey.get(key);
    if (kept !== undefined) this.#remove(kept);
  }

  expire(nowMs: number): void {
    for (let first = this.#queue.first; first !== undefined && first.untilMs <= nowMs; first = this.#queue.first)
      this.#remove(first);
  }

  clear(): void {
    this.expire(Number.POSITIVE_INFINITY);
  }

  #remove(kept: KeptPart<Part>): void {
    this.#queue.remove(kept);
    this.#byKey.delete(kept.key);
    this.#deps.forget(kept.part);
  }
}
