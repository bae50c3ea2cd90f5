/**
 * Service curves of a pipeline, or all problems of its profiles. A measured profile takes precedence over an inline
 * profile. Core counts ≥ 1 without points have no curve.
 *
 * A stage behind a network (`networkMs`) takes longer for each batch, because its replica waits meanwhile.
 *
 * A curve gives the service time by batch size k, and the capacity. Batches below the smallest profiled size take as
 * long as that size. An unmeasured share f < 1 has the curve of one core with `shareFraction` = f: one thread at full
 * speed while its CPU-time bucket lasts, or under the kernel's quota (`cpuQuotaPeriodMs`). Capacity of n replicas with batches up to b: C = 1000 · n · f · max over k ≤ b
 * of k / s(k) rps, s in ms.
 */
import { AppError, type ErrorCode } from '../model/app-error.js';
import type { StageId, VariantId } from '../model/ids.js';
import { type PipelineSpec, runsElsewhere, type VariantSpec } from '../model/pipeline-spec.js';
import type { ProfilePoint, ProfileSet } from '../model/profile-point.js';
import type { ServiceCorrection } from '../model/service-correction.js';
import { correctedPoint } from './corrected-service.js';
import { monotoneFit } from './monotone-fit.js';
import { networkedPoint, robustPoint } from './scale-profile.js';
import { lawMeanMs, lawOfPoint, lawWithMean, type ServiceLaw } from './service-law.js';

/** `message` is a complete sentence. */
export interface ProfileProblem {
  readonly code: Extract<ErrorCode, 'PROFILE_MISSING' | 'PROFILE_INVALID'>;
  readonly stageId: StageId;
  readonly variantId: VariantId;
  readonly message: string;
}

export interface ServiceCurves {
  readonly kind: 'curves';
  /** Undefined if not measured. */
  curve(stageId: StageId, variantId: VariantId, cpuCores: number): ServiceCurve | undefined;
  readonly warnings: readonly string[];
  /** Curves under `robustness`; absent without it. */
  readonly robust?: ServiceCurves;
}

/** Curves for planning and verification. All else uses `curves` itself. */
export const plannedCurves = (curves: ServiceCurves): ServiceCurves => curves.robust ?? curves;

export type CurvesOf = ServiceCurves | { readonly kind: 'invalid'; readonly problems: readonly ProfileProblem[] };

interface Findings {
  readonly problems: ProfileProblem[];
  readonly warnings: string[];
}

interface Subject {
  readonly stageId: StageId;
  readonly variant: VariantSpec;
  readonly quota: CpuQuotaRule | undefined;
}

const coresKey = (cpuCores: number): number => Math.round(cpuCores * 1000);
const coresText = (cpuCores = 0): string => `${cpuCores} ${cpuCores === 1 ? 'core' : 'cores'}`;
const nameOf = ({ stageId, variant }: Subject): string => `variant ${variant.id} of stage ${stageId}`;

function problemOf(subject: Subject, code: ProfileProblem['code'], message: string): ProfileProblem {
  return { code, stageId: subject.stageId, variantId: subject.variant.id, message };
}

function readPoint(subject: Subject, point: ProfilePoint, findings: Findings): CurvePoint | undefined {
  const read = lawOfPoint(point);
  const where = `${nameOf(subject)}, profile point of ${coresText(point.cpuCores)} and batch size ${point.batchSize}`;
  if (read.kind === 'invalid') {
    findings.problems.push(problemOf(subject, 'PROFILE_INVALID', `${where}: ${read.reason}.`));
    return undefined;
  }
  if (read.warning !== undefined) findings.warnings.push(`${where}: ${read.warning}.`);
  return { batchSize: point.batchSize, law: read.law };
}

