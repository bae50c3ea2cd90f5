import { SeededRng } from '@equipoise/core/model';
import { ManualClock } from '@equipoise/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MemoryKube } from '../api/memory/memory-kube.test-support.js';
import { type Line, MemoryKubeApi } from '../api/memory/memory-kube-api.test-support.js';
import { LeaseElector, leases, usualLeaseTimes } from './lease-elector.js';
import { ShardedElection } from './sharded-election.js';

const place = { namespace: 'n', name: 'operator' };
const MINUTE_MS = 60_000;

/** Operators on one server. Work counts as acting as long as it is held. */
function election() {
  const clock = new ManualClock();
  const kube = new MemoryKube(clock, [{ type: leases }]);
  const acting = new Map<string, { readonly who: string; readonly isHeld: () => boolean }>();
  const conflicts: string[] = [];
  const takenAtMs = new Map<number, number>();
  const base = (who: string) => {
    const api = new MemoryKubeApi(kube);
    const rng = new SeededRng(who.charCodeAt(0));
    return { api, clock, rng, nowEpochMs: () => 1_700_000_000_000 + clock.nowMs() };
  };
  /** Notes a conflict if others act for the pipelines of a shard of `count`. */
  const act = (who: string, shard: number, count: number, isHeld: () => boolean, signal: AbortSignal) => {
    const own = `${shard}/${count}`;
    for (const [key, other] of acting) {
      const isOther = key === own || !key.endsWith(`/${count}`);
      if (isOther && other.isHeld()) conflicts.push(`${who} acts for ${own}, and ${other.who} for ${key}`);
    }
    acting.set(own, { who, isHeld });
    takenAtMs.set(shard, clock.nowMs());
    return new Promise<void>((resolve) => {
      const stop = (): void => {
        if (acting.get(own)?.who === who) acting.delete(own);
        resolve();
      };
      if (signal.aborted) stop();
      else signal.addEventListener('abort', stop, { once: true });
    });
  };
  const stand = (who: string, count: number) => {
    const deps = base(who);
    const abort = new AbortController();
    const others: string[] = [];
    const set = { count, by: 'pipeline' as const };
    const running = new ShardedElection(deps, { ...place, identity: who, set }).run(
      {
        lead: (shard, signal, isHeld) => act(who, shard, count, isHeld, signal),
        onOtherSet: (holder) => others.push(holder),
      },
      abort.signal,
    );
    const stop = async () => {
      abort.abort();
      await running;
    };
    return { who, api: deps.api, others, stop };
  };
  const standAlone = (who: string) => {
    const deps = base(who);
    const abort = new AbortController();
    const elector = new LeaseElector(deps, { ...place, identity: who });
    const lead = (signal: AbortSignal) => act(who, 0, 1, () => elector.isHeld, signal);
    const running = elector.run({ lead }, abort.signal);
    const stop = async () => {
      abort.abort();
      await running;
    };
    return { who, api: deps.api, stop };
  };
  const pass = (durationMs: number) => clock.advanceTo(clock.nowMs() + durationMs);
  const ledBy = (who: string) => [...acting.values()].filter((each) => each.who === who && each.isHeld()).length;
  return { clock, kube, stand, standAlone, pass, ledBy, acting, conflicts, takenAtMs };
}

describe('ShardedElection', () => {
  it('divides the shards evenly among operators that start together', async () => {
    const { stand, pass, ledBy, conflicts, clock } = election();
    const operators = ['a', 'b', 'c', 'd'].map((who) => stand(who, 8));
    await pass(MINUTE_MS);
    expect(operators.map(({ who }) => ledBy(who))).toEqual([2, 2, 2, 2]);
    expect(conflicts).toEqual([]);
    await Promise.all(operators.map(({ stop }) => stop()));
    expect(clock.pendingAlarms).toBe(0);
  });

  it('passes shards on to an operator that comes later, at most as many as it needs', async () => {
    const { stand, pass, ledBy, conflicts } = election();
    const a = stand('a', 5);
    await pass(MINUTE_MS / 4);
    expect(ledBy('a')).toBe(5);
    const b = stand('b', 5);
    await pass(1.5 * MINUTE_MS);
    expect([ledBy('a'), ledBy('b')]).toEqual([3, 2]);
    expect(conflicts).toEqual([]);
    await Promise.all([a.stop(), b.stop()]);
  });

  it.each(['down', 'silent'] as const)(
    'leads the shards of an operator again within 20 s when its line is %s',
    async (line) => {
      const { stand, pass, ledBy, conflicts, takenAtMs, clock } = election();
      const [lost, ...rest] = ['a', 'b', 'c', 'd'].map((who) => stand(who, 8));
      await pass(MINUTE_MS / 2);
      if (lost === undefined) throw new Error('no operator');
      lost.api.line = line;
      const cutAtMs = clock.nowMs();
      await pass(20_000);
      expect(rest.reduce((sum, { who }) => sum + ledBy(who), 0)).toBe(8);
      expect(Math.max(...rest.map(({ who }) => ledBy(who)))).toBeLessThanOrEqual(4);
      expect(Math.max(...takenAtMs.values()) - cutAtMs).toBeGreaterThan(5_000);
      expect(conflicts).toEqual([]);
    },
  );

  it('gives shards back at once when an operator stops', async () => {
    const { stand, pass, ledBy, conflicts } = election();
    const [a, b] = [stand('a', 4), stand('b', 4)];
    await pass(MINUTE_MS / 2);
    await a.stop();
    await pass(6_000);
    expect(ledBy('b')).toBe(4);
    expect(conflicts).toEqual([]);
    await b.stop();
  });

  it.each([
    ['one lease for all pipelines', 1],
    ['other shards', 3],
  ])('does not act while operators with %s do', async (_, count) => {
    const { stand, standAlone, pass, ledBy, conflicts } = election();
    const old = count === 1 ? standAlone('a') : stand('a', count);
    await pass(MINUTE_MS / 4);
    const next = stand('b', 4);
    await pass(MINUTE_MS);
    expect([ledBy('a'), ledBy('b')]).toEqual([count, 0]);
    expect(next.others).toEqual([count === 1 ? 'a' : 'shards:3-by-pipeline']);
    await old.stop();
    await pass(usualLeaseTimes.durationMs + MINUTE_MS / 4);
    expect(ledBy('b')).toBe(4);
    const back = standAlone('c');
    await pass(MINUTE_MS);
    expect(ledBy('c')).toBe(0);
    await next.stop();
    await pass(MINUTE_MS / 2);
    expect(ledBy('c')).toBe(1);
    expect(conflicts).toEqual([]);
    await back.stop();
  });

  it('never has two operators at a shard, whatever becomes of the lines', async () => {
    const step = fc.record({
      who: fc.constantFrom(0, 1, 2, 3),
      line: fc.constantFrom<Line>('up', 'down', 'silent'),
      waitMs: fc.integer({ min: 0, max: 20_000 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        const { stand, standAlone, pass, conflicts } = election();
        const operators = [stand('a', 3), stand('b', 3), stand('c', 2), standAlone('d')];
        for (const { who, line, waitMs } of steps) {
          const operator = operators[who];
          if (operator !== undefined) operator.api.line = line;
          await pass(waitMs);
        }
        expect(conflicts).toEqual([]);
      }),
      { seed: 22, numRuns: 10 },
    );
  });
});
