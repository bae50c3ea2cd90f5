/** Terminal view of the demo. Pure: state in, lines out. */
import type { PipelineSpec, Plan, RunningPlan } from '@equipoise/core/model';
import pc from 'picocolors';
import { counted } from '../terminal/counted.js';
import { choiceText, coresText, fractionText, msText, percentText } from '../terminal/plan-table.js';
import { sparkline } from '../terminal/sparkline.js';
import { type PlanInForce, type RunTotals, type SecondRow, totalsOf } from './demo-record.js';
import { demoRate } from './demo-text.js';

export interface LiveState {
  readonly spec: PipelineSpec;
  readonly durationS: number;
  readonly seconds: readonly SecondRow[];
  readonly plans: readonly PlanInForce[];
  readonly forecastRps: number | undefined;
  readonly running: RunningPlan;
  readonly queueLengths: readonly number[];
}

const SPARK_WIDTH = 48;
const PLANS_SHOWN = 5;

export function liveView(state: LiveState): readonly string[] {
  const { spec, seconds, plans } = state;
  const plan = plans.at(-1)?.plan;
  return [
    `${pc.bold('equipoise demo')} · ${spec.name} · SLO p${spec.slo.percentile} ≤ ${spec.slo.latencyMs} ms · budget ${spec.budget.cpuCores ?? '∞'} cores${clockText(state)}`,
    '',
    loadLine(state, plan),
    latencyLine(spec, seconds),
    accuracyLine(seconds, plan),
    totalsLine(seconds),
    '',
    ...stageLines(state),
    '',
    ...planLines(plans),
  ];
}

export function liveLine({ seconds, plans }: LiveState): string {
  const last = seconds.at(-1);
  const totals = totalsOf(seconds);
  const p99 = last?.p99Ms === undefined ? '–' : msText(last.p99Ms);
  const plan = plans.at(-1)?.plan;
  return `${String(seconds.length).padStart(4)} s  ${demoRate(recentRps(seconds)).padStart(3)} rps  p99 ${p99}  attainment ${attainmentText(totals)}  drops ${totals.dropped}  failed ${totals.failed}  ${plan === undefined ? '' : choiceText(plan)}`;
}

/** A single second of a small load has no request or twice as many as the mean. */
const RATE_WINDOW_S = 5;

function recentRps(seconds: readonly SecondRow[]): number {
  const recent = seconds.slice(-RATE_WINDOW_S);
  return recent.reduce((sum, { arrived }) => sum + arrived, 0) / Math.max(1, recent.length);
}

/** Without a request, nothing was attained. */
const attainmentText = ({ arrived, sloAttainmentFraction }: RunTotals): string =>
  arrived === 0 ? '–' : percentText(sloAttainmentFraction);

function clockText({ seconds, durationS }: LiveState): string {
  const text = (s: number) => `${Math.floor(s / 60)}:${String(Math.floor(s % 60)).padStart(2, '0')}`;
  return pc.dim(`   ${text(Math.min(seconds.length, durationS))} / ${text(durationS)}`);
}

function loadLine({ seconds, forecastRps }: LiveState, plan: Plan | undefined): string {
  const rates = seconds.map((row) => row.arrived);
  const forecast = forecastRps === undefined ? '' : `   planned for ${demoRate(forecastRps)} rps`;
  const capacity = plan === undefined ? '' : `   capacity ${demoRate(plan.predicted.capacityRps)} rps`;
  return `load      ${pc.cyan(sparkline(rates, SPARK_WIDTH))} ${demoRate(recentRps(seconds)).padStart(4)} rps${pc.dim(forecast + capacity)}`;
}

function latencyLine(spec: PipelineSpec, seconds: readonly SecondRow[]): string {
  const latencies = seconds.map((row) => row.p99Ms);
  const last = latencies.at(-1);
  const color = last !== undefined && last > spec.slo.latencyMs ? pc.red : pc.green;
  return `p99       ${color(sparkline(latencies, SPARK_WIDTH))} ${last === undefined ? '–' : color(msText(last))}${pc.dim(`   of ${spec.slo.latencyMs} ms`)}`;
}

function accuracyLine(seconds: readonly SecondRow[], plan: Plan | undefined): string {
  const scores = seconds.map((row) => row.pas);
  return `accuracy  ${pc.magenta(sparkline(scores, SPARK_WIDTH, Math.min(...scores) - 0.01))} ${plan === undefined ? '–' : fractionText(plan.predicted.pas)}${pc.dim(`   mean ${fractionText(totalsOf(seconds).pasMean)}`)}`;
}

function totalsLine(seconds: readonly SecondRow[]): string {
  const totals = totalsOf(seconds);
  const attainment = attainmentText(totals);
  const color = totals.sloAttainmentFraction >= 0.99 ? pc.green : pc.red;
  return `so far    ${color(`${attainment} within the SLO`)} · ${counted(totals.arrived, 'request')} · ${totals.dropped} dropped · ${totals.failed} failed`;
}

function stageLines({ spec, running, queueLengths }: LiveState): readonly string[] {
  const rows = spec.stages.map(({ id }, index) => {
    const stage = running.stages[id];
    const ready = stage?.replicas.filter(({ status }) => status === 'ready') ?? [];
    const others = (stage?.replicas.length ?? 0) - ready.length;
    const newest = ready.at(-1);
    const cores = newest === undefined ? '–' : `${ready.length} × ${coresText(newest.resources.cpuCores)}`;
    const changing = others > 0 ? pc.yellow(` +${others} changing`) : '';
    return `  ${id.padEnd(10)} ${pc.bold((newest?.variantId ?? '–').padEnd(10))} ${cores.padEnd(16)} batch ≤ ${String(stage?.maxBatchSize ?? 0).padEnd(4)} queue ${queueLengths[index] ?? 0}${changing}`;
  });
  return [pc.dim('  stage      variant    replicas         batching    waiting'), ...rows];
}

function planLines(plans: readonly PlanInForce[]): readonly string[] {
  const recent = plans.slice(-PLANS_SHOWN);
  return recent.map(
    ({ atS, plan, reason }) => `${pc.dim(`${atS.toFixed(0).padStart(4)} s`)}  ${choiceText(plan)}  ${pc.dim(reason)}`,
  );
}
