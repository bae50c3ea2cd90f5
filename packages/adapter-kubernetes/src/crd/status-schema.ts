/** Status of an `InferencePipeline`. `plan` has the form of `equipoise plan --json`; a latency of null is unbounded. */
import type { Plan } from '@equipoise/core/model';
import type { StructuralSchema } from './structural-schema.js';

export const conditionTypes = ['Accepted', 'Planned', 'Ready', 'SLOMet', 'Degraded'] as const;

/** A condition; its time is in RFC 3339. */
export interface PipelineCondition {
  readonly type: (typeof conditionTypes)[number];
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
  readonly lastTransitionTime: string;
  readonly observedGeneration?: number;
}

export interface InferencePipelineStatus {
  readonly observedGeneration?: number;
  readonly mode?: 'auto' | 'advise' | 'off';
  readonly conditions?: readonly PipelineCondition[];
  /** Wanted plan; in mode `advise` the advised plan. */
  readonly plan?: Plan;
  /** Time of the plan, in RFC 3339. */
  readonly plannedAt?: string;
  readonly plannedForRps?: number;
  readonly replicas?: { readonly desired: number; readonly ready: number };
  readonly observed?: {
    readonly arrivalRps: number;
    readonly percentile: number;
    readonly latencyMs?: number;
    readonly sloAttainmentFraction?: number;
    readonly pas?: number;
    readonly cpuCores?: number;
    readonly costPerHour?: number;
    /** Measured network time (ms) by stage. */
    readonly networkMs?: Readonly<Record<string, number>>;
  };
  readonly shift?: { readonly workloads: readonly string[]; readonly fraction: number };
  /** Last failed canary, until its failures expire. */
  readonly rollback?: {
    readonly workloads: readonly string[];
    readonly fraction: number;
    readonly message: string;
    /** Times of the failure and of the end of the back-off, in RFC 3339. */
    readonly at: string;
    readonly until: string;
    readonly failures: number;
    /** Generation that failed; another generation may try again. */
    readonly generation: number;
  };
}

const MOST_MESSAGE = 32_768;

const number = (description: string): StructuralSchema => ({ type: 'number', description });
const whole = (description: string): StructuralSchema => ({ type: 'integer', format: 'int64', description });
const text = (description: string, maxLength: number): StructuralSchema => ({ type: 'string', maxLength, description });
const time = (description: string): StructuralSchema => ({ type: 'string', format: 'date-time', description });

function mapping(description: string, properties: StructuralSchema['properties'], ...required: string[]) {
  const fields = { type: 'object', description, properties: properties ?? {} } as const;
  return (required.length === 0 ? fields : { ...fields, required }) satisfies StructuralSchema;
}

const names = (description: string): StructuralSchema => ({ type: 'array', description, items: text('A name.', 253) });

const condition = mapping(
  'A condition of the pipeline.',
  {
    type: { type: 'string', maxLength: 316, description: `One of ${conditionTypes.join(', ')}.` },
    status: { type: 'string', enum: ['True', 'False', 'Unknown'] },
    reason: { type: 'string', minLength: 1, maxLength: 1024, pattern: '^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$' },
    message: { type: 'string', maxLength: MOST_MESSAGE },
    lastTransitionTime: time('When the status changed last.'),
    observedGeneration: whole('Generation of the object that the condition is about.'),
  },
  'type',
  'status',
  'reason',
  'message',
  'lastTransitionTime',
);

const stagePlan = mapping('A variant and its resources.', {
  variantId: text('Name of the variant.', 127),
  resources: mapping('Of each replica.', {
    cpuCores: number('Cores.'),
    memoryBytes: number('Memory in bytes.'),
    gpus: number('GPUs.'),
  }),
  maxBatchSize: whole('Maximum batch size.'),
  maxBatchWaitMs: number('Longest wait for a fuller batch, in milliseconds.'),
  replicas: whole('Number of replicas.'),
  trafficFraction: number('Share of the items of the stage, 0…1.'),
  threshold: number('Threshold of the conditions on the answers of the stage, if the plan chooses one.'),
  quorum: whole('Quorum of the join whose choice the stage carries, if the plan chooses one.'),
});

const latency = (description: string): StructuralSchema => ({ ...number(description), nullable: true });

const plan = mapping('The wanted plan; in the mode `advise` the advised one.', {
  routers: whole('Number of routers, each with an equal share of the replicas; missing for one.'),
  stages: {
    type: 'object',
    description: 'Variants by stage.',
    additionalProperties: { type: 'array', items: stagePlan },
  },
  predicted: mapping('Predictions of the estimate.', {
    latencyMs: latency('Latency at `percentile`, in milliseconds; null where the load is above the capacity.'),
    percentile: number('Percentile of the SLO.'),
    pas: number('Pipeline accuracy score, 0…1.'),
    capacityRps: number('Largest arrival rate, in requests per second.'),
    cpuCores: number('Cores of all replicas.'),
    costPerHour: number('At the prices of the pipeline.'),
  }),
  verified: mapping('Results of the simulation.', {
    latencyMs: latency('Latency at `percentile`, in milliseconds.'),
    percentile: number('Percentile of the SLO.'),
    sloAttainmentFraction: number('Share of the requests within the SLO, 0…1.'),
    conclusive: { type: 'boolean', description: 'Whether chance is ruled out at 99 %.' },
    seeds: { type: 'array', description: 'Of the simulations.', items: { type: 'integer', format: 'int64' } },
  }),
});

export const statusSchema: StructuralSchema = mapping('Observations and decisions of the operator.', {
  observedGeneration: whole('Generation of the object that the status describes.'),
  mode: { type: 'string', enum: ['auto', 'advise', 'off'], description: 'Mode of the control loop.' },
  conditions: {
    type: 'array',
    description: 'Validity, plan, readiness, SLO and degradation of the object.',
    items: condition,
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['type'],
  },
  plan,
  plannedAt: time('When the plan was decided.'),
  plannedForRps: number('Requests per second that the plan was made for.'),
  replicas: mapping('Replicas of all stages.', {
    desired: whole('Replicas of the plan.'),
    ready: whole('Ready replicas.'),
  }),
  observed: mapping('Measurements of the last window.', {
    arrivalRps: number('Requests per second.'),
    percentile: number('Percentile of the SLO.'),
    latencyMs: latency('Latency at `percentile`, in milliseconds.'),
    sloAttainmentFraction: number('Share of the arrived requests that were answered within the SLO, 0…1.'),
    pas: number('Pipeline accuracy score of the answered requests, 0…1.'),
    cpuCores: number('Cores of all replicas.'),
    costPerHour: number('At the prices of the pipeline.'),
    networkMs: {
      type: 'object',
      description: 'Network time to each stage and back that plans add to a batch, in milliseconds.',
      additionalProperties: { type: 'number' },
    },
  }),
  shift: mapping('A canary under way.', {
    workloads: names('New workloads.'),
    fraction: number('Their share of the requests, 0…1.'),
  }),
  rollback: mapping('The last failed canary, until its back-off is over.', {
    workloads: names('Workloads that were rolled back.'),
    fraction: number('Share of the requests that they had, 0…1.'),
    message: text('Cause.', MOST_MESSAGE),
    at: time('Time of the failure.'),
    until: time('End of the back-off.'),
    failures: whole('Consecutive failures.'),
    generation: whole('Generation of the object; another generation may try again.'),
  }),
});
