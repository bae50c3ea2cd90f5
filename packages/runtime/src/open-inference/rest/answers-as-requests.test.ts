import { afterEach, describe, expect, it } from 'vitest';
import { endServers, INFER, specFor, start, tensorOf } from '../server-bench.test-support.js';

afterEach(endServers);

const x = { name: 'x', datatype: 'FP32', shape: [1], data: [3] };
const AGGREGATE = '/v2/models/bench/aggregate';

describe('answers of other models, in place of a request', () => {
  it.each([
    ['one answer, as a sequence of KServe passes it on', INFER, { model_name: 'm', id: 'a', outputs: [x] }],
    ['answers by step, as an ensemble of KServe merges them', INFER, { left: { model_name: 'm', outputs: [x] } }],
    ['an array of answers, as Seldon calls a combiner', AGGREGATE, [{ model_name: 'm', outputs: [x] }]],
  ])('are run: %s', async (_, path, body) => {
    const { json } = await start(specFor([tensorOf('FP32', [1])]));
    const request = await json(INFER, { inputs: [x] });
    const { outputs } = request.body as { readonly outputs: unknown };
    expect(await json(path, body)).toMatchObject({ status: 200, body: { outputs } });
  });

  it('are refused if a tensor is missing', async () => {
    const { json } = await start(specFor([tensorOf('FP32', [1])]));
    const other = { ...x, name: 'y' };
    expect(await json(AGGREGATE, [{ outputs: [other] }])).toMatchObject({ status: 422 });
  });
});
