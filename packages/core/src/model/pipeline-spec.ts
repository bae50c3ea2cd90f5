import type { AccuracyTable } from './accuracy-table.js';
import type { StageId, VariantId } from './ids.js';
import type { ProfilePoint } from './profile-point.js';
import type { Datatype, TensorType } from './tensor.js';

/** Pipeline file with defaults and checked references, for planner, simulator, data plane and profiler. */

/** `percentile` (0–100) of the requests must complete within `latencyMs`. */
export interface Slo {
  readonly latencyMs: number;
  readonly percentile: number;
}

/** Absent fields are unlimited. */
export interface Budget {
  readonly cpuCores?: number;
  readonly memoryBytes?: number;
  readonly gpus?: number;
  readonly costPerHour?: number;
}

/** Prices per hour. By default a core costs 1, all else nothing. */
export interface Prices {
  readonly cpuCorePerHour: number;
  readonly memoryGibPerHour: number;
  readonly gpuPerHour: number;
}

export type Objective =
  | { readonly kind: 'max-accuracy' }
  | { readonly kind: 'min-cost'; readonly accuracyFloor: number }
  | { readonly kind: 'weights'; readonly accuracy: number; readonly cost: number; readonly batch: number };

/** Per replica. `cpuCores` is a multiple of 0.05. */
export interface Resources {
  readonly cpuCores: number;
  readonly memoryBytes: number;
  readonly gpus: number;
}

/**
 * Origin of a part of each request. `partial`: requests continue without the part, and its stages are skipped. `share`:
 * fraction of requests that have the part, default 1.
 */
export interface SourceSpec {
  readonly name: string;
  readonly to: readonly StageId[];
  readonly tensors: readonly SourceTensor[];
  /** Example inputs, one file per request. */
  readonly samplesPath?: string;
  readonly onMissing?: 'partial';
  readonly share?: number;
  /** The newest part of this source joins each request of the others, until this age. */
  readonly latest?: { readonly maxAgeMs: number };
  /** Tensor with the key of a part; default: its id. Only in a join by key. */
  readonly key?: string;
  /** Tensor with the time of a part in ms; default: that of its arrival. Only in a join by key. */
  readonly time?: string;
}

/** How the parts of several sources meet. By default, parts with the same id belong to one request. */
export interface SourceJoinSpec {
  readonly maxWaitMs: number;
  readonly maxWaiting: number;
  /** Keys recur: parts with the same key meet within a window of `windowMs`. */
  readonly by?: 'key';
  readonly windowMs?: number;
  /** Treatment of a part that comes after the wait for it; default: it is refused. */
  readonly late?: 'partial' | 'wait';
}

/** `contentTypes` are media types of raw bodies. */
export interface SourceTensor extends TensorType {
  readonly contentTypes: readonly string[];
}

/** Fraction 0…1. */
export interface Accuracy {
  readonly value: number;
  readonly metric: string;
}

/**
 * Open Inference server of a variant. It already runs at one of `urls`, or each replica starts it with `command`.
 * Variables such as `{port}` are replaced in command, environment and URLs.
 */
export interface InferenceServerSpec {
  /** At least one URL: `http:`, `https:`, `grpc:` or `grpcs:`. */
  readonly urls: readonly string[];
  /** The stage has one replica on each address of `urls`, at least one. Default: as many as its plan has. */
  readonly replicas?: 'addresses';
  readonly model: string;
  /** `stack`: a batch is one request, with a new leading dimension. `single`: each item is a request. */
  readonly batching: 'stack' | 'single';
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly token?: TokenPlace;
  /** Request headers (metadata over gRPC). */
  readonly headers?: Readonly<Record<string, string>>;
}

/** `file` is relative to `baseDir`. */
export type TokenPlace = { readonly env: string } | { readonly file: string };

/**
 * Placement of pods on a cluster, in the form of a pod template. An inner one (variant, then stage) overrides an outer
 * one field by field.
 */
