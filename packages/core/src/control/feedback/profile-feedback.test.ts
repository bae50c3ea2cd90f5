import { describe, expect, it } from 'vitest';
import { SeededRng } from '../../kernel/rng.js';
import type { BatchTimes } from '../../model/decision.js';
import { stageId, variantId } from '../../model/ids.js';
import { smallOrLargeSpec } from '../../model/spec-builders.test-support.js';
import { requireCurves } from '../../profile/service-curves.js';
import { drawMs } from '../../profile/service-law.js';
import {
  aged,
  correctedProfiles,
  corrections,
  observeBatches,
  type ServiceRatios,
  slownessOf,
} from './profile-feedback.js';

const detect = stageId('detect');
const small = variantId('small');
const large = variantId('large');

const plain = smallOrLargeSpec();
/** Both variants with batches of 1 and 4. */
const spec = {
  ...plain,
  stages: plain.stages.map((stage) => ({
    ...stage,
    variants: stage.variants.map((variant) => ({
      ...variant,
      profile: (variant.profile ?? []).flatMap((point) => [
        point,
        { ...point, batchSize: 4, meanMs: 3 * (point.meanMs ?? 0), p99Ms: 3 * (point.p99Ms ?? 0) },
      ]),
    })),
  })),
};
const curves = requireCurves(spec, []);

interface Served {
  readonly variant?: typeof small;
  readonly batchSize?: number;
  readonly slowness: number;
  readonly count?: number;
  /** Fraction of the batches that take ten times as long. */
  readonly stalls?: number;
  readonly seed?: number;
}

function served({ variant = small, batchSize = 1, slowness, count = 100, stalls = 0, seed = 1 }: Served): BatchTimes {
  const rng = new SeededRng(seed);
  const law = curves.curve(detect, variant, 1)?.law(batchSize);
  if (law === undefined) throw new Error('the spec has this point');
  const serviceMs = Array.from({ length: count }, () => slowness * drawMs(law, rng) * (rng.next() < stalls ? 10 : 1));
  return { stageId: detect, variantId: variant, cpuCores: 1, batchSize, serviceMs };
}

const point = (variant: typeof small, batchSize = 1) => ({
  stageId: detect,
  variantId: variant,
  cpuCores: 1,
  batchSize,
});
const after = (...batches: readonly BatchTimes[]): ServiceRatios => observeBatches([], batches, curves);

