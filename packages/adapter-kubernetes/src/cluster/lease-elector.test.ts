import { AppError, SeededRng } from '@equipoise/core/model';
import { ManualClock } from '@equipoise/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { written } from '../api/conformance/subject.test-support.js';
import { MemoryKube } from '../api/memory/memory-kube.test-support.js';
import { type Line, MemoryKubeApi } from '../api/memory/memory-kube-api.test-support.js';
import { type Lease, LeaseElector, leases, usualLeaseTimes } from './lease-elector.js';

const candidacy = { namespace: 'n', name: 'operator' };
const { durationMs, renewWithinMs, retryMs } = usualLeaseTimes;

/** Candidates by name on one server, with their times of leadership. */
function election() {
  const clock = new ManualClock();
  const kube = new MemoryKube(clock, [{ type: leases }]);
  const leading = new Set<string>();
  const reigns: { readonly who: string; readonly fromMs: number }[] = [];
  let together = 0;
  const stand = (who: string) => {
    const api = new MemoryKubeApi(kube);
    const abort = new AbortController();
    const rng = new SeededRng(who.charCodeAt(0));
    const base = { api, clock, rng, nowEpochMs: () => 1_700_000_000_000 + clock.nowMs() };
    const observed: string[] = [];
    const renewed: string[] = [];
    const failures: unknown[] = [];
    const lead = (signal: AbortSignal): Promise<void> => {
      leading.add(who);
      together = Math.max(together, leading.size);
      reigns.push({ who, fromMs: clock.nowMs() });
      return new Promise((resolve) => {
        const stop = (): void => {
          leading.delete(who);
          resolve();
        };
        if (signal.aborted) stop();
        else signal.addEventListener('abort', stop, { once: true });
      });
    };
    const running = new LeaseElector(base, { ...candidacy, identity: who }).run(
      {
        ...{ lead, onHolder: (holder) => observed.push(holder), onFailure: (error) => failures.push(error) },
        onRenewal: (holder) => renewed.push(holder),
      },
      abort.signal,
    );
    const stop = async () => {
      abort.abort();
      await running;
    };
    return { api, stop, observed, renewed, failures };
  };
  const pass = (durationMs: number) => clock.advanceTo(clock.nowMs() + durationMs);
  return { clock, kube, stand, pass, reigns, leaders: () => [...leading], together: () => together };
}