interface PodPlacement {
  readonly nodeSelector?: Readonly<Record<string, string>>;
  readonly affinity?: Readonly<Record<string, unknown>>;
  readonly tolerations?: readonly Readonly<Record<string, unknown>>[];
  readonly topologySpreadConstraints?: readonly Readonly<Record<string, unknown>>[];
  readonly priorityClassName?: string;
  readonly runtimeClassName?: string;
  readonly schedulerName?: string;
  readonly imagePullSecrets?: readonly { readonly name: string }[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** `resources` are quantities, as request and limit. */
interface ReplicaPlacement extends PodPlacement {
  readonly volumes?: readonly Readonly<Record<string, unknown>>[];
  readonly volumeMounts?: readonly {
    readonly name: string;
    readonly mountPath: string;
    readonly subPath?: string;
    readonly readOnly?: boolean;
  }[];
  readonly resources?: Readonly<Record<string, string | number>>;
}

export interface VariantSpec {
  readonly id: VariantId;
  readonly version?: string;
  readonly artifact?: string;
  /** In lower-case hex. */
  readonly artifactSha256?: string;
  readonly server?: InferenceServerSpec;
  readonly accuracy?: Accuracy;
  /** Core counts to choose from for a replica, ascending. */
  readonly cpuCores: readonly number[];
  readonly memoryBytes: number;
  readonly gpus: number;
  /** Time from start to ready. Measured times take precedence. */
  readonly loadMs?: number;
  readonly profile?: readonly ProfilePoint[];
  readonly placement?: ReplicaPlacement;
  readonly parameters: Readonly<Record<string, unknown>>;
}

/** True for a server that already runs. It has its own cores; those of the file are only what a plan counts. */
export const runsElsewhere = ({ server }: Pick<VariantSpec, 'server'>): boolean =>
  server !== undefined && server.command === undefined;

/** True if the stage has one replica on each address of its server. */
export const followsAddresses = ({ variants }: Pick<StageSpec, 'variants'>): boolean =>
  variants.some(({ server }) => server?.replicas === 'addresses');

export interface StageBounds {
  readonly minReplicas: number;
  readonly maxReplicas: number;
  /** Ascending. By default all profiled sizes. */
  readonly batchSizes?: readonly number[];
  readonly maxBatchWaitMs: number;
}

export interface StagePins {
  readonly variantId?: VariantId;
  readonly cpuCores?: number;
  readonly maxBatchSize?: number;
  readonly replicas?: number;
  /** For stages with several thresholds. */
  readonly threshold?: number;
  /** For stages that carry a choice of quorums. */
  readonly quorum?: number;
  /** For optional stages; by default a plan chooses. */
  readonly omitted?: boolean;
}

export const defaultRunTimeoutMs = 60_000;

/** A `process` can crash or be killed without harm to others. */
export type Isolation = 'thread' | 'process';

/**
 * A copy of a fraction of the items goes to a replica of another variant, outside of the plan. `metric` compares the
 * answers: those of the shadow take the place of labels.
 */
export interface ShadowSpec {
  readonly variantId: VariantId;
  readonly fraction: number;
  readonly cpuCores: number;
  readonly metric: MetricSpec;
}

/** Cores of the replicas of all shadows. They are part of the budget of the file, but not of that of plans. */
export function shadowCores(stages: readonly { readonly shadow?: ShadowSpec | undefined }[]): number {
  return stages.reduce((sum, { shadow }) => sum + (shadow?.cpuCores ?? 0), 0);
}

/** A `transform` is plain code with accuracy 1. */
export interface StageSpec {
  readonly id: StageId;
  readonly kind: 'model' | 'transform';
  /** Path or `npm:package/export`. If absent, variants without `server` are synthetic: they wait as profiled. */
  readonly module?: string;
  /** Default: thread. Python always runs in its own process. */
  readonly isolation?: Isolation;
  /** Path relative to `baseDir`, or command name. Default: `python3`. */
  readonly python?: string;
  /** A replica whose batch takes longer is lost. Default: `defaultRunTimeoutMs`. */
  readonly runTimeoutMs?: number;
  /** Time (ms) on the network to the stage and back, which its profile lacks; added to each batch. Default: 0. */
  readonly networkMs?: number;
  /** True (default) if a lost batch may run again. */
  readonly idempotent?: boolean;
  /** True if a plan may omit the stage (`omittedNodes`). */
  readonly optional?: true;
  /** By default, answers are not compared. */
  readonly shadow?: ShadowSpec;
  readonly variants: readonly VariantSpec[];
  readonly bounds: StageBounds;
  readonly pins: StagePins;
  readonly placement?: ReplicaPlacement;
}

/**
 * Combine stage: makes one answer from those of its members, without code, replicas or time of its own. Members are the
 * stages of its in-edges, in edge order, or the items of the fan-out that its only in-edge closes.
 */
export interface CombineSpec {
  readonly id: StageId;
  readonly method: 'vote' | 'mean' | 'weighted' | 'median' | 'first-confident' | 'concatenation';
  /** Tensor of each member. */
  readonly tensor: string;
  /** Name of the result. */
  readonly output: string;
  /** Of `weighted`, by member. */
  readonly weights?: Readonly<Record<StageId, number>>;
  /** Of `first-confident`: the first member whose tensor `confidence` is at least `atLeast` (0…1). */
  readonly confidence?: string;
  readonly atLeast?: number;
}

/**
 * Number of parts to wait for: all, one, or `quorum`. From several `quorums`, ascending, a plan chooses (see
 * `quorumChoices`); then `quorum` is the first one.
 */
export type Join = 'all' | 'any' | { readonly quorum: number; readonly quorums?: readonly number[] };

/**
 * Tensor that an edge passes on as `name`: an output of the stage that it leaves, a tensor of the request (`source`), or
 * a constant with row-major data.
 */
type EdgeInput = { readonly name: string } & (
  | { readonly output: string }
  | { readonly source: string }
  | {
      readonly constant: {
        readonly datatype: Datatype;
        readonly shape: readonly number[];
        readonly data: readonly (number | boolean | string)[];
      };
    }
);

/** Shares by variant of the deciding stage while earlier stages run the variants `upstream`. */
export interface UpstreamShares {
  readonly upstream: Readonly<Record<StageId, VariantId>>;
  readonly byVariant: Readonly<Record<VariantId, number>>;
}

/**
 * Connection of two stages. `fanOut`: one item becomes k ≥ 0 items. `join`: items of the innermost fan-out become one
 * item (see `closesFanOut`). A stage with several in-edges waits for all parts that can arrive, unless `join` is `any`
 * or a quorum. `when`: an item takes the stage's first edge whose condition is true. Probabilities sum to at most 1.
 * Probabilities and fan-out factors apply until learned from traffic. `byVariant` gives them for each variant of `from`,
 * at each threshold if it has several (`choicesOf`); then the plain number is the mean (see `resolvedSpec`). `byUpstream`
 * gives them behind measured variants of earlier stages; `byVariant` is their mean.
 */
export interface EdgeSpec {
  readonly from: StageId;
  readonly to: StageId;
  readonly fanOut?: {
    readonly expected: number;
    /** Entry k: fraction of outputs that become k items. The mean is `expected`. */
    readonly distribution?: readonly number[];
    /** Never with `distribution`. */
    readonly byVariant?: Readonly<Record<VariantId, number>>;
    readonly byUpstream?: readonly UpstreamShares[];
  };
  readonly join?: Join;
  /**
   * With `join: all` or several in-edges: if at least one part arrives, the stage runs without dropped or failed parts.
   * By default a lost part ends the request.
   */
  readonly onMissing?: 'partial';
  readonly when?: {
    readonly condition: string;
    /** Values for `threshold` in the condition, ascending (see `thresholdsOf`). */
    readonly thresholds?: readonly number[];
    readonly probability: number;
    readonly byVariant?: Readonly<Record<VariantId, number>>;
    readonly byUpstream?: readonly UpstreamShares[];
  };
  /** Tensors that the edge passes on. Default: all outputs of the stage. */
  readonly inputs?: readonly EdgeInput[];
}

export interface NodeGroup extends Resources {
  readonly count: number;
}

/**
 * Stage whose `tensors` (default all) are in the answer. It is omitted if it was skipped or its `unless` stage ran: in
 * a cascade the later stage answers.
 */
export interface OutputSpec {
  readonly from: StageId;
  readonly unless?: StageId;
  readonly tensors?: readonly string[];
  /** Declared types of tensors. An answer with another type fails. */
  readonly types?: readonly TensorType[];
}

/** Plans must meet the SLO even if service times are `serviceFactor` (at least 1) × the profiled times. */
export interface Robustness {
  readonly serviceFactor: number;
}

/** `auto` plans and applies, `advise` only plans, `off` never plans. */
export type ControlMode = 'auto' | 'advise' | 'off';

export interface ControlSpec {
  readonly mode: ControlMode;
  readonly intervalMs: number;
  /** Interval of burst detection. Default: `intervalMs`. */
  readonly fastIntervalMs?: number;
  readonly minDwellMs: number;
  /** Cores above the budget while old and new replicas overlap. Default: cores of the largest replica. */
  readonly surgeCpuCores?: number;
  /** Maximum time for the starts of a change or canary step. Default: unlimited. */
  readonly surgeMaxMs?: number;
  /** False: a new variant gets all requests at once. */
  readonly canary?: false;
}

export interface AdmissionSpec {
  /** Per stage. Items beyond it are dropped as `queue-full`; a fan-out of more items fails its request. */
  readonly maxQueueLength: number;
  /**
   * Maximum expected wait at a stage, as a fraction (0…1) of the request's slack (remaining time minus remaining work).
   * Items that would wait longer are dropped as `wait-too-long`. By default only the deadline limits waits.
   */
  readonly maxWaitFraction?: number;
  /**
   * Reserved time (ms) before the deadline, for event loop turns, slow batches and writing the answer. At most half of
   * a request's slack. Default: 0.
   */
  readonly answerMarginMs?: number;
  /** Maximum bytes of request tensors in flight. Further requests are dropped as `memory-full`. Default: unlimited. */
  readonly maxInFlightBytes?: number;
  /** Default: `defaultPriorities`. */
  readonly priorities?: PrioritySpec;
}

/** At least one of `module` and `metric`. */
export interface EvaluationSpec {
  readonly dataPath: string;
  /** Loads the samples; scores the answers if there is no metric. By default a file of labels lists the samples. */
  readonly module?: string;
  readonly metric?: MetricSpec;
}

export interface MetricSpec {
  readonly kind: 'accuracy' | 'top-k' | 'f1' | 'f1-macro' | 'cer' | 'wer' | 'box-f1' | 'rmse' | 'mae';
  /** Tensor of the answer; default the only one. */
  readonly output?: string;
  readonly classes?: readonly string[];
  /** Default 5. */
  readonly k?: number;
  /** Default '1'. */
  readonly positive?: string;
  /** Fraction; default 0.5. */
  readonly iou?: number;
  readonly boxClasses?: string;
  readonly boxScores?: string;
  /** Error with score 0. Set for `rmse` and `mae`. */
  readonly scale?: number;
}

/** Bounds on the answered requests that are kept for feedback. */
export interface FeedbackSpec {
  /** Items of a client batch count one by one. */
  readonly maxRequests: number;
  readonly maxAgeMs: number;
}

/** Paths are relative to `baseDir`, the folder of the file. */
export interface PipelineSpec {
  readonly name: string;
  readonly baseDir: string;
  readonly slo: Slo;
  readonly budget: Budget;
  readonly prices: Prices;
  readonly objective: Objective;
  /** Default: plans use profiled service times. */
  readonly robustness?: Robustness;
  readonly sources: readonly SourceSpec[];
  /** Set if there are several sources. */
  readonly sourceJoin?: SourceJoinSpec;
  readonly stages: readonly StageSpec[];
  readonly combines?: readonly CombineSpec[];
  readonly edges: readonly EdgeSpec[];
  readonly outputs: readonly OutputSpec[];
  readonly control: ControlSpec;
  readonly admission: AdmissionSpec;
  readonly evaluation?: EvaluationSpec;
  /** By default, feedback is refused. */
  readonly feedback?: FeedbackSpec;
  /** By default, replicas are not packed on machines. */
  readonly nodes?: readonly NodeGroup[];
  /**
   * Period (ms) of the kernel's CPU quotas that limit replicas with less than one core, such as pods with a CPU limit.
   * By default the dispatch rule gives CPU shares.
   */
  readonly cpuQuotaPeriodMs?: number;
  /** Equal plans that share `nodes`, one for each router. Default: 1. */
  readonly copies?: number;
  /** Routers on a cluster; `auto`: as many as the load needs. Default: 1. */
  readonly routers?: number | 'auto';
  readonly accuracyTable?: AccuracyTable;
  /** Of all pods on a cluster, including the router's. */
  readonly placement?: PodPlacement;
}

/** Pipelines with more stages are long: plans and simulations of them get more work. */
export const MOST_USUAL_STAGES = 16;

/** Nodes of the graph: stages, then combine stages. */
export const nodeIds = ({ stages, combines = [] }: Pick<PipelineSpec, 'stages' | 'combines'>): readonly StageId[] =>
  [...stages, ...combines].map(({ id }) => id);

/**
 * True if the `join` of an edge closes the innermost fan-out. `all` always does. `any` and `quorum` do if the edge is
 * the only one into its stage; otherwise they choose among the edges. `inEdges` counts this edge, too.
 */
export function closesFanOut({ join }: Pick<EdgeSpec, 'join'>, inEdges: number): boolean {
  return join === 'all' || (join !== undefined && inEdges === 1);
}

/** Parts of a graph; entries of a file may be malformed. */
interface JoinedGraph {
  readonly edges?:
    | readonly (
        | {
            readonly to?: string | undefined;
            readonly join?: unknown;
            readonly when?: { readonly thresholds?: readonly unknown[] | undefined } | undefined;
          }
        | undefined
      )[]
    | undefined;
  readonly outputs?: readonly ({ readonly unless?: string | undefined } | undefined)[] | undefined;
  readonly combines?: readonly ({ readonly method?: string | undefined } | undefined)[] | undefined;
  readonly stages?: readonly ({ readonly optional?: boolean | undefined } | undefined)[] | undefined;
}

/**
 * First element due to which the accuracy is not a product and must be measured. Causes are `any` and `quorum` joins of
 * several edges, cascades (outputs with `unless`), combine stages that choose or average, optional stages, and choices
 * of thresholds. Undefined if the product counts.
 */
export function measurementCause({
  edges = [],
  outputs = [],
  combines = [],
  stages = [],
}: JoinedGraph): { readonly of: 'edges' | 'outputs' | 'combines' | 'stages'; readonly index: number } | undefined {
  const joins = edges.findIndex(
    (edge) =>
      edge?.join !== undefined && edge.join !== 'all' && edges.filter((other) => other?.to === edge.to).length > 1,
  );
  if (joins >= 0) return { of: 'edges', index: joins };
  const cascade = outputs.findIndex((output) => output?.unless !== undefined);
  if (cascade >= 0) return { of: 'outputs', index: cascade };
  const combine = combines.findIndex((each) => each?.method !== undefined && each.method !== 'concatenation');
  if (combine >= 0) return { of: 'combines', index: combine };
  const optional = stages.findIndex((stage) => stage?.optional === true);
  if (optional >= 0) return { of: 'stages', index: optional };
  const choice = edges.findIndex((edge) => (edge?.when?.thresholds?.length ?? 0) > 1);
  return choice >= 0 ? { of: 'edges', index: choice } : undefined;
}

/** Infinity for `all`. */
export function awaitedParts(join: Join | undefined): number {
  if (join === 'any') return 1;
  return typeof join === 'object' ? join.quorum : Number.POSITIVE_INFINITY;
}

/** Clients send 1, 2, …; 1 is the most urgent. Internal levels are 0, 1, …. */
export interface PrioritySpec {
  /**
   * Per priority, guaranteed fraction (0…1) of the starts of a stage while several priorities wait. The sum is at most
   * 1; the most urgent gets the rest.
   */
  readonly shares: readonly number[];
  readonly default: number;
}

/** During a flood of urgent requests, priority 2 keeps a fifth of the starts, priority 3 a twentieth. */
export const defaultPriorities: PrioritySpec = { shares: [0, 0.2, 0.05], default: 2 };

/** 0 means no priority (Triton clients send it). A number beyond the last priority means the last. */
export function priorityLevel({ shares, default: unstated }: PrioritySpec, priority = 0): number {
  const meant = priority === 0 ? unstated : priority;
  return Math.min(Math.max(meant, 1), shares.length) - 1;
}

/** Small fraction of the SLO, because margins drop requests that could be in time. */
const FRACTION = 0.02;
/** Event loop, garbage collection and writing need some ms in any pipeline. */
const MOST_MS = 10;

/** Period (ms) of the quotas that kubelet sets for CPU limits. */
export const usualCpuQuotaPeriodMs = 100;

/** Default answer margin (ms) of a server (see `AdmissionSpec`). */
export function servedAnswerMarginMs({ latencyMs }: Pick<Slo, 'latencyMs'>): number {
  return Math.min(FRACTION * latencyMs, MOST_MS);
}
