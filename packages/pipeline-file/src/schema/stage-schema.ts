import { z } from 'zod';
import { fieldDefaults } from '../field-defaults.js';
import { metricOptions } from './operation-schema.js';
import { placementSchema } from './placement-schema.js';
import { count, fraction, name, nonNegative, positive, replicaCores, text } from './scalars.js';
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
    threshold: z.number().optional().describe('Threshold of the conditions on the edges that leave the stage.'),
    quorum: count().optional().describe('Quorum of the join whose choice the stage carries.'),
  })
  .prefault({})
  .describe('Choices that the planner must keep.');

const combineSchema = z
  .strictObject({
    method: z
      .enum(['vote', 'mean', 'weighted', 'median', 'first-confident', 'concatenation'])
      .describe(
        'How members become one answer. `vote`: the most frequent value; of equally frequent ones that of the first member. `mean`, `weighted` (mean by `weights`), `median`: of numbers. These work element by element. `first-confident`: the first member whose `confidence` is at least `atLeast`, else the most confident one. `concatenation`: along the first dimension.',
      ),
    tensor: text().describe('Name of the tensor that every member has. An edge can rename it with `inputs`.'),
    output: text().optional().describe('Name of the result. Default: the name of the tensor.'),
    weights: z
      .record(text(), positive())
      .optional()
      .describe('For `weighted`: a weight for each member, by stage name.'),
    confidence: text()
      .optional()
      .describe('For `first-confident`: name of the tensor with the confidence, one number. The answer has it, too.'),
    atLeast: fraction().optional().describe('For `first-confident`: the confidence that is enough.'),
  })
  .describe(
    'Makes one answer from those of several stages, without code, replicas or variants. Members are the stages whose edges lead here, in the order of the edges, or the items of the fan-out that the only edge joins. If a join goes on without a member, the others count.',
  );

const shadowSchema = z
  .strictObject({
    variant: text().describe('Variant whose answers are compared with those of the serving variant.'),
    fraction: fraction()
      .default(fieldDefaults.shadowFraction)
      .describe('Fraction of the items that are compared. In a canary, all items of the new variant are compared.'),
    cpuCores: replicaCores()
      .optional()
      .describe('Cores of the replica, taken from the budget. Default: the least cores of the variant.'),
    metric: z
      .enum(['accuracy', 'top-k', 'cer', 'wer', 'box-f1', 'rmse', 'mae'])
      .default(fieldDefaults.shadowMetric)
      .describe(
        'How two answers are compared, a fraction 0…1. As the metrics of `evaluation`: the answer of the shadow takes the place of the label.',
      ),
    ...metricOptions,
  })
  .describe(
    'Compares the answers of the stage in operation: one replica of another variant gets a copy of a fraction of the items. Its answers go to no client. For `serve`.',
  );

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
  networkMs: z
    .number()
    .nonnegative()
    .max(60_000)
    .optional()
    .describe(
      'Time on the network to the stage and back, in milliseconds, that its profile lacks. The planner adds it to each batch. On a cluster in a service mesh, the operator measures it. Default: 0.',
    ),
  idempotent: z
    .boolean()
    .default(fieldDefaults.idempotent)
    .describe(
      'Allows further runs of a batch, provided that the requests can still meet their deadlines: if a replica is lost, its batch runs once more on another replica; if a batch of several items fails, each item runs alone. With `false` the requests of the batch fail instead.',
    ),
  combine: combineSchema.optional(),
  optional: z
    .boolean()
    .default(fieldDefaults.optional)
    .describe(
      'Lets a plan omit the stage: then it has no replicas, and requests skip it. Allowed if a join behind can do without it: a combine stage, an `any` or `quorum` join, or `onMissing: partial`. The accuracy without the stage must be measured.',
    ),
  shadow: shadowSchema.optional(),
  variants: z
    .array(variantSchema)
    .min(1)
    .optional()
    .describe(
      'Alternative models or code for the stage; the planner chooses one. Required unless the stage has `combine`.',
    ),
  bounds: boundsSchema,
  pins: pinsSchema,
  placement: placementSchema('pipeline'),
});
