/**
 * Long lists of the admin port, written as JSON in slices of a few ms. The lists take turns, and one slice is written in
 * each turn of the event loop, so that the requests of the pipelines wait for at most one slice.
 */
import { AppError } from '@equipoise/core/model';

const SLICE_MS = 4;
/** Lists at the same time. Each keeps the text that it has so far. */
const MOST_LISTS = 16;

interface List {
  readonly items: Iterator<unknown>;
  readonly texts: string[];
  readonly resolve: (text: string) => void;
  readonly reject: (error: unknown) => void;
}

/** Runs a step, and counts the time that it takes of the serving thread. */
export type CountWork = <T>(step: () => T) => T;

export interface SlicedWorkDeps {
  readonly countWork: CountWork;
  readonly nextTurn?: (turn: () => void) => void;
  readonly nowMs?: () => number;
}

export class SlicedWork {
  readonly #countWork: CountWork;
  readonly #nextTurn: (turn: () => void) => void;
  readonly #nowMs: () => number;
  /** The next list comes first. */
  readonly #lists: List[] = [];

  constructor({ countWork, nextTurn = setImmediate, nowMs = () => performance.now() }: SlicedWorkDeps) {
    this.#countWork = countWork;
    this.#nextTurn = nextTurn;
    this.#nowMs = nowMs;
  }

  /** Resolves with the items as a JSON array; rejects with AppError RATE_LIMITED if too many lists are being written. */
  listText(items: Iterable<unknown>): Promise<string> {
    return new Promise((resolve, reject) => {
      if (this.#lists.length >= MOST_LISTS)
        throw new AppError('RATE_LIMITED', `The admin port writes ${MOST_LISTS} long answers already.`);
      this.#lists.push({ items: items[Symbol.iterator](), texts: [], resolve, reject });
      if (this.#lists.length === 1) this.#nextTurn(() => this.#turn());
    });
  }

  #turn(): void {
    const list = this.#lists[0] as List;
    try {
      const text = this.#countWork(() => this.#slice(list));
      this.#lists.shift();
      if (text === undefined) this.#lists.push(list);
      else list.resolve(text);
    } catch (error) {
      this.#lists.shift();
      list.reject(error);
    }
    if (this.#lists.length > 0) this.#nextTurn(() => this.#turn());
  }

  /** Writes at least one item. Returns the text at the end of the list. */
  #slice({ items, texts }: List): string | undefined {
    const endsAtMs = this.#nowMs() + SLICE_MS;
    do {
      const { done, value } = items.next();
      if (done === true) return `[${texts.join()}]`;
      texts.push(JSON.stringify(value));
    } while (this.#nowMs() < endsAtMs);
    return undefined;
  }
}
