/**
 * Extensions of Triton that its clients use: configuration and statistics of a model, index of the models. Each answer
 * is an object with the field names of the protocol, for JSON and for gRPC.
 */
import type { TensorType } from '@equipoise/core/model';
import type { StageCounts } from '../data-plane/stage-statistics.js';
import type { ServingPhase } from '../net/drain.js';
import { pipelineByName, SERVER_NAME, type ServedPipeline } from './served-pipeline.js';

type Pipelines = ReadonlyMap<string, ServedPipeline>;

interface Duration {
  readonly count: number;
  readonly ns: number;
}

const NONE: Duration = { count: 0, ns: 0 };

/** Configuration of a pipeline. `dims` omit the batch dimension. AppError NOT_FOUND for other names. */
export function modelConfigOf(pipelines: Pipelines, name: string) {
  const { inputs, outputs, maxBatchSize } = pipelineByName(pipelines, name);
  return {
    name,
    platform: SERVER_NAME,
    backend: SERVER_NAME,
    max_batch_size: maxBatchSize,
    input: inputs.map(tensorConfig),
    output: outputs.map(tensorConfig),
  };
}

/**
 * Statistics since the start: of a pipeline and its stages, of a stage by `PIPELINE.STAGE`, or of all if the name is
 * empty. AppError NOT_FOUND for other names.
 */
export function modelStatisticsOf(pipelines: Pipelines, name: string) {
  const all = [...pipelines.values()].flatMap(statisticsOf);
  if (name === '') return { model_stats: all };
  const ofStage = pipelines.has(name) ? [] : all.filter((model) => model.name === name);
  return { model_stats: ofStage.length > 0 ? ofStage : statisticsOf(pipelineByName(pipelines, name)) };
}

/** Pipelines with their state; if `isReadyOnly`, only those that are ready. */
export function repositoryIndexOf(pipelines: Pipelines, phase: ServingPhase, isReadyOnly: boolean) {
  return [...pipelines.values()]
    .map(({ name, ready }) => ({ name, isReady: phase === 'serving' && ready }))
    .filter(({ isReady }) => isReady || !isReadyOnly)
    .map(({ name, isReady }) => ({
      name,
      version: '',
      state: isReady ? 'READY' : 'UNAVAILABLE',
      reason: isReady ? '' : reasonOf(phase),
    }));
}

function reasonOf(phase: ServingPhase): string {
  if (phase === 'starting') return 'the server is starting';
  return phase === 'serving' ? 'a stage has no replica in service' : 'the server is shutting down';
}

function tensorConfig({ name, datatype, shape }: Pick<TensorType, 'name' | 'shape'> & { readonly datatype: string }) {
  return { name, data_type: `TYPE_${datatype === 'BYTES' ? 'STRING' : datatype}`, dims: shape };
}

/** Statistics of a pipeline, in which an execution is a request, and of its stages. */
function statisticsOf({ name, statistics, isPart }: ServedPipeline) {
  const { requests, latencySums, latestArrivalAtEpochMs } = statistics;
  const { completed, failed, dropped } = requests;
  const lost = Object.values(dropped).reduce((sum, count) => sum + count, failed);
  const stages = isPart ? [] : Object.entries<StageCounts>(statistics.stages);
  const ofStages = stages.map(([, counts]) => counts);
  return [
    {
      name,
      version: '',
      last_inference: latestArrivalAtEpochMs,
      inference_count: completed,
      execution_count: completed,
      inference_stats: {
        success: lasting(completed, latencySums.completedMs),
        fail: lasting(lost, latencySums.lostMs),
        ...partsOf(ofStages.map(waitOf).reduce(added, NONE), ofStages.map(itemServiceOf).reduce(added, NONE)),
      },
      batch_stats: [],
    },
    ...stages.map(([stage, counts]) => stageStatistics(`${name}.${stage}`, counts)),
  ];
}

/** Statistics of a stage: an execution is a batch, an inference an item. Durations include those of failed items. */
function stageStatistics(name: string, counts: StageCounts) {
  const { batches, items, failedItems, byBatchSize } = counts;
  return {
    name,
    version: '',
    inference_count: items - failedItems,
    execution_count: batches,
    inference_stats: {
      success: { count: items - failedItems, ns: added(waitOf(counts), itemServiceOf(counts)).ns },
      fail: { count: failedItems, ns: 0 },
      ...partsOf(waitOf(counts), itemServiceOf(counts)),
    },
    batch_stats: Object.entries(byBatchSize).map(([size, ofSize]) => ({
      batch_size: Number(size),
      compute_input: NONE,
      compute_infer: lasting(ofSize.batches, ofSize.batches * ofSize.meanServiceMs),
      compute_output: NONE,
    })),
  };
}

/** Service times include input and output. */
function partsOf(queue: Duration, service: Duration) {
  return { queue, compute_input: NONE, compute_infer: service, compute_output: NONE };
}

function waitOf({ items, waitMs }: StageCounts): Duration {
  return lasting(items, waitMs);
}

/** Each item of a batch takes the service time of the batch. */
function itemServiceOf({ items, byBatchSize }: StageCounts): Duration {
  const sums = Object.entries(byBatchSize).map(
    ([size, ofSize]) => Number(size) * ofSize.batches * ofSize.meanServiceMs,
  );
  return lasting(
    items,
    sums.reduce((sum, ms) => sum + ms, 0),
  );
}

function lasting(count: number, ms: number): Duration {
  return { count, ns: Math.round(ms * 1e6) };
}

function added(a: Duration, b: Duration): Duration {
  return { count: a.count + b.count, ns: a.ns + b.ns };
}
