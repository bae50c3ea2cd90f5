/** Turns a valid document into a spec. */
import {
  type AccuracyTable,
  atThreshold,
  choicesOf,
  type EdgeSpec,
  type InferenceServerSpec,
  type Objective,
  type OutputSpec,
  type PipelineSpec,
  type ShadowSpec,
  type SourceJoinSpec,
  type SourceSpec,
  type StageId,
  type StageSpec,
  shadowCores,
  stageId,
  type UpstreamShares,
  type VariantId,
  type VariantSpec,
  variantId,
} from '@equipoise/core/model';
import { isSameCores } from './core-counts.js';
import { fieldDefaults } from './field-defaults.js';
import { chainEdges, entryStages, lastStages, sourceTensorOf } from './implied-graph.js';
import type { PipelineFile } from './schema/pipeline-file-schema.js';
import { withoutUndefined } from './without-undefined.js';

type FileSpec = PipelineFile['spec'];
type FileStage = FileSpec['stages'][number];
type FileVariant = NonNullable<FileStage['variants']>[number];
type FileSource = NonNullable<FileSpec['sources']>[number];
type FileEdge = NonNullable<FileSpec['edges']>[number];
type FileEdgeInput = NonNullable<FileEdge['inputs']>[number];
type FileOutput = NonNullable<FileSpec['outputs']>[number];
type FileEvaluation = NonNullable<FileSpec['evaluation']>;
type FileTable = Exclude<NonNullable<FileSpec['accuracyTable']>, string>;

/** Spec without an accuracy table that is given by path. */
export function toSpec({ metadata, spec }: PipelineFile, baseDir: string): PipelineSpec {
  const names = spec.stages.map(({ name }) => name);
  const edges = spec.edges ?? chainEdges(names);
  const entries = entryStages(names, edges).map(stageId);
  const { accuracyTable, control, evaluation } = spec;
  const written: PipelineSpec = withoutUndefined({
    name: metadata.name,
    baseDir,
    slo: spec.slo,
    budget: withoutUndefined({ ...spec.budget, cpuCores: withoutShadows(spec) }),
    prices: spec.prices,
    objective: toObjective(spec),
    robustness: spec.robustness,
    sources: (spec.sources ?? [{ name: fieldDefaults.sourceName }]).map((source) => toSource(source, entries)),
    sourceJoin: (spec.sources?.length ?? 1) > 1 ? toSourceJoin(spec.sourceJoin) : undefined,
    stages: spec.stages.filter(({ combine }) => combine === undefined).map(toStage),
    combines: toCombines(spec.stages),
    edges: edges.map((edge) => toEdge(edge, choicesFrom(edge.from, spec.stages, edges))),
    outputs: (spec.outputs ?? lastStages(names, edges).map((from): FileOutput => ({ from }))).map(toOutput),
    control: withoutUndefined({
      mode: control.mode,
      intervalMs: control.intervalMs,
      fastIntervalMs: control.fastIntervalMs,
      minDwellMs: control.minDwellMs,
      surgeCpuCores: control.surge?.cpuCores,
      surgeMaxMs: control.surge?.maxSeconds === undefined ? undefined : 1000 * control.surge.maxSeconds,
      canary: control.canary ? undefined : (false as const),
    }),
    admission: withoutUndefined(spec.admission),
    evaluation: evaluation && toEvaluation(evaluation),
    feedback: spec.feedback,
    placement: spec.placement && toPlacement(spec.placement),
    routers: spec.routers,
  });
  return typeof accuracyTable === 'object' ? withAccuracyTable(written, toAccuracyTable(accuracyTable)) : written;
}

/** Budget of CPU cores for plans. */
function withoutShadows({ budget, stages }: FileSpec): number | undefined {
  if (budget.cpuCores === undefined) return undefined;
  const cores =
    budget.cpuCores - shadowCores(stages.map(({ shadow, variants }) => ({ shadow: toShadow(shadow, variants) })));
  return Number(cores.toFixed(6));
}

function toShadow(shadow: FileStage['shadow'], variants: FileStage['variants'] = []): ShadowSpec | undefined {
  if (shadow === undefined) return undefined;
  const { variant, fraction, cpuCores, metric, ...options } = shadow;
  const offered = variants.find(({ name }) => name === variant)?.resources.cpuCores ?? fieldDefaults.cpuCores;
  return {
    variantId: variantId(variant),
    fraction,
    cpuCores: cpuCores ?? Math.min(...[offered].flat()),
    metric: withoutUndefined({ kind: metric, ...options }),
  };
}

