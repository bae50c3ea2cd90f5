/** Stages with their variants, bounds and pins. */
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
  .describe('How many replicas a plan may choose.');

const boundsSchema = z
  .strictObject({
    replicas: replicasSchema,
    batchSizes: z
      .array(count())
      .min(1)
      .optional()
      .describe('Max batch sizes a plan may choose. Left out: every profiled size.'),
    maxBatchWaitMs: nonNegative()
      .default(fieldDefaults.maxBatchWaitMs)
      .describe('How long a free replica waits for a fuller batch, in milliseconds; 0 takes what is queued at once.'),
    cpuCores: z
      .array(replicaCores())
      .min(1)
      .optional()
      .describe('Restricts the core counts of all variants of the stage to these.'),
  })
  .prefault({})
  .describe('What a plan may choose for the stage.');

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
      'Code of the stage: a `.ts`, `.js` or `.py` path relative to this file, or `npm:package/path`. Left out, the stage is synthetic and runs from its inline profiles.',
    ),
  isolation: z
    .enum(['thread', 'process'])
    .optional()
    .describe(
      'What a replica shares with the server: a `thread` its process, a `process` nothing, so that it can crash or be killed alone. Left out: `thread`, but `process` for a module in Python.',
    ),
  python: text()
    .optional()
    .describe(
      'Program that runs a `.py` module: a path relative to this file, such as `.venv/bin/python`, or a name to look up. Left out: `python3`.',
    ),
  runTimeoutMs: positive()
    .default(fieldDefaults.runTimeoutMs)
    .describe(
      'Longest time that one batch may run, in milliseconds. A replica that exceeds it counts as lost and is replaced.',
    ),
  idempotent: z
    .boolean()
    .default(fieldDefaults.idempotent)
    .describe(
      'Whether a batch may be run a second time. The batch of a replica that was lost is then run once more on another, if its requests can still make their deadlines; with `false` they fail.',
    ),
  variants: z.array(variantSchema).min(1).describe('The ways to do the stage; the planner chooses one.'),
  bounds: boundsSchema,
  pins: pinsSchema,
});
