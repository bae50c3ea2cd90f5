/** Targets and limits of a plan: SLO, budget, prices and objective. */
import { z } from 'zod';
import { fieldDefaults } from '../field-defaults.js';
import { nonNegative, positive, wholeNumber } from './scalars.js';

/** `spec.slo`. */
export const sloSchema = z
  .strictObject({
    latencyMs: positive().describe('Longest acceptable time from arrival to response, in milliseconds.'),
    percentile: z
      .number()
      .gt(0)
      .lt(100)
      .default(fieldDefaults.percentile)
      .describe('Percentage of the requests that must be answered within `latencyMs`; written as 99, not 0.99.'),
  })
  .describe('The latency target. A dropped request counts as a miss.');

/** `spec.budget`. */
export const budgetSchema = z
  .strictObject({
    cpuCores: positive().optional().describe('Most CPU cores over all replicas.'),
    memoryBytes: z.int().gt(0).optional().describe('Most memory over all replicas, in bytes.'),
    gpus: wholeNumber().optional().describe('Most GPUs over all replicas; 0 forbids variants that need one.'),
    costPerHour: positive().optional().describe('Highest cost per hour at the `prices`.'),
  })
  .prefault({})
  .describe('What a plan may use at most. A bound that is left out does not bind.');

/** `spec.prices`. */
export const pricesSchema = z
  .strictObject({
    cpuCorePerHour: nonNegative().default(fieldDefaults.cpuCorePerHour).describe('Price of one core for an hour.'),
    memoryGibPerHour: nonNegative()
      .default(fieldDefaults.memoryGibPerHour)
      .describe('Price of 1 GiB (1073741824 bytes) of memory for an hour.'),
    gpuPerHour: nonNegative().default(fieldDefaults.gpuPerHour).describe('Price of one GPU for an hour.'),
  })
  .prefault({})
  .describe('Prices in any one currency. Left out, cost is the number of cores.');

/** `spec.objective`. */
export const objectiveSchema = z
  .union([
    z.enum(['max-accuracy', 'min-cost']),
    z.strictObject({
      weights: z
        .strictObject({
          accuracy: nonNegative().describe('Weight of the pipeline accuracy score (0…1).'),
          cost: nonNegative().describe('Weight of the cost per hour, subtracted.'),
          batch: nonNegative().describe('Weight of the sum of the max batch sizes, subtracted.'),
        })
        .describe('Maximize accuracy × score − cost × cost per hour − batch × sum of batch sizes.'),
    }),
  ])
  .default(fieldDefaults.objective)
  .describe(
    'What to optimize within SLO and budget: `max-accuracy` (ties: lowest cost), `min-cost` (needs `accuracyFloor`) or `weights`.',
  );
