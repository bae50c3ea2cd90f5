/**
 * Inline points must define a service-time law (core checks it). Percentiles ascend, points are distinct, and core
 * counts match `resources`. CPU shares may use the points of 1 core.
 */
import type { ProfilePoint } from '@equipoise/core/model';
import { lawOfPoint } from '@equipoise/core/plan';
import { hundredthsOf, offeredCores } from '../core-counts.js';
import { isMalformed, type SpecDraft, type VariantDraft, wellFormedEntries } from '../draft.js';
import type { Finding, ValuePath } from '../problem.js';

export function* checkProfiles(spec: SpecDraft): Generator<Finding> {
  for (const [index, stage] of wellFormedEntries(spec.stages)) {
    for (const [position, variant] of wellFormedEntries(stage.variants)) {
      const path = ['spec', 'stages', index, 'variants', position];
      yield* checkPoints(variant, [...path, 'profile']);
      yield* checkCoreCounts(variant, path);
    }
  }
}

type PointDraft = NonNullable<NonNullable<VariantDraft['profile']>[number]>;

function* checkPoints({ profile }: VariantDraft, path: ValuePath): Generator<Finding> {
  const seen = new Set<string>();
  for (const [index, point] of wellFormedEntries(profile)) {
    const key = `${point.cpuCores} ${point.batchSize}`;
    const isKeyed = point.cpuCores !== undefined && point.batchSize !== undefined;
    if (isKeyed && seen.has(key))
      yield {
        path: [...path, index],
        message: `expected one point for cpuCores ${point.cpuCores} and batchSize ${point.batchSize}, found a second`,
      };
    seen.add(key);
    yield* checkPoint(point, [...path, index]);
  }
}

function* checkPoint(point: PointDraft, path: ValuePath): Generator<Finding> {
  if (!isWhole(point)) return;
  const falling = fallingPercentile(point);
  const law = lawOfPoint(point);
  if (falling !== undefined) yield { path: [...path, falling.field], message: falling.message };
  else if (law.kind === 'invalid')
    yield { path: point.p99Ms === undefined ? path : [...path, 'p99Ms'], message: law.reason };
  else if (law.warning !== undefined) yield { path: [...path, 'p99Ms'], message: law.warning, severity: 'warning' };
}

function isWhole(point: PointDraft): point is ProfilePoint {
  const fields = Object.keys(point) as (keyof PointDraft)[];
  return (
    point.cpuCores !== undefined && point.batchSize !== undefined && !fields.some((field) => isMalformed(point, field))
  );
}

function fallingPercentile(point: ProfilePoint): { readonly field: string; readonly message: string } | undefined {
  const given = (['p50Ms', 'p95Ms', 'p99Ms'] as const).filter((field) => point[field] !== undefined);
  for (const [index, field] of given.entries()) {
    const lower = given[index - 1];
    if (lower === undefined || (point[field] as number) >= (point[lower] as number)) continue;
    return { field, message: `expected ${field} of at least ${lower} ${point[lower]}, found ${point[field]}` };
  }
  return undefined;
}

function* checkCoreCounts(variant: VariantDraft, path: ValuePath): Generator<Finding> {
  const offered = offeredCores(variant);
  if (variant.profile === undefined || offered === undefined) return;
  const usable = new Set(offered.flatMap((cpuCores) => [cpuCores, Math.max(1, cpuCores)]).map(hundredthsOf));
  const profiled = new Set<number>();
  for (const [index, { cpuCores }] of wellFormedEntries(variant.profile)) {
    if (cpuCores === undefined) continue;
    const cores = hundredthsOf(cpuCores);
    if (!usable.has(cores) && !profiled.has(cores))
      yield {
        path: [...path, 'profile', index, 'cpuCores'],
        message: `expected one of the core counts in resources (${offered.join(', ')}), found ${cpuCores}; its points are not used`,
        severity: 'warning',
      };
    profiled.add(cores);
  }
  yield* offered
    .filter((cpuCores) => !hasPoints(cpuCores, profiled))
    .map(
      (cpuCores): Finding => ({
        path: [...path, 'resources', 'cpuCores'],
        message: `no profile point for ${cpuCores} ${cpuCores === 1 ? 'core' : 'cores'}: this core count is not planned`,
        severity: 'warning',
      }),
    );
}

function hasPoints(cpuCores: number, profiled: ReadonlySet<number>): boolean {
  return profiled.has(hundredthsOf(cpuCores)) || (cpuCores < 1 && profiled.has(hundredthsOf(1)));
}
