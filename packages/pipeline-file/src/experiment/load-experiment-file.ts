import { dirname, resolve } from 'node:path';
import { type ForecasterName, forecasters } from '@equipoise/core/forecast';
import { type PolicyName, policies } from '@equipoise/core/plan';
import { z } from 'zod';
import { API_VERSION } from '../api-version.js';
import { checkDocument } from '../check-document.js';
import { readText } from '../load-pipeline-file.js';
import type { Finding, Problem } from '../problem.js';
import { count, name, nonNegative, positive, text, wholeNumber } from '../schema/scalars.js';
import { withoutUndefined } from '../without-undefined.js';
import { type ExperimentGrid, gridLoadName } from './experiment-grid.js';
import { gridFindings } from './grid-findings.js';

const EXPERIMENT_KIND = 'Experiment';

const policyNames = Object.keys(policies) as [PolicyName, ...PolicyName[]];
const forecasterNames = Object.keys(forecasters) as [ForecasterName, ...ForecasterName[]];

const loadSchema = z.union([
  text().describe('A shipped load by its name, or a load file relative to this file.'),
  z.strictObject({
    name: name().optional().describe('Name in the results; default: derived from the other fields.'),
    load: text().optional().describe('A shipped load by its name, or a load file relative to this file.'),
    arrivalRps: positive().optional().describe('Rate of a load without a file, in requests per second.'),
    durationS: positive().optional().describe('Length of a load without a file, in seconds.'),
    arrivals: text().optional().describe('As `--arrivals` of `equipoise simulate`; default poisson.'),
  }),
]);

const seedsSchema = z.union([
  z.array(wholeNumber()).min(1).describe('Seeds.'),
  z.strictObject({
    count: count().describe('Number of seeds.'),
    from: wholeNumber().default(1).describe('The first seed.'),
  }),
]);

const specSchema = z.strictObject({
  pipelines: z.array(text()).min(1).describe('Pipeline files, relative to this file.'),
  loads: z.array(loadSchema).min(1).describe('Loads, each a name, a file, or a rate with a duration.'),
  policies: z
    .array(z.enum(policyNames))
    .min(1)
    .default([...policyNames])
    .describe('Policies that plan at every tick.'),
  seeds: seedsSchema
    .default({ count: 3, from: 1 })
    .describe(
      'Seeds of arrivals and service times. Policies see the same arrivals for the same seed, so their differences are paired.',
    ),
  forecaster: z.enum(forecasterNames).default('smoothed-rate').describe('Forecaster of the load, for all policies.'),
  excludeFirstS: nonNegative().default(0).describe('Seconds at the start that are simulated but not counted.'),
  loadMs: nonNegative()
    .optional()
    .describe('Time from start to ready of every variant in ms, instead of the measured or declared value.'),
});

const experimentSchema = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal(EXPERIMENT_KIND),
  metadata: z.strictObject({ name: name().describe('Name of the experiment; results are saved under it.') }),
  spec: specSchema,
});

/** Grid or problems. `problemAt` locates findings about files that the grid names. */
export type ExperimentFileResult =
  | { readonly kind: 'valid'; readonly grid: ExperimentGrid; readonly problemAt: (finding: Finding) => Problem }
  | { readonly kind: 'invalid'; readonly problems: readonly Problem[] };

/** Loads a grid file. Its loads are files or names in `shippedLoads`. Throws FILE_NOT_FOUND or FILE_UNREADABLE. */
export async function loadExperimentFile(path: string, shippedLoads: readonly string[]): Promise<ExperimentFileResult> {
  const filePath = resolve(path);
  const baseDir = dirname(filePath);
  const checked = checkDocument(await readText(filePath, 'experiment grid'), path, {
    schema: experimentSchema,
    semanticFindings: (document) => gridFindings(document, { baseDir, shippedLoads }),
  });
  if (checked.kind === 'invalid') return checked;
  const { metadata, spec } = checked.output;
  const { loads, seeds, loadMs, ...rest } = spec;
  const described = loads.map((load) => (typeof load === 'string' ? { load } : load));
  const grid: ExperimentGrid = {
    ...rest,
    name: metadata.name,
    baseDir,
    loads: described.map((load) => ({ ...withoutUndefined(load), name: gridLoadName(load) })),
    seeds: Array.isArray(seeds) ? seeds : Array.from({ length: seeds.count }, (_, i) => seeds.from + i),
    ...(loadMs !== undefined && { loadMs }),
  };
  return { kind: 'valid', grid, problemAt: checked.problemAt };
}
