/** Single definition behind parsing, JSON Schema and reference page. */
import { z } from 'zod';
import { API_VERSION, PIPELINE_KIND } from '../api-version.js';
import { accuracyTableFieldSchema } from './accuracy-table-schema.js';
import { edgeSchema, outputSchema } from './graph-schema.js';
import { admissionSchema, controlSchema, evaluationSchema } from './operation-schema.js';
import { fraction, name } from './scalars.js';
import { sourceSchema } from './source-schema.js';
import { stageSchema } from './stage-schema.js';
import { budgetSchema, objectiveSchema, pricesSchema, sloSchema } from './target-schema.js';

const specSchema = z
  .strictObject({
    slo: sloSchema,
    budget: budgetSchema,
    prices: pricesSchema,
    objective: objectiveSchema,
    accuracyFloor: fraction()
      .optional()
      .describe('Lowest pipeline accuracy score that the objective `min-cost` may choose, a fraction 0…1.'),
    sources: z
      .array(sourceSchema)
      .min(1)
      .optional()
      .describe(
        'Where requests enter; exactly one for now. Left out: a source `input` without declared tensors into every stage without an incoming edge.',
      ),
    stages: z.array(stageSchema).min(1).describe('The steps of the pipeline.'),
    edges: z
      .array(edgeSchema)
      .optional()
      .describe('Connections of stages. Left out: the stages are a chain in the order written.'),
    outputs: z
      .array(outputSchema)
      .min(1)
      .optional()
      .describe('Stages that answer. Left out: every stage without an outgoing edge.'),
    control: controlSchema,
    admission: admissionSchema,
    evaluation: evaluationSchema,
    accuracyTable: accuracyTableFieldSchema,
  })
  .describe('The pipeline.');

/** Pipeline file as a YAML or JSON document. */
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

/** Document with defaults filled in. */
export type PipelineFile = z.output<typeof pipelineFileSchema>;

/** Document as written. */
export type PipelineFileInput = z.input<typeof pipelineFileSchema>;
