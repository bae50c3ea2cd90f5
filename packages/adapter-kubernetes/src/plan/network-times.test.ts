import { type stageId, variantId } from '@equipoise/core/model';
import { ManualClock } from '@equipoise/testkit';
import { describe, expect, it } from 'vitest';
import { exampleOf } from '../render/render-request.test-support.js';
import { type NetworkQuestion, NetworkWatch } from './network-times.js';

const { spec } = exampleOf('examples/policies/pipeline.yaml');
const [first, second] = spec.stages.map(({ id }) => id) as [ReturnType<typeof stageId>, ReturnType<typeof stageId>];
const routerPod = (containers: readonly string[]) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'router-1', labels: { 'equipoise.dev/part': 'router' } },
  spec: { containers: containers.map((name) => ({ name })) },
});
const view = (containers = ['router', 'istio-proxy']) => ({
  pipeline: { apiVersion: 'x', kind: 'x', metadata: { name: spec.name, namespace: 'n' }, spec: {} },
  children: [],
  pods: [routerPod(containers)],
});

function watch(answers: readonly (ReadonlyMap<string, number> | Error)[]) {
  const clock = new ManualClock();
  const asked: NetworkQuestion[] = [];
  const read = (question: NetworkQuestion) => {
    const answer = answers[asked.push(question) - 1] ?? new Map();
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer as never);
  };
  const network = new NetworkWatch({ networkTimes: { read }, clock });
  let changes = 0;
  const look = async (of = view()) => {
    await network.look(of, spec, () => {
      changes += 1;
    });
    await clock.advanceTo(clock.nowMs() + 30_000);
  };
  return { network, asked, look, changes: () => changes };
}

describe('network times', () => {
  it('enter the spec that is planned, except where it states them', async () => {
    const { network, asked, look } = watch([new Map([[first, 2.345]])]);
    expect(network.specWith(spec)).toBe(spec);
    await look();
    expect(asked[0]).toMatchObject({ namespace: 'n', pipeline: spec.name });
    expect(asked[0]?.stages).toContainEqual({
      stageId: first,
      variantId: spec.stages[0]?.variants[0]?.id ?? variantId(''),
      workload: `${asked[0]?.router}--${first}--${spec.stages[0]?.variants[0]?.id}`,
    });
    const planned = network.specWith(spec);
    expect(planned.stages.map(({ networkMs }) => networkMs).slice(0, 2)).toEqual([2.3, undefined]);
    expect(network.specWith(spec)).toBe(planned);
    const [stage, ...others] = spec.stages;
    const stated = { ...spec, stages: [{ ...(stage as (typeof spec.stages)[number]), networkMs: 7 }, ...others] };
    expect(network.specWith(stated).stages[0]?.networkMs).toBe(7);
    expect(network.inForce).toEqual({ [first]: 2.3 });
  });

  it('change a plan only with a clear difference, and never by a missing figure', async () => {
    const figures = [
      new Map([[first, 2]]),
      new Map([[first, 2.4]]),
      new Map(),
      new Error('no answer'),
      new Map([[first, 5_000]]),
      new Map([[first, Number.NaN]]),
      new Map([
        [first, 2.6],
        [second, 1],
      ]),
      new Map([[first, -1]]),
    ];
    const { network, look, changes } = watch(figures);
    const seen: unknown[] = [];
    for (const _ of figures) {
      await look();
      seen.push([changes(), network.inForce?.[first]]);
    }
    expect(seen).toEqual([
      [1, 2],
      [1, 2],
      [1, 2],
      [1, 2],
      [1, 2],
      [1, 2],
      [2, 2.6],
      [3, 0],
    ]);
    expect(network.inForce).toEqual({ [first]: 0, [second]: 1 });
  });

  it('are asked for every 30 s, and not outside a mesh', async () => {
    const { network, asked, look } = watch([]);
    await network.look(view(), spec, () => {});
    await network.look(view(), spec, () => {});
    expect(asked).toHaveLength(1);
    await look(view(['router']));
    await look();
    await look();
    expect(asked).toHaveLength(3);
  });
});
