/**
 * `npm run bench:control`: simulates the loop against a clairvoyant on three seeds, and against the loop without some
 * of its parts. Cells in results.json are not run again; `-- --anew` runs all. Arguments filter by pipeline, mode,
 * load, controller or seed (`seed-2`). The video pipeline needs EQUIPOISE_REFERENCE_DIR and is skipped without it.
 * `-- foreign` has flags and results of its own.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { verifiersOf } from '@equipoise/core/simulate';
import type { LoadResult } from './bars.js';
import { barsOf } from './bars.js';
import { type CellFigures, type ControllerName, controllers, runCell } from './cell.js';
import { fluidMinimum } from './fluid-minimum.js';
import { runForeign } from './foreign/run-foreign.js';
import { type ControlLoad, controlLoads } from './loads.js';
import { type ControlMode, curvesOf, largestRate, pipelineNamed, planAt, specFor } from './pipelines.js';
import { controlSvg } from './plot.js';
import { controlReport, type KeptResults } from './report.js';

const RESULTS = new URL('results.json', import.meta.url);
const REPORT = new URL('results.md', import.meta.url);
const PLOT = new URL('../../docs/images/control.svg', import.meta.url);
const SEEDS = [1, 2, 3];
/** Controllers without a part run only on the first seed, in this mode and on these loads. */
const ABLATED = { mode: 'min-cost', loads: ['fluctuating', 'bursty', 'step-10x'] };
const MODES: readonly ControlMode[] = ['min-cost', 'max-accuracy'];
const MEASURE_FROM_S = 60;

function madeOn(): string {
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
  const day = new Date().toISOString().slice(0, 10);
  return `${cpus().length} cores, ${cpus()[0]?.model ?? 'unknown'}, ${process.arch}, Node ${process.version}; ${day}, commit ${commit}`;
}

if (process.argv[2] === 'foreign') process.exit(runForeign(process.argv.slice(3)) ? 0 : 1);

const filters = process.argv.slice(2).filter((each) => each !== '--anew');
const wanted = (...names: readonly string[]): boolean =>
  names.every((name, i) => {
    const ofKind = filters.filter((filter) => KINDS[i]?.includes(filter));
    return ofKind.length === 0 || ofKind.includes(name);
  });

const referenceDir = process.env['EQUIPOISE_REFERENCE_DIR'] ?? '';
const pipelines = existsSync(referenceDir) ? ['shelf-scan', 'video'] : ['shelf-scan'];
const loads = controlLoads();
const KINDS: readonly (readonly string[])[] = [
  ['shelf-scan', 'video'],
  MODES,
  loads.map(({ name }) => name),
  controllers,
  SEEDS.map((seed) => `seed-${seed}`),
];
const unknown = filters.filter((filter) => !KINDS.some((kind) => kind.includes(filter)));
if (unknown.length > 0) throw new Error(`unknown: ${unknown.join(', ')}; there are ${KINDS.flat().join(', ')}`);
if (!pipelines.includes('video')) process.stdout.write('skipped: the video pipeline (set EQUIPOISE_REFERENCE_DIR)\n');

if (process.argv.includes('--anew')) rmSync(RESULTS, { force: true });

/** Results so far, read again because other runs with filters may write them at the same time. */
const keptResults = (): readonly LoadResult[] =>
  existsSync(RESULTS) ? (JSON.parse(readFileSync(RESULTS, 'utf8')) as KeptResults).results : [];

type ResultName = Pick<LoadResult, 'pipeline' | 'mode' | 'load' | 'seed'>;

const isOf =
  ({ pipeline, mode, load, seed }: ResultName) =>
  (each: LoadResult) =>
    each.pipeline === pipeline && each.mode === mode && each.load === load && each.seed === seed;

function isAsked(controller: ControllerName, { mode, load, seed }: ResultName): boolean {
  if (controller === 'equipoise' || controller === 'clairvoyant') return true;
  return seed === SEEDS[0] && mode === ABLATED.mode && ABLATED.loads.includes(load);
}

function keep(base: Omit<LoadResult, 'cells'>, controller: ControllerName, figures: CellFigures): void {
  const same = isOf(base);
  const results = keptResults();
  const cells = { ...results.find(same)?.cells, [controller]: figures };
  const kept: KeptResults = {
    made: madeOn(),
    results: [...results.filter((each) => !same(each)), { ...base, cells }],
  };
  writeFileSync(RESULTS, `${JSON.stringify(kept, null, 1)}\n`);
  writeFileSync(REPORT, controlReport(kept));
}

const peakRps = Math.max(...loads.filter(({ kind }) => kind === 'jumping').flatMap(({ ratesRps }) => ratesRps));

function runMode(pipeline: string, mode: ControlMode): void {
  const spec = specFor(pipelineNamed(pipeline, referenceDir), mode, peakRps);
  const verifierAt = verifiersOf({
    spec,
    curves: curvesOf(spec),
    hostCores: Number.POSITIVE_INFINITY,
    seed: 1,
    remembered: 100_000,
  });
  const loadMs = Math.max(...spec.stages.flatMap(({ variants }) => variants.map((variant) => variant.loadMs ?? 0)));
  const capacities = new Map<number, number>();
  const capacityFor = (rps: number): number => {
    const known = capacities.get(rps) ?? planAt(spec, rps).predicted.capacityRps;
    capacities.set(rps, known);
    return known;
  };
  const minimumOf = (load: ControlLoad): number =>
    fluidMinimum(load.ratesRps, MEASURE_FROM_S, { capacityFor, largestRps: largestRate(spec, largestReplica), loadMs });
  const largestReplica = Math.max(
    ...spec.stages.flatMap(({ variants }) => variants.flatMap(({ cpuCores }) => cpuCores)),
  );
  for (const [load, seed] of SEEDS.flatMap((of) => loads.map((each) => [each, of] as const))) {
    const name = { pipeline, mode, load: load.name, seed };
    for (const controller of controllers) {
      const done = keptResults().find(isOf(name))?.cells[controller] !== undefined;
      if (done || !isAsked(controller, name)) continue;
      if (!wanted(pipeline, mode, load.name, controller, `seed-${seed}`)) continue;
      const startedAtMs = performance.now();
      const figures = runCell({ spec, load, controller, verifierAt, seed });
      const base = {
        ...{ ...name, kind: load.kind, budgetCores: spec.budget.cpuCores ?? 0 },
        ...(load.kind === 'jumping' && { fluidMinimum: minimumOf(load) }),
      };
      keep(base, controller, figures);
      const took = ((performance.now() - startedAtMs) / 1000).toFixed(0);
      process.stderr.write(
        `${pipeline} ${mode} ${load.name} ${controller}, seed ${seed}: ${took} s ${JSON.stringify(figures)}\n`,
      );
    }
  }
}

for (const pipeline of pipelines) for (const mode of MODES) if (wanted(pipeline, mode)) runMode(pipeline, mode);
writeFileSync(PLOT, await controlSvg(keptResults().filter(({ seed }) => seed === SEEDS[0])));
const bars = keptResults().flatMap(barsOf);
process.stdout.write(`${bars.filter(({ met }) => met).length} of ${bars.length} bars are met; see results.md\n`);
process.exitCode = bars.every(({ met }) => met) ? 0 : 1;
