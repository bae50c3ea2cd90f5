import { z } from 'zod';
import { fieldDefaults } from '../field-defaults.js';
import { count, name, nonNegative, positive, replicaCores, text } from './scalars.js';
import { variantSchema } from './variant-schema.js';

const replicasSchema = z
  .strictObject({
    min: count().default(fieldDefaults.minReplicas).describe('Fewest replicas.'),
    max: count().default(fieldDefaults.maxReplicas).describe('Most replicas.'),
  })
  .prefault({})
  .describe('Range of replicas for a plan.');

const boundsSchema = z
  .strictObject({
    replicas: replicasSchema,
    batchSizes: z
      .array(count())
      .min(1)
      .optional()
      .describe('Max batch sizes for a plan. Default: every profiled size.'),
    maxBatchWaitMs: nonNegative()
      .default(fieldDefaults.maxBatchWaitMs)
      .describe(
        'Longest wait of a free replica for a fuller batch, in milliseconds; 0 starts with the queued items at once.',
      ),
    cpuCores: z
      .array(replicaCores())
      .min(1)
      .optional()
      .describe('Restricts the core counts of all variants of the stage to these.'),
  })
  .prefault({})
  .describe('Limits of a plan for the stage.');

const pinsSchema = z
  .strictObject({
    variant: text().optional().describe('Name of the variant to keep.'),
    cpuCores: replicaCores().optional().describe('Cores of each replica.'),
    maxBatchSize: count().optional().describe('Max batch size.'),
    replicas: count().optional().describe('Number of replicas.'),
  })
  .prefault({})
  .describe('Choices that the planner must keep.');

/** One entry of `spec.stages`. */
export const stageSchema = z.strictObject({
  name: name().describe('Name of the stage, unique in the pipeline.'),
  kind: z
    .enum(['model', 'transform'])
    .default(fieldDefaults.stageKind)
    .describe('`model` has an accuracy; `transform` is plain code before, between or after models.'),
  module: text()
    .optional()
    .describe(
      'Code of the stage: a `.ts`, `.js` or `.py` path relative to this file, or `npm:package/path`. Without it, the stage is synthetic and runs from its inline profiles.',
    ),
  isolation: z
    .enum(['thread', 'process'])
    .optional()
    .describe(
      'Isolation of a replica: a `thread` shares the process of the server; a `process` can crash or be killed alone. Default: `thread`, but `process` for a module in Python.',
    ),
  python: text()
    .optional()
    .describe(
      'Program that runs a `.py` module: a path relative to this file, such as `.venv/bin/python`, or a name to look up. Default: `python3`.',
    ),
  runTimeoutMs: positive()
    .default(fieldDefaults.runTimeoutMs)
    .describe('Longest time that one batch may run, in milliseconds. A replica that exceeds it is lost and replaced.'),
  idempotent: z
    .boolean()
    .default(fieldDefaults.idempotent)
    .describe(
      'Allows a second run of a batch. If a replica is lost, its batch runs once more on another one, if its requests can still meet their deadlines. With `false` they fail.',
    ),
  variants: z.array(variantSchema).min(1).describe('Alternatives for the stage; the planner chooses one.'),
  bounds: boundsSchema,
  pins: pinsSchema,
});
