/**
 * References of the benchmark, cached in references.json: their simulation takes most of an hour of one core. They are
 * simulated again on changed seeds or on request.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { drivenReference } from './driven-reference.js';
import { hasOverloads } from './fluid-control.js';
import { type PipelineReference, pipelineReference } from './pipeline-reference.js';
import { randomPipelines } from './random-pipelines.js';
import { type RandomStage, randomShareStages, randomStages } from './random-stages.js';
import { type Reference, referenceOf, WITHIN } from './reference.js';

/** Seeds and sizes of the three samples. */
export interface Samples {
  readonly stages: { readonly count: number; readonly seed: number };
  readonly shares: { readonly count: number; readonly seed: number };
  readonly pipelines: { readonly count: number; readonly seed: number };
}

/** In the order of the samples. */
export interface References {
  readonly samples: Samples;
  readonly stages: readonly Reference[];
  readonly shares: readonly Reference[];
  readonly pipelines: readonly PipelineReference[];
}

const FILE = new URL('references.json', import.meta.url);
const SEED = 9000;

function counted<Subject, Result>(
  name: string,
  subjects: readonly Subject[],
  simulate: (subject: Subject, seed: number) => Result,
): readonly Result[] {
  return subjects.map((subject, i) => {
    process.stderr.write(`\r${name}: ${i + 1} of ${subjects.length}   `);
    return simulate(subject, SEED + 100 * i);
  });
}

function simulated(samples: Samples): References {
  const { stages, shares, pipelines } = samples;
  const references = {
    samples,
    pipelines: counted('pipelines', randomPipelines(pipelines.count, pipelines.seed), pipelineReference),
    shares: counted('shares', randomShareStages(shares.count, shares.seed), referenceOf),
    stages: counted('stages', randomStages(stages.count, stages.seed), narrowReference),
  };
  writeFileSync(FILE, `${JSON.stringify(references, (_, value) => rounded(value))}\n`);
  return references;
}

/** Plain runs, then runs with the fluid if the interval is too wide. */
function narrowReference(stage: RandomStage, seed: number): Reference {
  const plain = referenceOf(stage, seed);
  return plain.halfWidthFraction > WITHIN && hasOverloads(stage) ? drivenReference(stage, seed) : plain;
}

const rounded = (value: unknown): unknown => (typeof value === 'number' ? Number(value.toPrecision(6)) : value);

/** Cached references of `samples`; simulates them if absent or if `renew`. */
export function referencesOf(samples: Samples, renew: boolean): References {
  if (renew || !existsSync(FILE)) return simulated(samples);
  const kept = JSON.parse(readFileSync(FILE, 'utf8')) as References;
  return JSON.stringify(kept.samples) === JSON.stringify(samples) ? kept : simulated(samples);
}
