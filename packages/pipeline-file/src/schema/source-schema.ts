/** Sources. A source lists its tensors, or declares a single tensor inline. */
import { z } from 'zod';
import { fieldDefaults } from '../field-defaults.js';
import { count, fraction, name, positive, text } from './scalars.js';

const datatype = () =>
  z
    .enum([
      'BOOL',
      'UINT8',
      'UINT16',
      'UINT32',
      'UINT64',
      'INT8',
      'INT16',
      'INT32',
      'INT64',
      'FP16',
      'FP32',
      'FP64',
      'BYTES',
    ])
    .describe('Data type of the Open Inference Protocol v2.');

const shape = () =>
  z
    .array(
      z
        .int()
        .min(-1)
        .refine((size) => size !== 0, 'expected a size of at least 1, or -1 for any size'),
    )
    .describe('Sizes of the dimensions; -1 means any size.');

const contentTypes = () =>
  z
    .array(z.string().regex(/^[\w.+-]+\/([\w.+-]+|\*)$/, 'expected a media type such as image/jpeg or text/*'))
    .min(1)
    .describe(
      'Media types whose bodies at `/v1` are the content of this tensor, such as `image/*`. They apply only to a single tensor: `UINT8` with one dimension, or `BYTES` with at most one.',
    );

export const tensorTypeSchema = z.strictObject({
  name: text().describe('Name of the tensor in answers.'),
  datatype: datatype(),
  shape: shape(),
});

const tensorSchema = z.strictObject({
  name: text().describe('Name of the tensor in requests.'),
  datatype: datatype(),
  shape: shape(),
  contentTypes: contentTypes().optional(),
});

export const sourceSchema = z.strictObject({
  name: name().describe(
    'Name of the source. If the source declares its only tensor by `datatype` and `shape`, also the name of this tensor.',
  ),
  to: z
    .union([text(), z.array(text()).min(1)])
    .optional()
    .describe(
      'Stage or stages that receive the request. Required if there are several sources. Default: every stage without an incoming edge.',
    ),
  tensors: z
    .array(tensorSchema)
    .min(1)
    .optional()
    .describe(
      'The tensors of a request. A single tensor may be declared by `datatype` and `shape` of the source instead.',
    ),
  datatype: datatype().optional(),
  shape: shape().optional(),
  contentTypes: contentTypes().optional(),
  samples: text()
    .optional()
    .describe(
      'Folder of example inputs, one file per request. `profile` measures with them, and `serve` warms up the first replicas with them. If there are several sources, the first files of all folders belong to one request, and so on.',
    ),
  onMissing: z
    .enum(['fail', 'partial'])
    .optional()
    .describe(
      'Effect if this source of several sends no part of a request in time. `fail` (default) ends the request. With `partial` the stages that only this source reaches are skipped, and the answer names the source as missing.',
    ),
  share: fraction()
    .optional()
    .describe(
      'Expected fraction of requests that have a part of this source; only with `onMissing: partial`. Default: 1.',
    ),
  latest: z
    .strictObject({ maxAgeMs: positive().describe('Maximum age of the newest part, from its arrival.') })
    .optional()
    .describe(
      'Makes this a slow source: its newest part joins each request of the other sources. Its parts are answered at once. A request is refused with `PART_STALE` if no part is new enough; with `onMissing: partial` it begins without.',
    ),
  key: text()
    .optional()
    .describe(
      'Tensor of this source with the key of a part: one string, integer or boolean. Only with `sourceJoin.by: key`. Default: the id of the part is its key.',
    ),
  time: text()
    .optional()
    .describe(
      'Tensor of this source with the time of a part in ms: one number, on the clock of all sources. Only with `sourceJoin.by: key`, at all sources or none. Default: the time of arrival.',
    ),
});

export const sourceJoinSchema = z
  .strictObject({
    by: z
      .enum(['id', 'key'])
      .default('id')
      .describe(
        'With `id`, parts with the same id are one request. With `key`, keys recur: parts with the same key meet if their times are at most `windowMs` from that of the first one.',
      ),
    windowMs: positive()
      .optional()
      .describe('Length of the window of a join by key. Required there, unless only one source is without `latest`.'),
    late: z
      .enum(['drop', 'partial', 'wait'])
      .default('drop')
      .describe(
        'Rule of a join by key for a part that comes after the wait for it. `drop` refuses it with `PART_LATE`. With `partial`, it begins a request at once if all other sources have `onMissing: partial`. With `wait`, it waits for the next parts of its key.',
      ),
    maxWaitMs: positive()
      .default(fieldDefaults.maxSourceWaitMs)
      .describe(
        'Maximum time between the arrivals of the first and the last part of a request. In a join by key without `time`, the wait is `windowMs`.',
      ),
    maxWaiting: count()
      .default(fieldDefaults.maxWaiting)
      .describe(
        'Maximum requests that wait for parts, and keys of each source with `latest`; for each tenant. A further request ends the wait of the oldest one.',
      ),
  })
  .prefault({})
  .describe(
    'How the parts of several sources meet. The time limits of the SLO and of clients start with the last part.',
  );
