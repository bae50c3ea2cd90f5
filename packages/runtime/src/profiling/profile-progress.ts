/** How far a profiling run is. The time left is the time per point so far × the points left; before the first point, its time cap. */
import type { Clock } from '@equipoise/core';

/** Points done of all points, with what is measured now. */
export interface ProfileProgress {
  readonly doneUnits: number;
  readonly totalUnits: number;
  readonly etaMs: number;
  readonly label: string;
}

/** Counts points; every call tells the listener. */
export class ProgressMeter {
  readonly #clock: Clock;
  readonly #startedAtMs: number;
  readonly #totalUnits: number;
  readonly #expectedUnitMs: number;
  readonly #listener: (progress: ProfileProgress) => void;
  #doneUnits = 0;

  constructor(
    clock: Clock,
    run: {
      readonly totalUnits: number;
      readonly expectedUnitMs: number;
      readonly listener: (progress: ProfileProgress) => void;
    },
  ) {
    this.#clock = clock;
    this.#startedAtMs = clock.nowMs();
    this.#totalUnits = run.totalUnits;
    this.#expectedUnitMs = run.expectedUnitMs;
    this.#listener = run.listener;
  }

  /** Says what is done next. */
  begin(label: string): void {
    this.#tell(label);
  }

  /** Counts points that are done or skipped. */
  finish(units: number, label: string): void {
    this.#doneUnits += units;
    this.#tell(label);
  }

  #tell(label: string): void {
    const left = this.#totalUnits - this.#doneUnits;
    const unitMs =
      this.#doneUnits === 0 ? this.#expectedUnitMs : (this.#clock.nowMs() - this.#startedAtMs) / this.#doneUnits;
    this.#listener({ doneUnits: this.#doneUnits, totalUnits: this.#totalUnits, etaMs: left * unitMs, label });
  }
}
