import { medianOf } from '@equipoise/core/model';
import type { ComparedLoad } from '../../packages/app/src/calibrate/compared-loads.js';
import { errorFraction, isBelowSaturation } from '../../packages/app/src/calibrate/trust.js';
import { barResults, bars, latencyErrors } from './bars.js';
import type { FidelityResults } from './kept-results.js';
import type { MeasuredPlan, PlanResult } from './plan-result.js';

const signed = (fraction: number): string => `${fraction < 0 ? '−' : '+'}${(100 * Math.abs(fraction)).toFixed(1)} %`;
/** JSON has no NaN: a figure of no request is null. */
const ms = (value: number | null): string => (value === null ? 'none' : value.toFixed(value < 100 ? 2 : 0));
const verdict = (met: boolean): string => (met ? 'met' : '**missed**');
const row = (cells: readonly (string | number)[]): string => `| ${cells.join(' | ')} |`;
const within = (fraction: number, bar: number): boolean => Math.abs(fraction) <= bar;

/** A row misses if p50, p99 or both are off by more than the worst error allowed. */
function latencyRow(plan: PlanResult, load: ComparedLoad): string {
  const { served, simulated, simulatedFromProfile, estimated, halves } = load;
  const off = latencyErrors(load);
  const offBy = (of: { readonly p50Ms: number | null; readonly p99Ms: number | null }): string =>
    (['p50Ms', 'p99Ms'] as const)
      .map((field) => (of[field] === null ? 'overloaded' : signed(errorFraction(of[field], served[field]))))
      .join(', ');
  return row([
    plan.pipeline,
    plan.name,
    `${Math.round(100 * Number(load.load))} %`,
    load.requests,
    `${ms(served.p50Ms)} / ${ms(simulated.p50Ms)}`,
    signed(off.p50),
    `${ms(served.p99Ms)} / ${ms(simulated.p99Ms)}`,
    signed(off.p99),
    halves === null ? 'none' : `${(100 * halves.p50Fraction).toFixed(0)} %, ${(100 * halves.p99Fraction).toFixed(0)} %`,
    offBy(simulatedFromProfile),
    offBy(estimated),
    verdict(within(off.p50, bars.worst) && within(off.p99, bars.worst)),
  ]);
}

function overloadRow(plan: PlanResult): string {
  const saturation = plan.loads.find(({ load }) => load === 'saturation') as ComparedLoad;
  const overload = plan.loads.find(({ load }) => load !== 'saturation' && load > 1) as ComparedLoad;
  const rate = errorFraction(saturation.simulated.completedRps, saturation.served.completedRps);
  const drops = overload.simulated.droppedFraction - overload.served.droppedFraction;
  const percent = (fraction: number) => `${(100 * fraction).toFixed(1)} %`;
  return row([
    plan.pipeline,
    plan.name,
    `${saturation.served.completedRps.toFixed(1)} / ${saturation.simulated.completedRps.toFixed(1)}`,
    signed(rate),
    signed(errorFraction(saturation.simulatedFromProfile.completedRps, saturation.served.completedRps)),
    signed(errorFraction(saturation.estimated.capacityRps, saturation.served.completedRps)),
    `${percent(overload.served.droppedFraction)} / ${percent(overload.simulated.droppedFraction)}`,
    `${signed(drops).replace(' %', ' points')}`,
    verdict(within(rate, bars.saturation) && within(drops, bars.drops)),
  ]);
}

/** Medians of the absolute errors of all predictions. */
function predictionRows(loads: readonly ComparedLoad[]): readonly string[] {
  const predictions = {
    'simulation with the correction': (load: ComparedLoad) => load.simulated,
    'simulation from the profile': (load: ComparedLoad) => load.simulatedFromProfile,
    'estimate with the correction': (load: ComparedLoad) => load.estimated,
    'estimate from the profile': (load: ComparedLoad) => load.estimatedFromProfile,
  };
  return Object.entries(predictions).map(([name, of]) => {
    const errors = (field: 'p50Ms' | 'p99Ms') =>
      loads.flatMap((load) => {
        const value = of(load)[field];
        return value === null ? [] : [Math.abs(errorFraction(value, load.served[field]))];
      });
    const [p50, p99] = [errors('p50Ms'), errors('p99Ms')];
    const percent = (fraction: number) => `${(100 * fraction).toFixed(1)} %`;
    const none = loads.length - p50.length;
    return row([name, percent(medianOf(p50)), percent(medianOf(p99)), percent(Math.max(...p50, ...p99)), none]);
  });
}

