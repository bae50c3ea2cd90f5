import type { AccuracyTable } from './accuracy-table.js';
import type { StageId, VariantId } from './ids.js';
import type { ProfilePoint } from './profile-point.js';
import type { TensorType } from './tensor.js';

/**
 * A pipeline as its owner describes it: the content of a pipeline file after defaults are filled in and references are checked.
 * Everything downstream (planner, simulator, data plane, profiler) works from this one value.
 */

/** Latency target: `percentile` (0–100) of the requests complete within `latencyMs`. */
export interface Slo {
  readonly latencyMs: number;
  readonly percentile: number;
}

/** Upper bounds on what a plan may use; a missing field is unbounded. */
export interface Budget {
  readonly cpuCores?: number;
  readonly memoryBytes?: number;
  readonly gpus?: number;
  readonly costPerHour?: number;
}

/** Prices per hour; without `prices` in the file a core costs 1 and the rest nothing. */
export interface Prices {
  readonly cpuCorePerHour: number;
  readonly memoryGibPerHour: number;
  readonly gpuPerHour: number;
}

/** What the planner optimizes (design: the optimization problem). */
export type Objective =
  | { readonly kind: 'max-accuracy' }
  | { readonly kind: 'min-cost'; readonly accuracyFloor: number }
  | { readonly kind: 'weights'; readonly accuracy: number; readonly cost: number; readonly batch: number };

/** Resources of one replica. `cpuCores` is a multiple of 0.05 and may be a fraction; memory in bytes. */
export interface Resources {
  readonly cpuCores: number;
  readonly memoryBytes: number;
  readonly gpus: number;
}

/** Where requests enter: the tensors a request brings and the stages that receive them. */
export interface SourceSpec {
  readonly name: string;
  readonly to: readonly StageId[];
  readonly tensors: readonly SourceTensor[];
  /** Folder of example inputs (one file a request), used by the profiler and the load generator. */
  readonly samplesPath?: string;
}

/** An input tensor; `contentTypes` are the media types whose raw body may stand for it. */
export interface SourceTensor extends TensorType {
  readonly contentTypes: readonly string[];
}

/** Accuracy of a variant as a fraction 0…1 with the name of its metric. */
export interface Accuracy {
  readonly value: number;
  readonly metric: string;
}

/**
 * A server of the Open Inference Protocol that does a variant: one that runs already at one of `urls`, or, with a `command`, one that is
 * started for each replica and then answers at the one URL. `{port}` and other variables in command, environment and URL are replaced.
 */
