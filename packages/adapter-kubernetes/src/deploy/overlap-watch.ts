/**
 * Notices another operator that writes the statuses of the same pipelines, because the namespaces of both overlap. Both
 * write under one field manager, so the server refuses neither, and each answers the other's status with its own. A
 * watched version with another status is foreign if its number is not that of an own write.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '@equipoise/core/model';
import type { InferencePipeline } from '../cluster/observed-objects.js';

interface StatusWrites {
  /** Versions of the last own writes. */
  readonly own: string[];
  /** Watched versions with another status than the version before. */
  watched: string[];
  status: InferencePipeline['status'];
  /** Own writes without an answer, which the server may have made. */
  unanswered: number;
  writtenAtMs: number;
  foreignAtMs: readonly number[];
}

/** This many foreign writes within the window mean an overlap. One or two are those of a former leader. */
const FEWEST = 3;
const WINDOW_MS = 120_000;
/** Shortest time between two writes of a pipeline that another operator writes, too. */
const CALM_MS = 10_000;
const MOST_REMEMBERED = 64;

export class OverlapWatch {
  readonly #clock: Clock;
  readonly #writes = new Map<string, StatusWrites>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Notes the answer to a write of the status. */
  noteWrite(key: string, { metadata }: InferencePipeline): void {
    const writes = this.#of(key);
    writes.own.push(metadata.resourceVersion ?? '');
    if (writes.own.length > MOST_REMEMBERED) writes.own.shift();
    writes.writtenAtMs = this.#clock.nowMs();
  }

  /** Notes a write of the status without an answer. */
  noteLoss(key: string): void {
    this.#of(key).unanswered += 1;
  }

  /** Notes a version that the watch shows. It may be of an own write whose answer is still to come. */
  noteVersion(key: string, { metadata, status }: InferencePipeline): void {
    const writes = this.#of(key);
    const isChanged = writes.status !== undefined && !isDeepStrictEqual(writes.status, status);
    writes.status = status;
    if (isChanged) writes.watched.push(metadata.resourceVersion ?? '');
  }

  /** Counts the foreign versions so far; called while no own write is under way. */
  look(key: string): void {
    const writes = this.#of(key);
    const foreign = writes.watched.filter((version) => !writes.own.includes(version));
    writes.watched = [];
    const counted = foreign.slice(writes.unanswered);
    writes.unanswered -= foreign.length - counted.length;
    writes.foreignAtMs = [...this.#recent(key), ...counted.map(() => this.#clock.nowMs())];
  }

  hasOverlap(key: string): boolean {
    return this.#recent(key).length >= FEWEST;
  }

  /** Time (ms) for which a pipeline of two operators is left alone, so that they do not keep the server busy. */
  restMs(key: string): number {
    if (!this.hasOverlap(key)) return 0;
    return Math.max(0, this.#of(key).writtenAtMs + CALM_MS - this.#clock.nowMs());
  }

  forget(key: string): void {
    this.#writes.delete(key);
  }

  #recent(key: string): readonly number[] {
    const sinceMs = this.#clock.nowMs() - WINDOW_MS;
    return this.#of(key).foreignAtMs.filter((atMs) => atMs > sinceMs);
  }

  #of(key: string): StatusWrites {
    const known = this.#writes.get(key);
    if (known !== undefined) return known;
    const writes: StatusWrites = {
      ...{ own: [], watched: [], status: undefined, unanswered: 0, foreignAtMs: [] },
      writtenAtMs: Number.NEGATIVE_INFINITY,
    };
    this.#writes.set(key, writes);
    return writes;
  }
}
