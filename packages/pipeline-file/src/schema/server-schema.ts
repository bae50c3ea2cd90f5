/** Open Inference server of a variant: running already, or started per replica. */
import { z } from 'zod';
import { fieldDefaults } from '../field-defaults.js';
import { text } from './scalars.js';

/** `spec.stages[].variants[].server`. */
export const serverSchema = z
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
