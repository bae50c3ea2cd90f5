/**
 * `npm run bench:control -- foreign --seed-from HASH [--count N] [--first I] [--resume]`: our loop and the clairvoyant
 * on foreign cells. Bar: 99.5 % of the requests left after the fluid minimum, wherever the clairvoyant keeps it.
 */
import { verifiersOf } from '@equipoise/core/simulate';
import { readRunOptions, runResumably } from '../../planner/resumable-run.js';
import { type CellFigures, runCell } from '../cell.js';
import { fluidMinimum } from '../fluid-minimum.js';
import { curvesOf, largestRate, planAt } from '../pipelines.js';
import { drawCell, type ForeignCell } from './draw-cell.js';

export interface ForeignResult {
  readonly index: number;
  readonly shape: string;
  readonly mode: string;
  readonly load: string;
  /** Shortest and longest service time of one item (ms). */
  readonly serviceMs: readonly [number, number];
  readonly sloMs: number;
  readonly peakRps: number;
  readonly budgetCores: number;
  readonly fluidMinimum: number;
  /** Fluid minimum if requests wait as long as they can and are still answered in time. */
  readonly waitingMinimum: number;
  readonly ours: CellFigures;
  readonly clairvoyant: CellFigures;
}

const CELLS = 20;
const LEAST_ATTAINMENT = 0.995;
const MEASURE_FROM_S = 60;

export function measureForeign(seedFrom: string, index: number): ForeignResult {
  const cell = drawCell(seedFrom, index);
  const { shape, mode, load, spec, peakRps } = cell;
  const verifierAt = verifiersOf({
    ...{ spec, curves: curvesOf(spec), hostCores: Number.POSITIVE_INFINITY, seed: 1, remembered: 100_000 },
  });
  const [ours, clairvoyant] = (['equipoise', 'clairvoyant'] as const).map((controller) =>
    runCell({ spec, load, controller, verifierAt, seed: 1 }),
  ) as [CellFigures, CellFigures];
  const variants = spec.stages.flatMap((stage) => stage.variants);
  const serviceMs = variants.map(({ profile }) => profile?.[0]?.meanMs ?? 0);
  return {
    ...{ index, shape, mode, load: load.name, peakRps, ours, clairvoyant },
    serviceMs: [Math.min(...serviceMs), Math.max(...serviceMs)],
    sloMs: spec.slo.latencyMs,
    budgetCores: spec.budget.cpuCores ?? 0,
    ...fluidMinima(cell),
  };
}

/** Losses that no controller avoids. Each stage grows by its variant that loads fastest. */
export function fluidMinima(cell: ForeignCell): Pick<ForeignResult, 'fluidMinimum' | 'waitingMinimum'> {
  const { spec, load, leastPathMs } = cell;
  const capacities = new Map<number, number>();
  const capacityFor = (rps: number): number => {
    const known = capacities.get(rps) ?? planAt(spec, rps).predicted.capacityRps;
    capacities.set(rps, known);
    return known;
  };
  const largestReplica = 1;
  const fastestMs = spec.stages.map(({ variants }) => Math.min(...variants.map(({ loadMs }) => loadMs ?? 0)));
  const bounds = { capacityFor, largestRps: largestRate(spec, largestReplica), loadMs: Math.max(...fastestMs) };
  const waitMs = spec.slo.latencyMs - leastPathMs;
  return {
    fluidMinimum: fluidMinimum(load.ratesRps, MEASURE_FROM_S, bounds),
    waitingMinimum: fluidMinimum(load.ratesRps, MEASURE_FROM_S, { ...bounds, waitMs }),
  };
}

/** Attainment over the requests that the fluid minimum leaves; at most 1. */
export function attainmentOfRest({ arrived, lost }: CellFigures, minimum: number): number {
  return Math.min(1, (arrived - lost) / (arrived - Math.min(minimum, lost)));
}

