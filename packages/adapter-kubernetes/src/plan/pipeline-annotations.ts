import { AppError } from '@equipoise/core/model';
import { LABEL_PREFIX } from '../cluster/object-names.js';
import type { InferencePipeline } from '../cluster/observed-objects.js';
import type { CpuPolicy } from './cpu-policy.js';

const ARRIVAL_RPS = `${LABEL_PREFIX}/arrival-rps`;
const IMAGES = `${LABEL_PREFIX}/images`;

/** Load to plan for until a router reports one; undefined if missing or not a positive rate. */
export function arrivalRpsOf({ metadata }: InferencePipeline): number | undefined {
  const rps = Number(metadata.annotations?.[ARRIVAL_RPS] ?? Number.NaN);
  return Number.isFinite(rps) && rps > 0 ? rps : undefined;
}

/** Images in the form of the flag `--image`. */
export function imagesNamedBy({ metadata }: InferencePipeline): readonly string[] {
  return (metadata.annotations?.[IMAGES] ?? '').split(/[\s,]+/).filter((each) => each !== '');
}

const LEAST_CPU_CORES = `${LABEL_PREFIX}/least-cpu-cores`;
const CPU_LIMITS = `${LABEL_PREFIX}/cpu-limits`;

/** CPU policy of a pipeline: its annotations, else those of the operator. AppError WRONG_USAGE for other values. */
export function cpuPolicyNamedBy({ metadata }: InferencePipeline, usual: CpuPolicy): CpuPolicy {
  const { [LEAST_CPU_CORES]: least, [CPU_LIMITS]: limits } = metadata.annotations ?? {};
  const leastCpuCores = least === undefined ? usual.leastCpuCores : Number(least.trim() === '' ? Number.NaN : least);
  if (!(leastCpuCores >= 0 && leastCpuCores <= MOST_FLOOR))
    throw new AppError(
      'WRONG_USAGE',
      `The annotation ${LEAST_CPU_CORES} is “${least}”. Expected cores from 0 to ${MOST_FLOOR}.`,
    );
  if (limits !== undefined && limits !== 'none' && limits !== 'plan')
    throw new AppError('WRONG_USAGE', `The annotation ${CPU_LIMITS} is “${limits}”. Expected none or plan.`);
  return { leastCpuCores, hasCpuLimits: limits === undefined ? usual.hasCpuLimits : limits === 'plan' };
}

const MOST_FLOOR = 64;

export function annotationsOf(
  arrivalRps: number | undefined,
  images: readonly string[],
): Readonly<Record<string, string>> {
  return {
    ...(arrivalRps !== undefined && { [ARRIVAL_RPS]: String(arrivalRps) }),
    ...(images.length > 0 && { [IMAGES]: images.join(' ') }),
  };
}
