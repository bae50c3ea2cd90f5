import { AppError } from '@equipoise/core/model';
import { afterEach, describe, expect, it } from 'vitest';
import { servingSpec } from '../../data-plane/serving-bench.test-support.js';
import { AnsweredRequests } from '../feedback/answered-requests.js';
import { labelScore } from '../feedback/label-score.js';
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
    [{ id: 'a', score: 1, label: 1 }, 'label'],
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

describe('a label', () => {
  const labelled = (metric: object) =>
    start({ ...spec, evaluation: { dataPath: '.', metric } } as typeof spec, (item) => item);
  const judged = async (metric: object, label: unknown, value = 1) => {
    const { json, runner } = await labelled(metric);
    await json(RUN, { x: [value] }, { 'x-request-id': 'a' });
    const { status, body } = await json(PATH, { id: 'a', label });
    return { status, body, runner, again: (by: unknown) => json(PATH, { id: 'a', ...(by as object) }) };
  };

  it('is scored by the metric of the pipeline', async () => {
    expect((await judged({ kind: 'accuracy' }, 1)).body).toEqual({ id: 'a', score: 1, variants: { a: 'v' } });
    const { body, runner } = await judged({ kind: 'accuracy' }, 2);
    expect(body).toMatchObject({ score: 0 });
    expect(runner.accuracy?.all).toMatchObject([{ scores: 1, test: { seen: { accuracy: 0 } } }]);
    expect((await judged({ kind: 'mae', scale: 4 }, 2)).body).toMatchObject({ score: 0.75 });
  });

  it.each([
    [{ kind: 'accuracy' }, { secret: 1 }, 'does not have the form that the metric accuracy needs'],
    [{ kind: 'accuracy', output: 'none' }, 1, 'does not have the form that the metric accuracy needs'],
    [{ kind: 'f1', positive: '9' }, 1, 'The metric f1 is undefined for this answer alone'],
  ])('that the metric %j cannot compare is refused, and may be corrected', async (metric, label, words) => {
    const { status, body, again } = await judged(metric, label);
    expect([status, body]).toMatchObject([422, { code: 'INVALID_FIELDS', error: expect.stringContaining(words) }]);
    expect(JSON.stringify(body)).not.toContain('secret');
    expect(await again({ score: 1 })).toMatchObject({ status: 200 });
    expect(await again({ score: 1 })).toMatchObject({ status: 409 });
  });

  it('needs a metric, and an answer that is not too large', async () => {
    const { json } = await startWith();
    await json(RUN, one, { 'x-request-id': 'a' });
    const error = expect.stringContaining('names no spec.evaluation.metric');
    expect(await json(PATH, { id: 'a', label: 1 })).toMatchObject({ status: 422, body: { error } });
    const { sources } = specFor([tensorOf('FP32', [5000])]);
    const evaluation = { dataPath: '.', metric: { kind: 'accuracy' } } as const;
    const { json: toLarge } = await start({ ...spec, sources, evaluation });
    await toLarge(RUN, { x: new Array<number>(5000).fill(1) }, { 'x-request-id': 'a' });
    const tooLarge = expect.stringContaining('too large to be kept');
    expect(await toLarge(PATH, { id: 'a', label: 1 })).toMatchObject({ status: 422, body: { error: tooLarge } });
  });
});

describe('labelScore', () => {
  const zeros = { datatype: 'FP32', shape: [1000, 4], data: new Float32Array(4000) } as const;
  it.each([
    [{ kind: 'box-f1' }, zeros, new Array(51).fill({ box: [0, 0, 1, 1] })],
    [{ kind: 'cer' }, { datatype: 'BYTES', shape: [1], data: ['a'.repeat(10_000)] } as const, 'b'.repeat(5001)],
  ] as const)('refuses a label whose comparison by %j takes too long', (metric, answer, label) => {
    expect(() => labelScore(metric, { answer }, label)).toThrow(expect.objectContaining({ code: 'INVALID_FIELDS' }));
    expect(labelScore(metric, { answer }, label.slice(1))).toBe(0);
  });
});

describe('AnsweredRequests', () => {
  const kept = (id: string, outcome = {}) => ({
    ...{ id, tenant: undefined, outcome },
    items: [{ choice: undefined, outputs: undefined }],
  });
  const at = (nowMs: number) => ({ tenant: undefined, nowMs });
  const outputsOf = ({ outputs }: { readonly outputs: unknown }) => outputs;

  it('forgets old answers', () => {
    const answered = new AnsweredRequests({ maxRequests: 10, maxAgeMs: 100 });
    answered.keep(kept('a'), 0);
    answered.keep(kept('b'), 1);
    expect(() => answered.judge({ id: 'a' }, at(101), outputsOf)).toThrow(
      expect.objectContaining({ code: 'NOT_FOUND' }),
    );
    expect(answered.judge({ id: 'b' }, at(101), outputsOf)).toBeUndefined();
  });

  it('takes the newest answer of an id, and no long ids', () => {
    const answered = new AnsweredRequests({ maxRequests: 2, maxAgeMs: 100 });
    for (const id of ['a', 'b', 'a', 'b', 'x'.repeat(201)]) answered.keep(kept(id), 0);
    for (const id of ['a', 'b']) expect(answered.judge({ id }, at(0), outputsOf)).toBeUndefined();
    expect(() => answered.judge({ id: 'x'.repeat(201) }, at(0), outputsOf)).toThrow(/No answer/);
  });

  it('counts the parts of a request once, under each of their ids', () => {
    const answered = new AnsweredRequests({ maxRequests: 3, maxAgeMs: 100 });
    const outcome = {};
    answered.keep(kept('before'), 0);
    for (const id of ['a', 'a', 'b', 'b']) answered.keep(kept(id, outcome), 0);
    expect(answered.judge({ id: 'a' }, at(0), outputsOf)).toBeUndefined();
    answered.keep(kept('a', outcome), 0);
    expect(() => answered.judge({ id: 'a' }, at(0), outputsOf)).toThrow(expect.objectContaining({ code: 'CONFLICT' }));
    expect(answered.judge({ id: 'before' }, at(0), outputsOf)).toBeUndefined();
  });

  it('keeps at most 64 MiB, of which some is for objects and ids', () => {
    const answered = new AnsweredRequests({ maxRequests: 10_000, maxAgeMs: 100 });
    const outputs = { y: { datatype: 'UINT8' as const, shape: [16_384], data: new Uint8Array(16_384) } };
    for (let id = 0; id < 4000; id++) answered.keep({ ...kept(`${id}`), items: [{ choice: undefined, outputs }] }, 0);
    expect(() => answered.judge({ id: '0' }, at(0), outputsOf)).toThrow(/No answer/);
    expect(answered.judge({ id: '200' }, at(0), outputsOf)).toEqual(outputs);
  });
});
