import { z } from 'zod';
import { fieldDefaults } from '../field-defaults.js';
import { placementSchema } from './placement-schema.js';
import { count, nonNegative, positive, replicaCores, text, variantName, wholeNumber } from './scalars.js';

/** Open Inference server that already runs, or that each replica starts. */
const serverSchema = z
  .strictObject({
    url: z
      .union([text(), z.array(text()).min(1)])
      .describe(
        'Address of the server, `http://host:port`, `https://…`, `grpc://host:port` or `grpcs://…`. Or a list of addresses of equal servers, over which replicas are spread. With a `command`, a single address with `{port}`, such as `http://127.0.0.1:{port}`.',
      ),
    replicas: z
      .literal('addresses')
      .optional()
      .describe(
        '`addresses`: the stage has one replica on each address of the server, whatever a plan says, but at least one and at most `bounds.replicas.max`. The names are resolved once a second. For names with several addresses, such as a headless Service of Kubernetes; requires `equipoise serve --fixed`. Default: as many replicas as the plan has.',
      ),
    model: text().describe('Name of the model on the server.'),
    batching: z
      .enum(['stack', 'single'])
      .default(fieldDefaults.serverBatching)
      .describe(
        '`stack`: the items of a batch whose tensors have equal names, types and shapes are one request, in which they form a new leading dimension. `single`: each item is one request; all requests of a batch are sent at once.',
      ),
    command: z
      .array(text())
      .min(1)
      .optional()
      .describe(
        'Program and arguments that start the server of one replica. The program runs in the folder of this file. Variables in braces are replaced: `{port}`, `{port2}` and `{port3}` by free ports, `{cpuCores}` by the number of cores of the replica, and `{threads}` by this number, rounded down but at least 1. Without a command the server must already run.',
      ),
    environment: z
      .record(z.string(), z.string())
      .optional()
      .describe(
        'Environment variables of the command. In their values, variables in braces are replaced as in the command.',
      ),
    token: z
      .union([
        z.strictObject({ env: text().describe('Name of the environment variable that holds the token.') }),
        z.strictObject({
          file: text().describe('Path of a file that contains only the token, relative to this file.'),
        }),
      ])
      .optional()
      .describe(
        'Source of the bearer token for the server: `{ env: NAME }` or `{ file: PATH }`. The token is read when a replica starts. The token itself must not be in this file.',
      ),
    headers: z
      .record(z.string(), z.string())
      .optional()
      .describe(
        'Headers of every request to the server (over gRPC: metadata), for a gateway that routes by headers. Put secrets into `token`.',
      ),
  })
  .optional()
  .describe('Server that runs the variant, instead of a module of the stage.');

const timeMs = (what: string) =>
  positive().optional().describe(`${what} of the service time of one batch, in milliseconds.`);

const profilePointSchema = z.strictObject({
  cpuCores: replicaCores().describe('Number of cores of the measured replica.'),
  batchSize: count().describe('Number of items in the batch.'),
  meanMs: timeMs('Mean'),
  p50Ms: timeMs('Median'),
  p95Ms: timeMs('95th percentile'),
  p99Ms: timeMs('99th percentile'),
  throughputRps: positive()
    .optional()
    .describe('Items per second of one saturated replica. If `meanMs` is omitted, the mean follows from this field.'),
  memoryBytes: positive().optional().describe('Peak memory of the replica, in bytes.'),
});

const resourcesSchema = z
  .strictObject({
    cpuCores: z
      .union([replicaCores(), z.array(replicaCores()).min(1)])
      .default([fieldDefaults.cpuCores])
      .describe(
        'Number of cores of one replica, or a list of numbers to choose from; multiples of 0.05. A number below 1 is a CPU share: a CPU-time quota of one thread.',
      ),
    memoryBytes: wholeNumber().default(fieldDefaults.memoryBytes).describe('Memory of one replica, in bytes.'),
    gpus: wholeNumber().default(fieldDefaults.gpus).describe('Number of GPUs of one replica.'),
  })
  .prefault({})
  .describe('Resources of one replica.');

const accuracySchema = z
  .strictObject({
    value: z.number().gt(0).max(1).describe('Accuracy as a fraction 0…1; more is better.'),
    metric: text().default(fieldDefaults.accuracyMetric).describe('Name of the metric, for people.'),
  })
  .optional()
  .describe(
    'Accuracy of the variant alone. Variants of a `model` stage require it. Variants of a `transform` stage must not have it; their accuracy counts as 1.',
  );

export const variantSchema = z.strictObject({
  name: variantName().describe('Name of the variant, unique in its stage.'),
  version: text().optional().describe('Version of the model, for people.'),
  artifact: text()
    .optional()
    .describe('The model: a path relative to this file, `npm:package/path`, `https://…` or `s3://bucket/key`.'),
  artifactSha256: text()
    .regex(/^[0-9a-f]{64}$/, '64 hexadecimal digits in lower case')
    .optional()
    .describe('SHA-256 of the artifact. If the artifact has another SHA-256, replicas do not start.'),
  server: serverSchema,
  accuracy: accuracySchema,
  resources: resourcesSchema,
  loadMs: nonNegative()
    .optional()
    .describe('Time from the start of a replica until it is ready, in milliseconds. A measured value overrides it.'),
  profile: z
    .array(profilePointSchema)
    .min(1)
    .optional()
    .describe('Service times by cores and batch size. Default: measured by `equipoise profile`.'),
  placement: placementSchema('stage'),
  parameters: z.record(z.string(), z.unknown()).default({}).describe('Values of your choice for the stage module.'),
});
