import type { PipelineSpec, Plan, ProfileSet } from '@equipoise/core/model';
import { optimize } from '@equipoise/core/plan';
import pc from 'picocolors';
import { type MachineUse, otherUseText } from '../calibrate/machine-use.js';
import { plannedHostCores, verifierFor } from '../compose/plan-verification.js';
import { choiceText, coresText, fractionText, msText, percentText } from '../terminal/plan-table.js';
import { textTable } from '../terminal/text-table.js';
import type { DemoOutcome } from './demo-page.js';

const right = (title: string) => ({ right: title });

/** Rate with one decimal below 10. */
export const demoRate = (rps: number): string => rps.toFixed(Math.round(10 * rps) < 100 ? 1 : 0);

/** Warning before the profile is measured on a busy machine. */
export const busyDemoText = (machine: MachineUse): string =>
  pc.yellow(
    `Other programs use ${otherUseText(machine)}. The profile then takes their work for that of the variants. Press Ctrl-C, stop these programs and start the demo again.`,
  );

export function riseText(highRps: number): string {
  const noun = Number(demoRate(highRps)) === 1 ? 'request' : 'requests';
  return `${pc.bold('3. Serve and adapt')}: the load rises to ${demoRate(highRps)} ${noun} per second and falls again.`;
}

/** Best plan for a load; undefined if none fits the budget. */
interface LadderStep {
  readonly arrivalRps: number;
  readonly plan: Plan | undefined;
}

/** Best plans for the lowest, the middle and the highest load. */
export function planLadder(
  spec: PipelineSpec,
  profiles: ProfileSet,
  { lowRps, highRps }: { readonly lowRps: number; readonly highRps: number },
): readonly LadderStep[] {
  return [lowRps, (lowRps + highRps) / 2, highRps].map((arrivalRps) => {
    const verify = verifierFor(spec, profiles, { arrivalRps, hostCores: plannedHostCores(spec) });
    const result = optimize({ spec, profiles, arrivalRps, estimator: 'distribution' }, verify);
    return { arrivalRps, plan: result.kind === 'feasible' ? result.plan : result.bestEffort };
  });
}

export function ladderText({ slo }: Pick<PipelineSpec, 'slo'>, steps: readonly LadderStep[]): string {
  const latency = `p${slo.percentile}`;
  const figures = ['accuracy', `${latency} estimated`, `${latency} simulated`, 'cost'].map(right);
  const distinct = new Set(steps.map(({ plan }) => plan && `${choiceText(plan)} ${plan.predicted.cpuCores}`));
  const finding =
    distinct.size > 1
      ? 'the best configuration depends on the load'
      : 'on this machine the same variants and cores are best at each of these loads';
  const table = textTable([right('load'), 'variants', ...figures], steps.map(ladderRow));
  return `${pc.bold('2. Plan')}: ${finding}.\n${table}`;
}

function ladderRow({ arrivalRps, plan }: LadderStep): readonly string[] {
  const load = `${arrivalRps.toFixed(1)} rps`;
  if (plan === undefined) return [load, pc.red('none fits the budget'), '', '', '', ''];
  const { pas, latencyMs, cpuCores } = plan.predicted;
  const simulated = plan.verified === undefined ? '–' : msText(plan.verified.latencyMs);
  return [load, choiceText(plan), fractionText(pas), msText(latencyMs), simulated, coresText(cpuCores)];
}

/** `doubt`: uncertainty of the profile, shown if a check is not met. */
export function demoText(
  { runs, checks }: Pick<DemoOutcome, 'runs' | 'checks'>,
  reportPath: string,
  doubt: string | undefined,
): string {
  const rows = runs.map(({ name, how, totals }) => [
    name,
    how,
    percentText(totals.sloAttainmentFraction),
    fractionText(totals.pasMean),
    totals.dropped,
    totals.failed,
  ]);
  const figures = ['within the SLO', 'mean accuracy', 'dropped', 'failed'].map(right);
  const lines = checks.map(({ name, figure, met }) => `${met ? pc.green('✓') : pc.red('✗')} ${name}: ${figure}`);
  if (doubt !== undefined && checks.some(({ met }) => !met)) lines.push('', pc.yellow(`A likely cause: ${doubt}`));
  const table = textTable(['on the same load', 'how', ...figures], rows);
  return ['', pc.bold('4. Compare'), table, '', ...lines, '', `Report with plots: ${reportPath}`].join('\n');
}
