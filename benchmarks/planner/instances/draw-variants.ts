/** Random variants: accuracies with ties, service curves of many shapes, tails from constant to p99/mean 4. */
import { type Draw, significant } from './draw.js';

export interface DrawnPoint {
  readonly cpuCores: number;
  readonly batchSize: number;
  readonly meanMs?: number;
  readonly throughputRps?: number;
  readonly p50Ms?: number;
  readonly p99Ms: number;
}

export interface DrawnVariant {
  readonly name: string;
  readonly accuracy?: { readonly value: number };
  readonly resources: { readonly cpuCores: readonly number[]; readonly memoryBytes?: number };
  readonly loadMs: number;
  readonly profile: readonly DrawnPoint[];
}

/** Cores offered to the variants of a pipeline. */
export type CoreMode = 'single' | 'whole' | 'shares' | 'mixed';

export interface VariantSettings {
  readonly kind: 'model' | 'transform';
  readonly count: number;
  readonly scaleMs: number;
  readonly coreMode: CoreMode;
  readonly batchSizes: readonly number[];
  readonly tailRatio: number;
  readonly hasMemory: boolean;
}

const OFFERED: Readonly<Record<CoreMode, readonly (readonly number[])[]>> = {
  single: [[1]],
  whole: [
    [1, 2],
    [1, 2, 4],
    [2, 4],
    [1, 3],
  ],
  shares: [
    [0.1, 0.25],
    [0.1, 0.2, 0.4],
    [0.15, 0.3, 0.5],
    [0.25, 0.5],
    [0.2, 0.35],
  ],
  mixed: [
    [0.25, 0.5, 1],
    [0.5, 1],
    [0.3, 1, 2],
  ],
};

const MOST_TAIL = 4;

export function drawVariants(draw: Draw, settings: VariantSettings): readonly DrawnVariant[] {
  const { count, kind } = settings;
  const accuracies = kind === 'model' ? drawAccuracies(draw, count) : [];
  const spread = draw.logUniform(1.5, 20);
  return Array.from({ length: count }, (_, i) => {
    const rank = count === 1 ? 0.5 : i / (count - 1);
    const scaleMs = settings.scaleMs * spread ** (rank - 0.5) * draw.logUniform(0.7, 1.4);
    const value = accuracies[i];
    const memory = settings.hasMemory ? { memoryBytes: Math.round(draw.logUniform(1e8, 3e9)) } : {};
    const cpuCores = draw.pick(OFFERED[settings.coreMode]);
    return {
      name: `v${i}`,
      ...(value !== undefined && { accuracy: { value } }),
      resources: { cpuCores, ...memory },
      loadMs: Math.round(draw.logUniform(100, 5000)),
      profile: drawProfile(draw, settings, { scaleMs, cpuCores }),
    };
  });
}

/** Accuracies that mostly ascend, with ties, near-ties and a few below that of a cheaper variant. */
function drawAccuracies(draw: Draw, count: number): number[] {
  const low = draw.uniform(0.35, 0.85);
  const high = draw.uniform(low + 0.02, 0.985);
  const bend = draw.logUniform(0.4, 2);
  const values: number[] = [];
  for (let i = 0; i < count; i++) {
    const usual = low + (high - low) * ((i + 0.5) / count) ** bend + draw.uniform(-0.1, 0.1) * (high - low);
    const other = i > 0 ? draw.pick(values) : undefined;
    const copied = other !== undefined && draw.chance(0.25);
    const offset = draw.chance(0.4) ? 0 : draw.uniform(-0.002, 0.002);
    const value = copied ? other + offset : usual;
    values.push(Number(Math.min(0.999, Math.max(0.05, value)).toFixed(draw.pick([2, 3, 4]))));
  }
  return values;
}

interface ProfileScale {
  readonly scaleMs: number;
  readonly cpuCores: readonly number[];
}

function drawProfile(draw: Draw, settings: VariantSettings, { scaleMs, cpuCores }: ProfileScale): DrawnPoint[] {
  const measured = [...new Set(cpuCores.map((cores) => Math.max(1, cores)))];
  const relative = drawCurve(draw, settings.batchSizes);
  const parallel = draw.uniform(0.3, 0.98);
  const form = draw.weighted({ mean: 8, throughput: 1, median: 1 });
  const tail = draw.chance(0.15) ? 1 : Math.min(MOST_TAIL, settings.tailRatio * draw.logUniform(0.75, 1.35));
  return measured.flatMap((cores) => {
    const speed = 1 - parallel + parallel / cores;
    return settings.batchSizes.map((batchSize, i) => {
      const meanMs = significant(scaleMs * (relative[i] as number) * speed * draw.logUniform(0.97, 1.03), 5);
      const ratio = tail === 1 ? 1 : Math.min(MOST_TAIL, Math.max(1, tail * draw.logUniform(0.9, 1.1)));
      const point = { cpuCores: cores, batchSize, p99Ms: Math.max(meanMs, significant(meanMs * ratio, 5)) };
      if (form === 'throughput') return fromThroughput(point, meanMs);
      return { ...point, meanMs, ...(form === 'median' && { p50Ms: significant(meanMs * 0.9, 4) }) };
    });
  });
}

/** The mean that the rounded throughput implies must not exceed the p99. */
function fromThroughput(point: Omit<DrawnPoint, 'meanMs'>, meanMs: number): DrawnPoint {
  const throughputRps = significant((1000 * point.batchSize) / meanMs, 6);
  const impliedMs = (1000 * point.batchSize) / throughputRps;
  return { ...point, throughputRps, p99Ms: Math.max(point.p99Ms, impliedMs) };
}

/** Service times relative to a batch of one. */
function drawCurve(draw: Draw, batchSizes: readonly number[]): number[] {
  const shape = draw.weighted({ affine: 4, power: 3, stepped: 2, dipped: 2, cold: 1, noisy: 2 });
  const fixed = draw.uniform(0.05, 0.95);
  const exponent = draw.uniform(0.15, 1.08);
  const width = draw.pick([2, 4, 8]);
  const affine = (k: number): number => fixed + (1 - fixed) * k;
  switch (shape) {
    case 'affine':
      return batchSizes.map(affine);
    case 'power':
      return batchSizes.map((k) => k ** exponent);
    case 'stepped':
      return batchSizes.map((k) => fixed + (1 - fixed) * Math.ceil(k / width) + 0.01 * k);
    case 'dipped': {
      const dip = draw.integer(0, batchSizes.length - 1);
      return batchSizes.map((k, i) => affine(k) * (i === dip ? draw.uniform(0.35, 0.75) : 1));
    }
    case 'cold':
      return batchSizes.map((k, i) => (i === 0 ? draw.uniform(1.5, 5) : 1) * k ** exponent);
    case 'noisy':
      return batchSizes.map((k) => k ** exponent * draw.logUniform(0.7, 1.4));
  }
}
