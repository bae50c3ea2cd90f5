/** Grid of simulations: policies × pipelines × loads × seeds, with shared conditions. */
import { type ForecasterName, forecasters } from '@equipoise/core/forecast';
import { type PolicyName, policies } from '@equipoise/core/plan';
import { z } from 'zod';
import { API_VERSION } from '../api-version.js';
import { count, name, nonNegative, positive, text, wholeNumber } from '../schema/scalars.js';

const EXPERIMENT_KIND = 'Experiment';

const policyNames = Object.keys(policies) as [PolicyName, ...PolicyName[]];
const forecasterNames = Object.keys(forecasters) as [ForecasterName, ...ForecasterName[]];

const loadSchema = z.union([
  text().describe('A shipped load by its name, or a load file relative to this file.'),
  z.strictObject({
    name: name().optional().describe('Name in the results; made from the other fields when left out.'),
    load: text().optional().describe('A shipped load by its name, or a load file relative to this file.'),
    arrivalRps: positive().optional().describe('Rate of a load without a file, in requests per second.'),
    durationS: positive().optional().describe('Length of a load without a file, in seconds.'),
    arrivals: text().optional().describe('As `--arrivals` of `equipoise simulate`; poisson when left out.'),
  }),
]);

const seedsSchema = z.union([
  z.array(wholeNumber()).min(1).describe('The seeds.'),
  z.strictObject({
    count: count().describe('How many seeds.'),
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
    .describe('What plans at every tick.'),
  seeds: seedsSchema
    .default({ count: 3, from: 1 })
    .describe(
      'Seeds of arrivals and service times. Policies see the same arrivals for the same seed, so they compare in pairs.',
    ),
  forecaster: z.enum(forecasterNames).default('smoothed-rate').describe('What foretells the load, for all policies.'),
  excludeFirstS: nonNegative().default(0).describe('Seconds at the start that are simulated but not counted.'),
  loadMs: nonNegative()
    .optional()
    .describe('Time from start to ready of every variant in ms, in place of what is measured or declared.'),
});

export const experimentSchema = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal(EXPERIMENT_KIND),
  metadata: z.strictObject({ name: name().describe('Name of the experiment; its results are kept under it.') }),
  spec: specSchema,
});
