import { z } from 'zod';
import { fieldDefaults } from '../field-defaults.js';
import { count, name, nonNegative, positive, replicaCores, text } from './scalars.js';
import { variantSchema } from './variant-schema.js';

const replicasSchema = z
  .strictObject({
    min: count().default(fieldDefaults.minReplicas).describe('Minimum number of replicas.'),
    max: count().default(fieldDefaults.maxReplicas).describe('Maximum number of replicas.'),
  })
  .prefault({})
  .describe('Range of the number of replicas in a plan.');

const boundsSchema = z
  .strictObject({
    replicas: replicasSchema,
    batchSizes: z
      .array(count())
      .min(1)
      .optional()
      .describe('Maximum batch sizes that a plan may choose. Default: every profiled size.'),
    maxBatchWaitMs: nonNegative()
      .default(fieldDefaults.maxBatchWaitMs)
      .describe(
        'Maximum time that a free replica waits for a fuller batch, in milliseconds. With 0 the replica starts the queued items at once.',
      ),
    cpuCores: z
      .array(replicaCores())
      .min(1)
      .optional()
      .describe('Numbers of cores that a plan may choose, for all variants of the stage.'),
  })
  .prefault({})
  .describe('Limits of a plan for the stage.');

const pinsSchema = z
  .strictObject({
    variant: text().optional().describe('Name of the variant to keep.'),
    cpuCores: replicaCores().optional().describe('Cores of each replica.'),
    maxBatchSize: count().optional().describe('Maximum batch size.'),
    replicas: count().optional().describe('Number of replicas.'),
  })
  .prefault({})
  .describe('Choices that the planner must keep.');

export const stageSchema = z.strictObject({
  name: name().describe('Name of the stage, unique in the pipeline.'),
  kind: z
    .enum(['model', 'transform'])
    .default(fieldDefaults.stageKind)
    .describe('A `model` has an accuracy. A `transform` is plain code before, between or after models.'),
  module: text()
    .optional()
    .describe(
      'Code of the stage: the path of a `.ts`, `.js` or `.py` file, relative to this file, or `npm:package/path`. Without a module, a variant that has no `server` is synthetic: its replicas take the times of its `profile`.',
    ),
  isolation: z
    .enum(['thread', 'process'])
    .optional()
    .describe(
      'Isolation of a replica: a `thread` shares the process of the server; a `process` can crash or be killed without effect on other replicas. Default: `process` for a module in Python, otherwise `thread`.',
    ),
  python: text()
    .optional()
    .describe(
      'Program that runs a `.py` module: a path relative to this file, such as `.venv/bin/python`, or a program name to look up in PATH. Default: `python3`.',
    ),
  runTimeoutMs: positive()
    .default(fieldDefaults.runTimeoutMs)
    .describe(
      'Maximum run time of a batch, in milliseconds. A batch that takes longer is hung, and its replica is replaced.',
    ),
  idempotent: z
    .boolean()
    .default(fieldDefaults.idempotent)
    .describe(
      'Allows further runs of a batch, provided that the requests can still meet their deadlines: if a replica is lost, its batch runs once more on another replica; if a batch of several items fails, each item runs alone. With `false` the requests of the batch fail instead.',
    ),
  variants: z
    .array(variantSchema)
    .min(1)
    .describe('Alternative models or code for the stage; the planner chooses one.'),
  bounds: boundsSchema,
  pins: pinsSchema,
});