function toEvaluation({ module, data, metric, ...options }: FileEvaluation): NonNullable<PipelineSpec['evaluation']> {
  return withoutUndefined({
    dataPath: data,
    module,
    metric: metric && withoutUndefined({ kind: metric, ...options }),
  });
}

function toObjective({ objective, accuracyFloor }: FileSpec): Objective {
  if (typeof objective === 'object') return { kind: 'weights', ...objective.weights };
  return objective === 'min-cost' ? { kind: 'min-cost', accuracyFloor: accuracyFloor ?? 0 } : { kind: 'max-accuracy' };
}

function toSource(source: FileSource, entries: readonly StageId[]): SourceSpec {
  const { name, to, datatype, shape, contentTypes, samples, onMissing, ...rest } = source;
  const single = datatype && shape ? [{ name, datatype, shape, contentTypes }] : [];
  const tensors = (source.tensors ?? single).map((tensor) => ({ ...tensor, contentTypes: tensor.contentTypes ?? [] }));
  const names = typeof to === 'string' ? [to] : to;
  return withoutUndefined({
    name,
    to: names?.map(stageId) ?? entries,
    tensors,
    samplesPath: samples,
    onMissing: onMissing === 'partial' ? onMissing : undefined,
    share: rest.share,
    latest: rest.latest,
    key: rest.key,
    time: rest.time,
  });
}

function toSourceJoin({ by, late, ...rest }: FileSpec['sourceJoin']): SourceJoinSpec {
  return withoutUndefined({
    ...rest,
    by: by === 'key' ? by : undefined,
    late: late === 'drop' ? undefined : late,
  });
}

function toStage({
  name,
  kind,
  module,
  isolation,
  python,
  runTimeoutMs,
  networkMs,
  idempotent,
  optional,
  shadow,
  variants = [],
  bounds,
  pins,
  placement,
}: FileStage): StageSpec {
  return withoutUndefined({
    id: stageId(name),
    kind,
    ...(module === undefined ? {} : { module, isolation, python }),
    ...(module !== undefined || variants.some(({ server }) => server !== undefined) ? { runTimeoutMs } : {}),
    networkMs,
    ...(idempotent ? {} : { idempotent }),
    ...(optional && { optional }),
    shadow: toShadow(shadow, variants),
    variants: variants.map((variant) => toVariant(variant, bounds.cpuCores)),
    bounds: withoutUndefined({
      minReplicas: bounds.replicas.min,
      maxReplicas: bounds.replicas.max,
      batchSizes: bounds.batchSizes && ascending(bounds.batchSizes),
      maxBatchWaitMs: bounds.maxBatchWaitMs,
    }),
    pins: withoutUndefined({
      variantId: pins.variant === undefined ? undefined : variantId(pins.variant),
      cpuCores: pins.cpuCores,
      maxBatchSize: pins.maxBatchSize,
      replicas: pins.replicas,
      threshold: pins.threshold,
      quorum: pins.quorum,
    }),
    placement: placement && toPlacement(placement),
  });
}

/** Undefined without combine stages. */
function toCombines(stages: readonly FileStage[]): PipelineSpec['combines'] {
  const combines = stages.flatMap(({ name, combine }) =>
    combine === undefined
      ? []
      : [withoutUndefined({ id: stageId(name), ...combine, output: combine.output ?? combine.tensor })],
  );
  return combines.length === 0 ? undefined : combines;
}

function toVariant(variant: FileVariant, allowedCores: readonly number[] | undefined): VariantSpec {
  const { name, resources, profile, server, placement, ...rest } = variant;
  const offered = typeof resources.cpuCores === 'number' ? [resources.cpuCores] : resources.cpuCores;
  const isAllowed = (cores: number) => allowedCores?.some((allowed) => isSameCores(allowed, cores)) ?? true;
  return withoutUndefined({
    ...rest,
    id: variantId(name),
    cpuCores: ascending(offered.filter(isAllowed)),
    memoryBytes: resources.memoryBytes,
    gpus: resources.gpus,
    profile: profile?.map(withoutUndefined),
    server: server && toServer(server),
    placement: placement && toPlacement(placement),
  });
}

