/** Places of all figures of one second in a row of numbers. NaN is an unknown figure. */
import type { StageId } from '../model/ids.js';
import type { PipelineSpec } from '../model/pipeline-spec.js';
import type { DropReason } from '../model/request-outcome.js';

export const dropReasons = [
  'queue-full',
  'wait-too-long',
  'memory-full',
  'deadline-unreachable',
  'deadline-passed',
  'no-ready-replica',
  'draining',
  'cancelled',
] as const satisfies readonly DropReason[];

/**
 * Counts of requests. `late`: completed after the SLO. `hasty`: ended requests whose client left less time than the
 * SLO. `clientMissed`: drops and failures that the client caused (see `isOfClient`).
 */
const requestCounts = ['arrived', 'completed', 'late', 'failed', 'hasty', 'clientMissed', ...dropReasons] as const;

/** Figures at the end of the second. Rates are of the last decision; `staleSignals` counts sources without fresh data. */
const pipelineGauges = [
  'p50Ms',
  'p99Ms',
  'forecastRps',
  'forecastUpperRps',
  'provisionedRps',
  'accuracy',
  'costPerHour',
  'usedCores',
  'plannedCores',
  'budgetCores',
  'staleSignals',
] as const;

/**
 * `waitMs`, `serviceMs` and `expectedMs` are sums over batches or items; `expectedMs` is by the profile. `replacedSlow`:
 * replicas that were replaced because they hung or were slow.
 */
const stageCounts = [
  'arrived',
  'dropped',
  'batches',
  'items',
  'failedItems',
  'waitMs',
  'serviceMs',
  'expectedMs',
  'replacedSlow',
] as const;

/**
 * `cpuCores`: of all replicas that have not failed. `capacityRps`: items per second of the ready replicas, by the
 * profile. `variant`: index in the pipeline file.
 */
const stageGauges = [
  'p99Ms',
  'queueLength',
  'batchLimit',
  'cpuCores',
  'capacityRps',
  'variant',
  'starting',
  'ready',
  'draining',
  'unhealthy',
] as const;

const edgeCounts = ['offered', 'taken', 'fanOuts', 'items'] as const;

const pipelineFields = [...requestCounts, ...pipelineGauges] as const;
const stageFields = [...stageCounts, ...stageGauges] as const;

export type PipelineField = (typeof pipelineFields)[number];
export type StageField = (typeof stageFields)[number];
export type EdgeField = (typeof edgeCounts)[number];

const placesOf = <Field extends string>(fields: readonly Field[]): Readonly<Record<Field, number>> =>
  Object.fromEntries(fields.map((field, place) => [field, place])) as Record<Field, number>;

const pipelinePlaces = placesOf(pipelineFields);
const stagePlaces = placesOf(stageFields);
const edgePlaces = placesOf(edgeCounts);

/** `edges` is the number of edges, in the order of the pipeline file. */
export interface HistoryShape {
  readonly stageIds: readonly StageId[];
  readonly edges: number;
}

export const historyShapeOf = ({ stages, edges }: Pick<PipelineSpec, 'stages' | 'edges'>): HistoryShape => ({
  stageIds: stages.map(({ id }) => id),
  edges: edges.length,
});

export const rowWidth = ({ stageIds, edges }: HistoryShape): number =>
  pipelineFields.length + stageIds.length * stageFields.length + edges * edgeCounts.length;

export const placeOf = (field: PipelineField): number => pipelinePlaces[field];

export const placeOfStage = (stage: number, field: StageField): number =>
  pipelineFields.length + stage * stageFields.length + stagePlaces[field];

export const placeOfEdge = ({ stageIds }: HistoryShape, edge: number, field: EdgeField): number =>
  pipelineFields.length + stageIds.length * stageFields.length + edge * edgeCounts.length + edgePlaces[field];
