import type { Plan } from '@equipoise/core/model';
import { percentText } from '../terminal/plan-table.js';
import type { PlanInForce, RunTotals } from './demo-record.js';

export interface DemoCheck {
  readonly name: string;
  readonly figure: string;
  readonly met: boolean;
}

/** Figures of the demo; `cheapest` and `best` are fixed plans. */
export interface DemoFigures {
  readonly totals: RunTotals;
  readonly plans: readonly PlanInForce[];
  readonly cheapest: RunTotals;
  readonly best: RunTotals;
  readonly overheadFraction: number | undefined;
}

export function demoChecks({ totals, plans, cheapest, best, overheadFraction }: DemoFigures): readonly DemoCheck[] {
  const steps = plans.slice(1).map(({ plan }, i) => stepFrom(plans[i]?.plan ?? plan, plan));
  const halfway = cheapest.pasMean + (best.pasMean - cheapest.pasMean) / 2;
  const checks: DemoCheck[] = [
    check(
      'requests within the SLO, drops counted as misses',
      totals.sloAttainmentFraction >= 0.99,
      `${percentText(totals.sloAttainmentFraction)} (at least 99 %)`,
    ),
    check('failed requests', totals.failed === 0, String(totals.failed)),
    check(
      'switches to more accurate variants',
      steps.includes('more accurate'),
      String(steps.filter((step) => step === 'more accurate').length),
    ),
    check(
      'switches to cheaper variants',
      steps.includes('cheaper'),
      String(steps.filter((step) => step === 'cheaper').length),
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

/** `cheaper`: less accurate, more capacity per core. */
function stepFrom({ predicted: before }: Plan, { predicted: after }: Plan): 'more accurate' | 'cheaper' | 'other' {
  if (after.pas > before.pas) return 'more accurate';
  const carriesMore = after.capacityRps / after.cpuCores > before.capacityRps / before.cpuCores;
  return after.pas < before.pas && carriesMore ? 'cheaper' : 'other';
}

const check = (name: string, met: boolean, figure: string): DemoCheck => ({ name, met, figure });