const toPlacement = (placement: NonNullable<FileStage['placement']>): NonNullable<StageSpec['placement']> =>
  withoutUndefined({
    ...placement,
    tolerations: placement.tolerations?.map(withoutUndefined),
    volumeMounts: placement.volumeMounts?.map(withoutUndefined),
  });

function toServer({ url, ...rest }: NonNullable<FileVariant['server']>): InferenceServerSpec {
  return withoutUndefined({ ...rest, urls: typeof url === 'string' ? [url] : url });
}

/** Choices of the stage that an edge leaves. */
interface FromChoices {
  readonly variants: readonly VariantId[];
  /** Empty unless a plan chooses. */
  readonly thresholds: readonly number[];
}

function choicesFrom(from: string, stages: readonly FileStage[], edges: readonly FileEdge[]): FromChoices {
  const own = edges.find((edge) => edge.from === from && edge.when?.threshold !== undefined)?.when?.threshold;
  return {
    variants: stages.find(({ name }) => name === from)?.variants?.map(({ name }) => variantId(name)) ?? [],
    thresholds: Array.isArray(own) && own.length > 1 ? own : [],
  };
}

function toEdge({ from, to, fanOut, join, onMissing, when, inputs }: FileEdge, choices: FromChoices): EdgeSpec {
  const items = fanOut && toShare(fanOut.expected, choices);
  const share = when && toShare(when.probability, choices);
  return withoutUndefined({
    from: stageId(from),
    to: stageId(to),
    join: typeof join === 'object' ? toQuorum(join.quorum) : join,
    onMissing: onMissing === 'partial' ? onMissing : undefined,
    fanOut:
      items &&
      withoutUndefined({ expected: items.value, distribution: fanOut?.distribution, byVariant: items.byVariant }),
    when:
      when &&
      share &&
      withoutUndefined({
        condition: when.condition,
        thresholds: when.threshold === undefined ? undefined : [when.threshold].flat(),
        probability: share.value,
        byVariant: share.byVariant,
      }),
    inputs: inputs?.map(toEdgeInput),
  });
}

function toQuorum(given: number | readonly number[]): EdgeSpec['join'] {
  const [quorum = 1, ...others] = [given].flat();
  return others.length === 0 ? { quorum } : { quorum, quorums: [quorum, ...others] };
}

function toEdgeInput({ name, from = name, constant }: FileEdgeInput): NonNullable<EdgeSpec['inputs']>[number] {
  if (constant !== undefined) return { name, constant };
  const source = sourceTensorOf(from);
  return source === undefined ? { name, output: from } : { name, source };
}

interface Share {
  readonly value: number;
  readonly byVariant?: Readonly<Record<VariantId, number>> | undefined;
}

type GivenShare = number | readonly number[];

/** By choice if the shares or the stage distinguish choices. */
function toShare(
  given: GivenShare | Readonly<Record<string, GivenShare>>,
  { variants, thresholds }: FromChoices,
): Share {
  const isByVariant = typeof given === 'object' && !Array.isArray(given);
  const shareOf = (variant: VariantId, position: number): number => {
    const own = isByVariant ? (given as Readonly<Record<string, GivenShare>>)[variant] : (given as GivenShare);
    return (typeof own === 'number' ? own : (own?.[position] ?? own?.[0])) ?? 0;
  };
  const of = variants.length === 0 ? [variantId('')] : variants;
  if (thresholds.length > 0)
    return meanShare(
      of.flatMap((variant) =>
        thresholds.map((threshold, position) => [atThreshold(variant, threshold), shareOf(variant, position)] as const),
      ),
    );
  if (!isByVariant) return { value: shareOf(variantId(''), 0) };
  return meanShare(Object.keys(given).map((name) => [variantId(name), shareOf(variantId(name), 0)] as const));
}

function meanShare(entries: readonly (readonly [VariantId, number])[]): Share {
  const value = entries.reduce((sum, [, each]) => sum + each, 0) / entries.length;
  return { value, byVariant: Object.fromEntries(entries) };
}

function toOutput({ from, unless, ...rest }: FileOutput): OutputSpec {
  return withoutUndefined({ ...rest, from: stageId(from), unless: unless === undefined ? undefined : stageId(unless) });
}

