/**
 * Writes events. Repetitions of an event become its series, as `kubectl events` shows it, instead of new objects. A
 * series is written now and then, because a condition may change every second. A failed event does not repeat a pass.
 */
import type { Clock } from '@equipoise/core/model';
import { type KubeApi, refusalError } from '../api/kube-api.js';
import { events, eventTime, type PipelineEvent } from './events.js';

export interface EventRecorderDeps {
  readonly api: KubeApi;
  readonly clock: Clock;
  readonly nowEpochMs: () => number;
  readonly fieldManager: string;
  readonly onFailure: (what: string, error: unknown) => void;
}

interface RecordedEvent {
  readonly event: PipelineEvent;
  readonly count: number;
  readonly lastAtMs: number;
  readonly writtenAtMs: number;
}

/** A repetition after a longer pause is a new event. */
const SERIES_MS = 360_000;
/** Shortest time between two writes of a series. */
const WRITE_EVERY_MS = 30_000;
const MOST_REMEMBERED = 4_096;

export class EventRecorder {
  readonly #deps: EventRecorderDeps;
  /** By what the event says; the least recent first. */
  readonly #recorded = new Map<string, RecordedEvent>();

  constructor(deps: EventRecorderDeps) {
    this.#deps = deps;
  }

  async record(all: readonly PipelineEvent[]): Promise<void> {
    await Promise.all(all.map((event) => this.#recordOne(event)));
  }

  async #recordOne(event: PipelineEvent): Promise<void> {
    const { onFailure, clock } = this.#deps;
    const key = seriesKey(event);
    const before = this.#recorded.get(key);
    const nowMs = clock.nowMs();
    const repeated = before !== undefined && nowMs - before.lastAtMs < SERIES_MS ? before : undefined;
    const isDue = repeated === undefined || nowMs - repeated.writtenAtMs >= WRITE_EVERY_MS;
    const next: RecordedEvent = {
      event: repeated?.event ?? event,
      count: (repeated?.count ?? 0) + 1,
      lastAtMs: nowMs,
      writtenAtMs: isDue ? nowMs : repeated.writtenAtMs,
    };
    this.#recorded.delete(key);
    this.#recorded.set(key, next);
    for (const oldest of this.#recorded.keys()) {
      if (this.#recorded.size <= MOST_REMEMBERED) break;
      this.#recorded.delete(oldest);
    }
    if (!isDue) return;
    try {
      await this.#write(next);
    } catch (error) {
      onFailure(events.plural, error);
    }
  }

  async #write({ event, count }: RecordedEvent): Promise<void> {
    const { api, fieldManager, nowEpochMs } = this.#deps;
    const series = { count, lastObservedTime: eventTime(nowEpochMs()) };
    const result =
      count === 1
        ? await api.create(events, event, { fieldManager })
        : await api.apply(events, { ...event, series }, { fieldManager, force: true });
    if (result.kind === 'refused' && result.reason === 'invalid') throw refusalError(event.metadata.name, result);
  }
}

const seriesKey = ({ type, reason, action, regarding, related }: PipelineEvent): string =>
  JSON.stringify([type, reason, action, regarding.uid, regarding.namespace, regarding.name, related]);