/** Undefined if the clairvoyant misses, too. */
export const isMet = (result: ForeignResult): boolean | undefined => keepsBar(result, result.fluidMinimum);

function keepsBar({ ours, clairvoyant }: ForeignResult, minimum: number): boolean | undefined {
  if (attainmentOfRest(clairvoyant, minimum) < LEAST_ATTAINMENT) return undefined;
  return attainmentOfRest(ours, minimum) >= LEAST_ATTAINMENT;
}

const percent = (fraction: number): string => `${(100 * fraction).toFixed(2)} %`;
const verdict = (result: ForeignResult): string =>
  ({ true: 'met', false: '**missed**', undefined: 'the clairvoyant misses, too' })[String(isMet(result))] as string;

function row(result: ForeignResult): string {
  const { index, shape, mode, load, serviceMs, sloMs, peakRps, budgetCores, ours, clairvoyant } = result;
  const { fluidMinimum: minimum, waitingMinimum } = result;
  const cells = [
    ...[index, shape, mode, load, serviceMs.map((ms) => ms.toFixed(0)).join('–'), sloMs, peakRps.toFixed(1)],
    ...[budgetCores.toFixed(0), ours.arrived, ours.lost, clairvoyant.lost, minimum.toFixed(0)],
    ...[ours, clairvoyant].map((figures) => percent(attainmentOfRest(figures, minimum))),
    waitingMinimum.toFixed(0),
    ...[ours, clairvoyant].map((figures) => percent(attainmentOfRest(figures, waitingMinimum))),
    ...[ours, clairvoyant].map((figures) => percent(figures.attainmentFraction)),
    ...[ours.cpuCoresMean.toFixed(1), clairvoyant.cpuCoresMean.toFixed(1), verdict(result)],
  ];
  return `| ${cells.join(' | ')} |`;
}

/** Bar under three definitions of losses that do not count, the one of the bar first. */
function barRow(name: string, results: readonly ForeignResult[], minimum: (result: ForeignResult) => number): string {
  const met = results.map((result) => keepsBar(result, minimum(result)));
  const judged = met.filter((each) => each !== undefined);
  return `| ${name} | ${judged.filter(Boolean).length} of ${judged.length} | ${met.length - judged.length} |`;
}

export function foreignReport(results: readonly ForeignResult[], heading: string): string {
  return [
    '# The loop on foreign cells',
    heading,
    `The bar is ${percent(LEAST_ATTAINMENT)} of the requests left after the fluid minimum wherever the clairvoyant keeps it. The fluid minimum counts every request beyond capacity as lost until the variants that load fastest can serve. Many of these requests can wait and still be answered in time. So the page also gives the minimum with waiting, and the figures of all requests. The clairvoyant starts replicas before a rise; no controller without its knowledge can.`,
    [
      '| requests that count | cells that meet the bar | cells in which the clairvoyant misses it, too |',
      '|---|---|---|',
      barRow('after the fluid minimum (the bar)', results, ({ fluidMinimum: minimum }) => minimum),
      barRow('after the fluid minimum with waiting', results, ({ waitingMinimum }) => waitingMinimum),
      barRow('all', results, () => 0),
    ].join('\n'),
    [
      '| cell | pipeline | mode | load | service ms | SLO ms | peak rps | budget | requests | lost | clairvoyant | fluid minimum | of the rest | clairvoyant | with waiting | of the rest | clairvoyant | of all | clairvoyant | cores | clairvoyant | |',
      `|${'---|'.repeat(22)}`,
      ...results.map(row),
    ].join('\n'),
  ]
    .join('\n\n')
    .concat('\n');
}

/** True if every bar is met. */
export function runForeign(args: readonly string[]): boolean {
  const options = readRunOptions('../control/foreign', CELLS, args);
  const results = runResumably<ForeignResult>(options, {
    measure: (index) => measureForeign(options.seedFrom, index),
    line: (result) => row(result),
    report: foreignReport,
  });
  return results.every((result) => isMet(result) !== false);
}