/** Accuracies and shares that `equipoise evaluate` measured. */
export type MeasuredTable = AccuracyTable & { readonly shares?: NonNullable<FileTable['shares']> };

/** Fewer outputs say little about a share. */
const FEWEST_OUTPUTS = 20;
/** A stage gets at least this many items, so that plans never leave it without replicas. */
const FEWEST_ITEMS = 0.02;

/** The spec with measured accuracies. Measured shares by variant replace the stated ones. */
export function withAccuracyTable(spec: PipelineSpec, { shares = [], ...accuracyTable }: MeasuredTable): PipelineSpec {
  const known = shares.filter(({ outputs }) => outputs >= FEWEST_OUTPUTS);
  if (known.length === 0) return { ...spec, accuracyTable };
  const edges = spec.edges.map((edge): EdgeSpec => {
    const { when, fanOut } = edge;
    const all = known.filter(({ from, to }) => from === edge.from && to === edge.to);
    const own = all.filter(({ upstream }) => upstream === undefined);
    const variants = spec.stages.find(({ id }) => id === edge.from)?.variants.map(({ id }) => id) ?? [];
    const names = choicesOf(spec, edge.from, variants);
    const merged = (stated: { value: number; byVariant?: Share['byVariant'] }, field: 'probability' | 'expected') => {
      if (own.every((share) => share[field] === undefined)) return undefined;
      const values = names.map((name): readonly [VariantId, number] => {
        const measured = own.find(({ variant }) => variant === name)?.[field];
        return [name, measured ?? stated.byVariant?.[name] ?? stated.value];
      });
      return meanShare(values);
    };
    const share = when && merged({ ...when, value: when.probability }, 'probability');
    const items = fanOut?.distribution
      ? undefined
      : fanOut && merged({ ...fanOut, value: fanOut.expected }, 'expected');
    return {
      ...edge,
      ...(when && { when: withUpstream(mergedBranch(when, share), all, 'probability') }),
      ...(fanOut && { fanOut: withUpstream(mergedItems(fanOut, items), all, 'expected') }),
    };
  });
  return { ...spec, accuracyTable, edges };
}

type Branch = NonNullable<EdgeSpec['when']>;
type Items = NonNullable<EdgeSpec['fanOut']>;

const mergedBranch = (when: Branch, share: Share | undefined): Branch =>
  share?.byVariant ? { ...when, probability: share.value, byVariant: share.byVariant } : when;

const mergedItems = (fanOut: Items, items: Share | undefined): Items =>
  items?.byVariant ? { expected: items.value, byVariant: atLeast(FEWEST_ITEMS, items.byVariant) } : fanOut;

/** With the shares that were measured behind variants of earlier stages. */
function withUpstream<Shares extends Branch | Items>(
  stated: Shares,
  shares: NonNullable<MeasuredTable['shares']>,
  field: 'probability' | 'expected',
): Shares {
  if (stated.byVariant === undefined) return stated;
  const found = new Map<string, { upstream: UpstreamShares['upstream']; byVariant: Record<VariantId, number> }>();
  for (const { variant, upstream, [field]: value } of shares) {
    if (upstream === undefined || value === undefined) continue;
    const key = JSON.stringify(Object.entries(upstream).sort());
    const known = found.get(key) ?? { upstream: upstream as UpstreamShares['upstream'], byVariant: {} };
    found.set(key, known);
    known.byVariant[variant as VariantId] = field === 'expected' ? Math.max(FEWEST_ITEMS, value) : value;
  }
  return found.size === 0 ? stated : { ...stated, byUpstream: [...found.values()] };
}

const atLeast = (least: number, values: NonNullable<Share['byVariant']>): NonNullable<Share['byVariant']> =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, Math.max(least, value)]));

export function toAccuracyTable({
  combinations,
  shares,
  agreements,
  modelError,
  productError,
}: FileTable): MeasuredTable {
  return withoutUndefined({
    shares,
    agreements: agreements as MeasuredTable['agreements'],
    modelError,
    productError,
    combinations: combinations.map(({ variants, confidence95, verdict: _, droppedFor: __, ...rest }) =>
      withoutUndefined({
        ...rest,
        variants: variants as Record<StageId, VariantId>,
        confidence95: confidence95 as [number, number] | undefined,
      }),
    ),
  });
}

const ascending = (values: readonly number[]): number[] => [...new Set(values)].sort((a, b) => a - b);
