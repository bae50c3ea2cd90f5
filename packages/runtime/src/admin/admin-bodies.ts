/** Schemas of admin bodies. Their descriptions go into the reference. */

import { HISTORY_SECONDS } from '@equipoise/core/history';
import {
  AppError,
  type Objective,
  type PinsByStage,
  type StagePins,
  type StagePlan,
  stageId,
  variantId,
} from '@equipoise/core/model';
import { z } from 'zod';
import { escapedText } from '../data-plane/escaped-text.js';
import { fieldProblem } from './field-problem.js';

const MOST_REASON_CHARACTERS = 500;
const MOST_NAME_CHARACTERS = 200;
const MOST_STAGES = 200;

const name = () => z.string().min(1).max(MOST_NAME_CHARACTERS);
const positive = () => z.number().positive();
const count = () => z.int().positive();
const reason = {
  reason: z
    .string()
    .max(MOST_REASON_CHARACTERS)
    .overwrite(escapedText)
    .optional()
    .describe('Your reason; it is written to the decision log.'),
};

const pinned = {
  variantId: name().transform(variantId).optional().describe('Variant of the stage.'),
  cpuCores: positive().optional().describe('Cores of each replica.'),
  maxBatchSize: count().optional().describe('Maximum batch size.'),
  replicas: count().optional().describe('Number of replicas.'),
  threshold: z.number().optional().describe('Threshold of the conditions on the answers of the stage.'),
  quorum: count().optional().describe('Quorum of the join whose choice the stage carries.'),
};

const objective = z
  .discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('max-accuracy') }),
    z.strictObject({ kind: z.literal('min-cost'), accuracyFloor: z.number().min(0).max(1) }),
    z.strictObject({
      kind: z.literal('weights'),
      accuracy: z.number().min(0),
      cost: z.number().min(0),
      batch: z.number().min(0),
    }),
  ])
  .transform((value): Objective => value);

const stagePlan = z
  .strictObject({
    variantId: name().transform(variantId),
    resources: z.strictObject({
      cpuCores: positive(),
      memoryBytes: z.number().min(0).default(0),
      gpus: z.number().min(0).default(0),
    }),
    maxBatchSize: count(),
    maxBatchWaitMs: z.number().min(0).default(0),
    replicas: z.int().min(0),
    trafficFraction: z.literal(1).default(1),
    threshold: z.number().optional(),
    quorum: count().optional(),
  })
  .transform((value): StagePlan => defined(value));

const stageRecord = <Value extends z.ZodType>(value: Value) =>
  z
    .record(name(), value)
    .refine((stages) => Object.keys(stages).length <= MOST_STAGES, `at most ${MOST_STAGES} stages`);

/** Removes undefined fields, because an absent field has its own meaning. */
export function defined<Value extends object>(value: Value): { [Key in keyof Value]: Exclude<Value[Key], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as never;
}

export const reasonBody = z.strictObject(reason).meta({ examples: [{ reason: 'Maintenance until 14:00' }] });

export const pinBody = z
  .strictObject({ stageId: name().transform(stageId).describe('The stage.'), ...pinned, ...reason })
  .refine(
    ({ stageId: _, reason: __, ...pins }) => Object.values(pins).some((value) => value !== undefined),
    'something to pin: variantId, cpuCores, maxBatchSize, replicas, threshold or quorum',
  )
  .meta({ examples: [{ stageId: 'detect', variantId: 'small', replicas: 2 }] });

export const unpinBody = z
  .strictObject({ stageId: name().optional().describe('The stage. Default: all stages.'), ...reason })
  .meta({ examples: [{ stageId: 'detect' }, {}] });

export const clearQuarantineBody = z
  .strictObject({ stageId: name().optional().describe('The stage. Default: all stages.') })
  .meta({ examples: [{ stageId: 'detect' }, {}] });