function readGroup(subject: Subject, points: readonly ProfilePoint[], findings: Findings): readonly CurvePoint[] {
  const read = points
    .map((point) => readPoint(subject, point, findings))
    .filter((point): point is CurvePoint => point !== undefined)
    .sort((a, b) => a.batchSize - b.batchSize);
  const twice = read.find((point, i) => read[i + 1]?.batchSize === point.batchSize);
  if (twice !== undefined) {
    const message = `${nameOf(subject)}: batch size ${twice.batchSize} is given twice for ${coresText(points[0]?.cpuCores)}; keep one.`;
    findings.problems.push(problemOf(subject, 'PROFILE_INVALID', message));
  }
  return read;
}

function variantCurves(
  subject: Subject,
  points: readonly ProfilePoint[],
  findings: Findings,
): Map<number, ServiceCurve> {
  const groups = new Map<number, ProfilePoint[]>();
  for (const point of points) {
    const group = groups.get(coresKey(point.cpuCores)) ?? [];
    group.push(point);
    groups.set(coresKey(point.cpuCores), group);
  }
  const read = new Map([...groups].map(([key, group]) => [key, readGroup(subject, group, findings)]));
  const curves = new Map<number, ServiceCurve>();
  for (const cpuCores of subject.variant.cpuCores) {
    const exact = read.get(coresKey(cpuCores));
    const oneCore = cpuCores < 1 ? read.get(coresKey(1)) : undefined;
    if (exact?.length) curves.set(coresKey(cpuCores), placedCurve(subject, serviceCurve(cpuCores, 1, exact)));
    else if (oneCore?.length) curves.set(coresKey(cpuCores), sharedCurve(subject, cpuCores, oneCore));
  }
  return curves;
}

/** Curve of a share of one core, from the points of one core. */
function sharedCurve(subject: Subject, cpuCores: number, oneCore: readonly CurvePoint[]): ServiceCurve {
  const { variant, quota } = subject;
  if (runsElsewhere(variant)) return placedCurve(subject, serviceCurve(cpuCores, 1, oneCore));
  const curve = serviceCurve(cpuCores, cpuCores, oneCore);
  return quota === undefined ? curve : { ...curve, dispatchCores: 1, quota };
}

const placedCurve = ({ variant }: Subject, curve: ServiceCurve): ServiceCurve =>
  runsElsewhere(variant) ? { ...curve, dispatchCores: 0 } : curve;

function checkCurves(subject: Subject, points: readonly ProfilePoint[], findings: Findings): Map<number, ServiceCurve> {
  if (points.length === 0) {
    const message = `${nameOf(subject)} has no profile; run \`equipoise profile\` or give it an inline profile.`;
    findings.problems.push(problemOf(subject, 'PROFILE_MISSING', message));
    return new Map();
  }
  const before = findings.problems.length;
  const curves = variantCurves(subject, points, findings);
  if (curves.size === 0 && findings.problems.length === before) {
    const asked = subject.variant.cpuCores.join(', ');
    const found = [...new Set(points.map((point) => point.cpuCores))].join(', ');
    const message = `${nameOf(subject)} may have ${asked} cores but was profiled on ${found}; profile it on one of the allowed core counts.`;
    findings.problems.push(problemOf(subject, 'PROFILE_MISSING', message));
  }
  return curves;
}

/** With a correction, the curves are those of a loaded host; simulations follow the state of the host. */
function correctedCurves(
  subject: Subject,
  profile: {
    readonly points: readonly ProfilePoint[];
    readonly correction: ServiceCorrection | undefined;
    readonly pointOf: (point: ProfilePoint) => ProfilePoint;
  },
  findings: Findings,
): Map<number, ServiceCurve> {
  const { points, correction, pointOf } = profile;
  const profiled = checkCurves(subject, points.map(pointOf), findings);
  if (correction === undefined) return profiled;
  const corrected = points.map((point) => pointOf(correctedPoint(point, correction)));
  const loaded = variantCurves(subject, corrected, { problems: [], warnings: [] });
  return new Map(
    [...loaded].map(([key, curve]) => {
      const profiledMs = (batchSize: number) => (profiled.get(key) ?? curve).meanMs(batchSize);
      return [key, { ...curve, calibrated: { profiledMs, correction } }];
    }),
  );
}

