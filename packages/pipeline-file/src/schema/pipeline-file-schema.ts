/** Single definition for parser, JSON Schema and reference page. */
import { mostRouters } from '@equipoise/core/model';
import { z } from 'zod';
import { API_VERSION, PIPELINE_KIND } from '../api-version.js';
import { fieldDefaults } from '../field-defaults.js';
import { accuracyTableFieldSchema } from './accuracy-table-schema.js';
import { edgeSchema, outputSchema } from './graph-schema.js';
import { admissionSchema, controlSchema, evaluationSchema, feedbackSchema } from './operation-schema.js';
import { pipelinePlacementSchema } from './placement-schema.js';
import { fraction, name, nonNegative, positive, wholeNumber } from './scalars.js';
import { sourceJoinSchema, sourceSchema } from './source-schema.js';
import { stageSchema } from './stage-schema.js';

const MOST_SERVICE_FACTOR = 10;

const sloSchema = z
  .strictObject({
    latencyMs: positive().describe('Maximum time from arrival to response, in milliseconds.'),
    percentile: z
      .number()
      .gt(0)
      .lt(100)
      .default(fieldDefaults.percentile)
      .describe('Percentage of the requests that must be answered within `latencyMs`. Write 99, not 0.99.'),
  })
  .describe('The latency target. A dropped request counts as a miss.');

const budgetSchema = z
  .strictObject({
    cpuCores: positive().optional().describe('Maximum number of CPU cores of all replicas together.'),
    memoryBytes: z.int().gt(0).optional().describe('Maximum memory of all replicas together, in bytes.'),
    gpus: wholeNumber()
      .optional()
      .describe('Maximum number of GPUs of all replicas together; 0 forbids variants that need a GPU.'),
    costPerHour: positive().optional().describe('Maximum cost per hour at the `prices`.'),
  })
  .prefault({})
  .describe('Limits of a plan. Omitted limits do not apply.');

const pricesSchema = z
  .strictObject({
    cpuCorePerHour: nonNegative().default(fieldDefaults.cpuCorePerHour).describe('Price of one core for an hour.'),
    memoryGibPerHour: nonNegative()
      .default(fieldDefaults.memoryGibPerHour)
      .describe('Price of 1 GiB (1073741824 bytes) of memory for an hour.'),
    gpuPerHour: nonNegative().default(fieldDefaults.gpuPerHour).describe('Price of one GPU for an hour.'),
  })
  .prefault({})
  .describe('Prices in one currency. Default: the cost is the number of cores.');

const objectiveSchema = z
  .union([
    z.enum(['max-accuracy', 'min-cost']),
    z.strictObject({
      weights: z
        .strictObject({
          accuracy: nonNegative().describe('Weight of the pipeline accuracy score (0…1).'),
          cost: nonNegative().describe('Weight of the cost per hour, which is subtracted.'),
          batch: nonNegative().describe('Weight of the sum of the maximum batch sizes, which is subtracted.'),
        })
        .describe(
          'Weights w of the objective: maximize w.accuracy × accuracy score − w.cost × cost per hour − w.batch × sum of maximum batch sizes.',
        ),
    }),
  ])
  .default(fieldDefaults.objective)
  .describe(
    'Objective within SLO and budget: `max-accuracy` (of equally accurate plans the cheapest), `min-cost` (needs `accuracyFloor`) or `weights`.',
  );

const robustnessSchema = z
  .strictObject({
    serviceFactor: z
      .number()
      .min(1)
      .max(MOST_SERVICE_FACTOR)
      .describe(
        'Factor by which plans multiply all profiled service times: 1.3 if times may be 30 % longer than profiled.',
      ),
  })
  .optional()
  .describe(
    'Plans meet the SLO even if service times are `serviceFactor` times as long as profiled. Such plans cost more. Default: plans trust the profile.',
  );

const specSchema = z
  .strictObject({
    slo: sloSchema,
    budget: budgetSchema,
    prices: pricesSchema,
    objective: objectiveSchema,
    accuracyFloor: fraction()
      .optional()
      .describe(
        'Minimum accuracy score of the pipeline for the objective `min-cost`, a fraction 0…1. The score is the product of the accuracies of the stages, or a measured accuracy (`accuracyTable`).',
      ),
    robustness: robustnessSchema,
    sources: z
      .array(sourceSchema)
      .min(1)
      .optional()
      .describe(
        'Entry points of requests. With several sources, each sends a part of every request. Default: a source `input` without declared tensors, which leads to every stage without an incoming edge.',
      ),
    sourceJoin: sourceJoinSchema,
    stages: z.array(stageSchema).min(1).describe('The steps of the pipeline.'),
    edges: z
      .array(edgeSchema)
      .optional()
      .describe('Connections of stages. Default: a chain of the stages in the order of the file.'),
    outputs: z
      .array(outputSchema)
      .min(1)
      .optional()
      .describe('Stages whose tensors are the answer. Default: every stage without an outgoing edge.'),
    routers: z
      .union([z.int().min(1).max(mostRouters), z.literal('auto')])
      .optional()
      .describe(
        'On a cluster: number of routers behind the Service, each with an equal, disjoint share of the replicas; `auto`: as many as the load needs. Replicas of a stage are a multiple of this number. Default: 1. `serve` is always one router.',
      ),
    control: controlSchema,
    admission: admissionSchema,
    evaluation: evaluationSchema,
    feedback: feedbackSchema,
    placement: pipelinePlacementSchema,
    accuracyTable: accuracyTableFieldSchema,
  })
  .describe('The pipeline.');

export const pipelineFileSchema = z
  .strictObject({
    apiVersion: z.literal(API_VERSION).describe('Version of this format.'),
    kind: z.literal(PIPELINE_KIND).describe('Kind of document.'),
    metadata: z
      .strictObject({
        name: name().describe('Name of the pipeline, and of its model in the Open Inference Protocol.'),
      })
      .describe('Identity of the pipeline.'),
    spec: specSchema,
  })
  .describe('An Equipoise inference pipeline.');

/** Parsed pipeline file with all defaults. */
export type PipelineFile = z.output<typeof pipelineFileSchema>;

export type PipelineFileInput = z.input<typeof pipelineFileSchema>;
