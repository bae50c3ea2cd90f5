/** Events of the pipelines for listeners. Stores the 256 newest events for listeners that reconnect. */
import type { LoopEvent } from '../loop/loop-event.js';
import { messageOf } from '../loop/loop-event.js';

/** `id` counts from the process start. */
export interface FeedEvent {
  readonly id: number;
  readonly atEpochMs: number;
  readonly pipeline: string;
  readonly kind: LoopEvent['kind'];
  readonly facts: Readonly<Record<string, unknown>>;
}

const REMEMBERED = 256;

export class EventFeed {
  readonly #epochNowMs: () => number;
  readonly #listeners = new Set<(event: FeedEvent) => void>();
  #recent: readonly FeedEvent[] = [];
  #lastId = 0;

  constructor(epochNowMs: () => number) {
    this.#epochNowMs = epochNowMs;
  }

  /** Listeners must be quick and must not throw. */
  publish(pipeline: string, event: LoopEvent): void {
    this.#lastId += 1;
    const told = { id: this.#lastId, atEpochMs: this.#epochNowMs(), pipeline, kind: event.kind, facts: factsOf(event) };
    this.#recent = [...this.#recent, told].slice(-REMEMBERED);
    for (const listener of this.#listeners) listener(told);
  }

  /** Events after `id`. An id that is yet to come is of an earlier process: then all events are new. */
  since(id: number): readonly FeedEvent[] {
    return id > this.#lastId ? this.#recent : this.#recent.filter((event) => event.id > id);
  }

  listen(listener: (event: FeedEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}

/** Facts of an event; for a decision only a summary. */
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
    case 'replica-replaced':
      return { stageId: event.stageId, message: messageOf(event.error) };
    case 'failed':
      return { step: event.step, message: messageOf(event.error) };
    default: {
      const { kind: _, ...facts } = event;
      return facts;
    }
  }
}
