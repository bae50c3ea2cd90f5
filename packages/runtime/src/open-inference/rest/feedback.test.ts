import { AppError } from '@equipoise/core/model';
import { afterEach, describe, expect, it } from 'vitest';
import { AnsweredRequests } from '../../accuracy/answered-requests.js';
import { servingSpec } from '../../data-plane/serving-bench.test-support.js';
import { tenantsOf } from '../http-bench.test-support.js';
import { endServers, INFER, RUN, specFor, start, tensorOf, x } from '../server-bench.test-support.js';

afterEach(endServers);

const PATH = '/v2/models/bench/feedback';
const spec = specFor([tensorOf('FP32', [1])], { feedback: { maxRequests: 3, maxAgeMs: 60_000 } });
const one = { x: [1] };

describe('POST /v2/models/{pipeline}/feedback', () => {
  it('scores an answer once, by the id of the protocol or of the header', async () => {
    const { json, runner } = await startWith();
    await json(INFER, { id: 'mine', ...x('FP32', [1], [1]) });
    await json(RUN, one, { 'x-request-id': 'other' });
    expect(await json(PATH, { id: 'mine', score: 0.5 })).toMatchObject({
      status: 200,
      body: { id: 'mine', score: 0.5, variants: { a: 'v' } },
    });
    expect(await json(PATH, { id: 'other', score: 1 })).toMatchObject({ status: 200 });
    expect(await json(PATH, { id: 'mine', score: 1 })).toMatchObject({ status: 409, body: { code: 'CONFLICT' } });
    expect(runner.accuracy?.all).toMatchObject([{ variants: 'a=v', scores: 2, test: { seen: { accuracy: 0.75 } } }]);
  });

  it('scores the items of a client batch one by one', async () => {
    const { json } = await startWith();
    await json(INFER, { id: 'two', ...x('FP32', [2, 1], [1, 2]) });
    expect(await json(PATH, { id: 'two', score: 1 })).toMatchObject({
      status: 422,
      body: { code: 'INVALID_FIELDS', error: 'The request has 2 items. Set item to a number from 0 to 1.' },
    });
    expect(await json(PATH, { id: 'two', item: 2, score: 1 })).toMatchObject({ status: 422 });
    for (const item of [0, 1]) expect(await json(PATH, { id: 'two', item, score: 1 })).toMatchObject({ status: 200 });
    expect(await json(PATH, { id: 'two', item: 1, score: 1 })).toMatchObject({ status: 409 });
  });

  it('does not know requests that failed, that other tenants sent, or that too many others followed', async () => {
    const { json } = await startWith({ tenants: tenantsOf('north n-1', 'south s-1') });
    const [north, south] = [{ authorization: 'Bearer n-1' }, { authorization: 'Bearer s-1' }];
    const run = (id: string, x: readonly number[]) => json(RUN, { x }, { ...north, 'x-request-id': id });
    await run('first', [1]);
    await run('failed', [-1]);
    const unknown = { status: 404, body: { code: 'NOT_FOUND' } };
    expect(await json(PATH, { id: 'first', score: 1 }, south)).toMatchObject(unknown);
    expect(await json(PATH, { id: 'failed', score: 1 }, north)).toMatchObject(unknown);
    expect(await json(PATH, { id: 'first', score: 1 })).toMatchObject({ status: 401 });
    for (const id of ['second', 'third', 'fourth']) await run(id, [1]);
    expect(await json(PATH, { id: 'first', score: 1 }, north)).toMatchObject(unknown);
    expect(await json(PATH, { id: 'second', score: 1 }, north)).toMatchObject({ status: 200 });
  });

  it.each([
    [[], 'id'],
    [null, 'id'],
    [{ id: '', score: 1 }, 'id'],
    [{ id: 'a' }, 'score'],
    [{ id: 'a', score: 1.1 }, 'score'],
    [{ id: 'a', score: 'secret' }, 'score'],
    [{ id: 'a', score: 1, item: -1 }, 'item'],
    [{ id: 'a', score: 1, item: 0.5 }, 'item'],
  ])('refuses %j', async (body, field) => {
    const { json } = await startWith();
    const error = expect.stringContaining(`In the feedback, ${field} must be`);
    expect(await json(PATH, body)).toMatchObject({ status: 400, body: { code: 'MALFORMED_REQUEST', error } });
  });

  it('is refused if the pipeline takes none, and for unknown pipelines', async () => {
    const { json } = await start(servingSpec(['a']));
    expect(await json(PATH, { id: 'a', score: 1 })).toMatchObject({ status: 409, body: { code: 'CONFLICT' } });
    expect(await json('/v2/models/none/feedback', { id: 'a', score: 1 })).toMatchObject({ status: 404 });
  });
});

function startWith(more: Parameters<typeof start>[2] = {}) {
  return start(
    spec,
    (item) => (Number(item['x']?.data[0]) < 0 ? new AppError('INVALID_INPUT', 'It is negative.') : item),
    more,
  );
}

describe('AnsweredRequests', () => {
  const choices = [undefined];

  it('forgets old answers', () => {
    const answered = new AnsweredRequests({ maxRequests: 10, maxAgeMs: 100 });
    answered.keep({ id: 'a', tenant: undefined, choices }, 0);
    answered.keep({ id: 'b', tenant: undefined, choices }, 1);
    expect(() => answered.judge({ id: 'a' }, undefined, 101)).toThrow(expect.objectContaining({ code: 'NOT_FOUND' }));
    expect(answered.judge({ id: 'b' }, undefined, 101)).toBeUndefined();
  });

  it('takes the newest answer of an id, and no long ids', () => {
    const answered = new AnsweredRequests({ maxRequests: 2, maxAgeMs: 100 });
    for (const id of ['a', 'b', 'a', 'b', 'x'.repeat(201)]) answered.keep({ id, tenant: undefined, choices }, 0);
    for (const id of ['a', 'b']) expect(answered.judge({ id }, undefined, 0)).toBeUndefined();
    expect(() => answered.judge({ id: 'x'.repeat(201) }, undefined, 0)).toThrow(/No answer/);
  });
});
