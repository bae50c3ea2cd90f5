/** Operations of the serving port, for its OpenAPI document. */
import { MOST_SENT_TOGETHER } from '@equipoise/open-inference-codec';
import { z } from 'zod';
import {
  documentOperation,
  json,
  liveOperation,
  metricsOperation,
  readiness,
  readyOperation,
} from '../../openapi/common-operations.js';
import type { Operation } from '../../openapi/openapi-document.js';

const parameterValue = z.union([z.string(), z.number(), z.boolean()]);
const parameters = z.record(z.string(), parameterValue).optional();
const shape = z.array(z.int());
const tensorMetadata = z.looseObject({ name: z.string(), datatype: z.string(), shape }).meta({ id: 'TensorMetadata' });
const duration = z.looseObject({ count: z.int(), ns: z.int() }).meta({ id: 'Duration' });

/** Nested or flat arrays in row-major order. */
const data = z.array(z.unknown());

const requestInput = z
  .looseObject({
    name: z.string(),
    datatype: z.string(),
    shape: z.array(z.int().min(0)),
    parameters,
    data: data.optional().describe('Absent if the tensor is raw (`parameters.binary_data_size`).'),
  })
  .meta({ id: 'RequestInput' });

const inferRequest = z
  .looseObject({
    id: z.string().optional(),
    parameters: parameters.describe(
      '`timeout_ms`, `timeout` (µs), `priority`, `binary_data_output`; others are ignored.',
    ),
    inputs: z.array(requestInput),
    outputs: z
      .array(z.looseObject({ name: z.string(), parameters }))
      .optional()
      .describe('Selects tensors of the answer.'),
  })
  .meta({
    id: 'InferRequest',
    examples: [
      {
        id: 'scene-1',
        inputs: [{ name: 'image', datatype: 'UINT8', shape: [4], data: [255, 216, 255, 224] }],
        outputs: [{ name: 'labels' }],
        parameters: { timeout_ms: 400 },
      },
    ],
  });

const inferResponse = z
  .looseObject({
    model_name: z.string(),
    id: z.string(),
    parameters,
    outputs: z.array(
      z.looseObject({ name: z.string(), datatype: z.string(), shape, parameters, data: data.optional() }),
    ),
  })
  .meta({ id: 'InferResponse' });

const answersOfModels = z.array(inferResponse).meta({
  examples: [
    [
      { model_name: 'a', id: '7', outputs: [{ name: 'scores', datatype: 'FP32', shape: [2], data: [0.9, 0.1] }] },
      { model_name: 'b', id: '7', outputs: [{ name: 'scores', datatype: 'FP32', shape: [2], data: [0.7, 0.3] }] },
    ],
  ],
});

/** Nested arrays of every declared tensor by its name. */
const runBody = z.record(z.string(), z.unknown()).meta({ examples: [{ features: [0.5, 1.25, 3] }] });

const runResponse = z
  .object({
    id: z.string(),
    pipeline: z.string(),
    outputs: z.record(z.string(), z.unknown()).describe('Nested arrays by tensor; a scalar is a single value.'),
    missing: z.array(z.string()).optional(),
    latencyMs: z.number(),
  })
  .meta({ id: 'RunResponse' });

const modelMetadata = z
  .object({
    name: z.string(),
    platform: z.string(),
    versions: z.array(z.string()).optional(),
    inputs: z.array(tensorMetadata),
    outputs: z.array(tensorMetadata),
  })
  .meta({ id: 'ModelMetadata' });

const tensorConfig = z.looseObject({ name: z.string(), data_type: z.string(), dims: shape });

const modelConfig = z
  .object({
    name: z.string(),
    platform: z.string(),
    backend: z.string(),
    max_batch_size: z.int().min(0),
    input: z.array(tensorConfig),
    output: z.array(tensorConfig),
  })
  .meta({ id: 'ModelConfig' });

const statistics = z
  .object({
    model_stats: z.array(
      z.looseObject({
        name: z.string(),
        version: z.string(),
        last_inference: z.int().optional(),
        inference_count: z.int(),
        execution_count: z.int(),
        inference_stats: z.record(z.string(), duration),
        batch_stats: z.array(
          z.looseObject({
            batch_size: z.int(),
            compute_input: duration,
            compute_infer: duration,
            compute_output: duration,
          }),
        ),
      }),
    ),
  })
  .meta({ id: 'Statistics' });

const index = z.array(
  z
    .looseObject({
      name: z.string(),
      version: z.string(),
      state: z.enum(['READY', 'UNAVAILABLE']),
      reason: z.string(),
    })
    .meta({ id: 'IndexEntry' }),
);

const indexBody = z.looseObject({ ready: z.boolean().optional() }).meta({ examples: [{ ready: true }] });

const serverMetadata = z
  .looseObject({ name: z.string(), version: z.string(), extensions: z.array(z.string()) })
  .meta({ id: 'ServerMetadata' });

const feedbackBody = z
  .looseObject({
    id: z.string().min(1).describe('Id of the answer.'),
    item: z.int().min(0).optional().describe('Item of a client batch, counted from 0.'),
    score: z.number().min(0).max(1).optional().describe('1 for a right answer, 0 for a wrong one.'),
    label: z
      .unknown()
      .optional()
      .describe('Compared with the answer by the metric of the pipeline, in place of a score.'),
  })
  .meta({
    id: 'Feedback',
    examples: [
      { id: 'scene-1', score: 1 },
      { id: 'pair', item: 1, label: ['trouser', 'bag'] },
    ],
  });

