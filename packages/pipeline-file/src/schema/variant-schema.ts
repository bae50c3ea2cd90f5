import { z } from 'zod';
import { fieldDefaults } from '../field-defaults.js';
import { count, nonNegative, positive, replicaCores, text, variantName, wholeNumber } from './scalars.js';

/** Open Inference server that already runs, or that each replica starts. */
const serverSchema = z
  .strictObject({
    url: z
      .union([text(), z.array(text()).min(1)])
      .describe(
        'Address of the server, `http://host:port`, `https://…`, `grpc://host:port` or `grpcs://…`, or a list of equal servers over which replicas are spread. With a `command`, one address with `{port}`, such as `http://127.0.0.1:{port}`.',
      ),
    model: text().describe('Name of the model on the server.'),
    batching: z
      .enum(['stack', 'single'])
      .default(fieldDefaults.serverBatching)
      .describe(
        '`stack`: a batch is one request, its items along a new leading dimension. `single`: each item of a batch is one request; all are sent at once.',
      ),
    command: z
      .array(text())
      .min(1)
      .optional()
      .describe(
        'Program and arguments that start the server for one replica, in the folder of this file. `{port}`, `{port2}` and `{port3}` are free ports, `{cpuCores}` the cores of the replica, `{threads}` these as a whole number of at least 1. Without it, the server runs already.',
      ),
    environment: z
      .record(z.string(), z.string())
      .optional()
      .describe('Environment variables of the command; variables in braces are replaced as in the command.'),
    token: z
      .union([
        z.strictObject({ env: text().describe('Name of the environment variable that holds the token.') }),
        z.strictObject({ file: text().describe('File that holds the token alone, relative to this file.') }),
      ])
      .optional()
      .describe(
        'Source of the bearer token for the server: `{ env: NAME }` or `{ file: PATH }`, read when a replica starts. The token itself must not be in this file.',
      ),
    headers: z
      .record(z.string(), z.string())
      .optional()
      .describe(
        'Headers of every request to the server (metadata over gRPC), for a gateway that routes by them. Put secrets into `token`.',
      ),
  })
  .optional()
  .describe('Server that runs the variant, instead of a module of the stage.');

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
    .describe('Items per second of one replica under saturation; gives the mean if `meanMs` is omitted.'),
  memoryBytes: positive().optional().describe('Peak memory of the replica, in bytes.'),
});

const resourcesSchema = z
  .strictObject({
    cpuCores: z
      .union([replicaCores(), z.array(replicaCores()).min(1)])
      .default([fieldDefaults.cpuCores])
      .describe(
        'Cores of one replica, or a list to choose from; multiples of 0.05. A CPU share below 1 is a CPU-time quota of one thread.',
      ),
    memoryBytes: wholeNumber().default(fieldDefaults.memoryBytes).describe('Memory of one replica, in bytes.'),
    gpus: wholeNumber().default(fieldDefaults.gpus).describe('GPUs of one replica.'),
  })
  .prefault({})
  .describe('Resources of one replica.');

const accuracySchema = z
  .strictObject({
    value: z.number().gt(0).max(1).describe('Accuracy as a fraction 0…1, more is better.'),
    metric: text().default(fieldDefaults.accuracyMetric).describe('Name of the metric, for people.'),
  })
  .optional()
  .describe('Accuracy of the variant alone. Required for a `model`, not allowed for a `transform`, which counts 1.');

export const variantSchema = z.strictObject({
  name: variantName().describe('Name of the variant, unique in its stage.'),
  version: text().optional().describe('Version of the model, for people.'),
  artifact: text()
    .optional()
    .describe('The model: a path relative to this file, `npm:package/path`, `https://…` or `s3://bucket/key`.'),
  artifactSha256: text()
    .regex(/^[0-9a-f]{64}$/, '64 hexadecimal digits in lower case')
    .optional()
    .describe('Required SHA-256 of the artifact; otherwise replicas do not start.'),
  server: serverSchema,
  accuracy: accuracySchema,
  resources: resourcesSchema,
  loadMs: nonNegative()
    .optional()
    .describe('Time from start to ready, in milliseconds; a measured value overrides it.'),
  profile: z
    .array(profilePointSchema)
    .min(1)
    .optional()
    .describe('Service times by cores and batch size. Default: measured by `equipoise profile`.'),
  parameters: z.record(z.string(), z.unknown()).default({}).describe('Free values for the stage module.'),
});