export function curvesOf(spec: PipelineSpec, profiles: ProfileSet): CurvesOf {
  const { robustness } = spec;
  const curves = readCurves(spec, profiles, (point) => point);
  if (robustness === undefined || curves.kind === 'invalid') return curves;
  const robust = readCurves(spec, profiles, (point) => robustPoint(point, robustness));
  return robust.kind === 'invalid' ? robust : { ...curves, robust };
}

function readCurves(
  spec: PipelineSpec,
  profiles: ProfileSet,
  pointOf: (point: ProfilePoint) => ProfilePoint,
): CurvesOf {
  const findings: Findings = { problems: [], warnings: [] };
  const curves = new Map<StageId, Map<VariantId, Map<number, ServiceCurve>>>();
  const { cpuQuotaPeriodMs } = spec;
  for (const stage of spec.stages) {
    const ofStage = new Map<VariantId, Map<number, ServiceCurve>>();
    const { networkMs = 0 } = stage;
    const reachedPointOf = (point: ProfilePoint) =>
      networkMs === 0 ? pointOf(point) : networkedPoint(pointOf(point), networkMs);
    for (const variant of stage.variants) {
      const measured = profiles.find((p) => p.stageId === stage.id && p.variantId === variant.id);
      const points = measured?.points ?? variant.profile ?? [];
      const quota = cpuQuotaPeriodMs === undefined ? undefined : { periodMs: cpuQuotaPeriodMs, networkMs };
      const subject = { stageId: stage.id, variant, quota };
      ofStage.set(
        variant.id,
        correctedCurves(subject, { points, correction: measured?.correction, pointOf: reachedPointOf }, findings),
      );
    }
    curves.set(stage.id, ofStage);
  }
  if (findings.problems.length > 0) return { kind: 'invalid', problems: findings.problems };
  return {
    kind: 'curves',
    warnings: findings.warnings,
    curve: (stage, variant, cpuCores) => curves.get(stage)?.get(variant)?.get(coresKey(cpuCores)),
  };
}

/** Error with all messages. Its code is that of the first problem. */
export function profileError(problems: readonly ProfileProblem[]): AppError {
  const code = problems[0]?.code ?? 'PROFILE_INVALID';
  return new AppError(code, problems.map((p) => p.message).join('\n'), { details: { problems } });
}

/** Throws AppError PROFILE_MISSING or PROFILE_INVALID with all problems. */
export function requireCurves(spec: PipelineSpec, profiles: ProfileSet): ServiceCurves {
  const curves = curvesOf(spec, profiles);
  if (curves.kind === 'invalid') throw profileError(curves.problems);
  return curves;
}

const sigmaOf = (law: ServiceLaw): number | undefined =>
  law.kind === 'constant' ? 0 : law.kind === 'lognormal' ? law.sigma : undefined;

/**
 * Law between two profiled sizes. The mean, and the σ of lognormal laws (0 for constants), are interpolated linearly.
 * Other shapes come from the nearer neighbour, scaled to the mean.
 */
function interpolateLaw(low: ServiceLaw, high: ServiceLaw, weight: number): ServiceLaw {
  const meanMs = (1 - weight) * lawMeanMs(low) + weight * lawMeanMs(high);
  const lowSigma = sigmaOf(low);
  const highSigma = sigmaOf(high);
  if (lowSigma === undefined || highSigma === undefined) return lawWithMean(weight < 0.5 ? low : high, meanMs);
  const sigma = (1 - weight) * lowSigma + weight * highSigma;
  return sigma === 0
    ? { kind: 'constant', ms: meanMs }
    : { kind: 'lognormal', mu: Math.log(meanMs) - (sigma * sigma) / 2, sigma };
}

/** `networkMs` of each batch is no CPU time. */
export interface CpuQuotaRule {
  readonly periodMs: number;
  readonly networkMs: number;
}

