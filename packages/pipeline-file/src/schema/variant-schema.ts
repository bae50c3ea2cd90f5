/** Variants of a stage: model or implementation, with resources, accuracy and profile. */
import { z } from 'zod';
import { fieldDefaults } from '../field-defaults.js';
import { count, nonNegative, positive, replicaCores, text, variantName, wholeNumber } from './scalars.js';

/** `spec.stages[].variants[].server`: an Open Inference server that runs already or is started per replica. */
const serverSchema = z
  .strictObject({
    url: z
      .union([text(), z.array(text()).min(1)])
      .describe(
        'Where the server answers, `http://host:port`, `https://…`, `grpc://host:port` or `grpcs://…`; or a list of equal servers, over which the replicas are spread. With a `command` one address that has `{port}`, such as `http://127.0.0.1:{port}`.',
      ),
    model: text().describe('Name of the model on the server.'),
    batching: z
      .enum(['stack', 'single'])
      .default(fieldDefaults.serverBatching)
      .describe(
        '`stack`: a batch is one request, its items along a new leading dimension. `single`: each item of a batch is a request of its own; all are sent at once.',
      ),
    command: z
      .array(text())
      .min(1)
      .optional()
      .describe(
        'Program and arguments that start the server for one replica, in the folder of this file. `{port}`, `{port2}` and `{port3}` are free ports, `{cpuCores}` the cores of the replica, `{threads}` these as a whole number of at least 1. Left out: the server runs already.',
      ),
    environment: z
      .record(z.string(), z.string())
      .optional()
      .describe('Environment variables of the command; the same variables in braces are replaced.'),
    token: z
      .union([
        z.strictObject({ env: text().describe('Name of the environment variable that holds the token.') }),
        z.strictObject({ file: text().describe('File that holds the token alone, relative to this file.') }),
      ])
      .optional()
      .describe(
        'Where the bearer token is kept that the server asks for: `{ env: NAME }` or `{ file: PATH }`, read when a replica starts. The token itself never stands in this file.',
      ),
    headers: z
      .record(z.string(), z.string())
      .optional()
      .describe(
        'Headers of every request to the server, metadata over gRPC: for a gateway that routes by them. A secret belongs into `token`.',
      ),
  })
  .optional()
  .describe('A server that does the variant, in place of a module of the stage.');

const timeMs = (what: string) =>
  positive().optional().describe(`${what} of the service time of one batch, in milliseconds.`);

const profilePointSchema = z.strictObject({
  cpuCores: replicaCores().describe('Cores of the replica that was measured.'),
  batchSize: count().describe('Items in the batch.'),
  meanMs: timeMs('Mean'),
  p50Ms: timeMs('Median'),
  p95Ms: timeMs('95th percentile'),
  p99Ms: timeMs('99th percentile'),
  throughputRps: positive()
    .optional()
    .describe('Items per second of one replica under saturation; gives the mean where `meanMs` is left out.'),
  memoryBytes: positive().optional().describe('Peak memory of the replica, in bytes.'),
});

const resourcesSchema = z
  .strictObject({
    cpuCores: z
      .union([replicaCores(), z.array(replicaCores()).min(1)])
      .default([fieldDefaults.cpuCores])
      .describe(
        'Cores of one replica, or a list to choose from; multiples of 0.05. A share below 1 is a CPU-time quota of one thread.',
      ),
    memoryBytes: wholeNumber().default(fieldDefaults.memoryBytes).describe('Memory of one replica, in bytes.'),
    gpus: wholeNumber().default(fieldDefaults.gpus).describe('GPUs of one replica.'),
  })
  .prefault({})
  .describe('What one replica needs.');

const accuracySchema = z
  .strictObject({
    value: z.number().gt(0).max(1).describe('Accuracy as a fraction 0…1, more is better.'),
    metric: text().default(fieldDefaults.accuracyMetric).describe('Name of the metric, for people.'),
  })
  .optional()
  .describe('Accuracy of the variant alone. Required for a `model`, not allowed for a `transform`, which counts 1.');

/** One entry of `spec.stages[].variants`. */
export const variantSchema = z.strictObject({
  name: variantName().describe('Name of the variant, unique in its stage.'),
  version: text().optional().describe('Version of the model, for people.'),
  artifact: text()
    .optional()
    .describe('The model: a path relative to this file, `npm:package/path`, `https://…` or `s3://bucket/key`.'),
  artifactSha256: text()
    .regex(/^[0-9a-f]{64}$/, '64 hexadecimal digits in lower case')
    .optional()
    .describe('SHA-256 that the file of the artifact must have; a replica of another one does not start.'),
  server: serverSchema,
  accuracy: accuracySchema,
  resources: resourcesSchema,
  loadMs: nonNegative().optional().describe('Time from start to ready, in milliseconds; a measured value wins.'),
  profile: z
    .array(profilePointSchema)
    .min(1)
    .optional()
    .describe('Service times by cores and batch size. Left out: measured by `equipoise profile`.'),
  parameters: z
    .record(z.string(), z.unknown())
    .default({})
    .describe('Free values that are handed to the stage module.'),
});