export const applyBody = z
  .strictObject({
    decisionId: count().optional().describe('Number of the decision whose plan is applied.'),
    stages: stageRecord(z.array(stagePlan).length(1))
      .optional()
      .describe('Plan to apply, without `decisionId`: the `stages` of a plan, as `POST …/plan` returns them.'),
    canary: z
      .boolean()
      .optional()
      .describe('`false`: a new variant gets all requests at once. Default: `control.canary` of the pipeline file.'),
    ...reason,
  })
  .refine(({ decisionId, stages }) => (decisionId === undefined) !== (stages === undefined), 'decisionId or stages')
  .meta({ examples: [{ decisionId: 12, reason: 'Back to the plan of noon' }] });

export const planBody = z
  .strictObject({
    arrivalRps: positive().describe('Requests per second to plan for.'),
    sloLatencyMs: positive().optional().describe('Overrides the latency of the SLO.'),
    budgetCpuCores: positive().optional().describe('Overrides the core budget.'),
    objective: objective
      .optional()
      .describe(
        'Overrides the objective: `{kind: "max-accuracy"}`, `{kind: "min-cost", accuracyFloor}` or `{kind: "weights", accuracy, cost, batch}`.',
      ),
    pins: stageRecord(z.strictObject(pinned).transform((pins): StagePins => defined(pins)))
      .transform((pins): PinsByStage => pins)
      .optional()
      .describe(
        'Pins by stage, with the fields of `POST …/pin`. For this plan they replace the pins that `POST …/pin` set for these stages.',
      ),
    verify: z.boolean().default(true).describe('`false` skips the simulation of the plan.'),
  })
  .meta({ examples: [{ arrivalRps: 20, objective: { kind: 'min-cost', accuracyFloor: 0.6 } }] });

export const pageQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(200).default(50).describe('Maximum number of decisions in the answer.'),
  before: z.coerce.number().int().positive().optional().describe('Only decisions with a number below this.'),
});

const instant = () => z.coerce.number().min(0).max(8.64e15);

export const whyBody = z
  .strictObject({
    fromEpochMs: z
      .number()
      .min(0)
      .max(8.64e15)
      .optional()
      .describe('Start of the window. Default: ten minutes before its end.'),
    toEpochMs: z.number().min(0).max(8.64e15).optional().describe('End of the window. Default: now.'),
  })
  .meta({ examples: [{ fromEpochMs: 1_790_000_000_000, toEpochMs: 1_790_000_600_000 }, {}] });

export const historyQuery = z.strictObject({
  fromEpochMs: instant().optional().describe('Only seconds after this time. Default: the last hour.'),
  toEpochMs: instant().optional().describe('Only seconds up to this time. Default: now.'),
  maxPoints: z.coerce
    .number()
    .int()
    .min(1)
    .max(HISTORY_SECONDS)
    .default(600)
    .describe('Maximum number of points; if there are more seconds, a point covers several of them.'),
});

export const requestsQuery = z.strictObject({
  slowest: z
    .enum(['true', 'false'])
    .default('false')
    .describe(
      '`true`: the slowest requests of the last ten minutes. `false`: the newest requests whose trace was kept.',
    ),
  limit: z.coerce.number().int().min(1).max(200).default(50).describe('Maximum number of requests in the answer.'),
});

export const frontierQuery = z.strictObject({
  arrivalRps: z.coerce
    .number()
    .positive()
    .max(1_000_000)
    .optional()
    .describe('Requests per second. Default: the current load.'),
});

/** Throws AppError INVALID_FIELDS with every problem. */
export function checked<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const result = schema.safeParse(value, { error: fieldProblem });
  if (result.success) return result.data;
  const problems = result.error.issues.map(({ path, message }) => ({ path: path.map(String).join('.'), message }));
  const text = problems.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)).join('; ');
  throw new AppError('INVALID_FIELDS', `The request is not as it has to be: ${text}.`, { details: { problems } });
}

/** Input fields as JSON Schema, for the reference page. */
export function inputFields(schema: z.ZodType): {
  readonly fields: Readonly<Record<string, object>>;
  readonly required: readonly string[];
} {
  const { properties = {}, required = [] } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return { fields: properties as Record<string, object>, required };
}
