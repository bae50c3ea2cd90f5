/**
 * A pipeline as the protocol serves it, with metadata. Output types that the pipeline does not declare are learned from
 * completed requests.
 */
import {
  AppError,
  type DropReason,
  type LoadObservation,
  type SourceTensor,
  type TensorMap,
} from '@equipoise/core/model';
import type { ModelMetadata, ServerMetadata, TensorMetadata } from '@equipoise/open-inference-codec';
import type { VariantChoice } from '../accuracy/served-variants.js';
import { tensorBytes } from '../data-plane/bytes-in-flight.js';
import type { CancelSignal } from '../data-plane/cancellation.js';
import { partPlace } from '../data-plane/part-key.js';
import { copyTensors, declaredTensors, fanOutTensors } from '../data-plane/payload-algebra.js';
import type { PipelineOutcome, SubmitOptions } from '../data-plane/pending-request.js';
import type { PipelineRunner } from '../data-plane/pipeline-runner.js';
import type { ArrivedSeconds } from '../data-plane/request-statistics.js';
import type { EarlyRequest } from '../data-plane/submitted-requests.js';
import { dropError } from '../net/refusal.js';
import type { TraceParent } from '../trace/trace-context.js';
import type { AnswerFeed } from './answer-feed.js';
import {
  type CompletedTensors,
  checkBatchSize,
  completedTensors,
  mostBatchItems,
  stackedTensors,
} from './client-batch.js';
import { AnsweredRequests, type Feedback } from './feedback/answered-requests.js';
import { labelledOutputs, labelScore } from './feedback/label-score.js';
import type { RequestParameters } from './request-parameters.js';
import { StageTypes } from './stage-types.js';
import type { StartupHold } from './startup-hold.js';
import { admitOtherItems, type Tenant } from './tenants/tenants.js';

export type Runner = Pick<
  PipelineRunner,
  | 'spec'
  | 'ready'
  | 'submit'
  | 'refuseBatch'
  | 'refusedEarly'
  | 'submitBatch'
  | 'submitPart'
  | 'nowMs'
  | 'statistics'
  | 'stageCounts'
  | 'accuracy'
>;

interface RunOptions extends RequestParameters {
  /** Id under which the answer takes feedback. */
  readonly requestId: string;
  readonly signal: CancelSignal;
  readonly hold: StartupHold;
  /** Undefined if the server has no tenants. */
  readonly tenant: Tenant | undefined;
  readonly connection: object;
  /** Number of items of a client batch, the leading dimension of every input; undefined for a single item. */
  readonly items?: number | undefined;
  /** Arrival on the runner's clock; default now. */
  readonly arrivedAtMs?: number | undefined;
  /** Stated by the client. The parts of several sources share it. */
  readonly id?: string | undefined;
  readonly traceParent: TraceParent | undefined;
  /** Number of requests that the client sends together, this one included; undefined if unknown. */
  readonly sentTogether?: number | undefined;
}

interface PartOf {
  readonly source: number;
  readonly whole: ServedPipeline;
}

interface CompletedRun extends CompletedTensors {
  readonly latencyMs: number;
}

export const SERVER_NAME = 'equipoise';

/** A pipeline, or one of several sources of a pipeline: a model with its own inputs and the outputs of the pipeline. */
export class ServedPipeline {
  readonly name: string;
  readonly sourceName: string;
  /** Empty if the pipeline declares none. */
  readonly inputs: readonly SourceTensor[];
  /** Index of the source; undefined for the whole pipeline. */
  readonly #source: number | undefined;
  readonly #runner: Runner;
  readonly #stageTypes: StageTypes;
  readonly #answered: AnsweredRequests | undefined;
  readonly #feed: AnswerFeed | undefined;