describe('LeaseElector', () => {
  describe('with an owner of its leases', () => {
    const owner = { apiVersion: 'v1', kind: 'ServiceAccount', name: 'operator', uid: 'u-2' };

    /** Runs a candidate for a while; returns the owners of the lease and the failures. */
    async function ownersAfter(prepare: (api: MemoryKubeApi) => Promise<void>) {
      const clock = new ManualClock();
      const kube = new MemoryKube(clock, [{ type: leases }]);
      const api = new MemoryKubeApi(kube);
      await prepare(api);
      const deps = { api, clock, rng: new SeededRng(1), nowEpochMs: () => clock.nowMs() };
      const ownerIn = (namespace: string) => (namespace === 'n' ? owner : undefined);
      const [abort, failures] = [new AbortController(), [] as unknown[]];
      const lead = (signal: AbortSignal) => new Promise<void>((end) => signal.addEventListener('abort', () => end()));
      const elector = new LeaseElector({ ...deps, ownerIn }, { ...candidacy, identity: 'a' });
      const running = elector.run({ lead, onFailure: (error) => failures.push(error) }, abort.signal);
      await clock.advanceTo(20_000);
      abort.abort();
      await running;
      const owners = kube.find(leases, 'n/operator')?.object.metadata.ownerReferences;
      return { owners, failures };
    }
    const leaseOf = (ownerReferences: readonly (typeof owner)[]) => ({
      ...{ apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', spec: {} },
      metadata: { name: 'operator', namespace: 'n', ownerReferences },
    });

    it('makes a lease that is deleted with the owner', async () => {
      expect(await ownersAfter(async () => {})).toEqual({ owners: [owner], failures: [] });
    });

    it('takes over a lease without owner, and one of an owner that was deleted and made again', async () => {
      const other = { ...owner, kind: 'ConfigMap', uid: 'u-9' };
      for (const before of [[], [{ ...owner, uid: 'u-1' }, other]]) {
        const { owners } = await ownersAfter(async (api) => {
          await api.create(leases, leaseOf(before), { fieldManager: 'earlier' });
        });
        expect(owners).toEqual([...before.filter((each) => each.kind === 'ConfigMap'), owner]);
      }
    });

    it('leads without the owner where the server forbids to set it', async () => {
      const { owners, failures } = await ownersAfter(async (api) => {
        const create = api.create.bind(api);
        api.create = (type, object, writer) => {
          if (object.metadata.ownerReferences === undefined) return create(type, object, writer);
          throw new AppError('CLUSTER_REFUSED', 'cannot set ownerReferences', { details: { httpStatus: 403 } });
        };
      });
      expect([owners, failures.length]).toEqual([undefined, 1]);
    });
  });

  it('lets one candidate lead, and writes down who and since when', async () => {
    const { stand, pass, leaders, kube, clock } = election();
    const a = stand('a');
    await pass(0);
    const b = stand('b');
    await pass(60_000);
    expect(leaders()).toEqual(['a']);
    expect(b.observed).toEqual(['a']);
    expect(kube.find(leases, 'n/operator')?.object).toMatchObject({
      spec: {
        holderIdentity: 'a',
        leaseDurationSeconds: 15,
        leaseTransitions: 0,
        acquireTime: '2023-11-14T22:13:20.000000Z',
        renewTime: '2023-11-14T22:14:20.000000Z',
      },
    });
    await a.stop();
    await b.stop();
    expect(clock.pendingAlarms).toBe(0);
  });

  it('tells a holder that is at work from one that has left its lease behind', async () => {
    const { stand, pass } = election();
    const a = stand('a');
    await pass(0);
    const b = stand('b');
    await pass(10_000);
    expect(new Set(b.renewed)).toEqual(new Set(['a']));
    a.api.line = 'silent';
    // `a` has renewed its lease; followers notice this within 2 to 4 s.
    await pass(3 * retryMs);
    b.renewed.splice(0);
    await pass(60_000);
    expect([a.renewed, b.renewed]).toEqual([[], []]);
    await b.stop();
  });

  it('hands over at once when the leader stops in order', async () => {
    const { stand, pass, leaders, reigns, clock, kube } = election();
    const a = stand('a');
    await pass(0);
    const b = stand('b');
    await pass(10_000);
    await a.stop();
    expect(leaders()).toEqual([]);
    await pass(2 * retryMs);
    expect(leaders()).toEqual(['b']);
    expect(reigns.map(({ who }) => who)).toEqual(['a', 'b']);
    expect(kube.find(leases, 'n/operator')?.object).toMatchObject({ spec: { leaseTransitions: 1 } });
    await b.stop();
    expect(clock.pendingAlarms).toBe(0);
  });

  for (const line of ['down', 'silent'] as const) {
    it(`hands over after the duration of the lease when the line of the leader is ${line}`, async () => {
      const { stand, pass, reigns, leaders, together, clock } = election();
      const a = stand('a');
      await pass(0);
      stand('b');
      await pass(10_000);
      a.api.line = line;
      const cutAtMs = clock.nowMs();
      await pass(renewWithinMs);
      expect(leaders()).toEqual([]);
      await pass(durationMs + 4 * retryMs);
      expect(leaders()).toEqual(['b']);
      const takenAfterMs = (reigns.at(-1)?.fromMs ?? 0) - cutAtMs;
      expect(takenAfterMs).toBeGreaterThan(durationMs - 2 * retryMs);
      expect(takenAfterMs).toBeLessThan(durationMs + 4 * retryMs);
      expect(together()).toBe(1);
    });
  }

  it('leads on through a short trouble', async () => {
    const { stand, pass, reigns, leaders } = election();
    const a = stand('a');
    await pass(5_000);
    a.api.line = 'down';
    await pass(renewWithinMs - 2 * retryMs);
    a.api.line = 'up';
    await pass(60_000);
    expect(leaders()).toEqual(['a']);
    expect(reigns).toHaveLength(1);
    expect(a.failures.length).toBeGreaterThan(0);
    await a.stop();
  });

  it('renews once more while a call hangs, on a connection that broke without a word', async () => {
    const { stand, pass, reigns, leaders, clock } = election();
    const a = stand('a');
    await pass(5_000);
    a.api.line = 'silent';
    await pass(2 * retryMs);
    a.api.line = 'up';
    await pass(60_000);
    expect(leaders()).toEqual(['a']);
    expect(reigns).toHaveLength(1);
    expect(a.failures.map(String)).toEqual(['Error: the lease was not renewed within 5000 ms']);
    await a.stop();
    expect(clock.pendingAlarms).toBe(0);
  });

  it('stops at its next look at a lease that another holds, as after a person gave it away', async () => {
    const { stand, pass, leaders, kube } = election();
    const a = stand('a');
    await pass(5_000);
    const lease = kube.find(leases, 'n/operator')?.object as Lease;
    const given = { ...lease, spec: { ...lease.spec, holderIdentity: 'b' } };
    written(await new MemoryKubeApi(kube).replace(leases, given, { fieldManager: 'kubectl' }));
    await pass(retryMs);
    expect(leaders()).toEqual([]);
    await a.stop();
    expect(kube.find(leases, 'n/operator')?.object).toMatchObject({ spec: { holderIdentity: 'b' } });
  });

  it('is not fooled by the clocks of others: only a lease that does not change runs out', async () => {
    const { stand, pass, leaders, kube } = election();
    const other = new MemoryKubeApi(kube);
    const spec = { holderIdentity: 'other', leaseDurationSeconds: 15, renewTime: '1999-01-01T00:00:00.000000Z' };
    const lease = {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { namespace: 'n', name: 'operator' },
      spec,
    };
    await other.create(leases, lease, { fieldManager: 'other' });
    const a = stand('a');
    await pass(durationMs - 2 * retryMs);
    expect(leaders()).toEqual([]);
    await pass(4 * retryMs);
    expect(leaders()).toEqual(['a']);
    await a.stop();
  });

  it('gives up when its work ends, and stands again', async () => {
    const { clock, kube } = election();
    const api = new MemoryKubeApi(kube);
    const abort = new AbortController();
    const base = { api, clock, rng: new SeededRng(1), nowEpochMs: () => 0 };
    let began = 0;
    const failures: unknown[] = [];
    const lead = async (): Promise<void> => {
      began++;
      throw new Error('broken');
    };
    const running = new LeaseElector(base, { ...candidacy, identity: 'a' }).run(
      { lead, onFailure: (error) => failures.push(error) },
      abort.signal,
    );
    await clock.advanceTo(10 * retryMs);
    expect(began).toBeGreaterThan(3);
    expect(failures).toHaveLength(began);
    abort.abort();
    await running;
  });

  it('never has two leaders, whatever becomes of the lines', async () => {
    const step = fc.record({
      who: fc.constantFrom(0, 1, 2),
      line: fc.constantFrom<Line>('up', 'down', 'silent'),
      waitMs: fc.integer({ min: 0, max: 20_000 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        const { stand, pass, together, leaders } = election();
        const candidates = ['a', 'b', 'c'].map(stand);
        const lineAll = (list: typeof candidates, line: Line): void => {
          for (const { api } of list) api.line = line;
        };
        for (const { who, line, waitMs } of steps) {
          lineAll(candidates.slice(who, who + 1), line);
          await pass(waitMs);
        }
        expect(together()).toBeLessThanOrEqual(1);
        // A silent call never ends, so only candidates that were never silent are sure to return.
        const wasSilent = new Set<number>(steps.filter(({ line }) => line === 'silent').map(({ who }) => who));
        const healthy = candidates.filter((_, index) => !wasSilent.has(index));
        lineAll(healthy, 'up');
        await pass(2 * durationMs + 4 * retryMs);
        expect(leaders().length).toBeGreaterThanOrEqual(Math.min(1, healthy.length));
        expect(together()).toBeLessThanOrEqual(1);
        lineAll(candidates, 'up');
        await Promise.all(candidates.map(({ stop }) => stop()));
      }),
      { seed: 20, numRuns: 60 },
    );
  });
});
