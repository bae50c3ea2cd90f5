/** The operator when the API server is away, or when its own connection is cut off. */
import { SeededRng } from '@equipoise/core/model';
import { describeWithTool } from '@equipoise/testkit';
import { expect, it } from 'vitest';
import type { KubeApi } from '../api/kube-api.js';
import { LeaseElector } from '../cluster/lease-elector.js';
import { eventually, operatorAccount } from './cluster-objects.test-support.js';
import { ClusterSuite } from './cluster-suite.test-support.js';
import { controlPlane } from './kube-binaries.test-support.js';
import { planWith } from './memory/pipeline-fixture.test-support.js';
import { SMALL, startOperator } from './operator-in-process.test-support.js';
import { realClock } from './real-clock.test-support.js';

describeWithTool(controlPlane, 'the operator on a real control plane that it does not reach', () => {
  const suite = new ClusterSuite();

  it('goes on after the API server was away', async () => {
    const { namespace, source, abort, run, find, isReady, create, settled } = await startOperator(suite);
    await create();
    const running = run(abort.signal);
    await settled();
    await suite.plane.killApiServer();
    source.decide(`${namespace}/shelf`, planWith('small', 3));
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    await suite.plane.startApiServer();
    await eventually(async () => isReady(SMALL, 3));
    expect((await find(SMALL))?.spec.replicas).toBe(3);
    abort.abort();
    await running;
  });

  it('hands over to a second operator when the first is cut off', async () => {
    const { namespace, source, abort, run, isReady, base, create, settled } = await startOperator(suite);
    await create();
    // A busy machine renews late.
    const times = { durationMs: 12_000, renewWithinMs: 8_000, retryMs: 300 };
    const led: string[] = [];
    const stand = async (identity: string, signal: AbortSignal, api: KubeApi) => {
      const elector = new LeaseElector(
        { api, clock: realClock, rng: new SeededRng(identity.length), nowEpochMs: () => Date.now(), times },
        { ...operatorAccount, identity },
      );
      const lead = (leading: AbortSignal): Promise<void> => {
        led.push(identity);
        return run(leading);
      };
      await elector.run({ lead }, signal);
    };
    const cut = { isCut: false };
    const first = new Proxy(base.api, {
      get: (api, name) => (cut.isCut ? () => Promise.reject(new Error('cut off')) : Reflect.get(api, name).bind(api)),
    });
    const gone = new AbortController();
    const one = stand('first', gone.signal, first);
    await settled();
    const two = stand('second', abort.signal, base.api);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(led).toEqual(['first']);
    cut.isCut = true;
    await eventually(async () => led.includes('second'));
    source.decide(`${namespace}/shelf`, planWith('small', 3));
    await eventually(async () => isReady(SMALL, 3));
    abort.abort();
    gone.abort();
    await Promise.all([one, two]);
  });
});
