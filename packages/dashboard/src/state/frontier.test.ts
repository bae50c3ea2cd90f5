import { describe, expect, it } from 'vitest';
import type { FrontierPoint } from '../api/answers.js';
import { isVerified, scatterOf } from './frontier.js';
import { profilePlot, profileRows } from './profiles.js';

const point = (pas: number, costPerHour: number, attained?: number): FrontierPoint => ({
  ...{ pas, costPerHour, cpuCores: costPerHour },
  plan: {
    stages: {},
    predicted: {} as never,
    ...(attained !== undefined && {
      verified: { latencyMs: 1, percentile: 99, sloAttainmentFraction: attained, conclusive: true, seeds: [1] },
    }),
  },
});

describe('the plot of a frontier', () => {
  it('goes right with cost and up with accuracy, also for the running plan off the front', () => {
    const { places, here, width, height } = scatterOf([point(0.5, 1), point(0.8, 4)], {
      pas: 0.4,
      costPerHour: 5,
      cpuCores: 5,
    });
    const [cheap, accurate] = places;
    expect((cheap?.x ?? 0) < (accurate?.x ?? 0) && (accurate?.x ?? 0) < (here?.x ?? 0)).toBe(true);
    expect((accurate?.y ?? 0) < (cheap?.y ?? 0) && (cheap?.y ?? 0) < (here?.y ?? 0)).toBe(true);
    for (const { x, y } of [...places, here ?? { x: -1, y: -1 }])
      expect(x > 0 && x < width && y > 0 && y < height).toBe(true);
  });

  it('shows a single point', () => {
    const { places } = scatterOf([point(0.5, 1)], undefined);
    expect(places[0]).toEqual({ x: expect.closeTo(338, 0), y: expect.closeTo(150, 0) });
  });

  it('labels close values apart', () => {
    const { yTicks } = scatterOf([point(0.87012, 1), point(0.87031, 4)], undefined);
    expect(new Set(yTicks.map(({ label }) => label)).size).toBe(yTicks.length);
    expect(scatterOf([point(0.5, 1), point(0.8, 4)], undefined).yTicks.map(({ label }) => label)[0]).toBe('0.500');
  });

  it('tells verified from estimated points', () => {
    expect([point(1, 1), point(1, 1, 0.995), point(1, 1, 0.9)].map(isVerified)).toEqual([false, true, false]);
  });
});

describe('the plot of a profile', () => {
  const profile = {
    ...{ stageId: 's', variantId: 'v', loadMs: 0 },
    curves: [
      {
        cpuCores: 1,
        points: [
          { batchSize: 1, meanMs: 11, fittedMs: 10, meanUncertaintyFraction: 0.1 },
          { batchSize: 4, meanMs: 20, p99Ms: 24, fittedMs: 20 },
          { batchSize: 8, p99Ms: 24 },
        ],
      },
    ],
  };

  it('has the residual and the throughput of each point', () => {
    expect(profileRows(profile).map(({ residual, throughputRps }) => [residual, throughputRps])).toEqual([
      [expect.closeTo(0.1, 9), expect.closeTo(90.9, 1)],
      [0, 200],
      [undefined, undefined],
    ]);
  });

  it('draws what is known, with its uncertainty', () => {
    const [line] = profilePlot(profile, 'latency').lines;
    expect(line?.dots).toHaveLength(2);
    const [first, second] = line?.dots ?? [];
    expect((first?.low ?? 0) - (first?.high ?? 0)).toBeGreaterThan(0);
    expect(second?.low).toBe(second?.high);
    expect(line?.path).toMatch(/^M[\d.,]+ L[\d.,]+$/);
  });
});
