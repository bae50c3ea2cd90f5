/**
 * References of the heavy-tailed cases: percentiles 90, 95, 99 and 99.9 by long simulation, cached in
 * tail-references.json (some hours of one core). Runs are made longer until the intervals over eight or five of them
 * are narrow.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { drawArrivals } from '../../packages/core/src/estimate/arrivals.js';
import { runStage } from '../../packages/core/src/estimate/micro-simulation.js';
import { LatencyHistogram } from '../../packages/core/src/kernel/latency-histogram.js';
import { SeededRng } from '../../packages/core/src/kernel/rng.js';
import { type TailChain, type TailStage, tailChains, tailStages } from './heavy-tails.js';
import { pipelineRun } from './pipeline-reference.js';
import { BURST_MS } from './reference.js';

export const tailFractions: readonly number[] = [0.9, 0.95, 0.99, 0.999];

/** Times (ms) at `tailFractions`; half-widths of the 95 % interval of the p99 and the p99.9. */
export interface TailReference {
  readonly timesMs: readonly number[];
  readonly halfWidthFractions: readonly number[];
}

export interface TailSample {
  readonly count: number;
  readonly seed: number;
}

export interface TailSamples {
  readonly stages: TailSample;
  readonly shares: TailSample;
  readonly chains: TailSample;
}

/** In the order of the samples. */
export interface TailReferences {
  readonly samples: TailSamples;
  readonly stages: readonly TailReference[];
  readonly shares: readonly TailReference[];
  readonly chains: readonly TailReference[];
}

const FILE = new URL('tail-references.json', import.meta.url);
const SEED = 12_000;
const STAGE_RUNS = 8;
const CHAIN_RUNS = 5;
const BUSY_LOAD = 0.8;
const REQUESTS = { usual: 150_000, busy: 500_000 };
const CHAIN_REQUESTS = { usual: 60_000, busy: 200_000 };
/** Widest half-widths of the p99 and the p99.9. `LONGEST` bounds the factor by which runs are made longer. */
const WITHIN = [0.03, 0.05] as const;
const LONGEST = 64;
/** Student's t for a 95 % interval by degrees of freedom. */
const T = { 4: 2.776, 7: 2.365 } as const;

function halfWidthAt(runs: readonly LatencyHistogram[], fraction: number): number {
  const logs = runs.map((run) => Math.log(run.quantileMs(fraction)));
  const mean = logs.reduce((a, b) => a + b, 0) / logs.length;
  const variance = logs.reduce((sum, log) => sum + (log - mean) ** 2, 0) / (logs.length - 1);
  return (runs.length === CHAIN_RUNS ? T[4] : T[7]) * Math.sqrt(variance / logs.length);
}

const rounded = (value: number): number => Number(value.toPrecision(5));

function referenceOf(runs: readonly LatencyHistogram[]): TailReference {
  const all = new LatencyHistogram();
  for (const run of runs) all.merge(run);
  return {
    timesMs: tailFractions.map((fraction) => rounded(all.quantileMs(fraction))),
    halfWidthFractions: [0.99, 0.999].map((fraction) => rounded(halfWidthAt(runs, fraction))),
  };
}

/** Each time four times as many requests, until the intervals are narrow. */
function narrowReference(
  runs: number,
  seed: number,
  run: (seed: number, factor: number) => LatencyHistogram,
): TailReference {
  for (let factor = 1; ; factor *= 4) {
    const reference = referenceOf(Array.from({ length: runs }, (_, i) => run(seed + i, factor)));
    const narrow = reference.halfWidthFractions.every((halfWidth, i) => halfWidth <= (WITHIN[i] as number));
    if (narrow || factor === LONGEST) return reference;
  }
}

function stageRun({ query, loadFactor }: TailStage, seed: number, factor: number): LatencyHistogram {
  const rng = new SeededRng(seed);
  const requests = factor * (loadFactor > BUSY_LOAD ? REQUESTS.busy : REQUESTS.usual);
  const load = { ...query, process: { kind: 'poisson' } as const, itemsPerRequest: 1 };
  const arriving = drawArrivals(load, requests, rng.fork('arrivals'));
  const run = { ...query, ...arriving, burstMs: BURST_MS, warmUp: Math.floor(requests / 20) };
  return runStage(run, rng.fork('service')).requests;
}

export const stageReference = (stage: TailStage, seed: number): TailReference =>
  narrowReference(STAGE_RUNS, seed, (of, factor) => stageRun(stage, of, factor));

export function chainReference({ pipeline, loadFactor }: TailChain, seed: number): TailReference {
  const requests = loadFactor > BUSY_LOAD ? CHAIN_REQUESTS.busy : CHAIN_REQUESTS.usual;
  return narrowReference(CHAIN_RUNS, seed, (of, factor) => pipelineRun(pipeline, of, factor * requests));
}

function simulated<Subject>(
  name: string,
  subjects: readonly Subject[],
  reference: (subject: Subject, seed: number) => TailReference,
): readonly TailReference[] {
  return subjects.map((subject, i) => {
    process.stderr.write(`\r${name}: ${i + 1} of ${subjects.length}   `);
    return reference(subject, SEED + 100 * i);
  });
}

/** Cached references of `samples`; simulates them if absent, changed or if `renew`. */
export function tailReferencesOf(samples: TailSamples, renew: boolean): TailReferences {
  if (!renew && existsSync(FILE)) {
    const kept = JSON.parse(readFileSync(FILE, 'utf8')) as TailReferences;
    if (JSON.stringify(kept.samples) === JSON.stringify(samples)) return kept;
  }
  const { stages, shares, chains } = samples;
  const references = {
    samples,
    stages: simulated('heavy-tailed stages', tailStages(stages.count, stages.seed, false), stageReference),
    shares: simulated('heavy-tailed shares', tailStages(shares.count, shares.seed, true), stageReference),
    chains: simulated('heavy-tailed chains', tailChains(chains.count, chains.seed), chainReference),
  };
  writeFileSync(FILE, `${JSON.stringify(references)}\n`);
  return references;
}
