import {
  type EdgeSpec,
  type Objective,
  type PipelineSpec,
  type ShadowSpec,
  type SourceSpec,
  type StageSpec,
  shadowCores,
  thresholdOfChoice,
  type UpstreamShares,
  type VariantId,
  type VariantSpec,
  variantOfChoice,
} from '@equipoise/core/model';
import { API_VERSION, PIPELINE_KIND } from './api-version.js';
import { withoutUndefined } from './without-undefined.js';

/** Enough for a share to count. */
const COUNTED_OUTPUTS = 20;

export interface PipelineDocument {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: Readonly<Record<string, unknown>>;
}

/** Document of a spec. Paths stay unchanged; machines (`nodes`) are omitted. */
export function toDocument(spec: PipelineSpec): PipelineDocument {
  const { name, slo, prices, objective, sources, stages, edges, outputs, control, admission } = spec;
  const { mode, intervalMs, fastIntervalMs, minDwellMs, surgeCpuCores, surgeMaxMs, canary } = control;
  const { evaluation, feedback, placement, robustness, combines = [], sourceJoin, routers } = spec;
  const maxSeconds = surgeMaxMs === undefined ? undefined : surgeMaxMs / 1000;
  const surge = surgeCpuCores === undefined ? undefined : withoutUndefined({ cpuCores: surgeCpuCores, maxSeconds });
  return {
    apiVersion: API_VERSION,
    kind: PIPELINE_KIND,
    metadata: { name },
    spec: withoutUndefined({
      slo,
      budget: budgetEntry(spec),
      prices,
      ...objectiveFields(objective),
      robustness,
      sources: sources.map(sourceEntry),
      sourceJoin,
      stages: [...stages.map(stageEntry), ...combines.map(({ id, ...combine }) => ({ name: id, combine }))],
      edges: edges.map(edgeEntry),
      outputs,
      routers,
      control: withoutUndefined({ mode, intervalMs, fastIntervalMs, minDwellMs, surge, canary }),
      admission,
      evaluation: evaluation && evaluationFields(evaluation),
      feedback,
      placement,
      accuracyTable: tableEntry(spec),
    }),
  };
}

/** Shares behind variants of earlier stages have their only place in the table. */
function tableEntry({ accuracyTable, edges }: PipelineSpec) {
  const shares = edges.flatMap(({ from, to, when, fanOut }) => {
    const rows = (all: readonly UpstreamShares[] | undefined, field: 'probability' | 'expected') =>
      (all ?? []).flatMap(({ upstream, byVariant }) =>
        Object.entries(byVariant).map(([variant, value]) => ({
          ...{ from, to, variant, upstream, outputs: COUNTED_OUTPUTS },
          [field]: value,
        })),
      );
    return [...rows(when?.byUpstream, 'probability'), ...rows(fanOut?.byUpstream, 'expected')];
  });
  return accuracyTable && shares.length > 0 ? { ...accuracyTable, shares } : accuracyTable;
}

function budgetEntry({ budget, stages }: PipelineSpec) {
  const { cpuCores } = budget;
  return cpuCores === undefined ? budget : { ...budget, cpuCores: Number((cpuCores + shadowCores(stages)).toFixed(6)) };
}

function objectiveFields(objective: Objective) {
  const { kind, ...rest } = objective;
  return kind === 'weights' ? { objective: { weights: rest } } : { objective: kind, ...rest };
}

function evaluationFields({ module, dataPath, metric }: NonNullable<PipelineSpec['evaluation']>) {
  const { kind, ...options } = metric ?? { kind: undefined };
  return withoutUndefined({ module, data: dataPath, metric: kind, ...options });
}

function sourceEntry({ name, to, tensors, samplesPath, ...rest }: SourceSpec) {
  const declared = tensors.map(({ contentTypes, ...tensor }) =>
    contentTypes.length === 0 ? tensor : { ...tensor, contentTypes },
  );
  return withoutUndefined({
    name,
    to,
    tensors: declared.length === 0 ? undefined : declared,
    samples: samplesPath,
    ...rest,
  });
}

function stageEntry({ id, variants, bounds, pins, shadow, ...stage }: StageSpec) {
  const { minReplicas, maxReplicas, batchSizes, maxBatchWaitMs } = bounds;
  const { variantId, ...pinned } = pins;
  return {
    name: id,
    ...stage,
    ...(shadow && { shadow: shadowEntry(shadow) }),
    variants: variants.map(variantEntry),
    bounds: withoutUndefined({ replicas: { min: minReplicas, max: maxReplicas }, batchSizes, maxBatchWaitMs }),
    pins: withoutUndefined({ variant: variantId, ...pinned }),
  };
}

function shadowEntry({ variantId, metric: { kind, ...options }, ...shadow }: ShadowSpec) {
  return { variant: variantId, ...shadow, metric: kind, ...options };
}

function variantEntry({ id, cpuCores, memoryBytes, gpus, server, ...variant }: VariantSpec) {
  const { urls, ...how } = server ?? { urls: [] };
  return {
    name: id,
    ...variant,
    resources: { cpuCores, memoryBytes, gpus },
    ...(server === undefined ? {} : { server: { url: urls, ...how } }),
  };
}

function edgeEntry({ from, to, fanOut, when, inputs, join, ...how }: EdgeSpec) {
  const { byVariant: itemsByVariant, byUpstream: _, ...items } = fanOut ?? {};
  const { byVariant: shareByVariant, byUpstream: __, thresholds, ...branch } = when ?? {};
  return {
    ...{ from, to, ...how },
    ...(join && { join: typeof join === 'object' ? { quorum: join.quorums ?? join.quorum } : join }),
    ...(fanOut && { fanOut: { ...items, expected: itemsByVariant ? itemsEntry(itemsByVariant) : fanOut.expected } }),
    ...(when && {
      when: {
        ...branch,
        ...(thresholds && { threshold: thresholds }),
        probability: shareByVariant ? sharesEntry(shareByVariant) : when.probability,
      },
    }),
    ...(inputs && { inputs: inputs.map(inputEntry) }),
  };
}

type Shares = NonNullable<NonNullable<EdgeSpec['when']>['byVariant']>;

/** By variant; a list with one share per threshold if there are several. */
function sharesEntry(shares: Shares): Readonly<Record<string, number | readonly number[]>> {
  const lists = new Map<VariantId, readonly number[]>();
  for (const [choice, share] of Object.entries(shares)) {
    if (thresholdOfChoice(choice as VariantId) === undefined) return shares;
    const variant = variantOfChoice(choice as VariantId);
    lists.set(variant, [...(lists.get(variant) ?? []), share]);
  }
  return Object.fromEntries(lists);
}

/** By variant; the mean over the thresholds. */
function itemsEntry(items: Shares): Readonly<Record<string, number>> {
  const lists = Object.entries(sharesEntry(items));
  return Object.fromEntries(
    lists.map(([variant, own]) => {
      const values = [own].flat();
      return [variant, values.reduce((sum, value) => sum + value, 0) / values.length];
    }),
  );
}

function inputEntry(input: NonNullable<EdgeSpec['inputs']>[number]) {
  const { name } = input;
  if ('constant' in input) return { name, constant: input.constant };
  return { name, from: 'source' in input ? `source.${input.source}` : input.output };
}
