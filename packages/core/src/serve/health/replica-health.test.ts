import { describe, expect, it } from 'vitest';
import { normalQuantile } from '../../kernel/normal-quantile.js';
import { SeededRng } from '../../kernel/rng.js';
import { type HealthVerdict, hangBoundMs, ReplicaHealth, slownessOf } from './replica-health.js';

type Batch = { readonly failed?: boolean; readonly slowness?: number };

/** Replicas of a stage, whose 10-ms batches run one after another. */
class Stage {
  readonly replicas: readonly { readonly health: ReplicaHealth }[];
  nowMs = 0;

  constructor(count: number) {
    this.replicas = Array.from({ length: count }, () => ({ health: new ReplicaHealth() }));
  }

  note(index: number, { failed = false, slowness = 1 }: Batch): HealthVerdict {
    const startedAtMs = this.nowMs;
    this.nowMs += 10;
    const health = this.health(index);
    return health.note({ failed, slowness, startedAtMs, nowMs: this.nowMs }, this.replicas);
  }

  /** Verdicts of equal batches of the first replica. */
  repeat(times: number, batch: Batch): readonly HealthVerdict[] {
    return Array.from({ length: times }, () => this.note(0, batch));
  }

  health(index: number): ReplicaHealth {
    return (this.replicas[index] as { health: ReplicaHealth }).health;
  }

  waitForPause(): void {
    this.nowMs = this.health(0).pausedUntilMs;
  }
}

const fit = (times: number): HealthVerdict[] => new Array(times).fill('fit');

describe('the breaker of a replica', () => {
  it('opens after five failed batches in a row, not after as many with a good one between', () => {
    const stage = new Stage(2);
    expect(stage.repeat(4, { failed: true })).toEqual(fit(4));
    expect(stage.note(0, {})).toBe('fit');
    expect(stage.repeat(5, { failed: true })).toEqual([...fit(4), 'open']);
    expect(stage.health(0).pausedUntilMs).toBe(stage.nowMs + 1_000);
  });

  it('opens at a lasting slow-down against the curve: sooner, the slower it is', () => {
    for (const [slowness, batches] of [
      [2.5, 20],
      [4, 5],
      [50, 4],
    ] as const) {
      const verdicts = new Stage(2).repeat(batches, { slowness });
      expect(verdicts).toEqual([...fit(batches - 1), 'open']);
    }
    expect(new Stage(2).repeat(200, { slowness: 1.9 })).toEqual(fit(200));
  });

  it('takes neither outliers nor noise for a slow-down', () => {
    const stage = new Stage(2);
    for (let i = 0; i < 200; i++) expect(stage.note(0, { slowness: i % 5 === 0 ? 100 : 1 })).toBe('fit');
    const rng = new SeededRng(3);
    const noisy = new Stage(2);
    for (let i = 0; i < 20_000; i++)
      expect(noisy.note(0, { slowness: Math.exp(0.6 * normalQuantile(rng.next())) })).toBe('fit');
  });

  it('does not blame a replica for what all replicas suffer from', () => {
    const slow = new Stage(2);
    for (let i = 0; i < 100; i++) for (const replica of [0, 1]) expect(slow.note(replica, { slowness: 4 })).toBe('fit');
    const failing = new Stage(2);
    for (let i = 0; i < 100; i++)
      for (const replica of [1, 0]) expect(failing.note(replica, { failed: true })).toBe('fit');
    expect(new Stage(1).repeat(200, { slowness: 9 })).toEqual(fit(200));
  });

  it.each([
    ['failing', { failed: true }, 5],
    ['slow', { slowness: 4 }, 5],
  ] as const)('a %s one: each pause is twice as long, the fourth time it is unfit', (trouble, batch, batches) => {
    const stage = new Stage(2);
    stage.repeat(batches, batch);
    const pauses = [stage.health(0).pausedUntilMs - stage.nowMs];
    for (let probe = 0; probe < 2; probe++) {
      stage.waitForPause();
      expect(stage.note(0, batch)).toBe('open');
      pauses.push(stage.health(0).pausedUntilMs - stage.nowMs);
    }
    stage.waitForPause();
    expect(stage.note(0, batch)).toBe('unfit');
    expect(stage.health(0).issue).toBe(trouble);
    expect(pauses).toEqual([1_000, 2_000, 4_000]);
  });

  it('closes after a good probe, and forgets its pauses after a while', () => {
    const stage = new Stage(2);
    stage.repeat(5, { failed: true });
    stage.waitForPause();
    expect(stage.note(0, {})).toBe('fit');
    expect(stage.repeat(4, { failed: true })).toEqual(fit(4));
    expect(stage.note(0, { failed: true })).toBe('open');
    expect(stage.health(0).pausedUntilMs - stage.nowMs).toBe(2_000);
    stage.waitForPause();
    stage.repeat(21, {});
    stage.repeat(5, { failed: true });
    expect(stage.health(0).pausedUntilMs - stage.nowMs).toBe(1_000);
  });

  it('of the only replica does not judge what runs in the pause that it could not have', () => {
    const stage = new Stage(1);
    expect(stage.repeat(5, { failed: true })).toEqual([...fit(4), 'open']);
    expect(stage.repeat(99, { failed: true })).toEqual(fit(99));
    stage.waitForPause();
    expect(stage.note(0, { failed: true })).toBe('open');
  });
});

it('allows for noise in short services', () => {
  expect(slownessOf(6, 1)).toBe(1);
  expect(slownessOf(100, 0)).toBe(1);
});

it.each([
  ['a short batch', { meanMs: 3, tailMs: 5, sloMs: 100 }, 400],
  ['no known tail', { meanMs: 100, tailMs: 100, sloMs: 400 }, 1_000],
  ['a light tail', { meanMs: 100, tailMs: 180, sloMs: 400 }, 720],
  ['a heavy tail', { meanMs: 100, tailMs: 900, sloMs: 1_000 }, 3_600],
  ['a tail that no client waits for', { meanMs: 100, tailMs: 9_000, sloMs: 400 }, 4_000],
  ['a mean above the SLO', { meanMs: 900, tailMs: 9_000, sloMs: 100 }, 9_000],
  ['a short batch with a fifth of a core', { meanMs: 3, tailMs: 5, sloMs: 100, shareFraction: 0.2 }, 2_000],
  ['a tail with half a core', { meanMs: 100, tailMs: 180, sloMs: 400, shareFraction: 0.5 }, 1_440],
  ['such a tail that no client waits for', { meanMs: 100, tailMs: 9_000, sloMs: 400, shareFraction: 0.5 }, 4_000],
])('bounds the time of %s', (_, expected, boundMs) => {
  expect(hangBoundMs(expected)).toBe(boundMs);
});
