/**
 * Verdict on cached profiles per variant: `fresh`, `stale` with reasons, or `missing`. A profile is stale if machine,
 * code or inputs changed, or the grid grew (by the file or a higher latency target). A `quick` profile is stale if
 * `full` is required.
 */

import { servingGraph } from '@equipoise/core/graph';
import type { PipelineSpec } from '@equipoise/core/model';
import { type MachineFingerprint, machineFingerprint } from './machine-fingerprint.js';
import type { PipelineProfile, ProfileDepth, VariantProfile } from './measured-profile.js';
import { loadPipelineSamples, type PipelineSample } from './pipeline-samples.js';
import type { ProfileCache } from './profile-cache.js';
import { type ProfileGrid, profileGrid, type VariantGrid } from './profile-grid.js';
import { identityDifferences, type LaunchRules, ProfileIdentities } from './profile-identity.js';

export type VariantVerdict =
  | { readonly kind: 'fresh'; readonly grid: VariantGrid; readonly profile: VariantProfile }
  | {
      readonly kind: 'stale';
      readonly grid: VariantGrid;
      readonly profile: VariantProfile;
      readonly reasons: readonly string[];
    }
  | { readonly kind: 'missing'; readonly grid: VariantGrid };

/** `reasons` name stage, variant and change; `missing` outranks `stale`. */
export interface CachedProfile {
  readonly kind: 'fresh' | 'stale' | 'missing';
  readonly reasons: readonly string[];
  readonly warnings: readonly string[];
  /** Fresh and stale profiles; the planner's caller decides about stale ones. */
  readonly profile: PipelineProfile;
  readonly variants: readonly VariantVerdict[];
}

export interface VerdictRequest {
  readonly grid: ProfileGrid;
  readonly identities: ProfileIdentities;
  readonly kept: readonly VariantProfile[];
  readonly sloLatencyMs: number;
  /** Minimum depth of a fresh profile. */
  readonly depth: ProfileDepth;
}

const pointKey = (point: { readonly cpuCores: number; readonly batchSize: number }): string =>
  `${point.cpuCores}/${point.batchSize}`;

function gapsOf({ coreCounts, batchSizes }: VariantGrid, profile: VariantProfile, sloLatencyMs: number): string[] {
  const { points, skipped } = profile;
  const known = new Map([...points, ...skipped].map((point) => [pointKey(point), point]));
  const wanted = coreCounts.flatMap((cpuCores) => batchSizes.map((batchSize) => pointKey({ cpuCores, batchSize })));
  const isAllowedNow = (key: string): boolean => {
    const skip = known.get(key);
    if (skip === undefined || !('kind' in skip) || skip.kind !== 'over-slo') return false;
    return !points.some(({ cpuCores, p50Ms }) => cpuCores === skip.cpuCores && p50Ms > sloLatencyMs);
  };
  return [
    ...(wanted.every((key) => known.has(key)) ? [] : ['core counts or batch sizes were added']),
    ...(wanted.some(isAllowedNow) ? ['the latency target now allows batch sizes that exceeded it before'] : []),
  ];
}

export function variantVerdicts({
  grid,
  identities,
  kept,
  sloLatencyMs,
  depth,
}: VerdictRequest): readonly VariantVerdict[] {
  return grid.variants.map((entry): VariantVerdict => {
    const { stage, variant } = entry;
    const profile = kept.find((known) => known.stageId === stage.id && known.variantId === variant.id);
    if (profile === undefined) return { kind: 'missing', grid: entry };
    const reasons = [
      ...identityDifferences(profile.identity, identities.of(stage, variant)),
      ...gapsOf(entry, profile, sloLatencyMs),
    ];
    if (depth === 'full' && profile.depth === 'quick') reasons.push('it was measured with --quick');
    return reasons.length === 0
      ? { kind: 'fresh', grid: entry, profile }
      : { kind: 'stale', grid: entry, profile, reasons };
  });
}

function describeVerdict(verdict: VariantVerdict): readonly string[] {
  const name = `stage ${verdict.grid.stage.id}, variant ${verdict.grid.variant.id}`;
  switch (verdict.kind) {
    case 'fresh':
      return [];
    case 'stale':
      return [`${name}: ${verdict.reasons.join('; ')}`];
    case 'missing':
      return [`${name}: not measured yet`];
  }
}

function samplesOrNone(spec: PipelineSpec): readonly PipelineSample[] {
  try {
    return loadPipelineSamples(spec).samples;
  } catch {
    // Without samples, cached profiles count as stale: their input digests differ.
    return [];
  }
}

/** Launch rules, and the machine if it is not this one. */
export interface JudgedBy {
  readonly rules: LaunchRules;
  readonly machine?: MachineFingerprint;
}

export function cachedProfile(
  spec: PipelineSpec,
  cache: ProfileCache,
  { rules, machine = machineFingerprint(spec.baseDir) }: JudgedBy,
): CachedProfile {
  const grid = profileGrid(spec, machine.coresAvailable);
  const { variants: kept, warning } = cache.read();
  const samples = grid.variants.length === 0 ? [] : samplesOrNone(spec);
  const identities = new ProfileIdentities(spec, { graph: servingGraph(spec), machine, samples, rules });
  const variants = variantVerdicts({ grid, identities, kept, sloLatencyMs: spec.slo.latencyMs, depth: 'quick' });
  const kinds = new Set(variants.map(({ kind }) => kind));
  return {
    kind: kinds.has('missing') ? 'missing' : kinds.has('stale') ? 'stale' : 'fresh',
    reasons: variants.flatMap(describeVerdict),
    warnings: warning === undefined ? [] : [warning],
    profile: {
      machine,
      variants: variants.flatMap((verdict) => (verdict.kind === 'missing' ? [] : [verdict.profile])),
      notMeasured: grid.notMeasured,
    },
    variants,
  };
}
