/**
 * State of a host that runs batches: other running batches, and recent use of its cores. Recent use is the mean number
 * of working cores ÷ usable cores, weighted by exp(−age ÷ 30 ms). A stall occupies a core without work, so a batch that
 * takes more than twice its usual time counts as (twice the usual time ÷ its time).
 */
import type { HostState } from '../model/service-correction.js';

const MEMORY_MS = 30;

export class RecentUse {
  readonly #usableCores: number;
  #use = 0;
  #working = 0;
  #running = 0;
  #atMs = 0;

  /** Initially rested. */
  constructor(usableCores: number) {
    this.#usableCores = usableCores;
  }

  stateAt(nowMs: number): HostState {
    this.#advance(nowMs);
    return { recentUse: Math.min(1, this.#use), otherBatches: this.#running };
  }

  /** Work of a batch that starts now; `ended` takes it back. */
  started(nowMs: number, work: number): void {
    this.#advance(nowMs);
    this.#working += work;
    this.#running += 1;
  }

  ended(nowMs: number, work: number): void {
    this.#advance(nowMs);
    this.#working = Math.max(0, this.#working - work);
    this.#running -= 1;
  }

  #advance(nowMs: number): void {
    const kept = Math.exp(-Math.max(0, nowMs - this.#atMs) / MEMORY_MS);
    this.#use = this.#use * kept + (1 - kept) * (this.#working / this.#usableCores);
    this.#atMs = nowMs;
  }
}

const STALL_FACTOR = 2;

/** Work of a batch: at most 1. */
export const workOf = (usualMs: number, ms: number): number => Math.min(1, (STALL_FACTOR * usualMs) / ms);

/** Cores that batches can use at once. */
export const usableCores = (hostCores: number, replicas: number): number => Math.max(1, Math.min(hostCores, replicas));
