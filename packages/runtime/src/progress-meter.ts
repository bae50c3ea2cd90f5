/**
 * Progress of long work. The remaining time is the mean time per unit × the remaining units. Before the first unit, the
 * time per unit is an estimate.
 */
import type { Clock } from '@equipoise/core/model';

export interface WorkProgress {
  readonly doneUnits: number;
  readonly totalUnits: number;
  readonly etaMs: number;
  readonly label: string;
}

/** Counts units; `begin` and `finish` inform the listener. */
export class ProgressMeter {
  readonly #clock: Clock;
  readonly #startedAtMs: number;
  #totalUnits: number;
  readonly #expectedUnitMs: number;
  readonly #listener: (progress: WorkProgress) => void;
  #doneUnits = 0;

  constructor(
    clock: Clock,
    run: {
      readonly totalUnits: number;
      readonly expectedUnitMs: number;
      readonly listener: (progress: WorkProgress) => void;
    },
  ) {
    this.#clock = clock;
    this.#startedAtMs = clock.nowMs();
    this.#totalUnits = run.totalUnits;
    this.#expectedUnitMs = run.expectedUnitMs;
    this.#listener = run.listener;
  }

  begin(label: string): void {
    this.#tell(label);
  }

  finish(units: number, label: string): void {
    this.#doneUnits += units;
    this.#tell(label);
  }

  /** Excludes units done by earlier runs: their time is unknown. */
  leaveOut(units: number): void {
    this.#totalUnits -= units;
  }

  #tell(label: string): void {
    const left = this.#totalUnits - this.#doneUnits;
    const unitMs =
      this.#doneUnits === 0 ? this.#expectedUnitMs : (this.#clock.nowMs() - this.#startedAtMs) / this.#doneUnits;
    this.#listener({ doneUnits: this.#doneUnits, totalUnits: this.#totalUnits, etaMs: left * unitMs, label });
  }
}