  /** `part`: source of the pipeline `whole`, with which it shares the answers that wait for feedback. */
  constructor(
    runner: Runner,
    stageTypes = new StageTypes(),
    { part, feed }: { readonly part?: PartOf | undefined; readonly feed?: AnswerFeed | undefined } = {},
  ) {
    const source = part?.source;
    this.#feed = feed;
    const { name, sources } = runner.spec;
    const own = source === undefined ? sources : sources.slice(source, source + 1);
    this.sourceName = own[0]?.name ?? 'input';
    this.name = source === undefined ? name : `${name}.${this.sourceName}`;
    this.inputs = own.flatMap(({ tensors, name: optionalSource, onMissing }) =>
      source === undefined && sources.length > 1 && onMissing === 'partial'
        ? tensors.map((tensor) => ({ ...tensor, optionalSource }))
        : tensors,
    );
    this.#source = source;
    this.#runner = runner;
    this.#stageTypes = stageTypes;
    const { feedback } = runner.spec;
    this.#answered = part === undefined ? feedback && new AnsweredRequests(feedback) : part.whole.#answered;
  }

  /** True for a source of several. Its requests are single items, which may wait for those of other sources. */
  get isPart(): boolean {
    return this.#source !== undefined;
  }

  /** True for a source whose newest part joins the requests of others. Its parts are answered at once, without outputs. */
  get isKept(): boolean {
    return this.#source !== undefined && this.#runner.spec.sources[this.#source]?.latest !== undefined;
  }

  /** Undefined for an unknown stage. */
  stage(name: string): Pick<ModelMetadata, 'versions' | 'inputs' | 'outputs'> | undefined {
    const stage = this.#runner.spec.stages.find(({ id }) => id === name);
    if (stage === undefined) return undefined;
    const { inputs, outputs } = this.#stageTypes.of(stage.id);
    return { versions: stage.variants.map(({ id }) => id), inputs: inputs.all, outputs: outputs.all };
  }

  get ready(): boolean {
    return this.#runner.ready;
  }

  get nowMs(): number {
    return this.#runner.nowMs;
  }

  get load(): LoadObservation {
    return this.#runner.statistics.load(this.#runner.nowMs);
  }

  /** Arrivals of the last `count` whole seconds. */
  lastSeconds(count: number): ArrivedSeconds {
    return this.#runner.statistics.lastSeconds(this.#runner.nowMs, count);
  }