export interface InferenceServerSpec {
  /** `http:`, `https:`, `grpc:` or `grpcs:`; at least one. */
  readonly urls: readonly string[];
  readonly model: string;
  /** `stack`: a batch is one request, its items along a new leading dimension; `single`: each item is a request. */
  readonly batching: 'stack' | 'single';
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Where the bearer token is kept that the server asks for; never the token itself. */
  readonly token?: TokenPlace;
  /** Sent with every request, such as the name by which a gateway knows the model; as metadata over gRPC. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** A token in an environment variable, or in a file, a path relative to `baseDir`. */
export type TokenPlace = { readonly env: string } | { readonly file: string };

/** One model (or one implementation of a transform) that can do the stage. */
export interface VariantSpec {
  readonly id: VariantId;
  readonly version?: string;
  readonly artifact?: string;
  /** Digest that the file of the artifact must have, in lower-case hex. */
  readonly artifactSha256?: string;
  /** A server that does it, in place of code of the stage. */
  readonly server?: InferenceServerSpec;
  readonly accuracy?: Accuracy;
  /** Core counts a replica may have, ascending. */
  readonly cpuCores: readonly number[];
  readonly memoryBytes: number;
  readonly gpus: number;
  /** Declared time from start to ready; the profile's measured value wins. */
  readonly loadMs?: number;
  /** Inline profile; without it the profile is measured. */
  readonly profile?: readonly ProfilePoint[];
  /** Free values handed to the stage module. */
  readonly parameters: Readonly<Record<string, unknown>>;
}

/** What a plan may choose for a stage. */
export interface StageBounds {
  readonly minReplicas: number;
  readonly maxReplicas: number;
  /** Allowed max batch sizes, ascending; without it every profiled size. */
  readonly batchSizes?: readonly number[];
  readonly maxBatchWaitMs: number;
}

/** Choices fixed by the owner; the planner keeps them. */
export interface StagePins {
  readonly variantId?: VariantId;
  readonly cpuCores?: number;
  readonly maxBatchSize?: number;
  readonly replicas?: number;
}

/** Longest time (ms) that a batch may run where a stage names none. */
export const defaultRunTimeoutMs = 60_000;

/** What a replica shares with the server: a `thread` its process, a `process` nothing, so that it can crash or be killed alone. */
export type Isolation = 'thread' | 'process';

/** A step of the pipeline. A `model` has an accuracy; a `transform` is plain code and counts 1. */
export interface StageSpec {
  readonly id: StageId;
  readonly kind: 'model' | 'transform';
  /** Code of the stage: a path or `npm:package/export`; without it the stage is synthetic and runs from its profile. */
  readonly module?: string;
  /** A thread when left out; Python always has a process of its own. */
  readonly isolation?: Isolation;
  /** Program that runs a Python module, a path relative to `baseDir` or a name to look up; `python3` when left out. */
  readonly python?: string;
  /** Longest time that one batch may run; the replica that exceeds it is lost; `defaultRunTimeoutMs` when left out. */
  readonly runTimeoutMs?: number;
  /** Whether a batch may be run a second time after its replica was lost; true when left out. */
  readonly idempotent?: boolean;
  readonly variants: readonly VariantSpec[];
  readonly bounds: StageBounds;
  readonly pins: StagePins;
}

/** How many of the awaited parts let an item go on: each of them, the first, or the first `quorum`. */
export type Join = 'all' | 'any' | { readonly quorum: number };

/**
 * A connection of two stages. With `fanOut` one item becomes k items (k ≥ 0, learned live, `expected` until then);
 * with `join` the items of the innermost fan-out become one again (see `closesFanOut`). A stage with several in-edges waits for all
 * along which something can come, or for as many as their `any` or `quorum` says. With `when` the edge is taken with a probability
 * (0…1, learned live, `probability` until then); of the `when` edges that leave one stage the first whose condition holds is taken, so
 * their probabilities sum to at most 1.
 */
export interface EdgeSpec {
  readonly from: StageId;
  readonly to: StageId;
  readonly fanOut?: {
    readonly expected: number;
    /** Fraction of the outputs that become k items, by k from 0; their mean is `expected`. Simulations draw from it. */
    readonly distribution?: readonly number[];
  };
  readonly join?: Join;
  /**
   * On a `join: all` edge and on the edges into a stage that has several: with `partial` the stage goes on without what is dropped or fails
   * on the way here, as long as something comes; left out, the request ends with it.
   */
  readonly onMissing?: 'partial';
  readonly when?: { readonly condition: string; readonly probability: number };
}

/** `count` equal machines that replicas must be packed on. */
export interface NodeGroup extends Resources {
  readonly count: number;
}

/**
 * A stage whose tensors are part of the response; `tensors` names which (all when left out). A stage that was skipped is left out, and so
 * is one whose `unless` names another output's stage that ran: in a cascade the later stage answers in place of the earlier one.
 */
export interface OutputSpec {
  readonly from: StageId;
  readonly unless?: StageId;
  readonly tensors?: readonly string[];
}

/** What the control loop does: `auto` plans and acts, `advise` decides and changes nothing, `off` never plans. */
export type ControlMode = 'auto' | 'advise' | 'off';

/** How the control loop acts. */
export interface ControlSpec {
  readonly mode: ControlMode;
  readonly intervalMs: number;
  /** How often is looked for bursts between two plans; without it only when a plan is due. */
  readonly fastIntervalMs?: number;
  /** Least time between two switches of a stage's variant. */
  readonly minDwellMs: number;
  /** Cores that a change may use above the budget while old and new replicas overlap; default one replica of the largest kind. */
  readonly surgeCpuCores?: number;
  /** Longest time that a change may take until all its replicas have started; without it no end is set. */
  readonly surgeMaxMs?: number;
}

/** Bounds on what waits. */
export interface AdmissionSpec {
  /** Most items queued at one stage; more are dropped as `queue-full`, and a fan-out that gives more fails its request. */
  readonly maxQueueLength: number;
  /**
   * Largest part (0…1) of the time that a request has left at a stage, after what it still has to be worked on, that it may be expected to
   * wait there; one that would wait longer is dropped at once as `queue-full`. Without it only the deadline bounds waits.
   */
  readonly maxWaitFraction?: number;
  /**
   * Time in ms before its deadline by which a request is to be done, or is given up: what a turn of the event loop, a batch that takes
   * longer than expected and the writing of the answer may take. At most half of the time that a request has beyond the
   * work itself; 0 when left out.
   */
  readonly answerMarginMs?: number;
  /** Most bytes of request tensors in flight; a request beyond it is dropped as `memory-full`. Without it there is no bound. */
  readonly maxInFlightBytes?: number;
  /** `defaultPriorities` when left out. */
  readonly priorities?: PrioritySpec;
}

/** Code and labelled samples that `evaluate` measures end-to-end accuracy with. */
export interface EvaluationSpec {
  readonly module: string;
  readonly dataPath: string;
}

/** The whole description. Paths inside are relative to `baseDir`, the folder of the file. */
export interface PipelineSpec {
  readonly name: string;
  readonly baseDir: string;
  readonly slo: Slo;
  readonly budget: Budget;
  readonly prices: Prices;
  readonly objective: Objective;
  readonly sources: readonly SourceSpec[];
  readonly stages: readonly StageSpec[];
  readonly edges: readonly EdgeSpec[];
  readonly outputs: readonly OutputSpec[];
  readonly control: ControlSpec;
  readonly admission: AdmissionSpec;
  readonly evaluation?: EvaluationSpec;
  /** Machines with their sizes; without it a budget is one pool. */
  readonly nodes?: readonly NodeGroup[];
  /** Measured end-to-end accuracies; where a combination is measured it wins over the product. */
  readonly accuracyTable?: AccuracyTable;
}

/**
 * What a `join` refers to. `all` closes the innermost fan-out. `any` and `quorum` on the only edge into a stage close it too, with the
 * first items that come; on the edges into a stage that has several they choose among these edges, item by item.
 */

/** Whether an edge closes the innermost fan-out; `inEdges` counts the edges into its stage, itself included. */
export function closesFanOut({ join }: Pick<EdgeSpec, 'join'>, inEdges: number): boolean {
  return join === 'all' || (join !== undefined && inEdges === 1);
}

/** How many parts let an item go on; Infinity for all that come. */
export function awaitedParts(join: Join | undefined): number {
  if (join === 'any') return 1;
  return typeof join === 'object' ? join.quorum : Number.POSITIVE_INFINITY;
}

/** How urgent requests are: priorities 1, 2, … as clients state them, 1 the most urgent; inside, levels 0, 1, … in the same order. */

/** The priorities of a pipeline. */
export interface PrioritySpec {
  /**
   * By priority, most urgent first: the least fraction (0…1) of the items that start at a stage which goes to this priority while it and
   * others wait there. The sum is at most 1; what is left over goes to the most urgent that waits.
   */
  readonly shares: readonly number[];
  /** Priority of requests that state none. */
  readonly default: number;
}

/** Three priorities, the middle one for whoever states none: under a flood of urgent requests it keeps a fifth, the last a twentieth. */
export const defaultPriorities: PrioritySpec = { shares: [0, 0.2, 0.05], default: 2 };

/** The level of a stated priority; 0 stands for none, as clients of Triton say it, and numbers beyond the last mean the last. */
export function priorityLevel({ shares, default: unstated }: PrioritySpec, priority = 0): number {
  const meant = priority === 0 ? unstated : priority;
  return Math.min(Math.max(meant, 1), shares.length) - 1;
}

/** How long before its deadline a served pipeline wants a request done or given up, where its file does not say. */

/** A small part of the time that a request has: it costs hardly any that could have been done in time. */
const FRACTION = 0.02;
/** A turn of the event loop, a collection, a timer and the writing of an answer take some ms, however long a pipeline takes. */
const MOST_MS = 10;

/** The answer margin in ms (see `AdmissionSpec`) of a server whose pipeline states none; simulations then keep none. */
export function servedAnswerMarginMs({ latencyMs }: Pick<Slo, 'latencyMs'>): number {
  return Math.min(FRACTION * latencyMs, MOST_MS);
}
