/** Single definition for parser, JSON Schema and reference page. */
import { z } from 'zod';
import { API_VERSION, PIPELINE_KIND } from '../api-version.js';
import { fieldDefaults } from '../field-defaults.js';
import { accuracyTableFieldSchema } from './accuracy-table-schema.js';
import { edgeSchema, outputSchema } from './graph-schema.js';
import { admissionSchema, controlSchema, evaluationSchema } from './operation-schema.js';
import { fraction, name, nonNegative, positive, wholeNumber } from './scalars.js';
import { sourceSchema } from './source-schema.js';
import { stageSchema } from './stage-schema.js';

const MOST_SERVICE_FACTOR = 10;

/** `spec.slo`. */
const sloSchema = z
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
const budgetSchema = z
  .strictObject({
    cpuCores: positive().optional().describe('Most CPU cores over all replicas.'),
    memoryBytes: z.int().gt(0).optional().describe('Most memory over all replicas, in bytes.'),
    gpus: wholeNumber().optional().describe('Most GPUs over all replicas; 0 forbids variants that need one.'),
    costPerHour: positive().optional().describe('Highest cost per hour at the `prices`.'),
  })
  .prefault({})
  .describe('Limits of a plan. Omitted limits do not apply.');

/** `spec.prices`. */
const pricesSchema = z
  .strictObject({
    cpuCorePerHour: nonNegative().default(fieldDefaults.cpuCorePerHour).describe('Price of one core for an hour.'),
    memoryGibPerHour: nonNegative()
      .default(fieldDefaults.memoryGibPerHour)
      .describe('Price of 1 GiB (1073741824 bytes) of memory for an hour.'),
    gpuPerHour: nonNegative().default(fieldDefaults.gpuPerHour).describe('Price of one GPU for an hour.'),
  })
  .prefault({})
  .describe('Prices in one currency. Default: cost is the number of cores.');

/** `spec.objective`. */
const objectiveSchema = z
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
    'Objective within SLO and budget: `max-accuracy` (ties: lowest cost), `min-cost` (needs `accuracyFloor`) or `weights`.',
  );

/** `spec.robustness`. */
const robustnessSchema = z
  .strictObject({
    serviceFactor: z
      .number()
      .min(1)
      .max(MOST_SERVICE_FACTOR)
      .describe('Factor on every profiled service time that a plan must carry: 1.3 for times up to 30 % too long.'),
  })
  .optional()
  .describe('Plans hold even if the profile is wrong by this much. They cost more. Default: plans trust the profile.');

const specSchema = z
  .strictObject({
    slo: sloSchema,
    budget: budgetSchema,
    prices: pricesSchema,
    objective: objectiveSchema,
    accuracyFloor: fraction()
      .optional()
      .describe('Lowest pipeline accuracy score that the objective `min-cost` may choose, a fraction 0…1.'),
    robustness: robustnessSchema,
    sources: z
      .array(sourceSchema)
      .min(1)
      .optional()
      .describe(
        'Entry point of requests; exactly one for now. Default: a source `input` without declared tensors into every stage without an incoming edge.',
      ),
    stages: z.array(stageSchema).min(1).describe('The steps of the pipeline.'),
    edges: z.array(edgeSchema).optional().describe('Connections of stages. Default: a chain in the order written.'),
    outputs: z
      .array(outputSchema)
      .min(1)
      .optional()
      .describe('Stages that answer. Default: every stage without an outgoing edge.'),
    control: controlSchema,
    admission: admissionSchema,
    evaluation: evaluationSchema,
    accuracyTable: accuracyTableFieldSchema,
  })
  .describe('The pipeline.');

export const pipelineFileSchema = z
  .strictObject({
    apiVersion: z.literal(API_VERSION).describe('Version of this format.'),
    kind: z.literal(PIPELINE_KIND).describe('Kind of document.'),
    metadata: z
      .strictObject({
        name: name().describe('Name of the pipeline; also that of its model in the Open Inference Protocol.'),
      })
      .describe('Identity of the pipeline.'),
    spec: specSchema,
  })
  .describe('An Equipoise inference pipeline.');

/** Parsed pipeline file with all defaults. */
export type PipelineFile = z.output<typeof pipelineFileSchema>;

export type PipelineFileInput = z.input<typeof pipelineFileSchema>;