  /** Outputs of a single item: the declared ones, then the learned ones. */
  get outputs(): readonly TensorMetadata[] {
    if (this.isKept) return [];
    const declared = declaredTensors(this.#runner.spec.outputs);
    const byName = new Map<string, TensorMetadata>();
    for (const type of [...declared, ...this.#stageTypes.pipelineOutputs.all]) {
      if (!byName.has(type.name)) byName.set(type.name, type);
    }
    return [...byName.values()];
  }

  /** Maximum items of a client batch; 0 for a source, or if the pipeline declares no inputs. */
  get maxBatchSize(): number {
    return this.inputs.length === 0 || this.isPart ? 0 : mostBatchItems(this.#runner.spec.admission);
  }

  /** Counts since the start. `latestArrivalAtEpochMs` is 0 before the first request. */
  get statistics() {
    const { statistics, nowMs } = this.#runner;
    const { latestArrivalAtMs } = statistics;
    return {
      requests: statistics.total,
      latencySums: statistics.latencySums,
      latestArrivalAtEpochMs:
        latestArrivalAtMs === undefined ? 0 : Math.round(Date.now() - (nowMs - latestArrivalAtMs)),
      stages: this.#runner.stageCounts(),
    };
  }

  /** Rejects with the AppError of a request that did not complete. */
  run(inputs: TensorMap, options: RunOptions): Promise<CompletedRun> {
    const { hold, signal, items, timeoutMs } = options;
    if (hold.isOpen) return this.#run(inputs, options);
    const group = this.isPart ? `the parts of ${this.#runner.spec.name}` : undefined;
    const arrivedAtMs = options.arrivedAtMs ?? this.#runner.nowMs;
    const refused = (reason: DropReason) => this.refused(reason, { arrivedAtMs, count: items ?? 1 });
    return hold.run({ bytes: tensorBytes(inputs), signal, group, refused }, (heldMs) => {
      if (timeoutMs === undefined || timeoutMs > heldMs) return this.#run(inputs, afterHold(options, heldMs));
      refused('deadline-passed');
      throw dropError('deadline-passed');
    });
  }

  /** Counts a request that the start refused. Parts of sources have counts of their own. */
  refused(reason: DropReason, request?: EarlyRequest): void {
    if (!this.isPart) this.#runner.refusedEarly(reason, request);
  }

  async #run(inputs: TensorMap, run: RunOptions): Promise<CompletedRun> {
    const { requestId, tenant, items } = run;
    const sinceMs = run.arrivedAtMs ?? this.#runner.nowMs;
    const asked = { id: requestId, pipeline: this.#runner.spec.name, tenant: tenant?.name };
    let outcomes: readonly PipelineOutcome[] = [];
    let completed: CompletedTensors;
    try {
      if (items === undefined || this.#source !== undefined) {
        const outcome = await this.#submit(inputs, run);
        outcomes = [outcome];
        completed = completedTensors(outcome);
      } else {
        outcomes = await this.#submitItems(inputs, items, run);
        completed = stackedTensors(outcomes);
      }
    } catch (error) {
      this.#feed?.failed(asked, outcomes[0] ?? asked, error);
      throw error;
    }
    const { output, missing } = completed;
    this.#stageTypes.pipelineOutputs.learn(output, items !== undefined);
    const { nowMs } = this.#runner;
    const result = { output, missing, latencyMs: nowMs - sinceMs };
    if (this.isKept) return result;
    const outcome = outcomes[0] ?? asked;
    this.#answered?.keep(
      { id: requestId, tenant: asked.tenant, items: outcomes.map(this.#answeredItem), outcome },
      nowMs,
    );
    this.#feed?.completed(asked, outcome, result);
    return result;
  }

  /**
   * Scores an answer. Throws AppError NOT_FOUND if the answer is not kept for this tenant. Throws CONFLICT if it has its
   * feedback or the pipeline takes none, INVALID_FIELDS if it cannot be compared with the label.
   */
  judge(feedback: Feedback, tenant: Tenant | undefined): { readonly score: number; readonly variants?: VariantChoice } {
    const { accuracy, nowMs, spec } = this.#runner;
    if (this.#answered === undefined || accuracy === undefined)
      throw new AppError(
        'CONFLICT',
        `The pipeline ${this.name} keeps no answers for feedback; set spec.feedback in its file.`,
      );
    return this.#answered.judge(feedback, { tenant: tenant?.name, nowMs }, ({ choice, outputs }) => {
      const score = 'score' in feedback ? feedback.score : labelScore(spec.evaluation?.metric, outputs, feedback.label);
      if (choice !== undefined) accuracy.note(choice, score, nowMs);
      return { score, ...(choice && { variants: choice }) };
    });
  }

  readonly #answeredItem = (outcome: PipelineOutcome) => ({
    choice: outcome.choice,
    outputs:
      outcome.kind === 'completed' ? labelledOutputs(this.#runner.spec.evaluation?.metric, outcome.output) : undefined,
  });

  /** A single item: a request, or the part of a source. */
  #submit(inputs: TensorMap, run: RunOptions): Promise<PipelineOutcome> {
    const { items, id } = run;
    if (this.#source === undefined) return this.#runner.submit(inputs, submitOptions(run));
    if (items !== undefined)
      throw new AppError('BATCH_SIZE_INVALID', 'The part of a source is a single item, without a batch dimension.', {
        details: { items },
      });
    const place = partPlace(this.#runner.spec, this.#source, { inputs, id });
    return this.#runner.submitPart(place, inputs, submitOptions(run));
  }

  /** Each item of a batch counts as a request of the tenant. */
  async #submitItems(inputs: TensorMap, items: number, run: RunOptions): Promise<readonly PipelineOutcome[]> {
    const { tenant } = run;
    checkBatchSize(items, { inputs, admission: this.#runner.spec.admission, burst: tenant?.bucket?.limit.burst });
    if (tenant !== undefined) admitOtherItems(tenant, performance.now(), items);
    const options = submitOptions(run);
    const refused = this.#runner.refuseBatch(items, options);
    if (refused !== undefined) return refused;
    return this.#runner.submitBatch(fanOutTensors(inputs, this.sourceName).map(copyTensors), options);
  }
}

function submitOptions({
  arrivedAtMs,
  timeoutMs,
  priority,
  tenant,
  connection,
  signal,
  traceParent,
  sentTogether,
}: RunOptions): SubmitOptions {
  const client = tenant ?? connection;
  return { arrivedAtMs, timeoutMs, priority, tenant: tenant?.name, client, signal, traceParent, sentTogether };
}

/** The client's time-out includes the time in the hold; the SLO counts from the end of the hold. */
function afterHold(options: RunOptions, heldMs: number): RunOptions {
  const { timeoutMs, arrivedAtMs } = options;
  return {
    ...options,
    ...(timeoutMs !== undefined && { timeoutMs: timeoutMs - heldMs }),
    ...(arrivedAtMs !== undefined && { arrivedAtMs: arrivedAtMs + heldMs }),
  };
}

/** By name: the pipelines, and their sources if there are several. */
export function servedPipelines(
  runners: readonly Runner[],
  stageTypes: ReadonlyMap<string, StageTypes> | undefined,
  feed?: AnswerFeed,
): ReadonlyMap<string, ServedPipeline> {
  const all = runners.flatMap((runner) => {
    const { name, sources } = runner.spec;
    const types = stageTypes?.get(name) ?? new StageTypes();
    const whole = new ServedPipeline(runner, types, { feed });
    if (sources.length === 1) return [whole];
    return [whole, ...sources.map((_, source) => new ServedPipeline(runner, types, { part: { source, whole }, feed }))];
  });
  return new Map(all.map((pipeline) => [pipeline.name, pipeline]));
}

/** Finds a pipeline; AppError NOT_FOUND lists the served pipelines. */
export function pipelineByName<P>(pipelines: ReadonlyMap<string, P>, name: string): P {
  const pipeline = pipelines.get(name);
  if (pipeline !== undefined) return pipeline;
  const names = [...pipelines.keys()];
  throw new AppError('NOT_FOUND', `No pipeline of this name is served; served: ${names.join(', ')}.`, {
    details: { pipelines: names },
  });
}

/** AppError NOT_FOUND also if a version is given: pipelines have none. */
export function pipelineOfVersion<P>(pipelines: ReadonlyMap<string, P>, name: string, version: string): P {
  const pipeline = pipelineByName(pipelines, name);
  refuseVersion(name, version);
  return pipeline;
}

export function refuseVersion(name: string, version: string): void {
  if (version === '') return;
  throw new AppError('NOT_FOUND', `Pipelines have no versions; leave the version of ${name} empty.`);
}

export function serverMetadataOf(version: string): ServerMetadata {
  return { name: SERVER_NAME, version, extensions: ['binary_tensor_data', 'model_configuration', 'statistics'] };
}

/**
 * Metadata of a pipeline, of a source by `PIPELINE.SOURCE` if there are several, or of a stage by `PIPELINE.STAGE`;
 * AppError NOT_FOUND for other names. Versions of a stage are its variants. With declared inputs, the first dimension of
 * a pipeline's tensors is that of a client batch.
 */
export function metadataOf(pipelines: ReadonlyMap<string, ServedPipeline>, name: string): ModelMetadata {
  if (!pipelines.has(name)) {
    for (const pipeline of pipelines.values()) {
      const stage = pipeline.stage(name.slice(pipeline.name.length + 1));
      if (stage !== undefined && name.startsWith(`${pipeline.name}.`)) return { name, platform: SERVER_NAME, ...stage };
    }
  }
  const { inputs, outputs, maxBatchSize } = pipelineByName(pipelines, name);
  const batchDimension = maxBatchSize === 0 ? [] : [-1];
  const batched = ({ name: tensor, datatype, shape }: TensorMetadata) => ({
    name: tensor,
    datatype,
    shape: [...batchDimension, ...shape],
  });
  return { name, platform: SERVER_NAME, inputs: inputs.map(batched), outputs: outputs.map(batched) };
}
