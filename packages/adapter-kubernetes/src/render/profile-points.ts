import type { ProfilePoint, ProfileSet, StagePlan, StageSpec, VariantSpec } from '@equipoise/core/model';

const hundredths = (cpuCores: number): number => Math.round(cpuCores * 100);

export interface ChosenVariant {
  readonly stage: StageSpec;
  readonly variant: VariantSpec;
  readonly plan: StagePlan;
}

/**
 * Profile at the planned cores. A share without points gets those of one core. Measured points override those of the
 * file.
 */
export function plannedProfile(
  { stage, variant, plan }: ChosenVariant,
  profiles: ProfileSet,
): { readonly profile?: readonly ProfilePoint[]; readonly loadMs?: number } {
  const measured = profiles.find((each) => each.stageId === stage.id && each.variantId === variant.id);
  const points = measured?.points ?? variant.profile ?? [];
  const at = (cpuCores: number) => points.filter((point) => hundredths(point.cpuCores) === hundredths(cpuCores));
  const { cpuCores } = plan.resources;
  const own = at(cpuCores);
  const used = own.length === 0 && cpuCores < 1 ? at(1) : own;
  const loadMs = measured?.loadMs ?? variant.loadMs;
  return {
    ...(used.length === 0 ? {} : { profile: used.map(plainPoint) }),
    ...(loadMs === undefined ? {} : { loadMs }),
  };
}

const FIELDS = ['cpuCores', 'batchSize', 'meanMs', 'p50Ms', 'p95Ms', 'p99Ms', 'throughputRps', 'memoryBytes'] as const;

/** Drops fields that a pipeline file must not have. */
export function plainPoint(point: ProfilePoint): ProfilePoint {
  const known = FIELDS.filter((field) => point[field] !== undefined).map((field) => [field, point[field]]);
  return Object.fromEntries(known) as ProfilePoint;
}
