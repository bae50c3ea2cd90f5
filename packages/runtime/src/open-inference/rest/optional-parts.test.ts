import { stageId } from '@equipoise/core/model';
import { afterEach, describe, expect, it } from 'vitest';
import { edge, ScriptedRunner, serve, servingSpec } from '../../data-plane/serving-bench.test-support.js';
import { endServers, start } from '../server-bench.test-support.js';

afterEach(endServers);

const number = (name: string) => ({ name, datatype: 'FP32' as const, shape: [1], contentTypes: [] });

/** `left` is needed, `right` has two tensors that may be missing. */
async function both() {
  const { json, runner } = await start(
    servingSpec(['a', 'b', 'both'], {
      sources: [
        { name: 'left', to: [stageId('a')], tensors: [number('l')] },
        { name: 'right', to: [stageId('b')], tensors: [number('r'), number('s')], onMissing: 'partial' },
      ],
      sourceJoin: { maxWaitMs: 60_000, maxWaiting: 10 },
      edges: [edge('a', 'both'), edge('b', 'both')],
    }),
  );
  const same = () =>
    new ScriptedRunner(
      (item) => item,
      async () => {},
    );
  for (const stage of ['b', 'both']) serve(runner, stage, same());
  return json;
}

const tensor = (name: string, value: number) => ({ name, datatype: 'FP32', shape: [1], data: [value] });

describe('a request to the whole pipeline', () => {
  it('may lack the tensors of an optional source', async () => {
    const json = await both();
    const infer = (...inputs: object[]) => json('/v2/models/bench/infer', { inputs });
    expect(await infer(tensor('l', 1))).toMatchObject({
      status: 200,
      body: { outputs: [{ name: 'l', data: [1] }], parameters: { missing: 'right' } },
    });
    expect(await infer(tensor('l', 1), tensor('r', 2), tensor('s', 3))).toMatchObject({ status: 200 });
    expect(await json('/v1/pipelines/bench/run', { l: [1] })).toMatchObject({
      status: 200,
      body: { outputs: { l: [1] }, missing: ['right'] },
    });
  });

  it.each([
    ['a part of them', [tensor('l', 1), tensor('r', 2)], 's'],
    ['those of another source', [tensor('r', 2), tensor('s', 3)], 'l'],
    ['all', [], 'l'],
  ])('may not lack %s', async (_, inputs, missing) => {
    const json = await both();
    expect(await json('/v2/models/bench/infer', { inputs })).toMatchObject({
      status: 422,
      body: { code: 'TENSOR_MISMATCH', error: expect.stringContaining(missing) },
    });
  });

  it('may be a client batch without an optional source', async () => {
    const json = await both();
    const inputs = [{ name: 'l', datatype: 'FP32', shape: [2, 1], data: [1, 2] }];
    expect(await json('/v2/models/bench/infer', { inputs })).toMatchObject({
      status: 200,
      body: { outputs: [{ name: 'l', shape: [2, 1], data: [1, 2] }] },
    });
  });
});
