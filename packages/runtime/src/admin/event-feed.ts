/**
 * What happens to the pipelines, for whoever listens: the newest events are remembered for a while, so that a listener that comes back misses
 * nothing, and nobody who listens slowly holds anything up.
 */
import type { LoopEvent } from '../loop/loop-event.js';
import { messageOf } from '../loop/loop-event.js';

/** An event with its number, which counts up from the start of the process. */
export interface FeedEvent {
  readonly id: number;
  readonly atEpochMs: number;
  readonly pipeline: string;
  readonly kind: LoopEvent['kind'];
  readonly facts: Readonly<Record<string, unknown>>;
}

/** Events that are remembered. */
const REMEMBERED = 256;

/** Tells events on. */
export class EventFeed {
  readonly #epochNowMs: () => number;
  readonly #listeners = new Set<(event: FeedEvent) => void>();
  #recent: readonly FeedEvent[] = [];
  #lastId = 0;

  constructor(epochNowMs: () => number) {
    this.#epochNowMs = epochNowMs;
  }

  /** Tells an event of a pipeline to all listeners; they must be quick and not throw. */
  publish(pipeline: string, event: LoopEvent): void {
    this.#lastId += 1;
    const told = { id: this.#lastId, atEpochMs: this.#epochNowMs(), pipeline, kind: event.kind, facts: factsOf(event) };
    this.#recent = [...this.#recent, told].slice(-REMEMBERED);
    for (const listener of this.#listeners) listener(told);
  }

  /** Those remembered that came after the event `id`. */
  since(id: number): readonly FeedEvent[] {
    return this.#recent.filter((event) => event.id > id);
  }

  /** Calls `listener` for every event from now on, until the function that is returned is called. */
  listen(listener: (event: FeedEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}

/** What is told of an event; of a decision enough to know whether to ask for all of it. */
function factsOf(event: LoopEvent): FeedEvent['facts'] {
  switch (event.kind) {
    case 'decided': {
      const { id, trigger, mode, decision } = event.record;
      const { kind, reason, evidence } = decision;
      return { id, trigger, mode, decision: kind, reason, forecast: evidence.forecast };
    }
    case 'manual': {
      const { id, manual } = event.record;
      return { id, mode: event.mode, ...manual };
    }
    case 'failed':
      return { step: event.step, message: messageOf(event.error) };
    default: {
      const { kind: _, ...facts } = event;
      return facts;
    }
  }
}