const feedbackAnswer = z
  .object({
    id: z.string(),
    item: z.int().optional(),
    score: z.number(),
    variants: z.record(z.string(), z.string()).optional(),
  })
  .meta({ id: 'FeedbackAnswer' });

const runQuery = z.object({
  timeout_ms: z.coerce.number().positive().max(3_600_000).optional().describe('Time from the arrival to the deadline.'),
  priority: z.coerce.number().int().min(0).optional().describe('1 is the most urgent.'),
});

const requestHeaders = z.object({
  'x-request-id': z
    .string()
    .min(1)
    .max(128)
    .optional()
    .describe('Id of the request, in visible ASCII. The answer has the same header.'),
  traceparent: z.string().optional().describe('Trace of the caller (W3C Trace Context).'),
  tracestate: z.string().optional().describe('Passed on with `traceparent`.'),
});

const inferHeaders = requestHeaders.extend({
  'Equipoise-Sent-Together': z
    .int()
    .min(1)
    .max(MOST_SENT_TOGETHER)
    .optional()
    .describe(
      'Number of requests that the client sends together, this one included. Stages wait for no further ones. Not used for client batches.',
    ),
  'Inference-Header-Content-Length': z
    .int()
    .min(0)
    .optional()
    .describe('Bytes of the JSON before raw tensors. `application/octet-stream` needs it.'),
});

export const restOperations = {
  metrics: {
    ...metricsOperation,
    query: z.object({
      'name[]': z.array(z.string()).optional().describe('Only these metrics.'),
      wait_ms: z.int().min(0).max(15_000).optional().describe('Answers after this time, or at a burst.'),
      most: z
        .array(z.string())
        .optional()
        .describe('SECONDS:ARRIVALS: with `wait_ms`, more arrivals in the last SECONDS are a burst.'),
      seconds: z
        .int()
        .min(0)
        .max(600)
        .optional()
        .describe('Adds the comment `# arrivals LAST SINCE_MS COUNT…` with the arrivals of the last whole seconds.'),
    }),
  },
  live: liveOperation,
  ready: { ...readyOperation, answerHeaders: ['x-equipoise-instance'] },
  document: documentOperation,
  serverMetadata: {
    id: 'serverMetadata',
    summary: 'Name and version of the server.',
    answer: json(serverMetadata),
    refusals: 'page',
  },
  serverLive: { ...liveOperation, id: 'serverLive' },
  serverReady: { ...readyOperation, id: 'serverReady', answerHeaders: ['x-equipoise-instance'] },
  allStatistics: {
    id: 'allStatistics',
    summary: 'Statistics of all pipelines and their stages since the start of the server.',
    answer: json(statistics),
    refusals: 'page',
  },
  modelMetadata: {
    id: 'modelMetadata',
    summary: 'Tensors of a pipeline, of a source by PIPELINE.SOURCE, or of a stage by PIPELINE.STAGE.',
    answer: json(modelMetadata),
    refusals: 'page',
  },
  modelReady: {
    id: 'modelReady',
    summary: 'Answers 200 if every stage of the pipeline has a replica in service, otherwise 503.',
    answer: json(readiness),
    refusals: 'page',
    notReady: readiness,
  },
  modelConfig: {
    id: 'modelConfig',
    summary: 'Configuration of a pipeline, as clients of Triton ask for it.',
    answer: json(modelConfig),
    refusals: 'page',
  },
  modelStatistics: {
    id: 'modelStatistics',
    summary: 'Statistics of a pipeline and its stages, or of one stage by PIPELINE.STAGE.',
    answer: json(statistics),
    refusals: 'page',
  },
  repositoryIndex: {
    id: 'repositoryIndex',
    summary: 'Lists the pipelines with their state.',
    body: { content: json(indexBody), isRequired: false },
    answer: json(index),
    refusals: 'inference',
  },
  feedback: {
    id: 'feedback',
    summary: 'Takes the label or the score of an earlier answer.',
    body: { content: json(feedbackBody), isRequired: true },
    answer: json(feedbackAnswer),
    refusals: 'inference',
  },
  infer: {
    id: 'infer',
    summary: 'Runs a pipeline on tensors and answers tensors, in JSON or raw after it.',
    headers: inferHeaders,
    body: { content: { ...json(inferRequest), 'application/octet-stream': 'bytes' }, isRequired: true },
    answer: { ...json(inferResponse), 'application/octet-stream': 'bytes' },
    answerHeaders: ['inference-header-content-length'],
    refusals: 'inference',
  },
  aggregate: {
    id: 'aggregate',
    summary: 'As infer, on an array of answers of other models: their outputs are the inputs (a combiner of Seldon).',
    headers: requestHeaders,
    body: { content: json(answersOfModels), isRequired: true },
    answer: json(inferResponse),
    refusals: 'inference',
  },
  answers: {
    id: 'answers',
    summary: 'Streams answers by id as server-sent events.',
    answer: { 'text/event-stream': 'text' },
    refusals: 'page',
  },
  run: {
    id: 'run',
    summary: 'Runs a pipeline on a body (image, text or JSON) and answers JSON.',
    query: runQuery,
    headers: requestHeaders,
    body: {
      content: { ...json(runBody), 'text/plain': 'text', 'application/octet-stream': 'bytes', '*/*': 'bytes' },
      isRequired: true,
    },
    answer: json(runResponse),
    refusals: 'inference',
  },
} satisfies Readonly<Record<string, Operation>>;
