/** What the demo promises, checked on the run that was just seen. */

import { percentText } from '../terminal/plan-table.js';
import type { PlanInForce, RunTotals } from './demo-record.js';

/** One promise with its figure. */
export interface DemoCheck {
  readonly name: string;
  readonly figure: string;
  readonly met: boolean;
}

/** What the checks look at; the accuracies are those of the two fixed plans. */
export interface DemoFigures {
  readonly totals: RunTotals;
  readonly plans: readonly PlanInForce[];
  readonly cheapest: RunTotals;
  readonly best: RunTotals;
  /** CPU of request handling and load generation as a fraction of all CPU used; undefined where it cannot be measured. */
  readonly overheadFraction: number | undefined;
}

/** Checks a run of the demo. */
export function demoChecks({ totals, plans, cheapest, best, overheadFraction }: DemoFigures): readonly DemoCheck[] {
  const scores = plans.map(({ plan }) => plan.predicted.pas);
  const steps = scores.slice(1).map((score, i) => score - (scores[i] ?? score));
  const halfway = cheapest.pasMean + (best.pasMean - cheapest.pasMean) / 2;
  const checks: DemoCheck[] = [
    check(
      'requests within the SLO, drops counted as misses',
      totals.sloAttainmentFraction >= 0.99,
      `${percentText(totals.sloAttainmentFraction)} (at least 99 %)`,
    ),
    check('failed requests', totals.failed === 0, String(totals.failed)),
    check(
      'switches to a more accurate plan',
      steps.some((step) => step > 0),
      String(steps.filter((step) => step > 0).length),
    ),
    check(
      'switches to a cheaper plan',
      steps.some((step) => step < 0),
      String(steps.filter((step) => step < 0).length),
    ),
    check(
      'always-best within the SLO',
      best.sloAttainmentFraction <= 0.9,
      `${percentText(best.sloAttainmentFraction)} (at most 90 %)`,
    ),
    check(
      'mean accuracy',
      totals.pasMean >= halfway,
      `${totals.pasMean.toFixed(3)} (at least ${halfway.toFixed(3)}, halfway between always-cheapest and always-best)`,
    ),
  ];
  if (overheadFraction !== undefined) {
    checks.push(
      check(
        'CPU for request handling and load generation',
        overheadFraction <= 0.15,
        `${percentText(overheadFraction)} (at most 15 %)`,
      ),
    );
  }
  return checks;
}

const check = (name: string, met: boolean, figure: string): DemoCheck => ({ name, met, figure });