/** Service times by batch size. The profile ends at `maxBatchSize`; larger batches take as long per item as that one. */
export interface ServiceCurve {
  /** May be a fraction. */
  readonly cpuCores: number;
  /** Cores per replica: max(1, cpuCores). */
  readonly threadCores: number;
  /** CPU share below one core, or 1. A curve measured under the share has 1. */
  readonly shareFraction: number;
  /** Cores as the dispatch rule takes them (`ReplicaDescription.cpuCores`). Points measured under a share contain its waits. */
  readonly dispatchCores: number;
  /** Set if the kernel gives the share by quotas. */
  readonly quota?: CpuQuotaRule;
  /** Ascending. */
  readonly batchSizes: readonly number[];
  readonly maxBatchSize: number;
  meanMs(batchSize: number): number;
  law(batchSize: number): ServiceLaw;
  /** Profiled mean (ms) and correction, of which `meanMs` and `law` are those of a loaded host. */
  readonly calibrated?: { profiledMs(batchSize: number): number; readonly correction: ServiceCorrection };
}

export interface CurvePoint {
  readonly batchSize: number;
  readonly law: ServiceLaw;
}

function lawAt(points: readonly CurvePoint[], batchSize: number): ServiceLaw {
  const above = points.findIndex((point) => point.batchSize >= batchSize);
  const high = points[above] as CurvePoint;
  const low = points[above - 1];
  if (low === undefined || high.batchSize === batchSize) return high.law;
  return interpolateLaw(low.law, high.law, (batchSize - low.batchSize) / (high.batchSize - low.batchSize));
}

function onMonotoneFit(points: readonly CurvePoint[]): readonly CurvePoint[] {
  const means = points.map(({ batchSize, law }) => ({ batchSize, meanMs: lawMeanMs(law) }));
  const { fittedMs } = monotoneFit(means);
  return points.map((point, i) => {
    const meanMs = fittedMs[i] as number;
    return meanMs === means[i]?.meanMs ? point : { ...point, law: lawWithMean(point.law, meanMs) };
  });
}

/** Curve through at least one point; sizes ascend. `shareFraction` is in (0, 1]. */
export function serviceCurve(cpuCores: number, shareFraction: number, points: readonly CurvePoint[]): ServiceCurve {
  const batchSizes = points.map((point) => point.batchSize);
  const maxBatchSize = batchSizes.at(-1) as number;
  const fitted = onMonotoneFit(points);
  const laws = Array.from({ length: maxBatchSize + 1 }, (_, size) => lawAt(fitted, Math.max(1, size)));
  const means = Float64Array.from(laws, lawMeanMs);
  const largest = { law: laws[maxBatchSize] as ServiceLaw, meanMs: means[maxBatchSize] as number };
  // Larger batches were not profiled, so no further saving is assumed.
  const beyondMs = (batchSize: number) => (largest.meanMs * batchSize) / maxBatchSize;
  return {
    cpuCores,
    threadCores: Math.max(1, cpuCores),
    shareFraction,
    dispatchCores: shareFraction < 1 ? cpuCores : Math.max(1, cpuCores),
    batchSizes,
    maxBatchSize,
    meanMs: (batchSize) => means[batchSize] ?? beyondMs(batchSize),
    law: (batchSize) => laws[batchSize] ?? lawWithMean(largest.law, beyondMs(batchSize)),
  };
}

export function slowedCurve(curve: ServiceCurve, slowness: number): ServiceCurve {
  return {
    ...curve,
    meanMs: (batchSize) => slowness * curve.meanMs(batchSize),
    law: (batchSize) => lawWithMean(curve.law(batchSize), slowness * curve.meanMs(batchSize)),
  };
}

/** Items per second, if batches have at most `maxBatchSize` items. */
export function capacityRps(curve: ServiceCurve, replicas: number, maxBatchSize: number): number {
  let itemsPerMs = 0;
  for (let k = 1; k <= Math.min(maxBatchSize, curve.maxBatchSize); k++)
    itemsPerMs = Math.max(itemsPerMs, k / curve.meanMs(k));
  return 1000 * replicas * curve.shareFraction * itemsPerMs;
}
