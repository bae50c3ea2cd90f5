/** Time that moves only on request. */
import type { AlarmClock } from '@equipoise/core/model';

interface Alarm {
  readonly atMs: number;
  readonly rank: number;
  readonly ring: () => void;
}

/** Starts at 0 ms. Between alarms all pending promises settle. */
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

  /** Infinity without alarms. */
  get nextAlarmAtMs(): number {
    return this.#nextDue(Number.POSITIVE_INFINITY)?.atMs ?? Number.POSITIVE_INFINITY;
  }

  /**
   * A clock of the same time for a part of a program. At equal instants, its alarms ring before alarms of higher rank.
   */
  ranked(rank: number): AlarmClock {
    return { nowMs: () => this.#nowMs, ringAt: (atMs, ring) => this.ringAt(atMs, ring, rank) };
  }

  /** Calls `ring` once at `atMs`. The returned function cancels the alarm. */
  ringAt(atMs: number, ring: () => void, rank = 0): () => void {
    const alarm = { atMs: Math.max(atMs, this.#nowMs), rank, ring };
    this.#alarms.push(alarm);
    return () => {
      this.#alarms = this.#alarms.filter((other) => other !== alarm);
    };
  }

  /** Resolves after `durationMs`. */
  sleep(durationMs: number): Promise<void> {
    return new Promise((resolve) => this.ringAt(this.#nowMs + durationMs, resolve));
  }

  /**
   * Moves time to `atMs` and rings due alarms by instant, rank, then order of calls. Past alarms ring at the present
   * instant.
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

/** Lets pending promises settle. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
