/** Time that moves only when a test says so. */
import type { AlarmClock } from '@equipoise/core/model';

interface Alarm {
  readonly atMs: number;
  readonly rank: number;
  readonly ring: () => void;
}

/** A clock with alarms, at 0 ms to begin with. Between alarms everything that waits for a promise gets its turn. */
export class ManualClock implements AlarmClock {
  #nowMs = 0;
  #alarms: Alarm[] = [];

  nowMs(): number {
    return this.#nowMs;
  }

  /** Alarms that have not rung. */
  get pendingAlarms(): number {
    return this.#alarms.length;
  }

  /** Instant of the next alarm; Infinity when there is none. */
  get nextAlarmAtMs(): number {
    return this.#nextDue(Number.POSITIVE_INFINITY)?.atMs ?? Number.POSITIVE_INFINITY;
  }

  /** The same time for one part of a program, whose alarms ring before those of a higher rank at the same instant. */
  ranked(rank: number): AlarmClock {
    return { nowMs: () => this.#nowMs, ringAt: (atMs, ring) => this.ringAt(atMs, ring, rank) };
  }

  /** Calls `ring` once when time reaches `atMs`; the returned function takes the alarm back. */
  ringAt(atMs: number, ring: () => void, rank = 0): () => void {
    const alarm = { atMs: Math.max(atMs, this.#nowMs), rank, ring };
    this.#alarms.push(alarm);
    return () => {
      this.#alarms = this.#alarms.filter((other) => other !== alarm);
    };
  }

  /** A promise that resolves when `durationMs` have passed. */
  sleep(durationMs: number): Promise<void> {
    return new Promise((resolve) => this.ringAt(this.#nowMs + durationMs, resolve));
  }

  /**
   * Moves time to `atMs` and rings what is due on the way: by instant, then by rank, then in the order of the calls. An alarm in the past
   * rings at the present instant.
   */
  async advanceTo(atMs: number): Promise<void> {
    await settled();
    for (let next = this.#nextDue(atMs); next !== undefined; next = this.#nextDue(atMs)) {
      this.#alarms = this.#alarms.filter((alarm) => alarm !== next);
      this.#nowMs = next.atMs;
      next.ring();
      await settled();
    }
    this.#nowMs = Math.max(this.#nowMs, atMs);
  }

  #nextDue(atMs: number): Alarm | undefined {
    let first: Alarm | undefined;
    for (const alarm of this.#alarms) {
      if (alarm.atMs <= atMs && (first === undefined || isBefore(alarm, first))) first = alarm;
    }
    return first;
  }
}

function isBefore(a: Alarm, b: Alarm): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.rank < b.rank);
}

/** Lets all promises that can go on do so. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