/** Half of the served requests against the other half. */
function floorText(loads: readonly ComparedLoad[]): string {
  const known = loads.flatMap(({ halves }) => halves ?? []);
  const [p50, p99] = [known.map(({ p50Fraction }) => p50Fraction), known.map(({ p99Fraction }) => p99Fraction)];
  const percent = (fraction: number) => `${(100 * fraction).toFixed(1)} %`;
  return `Noise floor: half of the served requests against the other half differ by ${percent(medianOf(p50))} (p50) and ${percent(medianOf(p99))} (p99) in the median, by ${percent(Math.max(...p50, ...p99))} at most. The error that noise alone gives a figure of all requests is about half of that.`;
}

/** Machines and commits, with their numbers of plans if there are several. */
function machinesText(plans: readonly MeasuredPlan[]): string {
  const counts = new Map<string, number>();
  for (const { machine } of plans) counts.set(machine, (counts.get(machine) ?? 0) + 1);
  if (counts.size === 1) return [...counts.keys()].join('');
  return [...counts].map(([machine, count]) => `${machine} (${count} of ${plans.length} plans)`).join('; ');
}

/** Report as Markdown, and true if every bar is met. */
export function fidelityReport({ plans }: Pick<FidelityResults, 'plans'>): {
  readonly text: string;
  readonly met: boolean;
} {
  const results = barResults(plans);
  const below = plans.flatMap((plan) => plan.loads.filter(isBelowSaturation).map((load) => latencyRow(plan, load)));
  const count = plans.reduce((sum, { loads }) => sum + loads.length, 0);
  const minutes = plans.reduce((sum, { seconds }) => sum + seconds, 0) / 60;
  const stolen = Math.max(...plans.map(({ stolenFraction }) => stolenFraction));
  const scale = Math.min(...plans.map((plan) => plan.scale));
  const shorter = scale === 1 ? '' : ` **Trial: segments of ${Math.round(100 * scale)} % of the method's length.**`;
  const text = `${machinesText(plans)}. ${plans.length} plans, ${count} configurations (plan and load), ${minutes.toFixed(0)} minutes of load; stolen time at most ${(100 * stolen).toFixed(1)} %.${shorter}

| bar | demanded | measured | |
|---|---|---|---|
${results.map(({ name, bar, measured, met }) => row([name, bar, measured, verdict(met)])).join('\n')}

${floorText(plans.flatMap((plan) => plan.loads.filter(isBelowSaturation)))}

Absolute errors below saturation:

| prediction | p50, median | p99, median | worst | without an answer |
|---|---|---|---|---|
${predictionRows(plans.flatMap((plan) => plan.loads.filter(isBelowSaturation))).join('\n')}

Latencies in ms, served / simulated with the correction. *Halves* is the distance of one half of the served requests from the other half, for p50 and p99. A row misses if its p50 or p99 is off by more than 30 %.

| pipeline | plan | load | requests | p50 | off | p99 | off | halves | profile: p50, p99 off | estimate: p50, p99 off | |
|---|---|---|---|---|---|---|---|---|---|---|---|
${below.join('\n')}

Saturation throughput in rps (bar ±5 %) and fraction dropped at 110 % of it (bar ±2 points), served / simulated with the correction.

| pipeline | plan | throughput | off | profile: off | estimate: off | dropped | off | |
|---|---|---|---|---|---|---|---|---|
${plans.map(overloadRow).join('\n')}
`;
  return { text, met: results.every(({ met }) => met) };
}