describe('what serving says about a profile', () => {
  it.each([0.5, 1, 1.5, 2])('finds a profile to be off by %d to within 3 %', (slowness) => {
    expect(slownessOf(after(served({ slowness })), point(small)) / slowness).toBeCloseTo(1, 1.5);
  });

  it('does not mind that a quarter of the batches stall', () => {
    const found = slownessOf(after(served({ slowness: 1.5, stalls: 0.25 })), point(small));
    expect(found / 1.5).toBeGreaterThan(0.97);
    expect(found / 1.5).toBeLessThan(1.1);
  });

  it('believes the closest measurements that are enough: size, variant, stage', () => {
    const measured = after(
      served({ slowness: 2 }),
      served({ slowness: 3, batchSize: 4 }),
      served({ slowness: 1.2, variant: large, count: 19 }),
    );
    expect(slownessOf(measured, point(small))).toBeCloseTo(2, 1);
    expect(slownessOf(measured, point(small, 4))).toBeCloseTo(3, 1);
    // Size 2 did not run: it gets the variant's factor. Sizes 1 and 4 had half of the batches each.
    expect(slownessOf(measured, point(small, 2))).toBeGreaterThan(2.1);
    expect(slownessOf(measured, point(small, 2))).toBeLessThan(2.9);
    // A variant with too few batches gets the factor of its stage.
    expect(slownessOf(measured, point(large))).toBeGreaterThan(1.8);
    expect(slownessOf([], point(small))).toBe(1);
  });

  it('forgets the old: a profile that becomes right again is so after a hundred batches', () => {
    const slow = after(served({ slowness: 2 }));
    const again = observeBatches(slow, [served({ slowness: 1, seed: 2 })], curves);
    expect(slownessOf(again, point(small))).toBeCloseTo(1, 1);
    expect(again[0]?.sizes[0]?.ratios).toHaveLength(100);
  });

  it('forgets what no longer runs after five minutes, the next time after ten, and nothing while the stage does nothing', () => {
    const minutes = (before: ServiceRatios, count: number, running?: BatchTimes): ServiceRatios => {
      let ratios = before;
      for (let at = 0; at < 6 * count; at++) {
        ratios = aged(running ? observeBatches(ratios, [running], curves) : ratios, 10_000);
      }
      return ratios;
    };
    const healthy = served({ slowness: 1, variant: large });
    const slow = after(served({ slowness: 3 }), healthy);
    expect(slownessOf(minutes(slow, 60), point(small))).toBeCloseTo(3, 0);
    expect(slownessOf(minutes(slow, 4, healthy), point(small))).toBeCloseTo(3, 0);
    const forgotten = minutes(slow, 6, healthy);
    expect(slownessOf(forgotten, point(small))).toBeCloseTo(1, 1);
    const again = observeBatches(forgotten, [served({ slowness: 3 })], curves);
    expect(slownessOf(minutes(again, 9, healthy), point(small))).toBeCloseTo(3, 0);
    expect(slownessOf(minutes(again, 11, healthy), point(small))).toBeCloseTo(1, 1);
  });

  it('takes no notice of what has no profile or is no time', () => {
    const foreign = { ...served({ slowness: 2 }), variantId: variantId('gone') };
    expect(after(foreign)).toEqual([]);
    expect(after({ ...served({ slowness: 2 }), serviceMs: [Number.NaN, -1, 0] })).toEqual([]);
  });
});

describe('corrections', () => {
  const none: ServiceRatios = [];

  it('are made for all points that are off, and stay until what is measured leaves them by a tenth', () => {
    const measured = after(served({ slowness: 2 }));
    const first = corrections(spec, [], { measured, inForce: [] });
    expect(first).toHaveLength(4);
    for (const { factor } of first) expect(Math.abs(factor / 2 - 1)).toBeLessThan(0.05);
    const near = after(served({ slowness: 2.1, seed: 3 }));
    expect(corrections(spec, [], { measured: near, inForce: first })).toEqual(first);
    const far = after(served({ slowness: 2.6, seed: 3 }));
    expect(corrections(spec, [], { measured: far, inForce: first })[0]?.factor).toBeGreaterThan(2.4);
    const right = after(served({ slowness: 1, seed: 3 }));
    expect(corrections(spec, [], { measured: right, inForce: first })).toEqual([]);
    expect(corrections(spec, [], { measured: after(served({ slowness: 1.05 })), inForce: [] })).toEqual([]);
    expect(corrections(spec, [], { measured: none, inForce: [] })).toEqual([]);
  });

  it('slow the points of a profile down, measured or inline, and its throughput', () => {
    const all = corrections(spec, [], { measured: after(served({ slowness: 2 })), inForce: [] });
    const [inline] = correctedProfiles(spec, [], all);
    const factor = all[0]?.factor ?? 1;
    expect(inline?.points[0]).toMatchObject({ meanMs: 10 * factor, p99Ms: 12 * factor });
    const measuredProfile = {
      stageId: detect,
      variantId: small,
      loadMs: 70,
      points: [{ cpuCores: 1, batchSize: 1, throughputRps: 80, p50Ms: 12 }],
    };
    const [corrected] = correctedProfiles(spec, [measuredProfile], all);
    expect(corrected).toMatchObject({ loadMs: 70, points: [{ throughputRps: 80 / factor, p50Ms: 12 * factor }] });
    expect(correctedProfiles(spec, [measuredProfile], [])[0]).toEqual(measuredProfile);
    const curve = requireCurves(spec, correctedProfiles(spec, [], all)).curve(detect, small, 1);
    expect(curve?.meanMs(4)).toBeCloseTo(30 * factor, 9);
  });
});
