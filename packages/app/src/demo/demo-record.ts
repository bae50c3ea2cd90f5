import type { Plan } from '@equipoise/core/model';

export interface SecondRow {
  readonly atS: number;
  readonly arrived: number;
  readonly completed: number;
  readonly withinSlo: number;
  readonly dropped: number;
  readonly failed: number;
  /** p99 latency of the last 10 s; undefined without completions. */
  readonly p99Ms: number | undefined;
  readonly pas: number;
  readonly capacityRps: number;
}

export interface PlanInForce {
  readonly atS: number;
  readonly plan: Plan;
  readonly reason: string;
}

export interface RunTotals {
  readonly arrived: number;
  readonly completed: number;
  readonly dropped: number;
  readonly failed: number;
  readonly sloAttainmentFraction: number;
  /** Mean accuracy of completed requests. */
  readonly pasMean: number;
}

/** An empty run has attainment 1. */
export function totalsOf(seconds: readonly SecondRow[]): RunTotals {
  const sum = (pick: (row: SecondRow) => number) => seconds.reduce((total, row) => total + pick(row), 0);
  const arrived = sum((row) => row.arrived);
  const completed = sum((row) => row.completed);
  return {
    arrived,
    completed,
    dropped: sum((row) => row.dropped),
    failed: sum((row) => row.failed),
    sloAttainmentFraction: arrived === 0 ? 1 : sum((row) => row.withinSlo) / arrived,
    pasMean: completed === 0 ? 0 : sum((row) => row.pas * row.completed) / completed,
  };
}
