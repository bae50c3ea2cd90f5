/** Branches and joins on real tensors: conditions in CEL, a cascade, a hedge, a vote. */
import { AppError, type PipelineSpec, stageId, type TensorMap } from '@equipoise/core/model';
import { ManualClock } from '@equipoise/testkit';
import { describe, expect, it } from 'vitest';
import { PipelineRunner } from './pipeline-runner.js';
import {
  bench,
  edge,
  fp32,
  type ItemScript,
  ScriptedRunner,
  serve,
  servingSpec,
} from './serving-bench.test-support.js';

const echo: ItemScript = (item) => item;
const x = (value: number): TensorMap => ({ x: fp32([1], value) });
const firstValue = (item: TensorMap): number => Number(Object.values(item)[0]?.data[0]);
const when = (condition: string) => ({ when: { condition, probability: 0.3 } });

async function answersTo(
  spec: PipelineSpec,
  scripts: Readonly<Record<string, ItemScript>>,
  inputs: readonly TensorMap[],
) {
  const clock = new ManualClock();
  const { pipeline, runners } = bench(spec, clock, scripts);
  const outcomes = inputs.map((input) => pipeline.submit(input));
  await clock.advanceTo(400);
  return { answers: await Promise.all(outcomes), runners, pipeline };
}

describe('a cascade', () => {
  const spec = servingSpec(['cheap', 'big'], {
    edges: [edge('cheap', 'big', when('output.confidence < 0.8'))],
    outputs: [{ from: stageId('cheap'), tensors: ['label'], unless: stageId('big') }, { from: stageId('big') }],
  });
  const scripts: Record<string, ItemScript> = {
    cheap: (item) => ({ confidence: fp32([], firstValue(item)), label: fp32([], 1), x: fp32([1], firstValue(item)) }),
    big: () => ({ label: fp32([], 2) }),
  };

  it('answers from the big stage where the cheap one is not confident, and only there', async () => {
    const { answers, runners, pipeline } = await answersTo(spec, scripts, [x(0.9), x(0.3), x(0.85)]);
    const label = (value: number) => ({ kind: 'completed', output: { label: fp32([], value) } });
    expect(answers).toEqual([label(1), label(2), label(1)]);
    expect(runners['big']?.batches).toHaveLength(1);
    expect(pipeline.edgeCounts()).toEqual([{ offered: 3, taken: 1, fanOuts: 0, items: 0 }]);
  });

  it('changes the threshold for new requests only, without a gap', async () => {
    const thresholds = [0.5, 0.8];
    const byVariant = { 'v at 0.5': 0.2, 'v at 0.8': 0.5 } as never;
    const condition = 'output.confidence < threshold';
    const when = { condition, thresholds, probability: 0.35, byVariant };
    const clock = new ManualClock();
    const { pipeline } = bench({ ...spec, edges: [edge('cheap', 'big', { when })] }, clock, scripts);
    const cheap = stageId('cheap');
    const labels: Promise<unknown>[] = [];
    // Each request enters before the next change, and leaves the cheap stage behind it.
    for (const threshold of [0.8, 0.5, 0.8]) {
      pipeline.setBatching(cheap, { maxBatchSize: 1, maxBatchWaitMs: 0, threshold });
      labels.push(pipeline.submit(x(0.7)));
    }
    await clock.advanceTo(400);
    const label = (value: number) => ({ kind: 'completed', output: { label: fp32([], value) } });
    expect(await Promise.all(labels)).toEqual([label(2), label(1), label(2)]);
    expect(pipeline.edgeCounts()).toMatchObject([{ offered: 3, taken: 2 }]);
  });

  it('has a fixed threshold in its condition', async () => {
    const when = { condition: 'output.confidence < threshold', thresholds: [0.8], probability: 0.3 };
    const fixed = { ...spec, edges: [edge('cheap', 'big', { when })] };
    const { answers } = await answersTo(fixed, scripts, [x(0.9), x(0.3)]);
    expect(answers).toMatchObject([{ output: { label: fp32([], 1) } }, { output: { label: fp32([], 2) } }]);
  });

  it('fails alone where the condition cannot be decided, and says why', async () => {
    const vague: ItemScript = (item) =>
      firstValue(item) < 0 ? { label: fp32([], 1) } : (scripts['cheap'] as ItemScript)(item);
    const { answers } = await answersTo(spec, { ...scripts, cheap: vague }, [x(0.9), x(-1), x(0.3)]);
    expect(answers.map(({ kind }) => kind)).toEqual(['completed', 'failed', 'completed']);
    expect(answers[1]).toMatchObject({
      failure: { code: 'CONDITION_FAILED', message: /"output.confidence < 0.8".*confidence/ },
    });
  });

  it('answers as a choice of the variants in service, also for a stage that was not reached', async () => {
    const clock = new ManualClock();
    const { pipeline, runners } = bench({ ...spec, feedback: { maxRequests: 1, maxAgeMs: 1 } }, clock, scripts);
    const choice = async () => {
      const answer = pipeline.submit(x(0.9));
      await clock.advanceTo(clock.nowMs() + 50);
      return (await answer).choice;
    };
    expect(await choice()).toEqual({ cheap: 'v', big: 'v' });
    serve(pipeline, 'big', new ScriptedRunner(echo, async () => {}), 1, 'w');
    expect(await choice()).toBeUndefined();
    runners['big']?.lose(new AppError('STAGE_FAILED', 'lost'), false);
    expect(await choice()).toEqual({ cheap: 'v', big: 'w' });
  });

  it('is refused when the condition is no CEL', () => {
    const broken = { ...spec, edges: [edge('cheap', 'big', when('confidence <'))] };
    expect(() => bench(broken, new ManualClock(), scripts)).toThrow(
      /Edge cheap -> big: `when` expected a CEL expression/,
    );
  });
});

describe('items of a fan-out', () => {
  it('go on where their condition holds; the join stacks what came back, be it nothing', async () => {
    const spec = servingSpec(['detect', 'classify', 'count'], {
      edges: [
        edge('detect', 'classify', { fanOut: { expected: 2 } }),
        edge('classify', 'count', { join: 'all', ...when('output.crop[0] > 2') }),
      ],
    });
    const count: ItemScript = (item) => ({ n: fp32([], item['crop']?.shape[0] ?? 0) });
    const crops = (...values: number[]): TensorMap => ({ crop: fp32([values.length, 1], ...values) });
    const { answers } = await answersTo(spec, { detect: echo, classify: echo, count }, [crops(1, 3, 5), crops(1, 2)]);
    expect(answers).toEqual([2, 0].map((n) => ({ kind: 'completed', output: { n: fp32([], n) } })));
  });

  it('are decided in slices, if conditions are costly: one in each turn of the event loop', async () => {
    const ten = '[1,2,3,4,5,6,7,8,9,10]';
    const loops = ['a', 'b', 'c', 'd', 'e'].reduce((body, name) => `${ten}.all(${name}, ${body})`, 'true');
    const spec = servingSpec(['detect', 'classify', 'count'], {
      edges: [
        edge('detect', 'classify', { fanOut: { expected: 8 } }),
        edge('classify', 'count', { join: 'all', ...when(`output.crop[0] > 2 && ${loops}`) }),
      ],
    });
    const count: ItemScript = (item) => ({ n: fp32([], item['crop']?.shape[0] ?? 0) });
    const clock = new ManualClock();
    const { pipeline } = bench(spec, clock, { detect: echo, classify: echo, count });
    pipeline.setBatching(stageId('classify'), { maxBatchSize: 8, maxBatchWaitMs: 0 });
    const outcome = pipeline.submit({ crop: fp32([8, 1], 1, 3, 3, 3, 3, 3, 3, 3) });
    const decided = [0];
    const look = () => {
      decided.push(pipeline.edgeCounts()[1]?.offered ?? 0);
      if (decided.at(-1) !== 8) setImmediate(look);
    };
    setImmediate(look);
    await clock.advanceTo(25);
    while (decided.at(-1) !== 8) await new Promise((resolve) => setImmediate(resolve));
    await clock.advanceTo(100);
    expect(await outcome).toEqual({ kind: 'completed', output: { n: fp32([], 7) } });
    const inOneTurn = decided.slice(1).map((sum, turn) => sum - (decided[turn] as number));
    expect(Math.max(...inOneTurn)).toBeLessThanOrEqual(2);
  });
});

describe('early joins', () => {
  const hedged = servingSpec(['split', 'left', 'right', 'end'], {
    edges: [
      edge('split', 'left'),
      edge('split', 'right'),
      edge('left', 'end', { join: 'any' }),
      edge('right', 'end', { join: 'any' }),
    ],
  });

  it('a hedge answers from the branch that comes first, without its name', async () => {
    const { answers, runners } = await answersTo(hedged, { split: echo, left: echo, right: echo, end: echo }, [x(4)]);
    expect(answers).toEqual([{ kind: 'completed', output: x(4) }]);
    expect(runners['end']?.batches).toHaveLength(1);
  });

  it('a hedge answers although a branch fails, and fails when both do', async () => {
    const refuses: ItemScript = () => new AppError('STAGE_FAILED', 'refused');
    const scripts = { split: echo, left: refuses, right: echo, end: echo };
    expect((await answersTo(hedged, scripts, [x(4)])).answers).toEqual([{ kind: 'completed', output: x(4) }]);
    const { answers } = await answersTo(hedged, { ...scripts, right: refuses }, [x(4)]);
    expect(answers).toMatchObject([{ kind: 'failed', failure: { code: 'STAGE_FAILED' } }]);
  });

  it('a vote waits for its quorum and is told who voted', async () => {
    const vote = { join: { quorum: 2 } };
    const spec = servingSpec(['a', 'b', 'c', 'vote'], {
      sources: [{ name: 'input', to: ['a', 'b', 'c'].map(stageId), tensors: [] }],
      edges: [edge('a', 'vote', vote), edge('b', 'vote', vote), edge('c', 'vote', vote)],
    });
    const voter =
      (label: number): ItemScript =>
      () => ({ label: fp32([], label) });
    const scripts = { a: voter(1), b: voter(2), c: voter(3), vote: echo };
    const { answers } = await answersTo(spec, scripts, [x(0)]);
    expect(answers).toEqual([{ kind: 'completed', output: { 'a.label': fp32([], 1), 'b.label': fp32([], 2) } }]);
  });
});

describe('a combine stage', () => {
  const voters = ['a', 'b', 'c'];
  const voted = (more: Partial<PipelineSpec> = {}): PipelineSpec =>
    servingSpec(voters, {
      sources: [{ name: 'input', to: voters.map(stageId), tensors: [] }],
      combines: [{ id: stageId('vote'), method: 'vote', tensor: 'label', output: 'winner' }],
      edges: voters.map((voter) => edge(voter, 'vote', { onMissing: 'partial' })),
      outputs: [{ from: stageId('vote') }],
      ...more,
    });
  const label =
    (value: number): ItemScript =>
    () => ({ label: fp32([], value), extra: fp32([], value) });

  it('answers for its members, without a replica, and without a member that failed', async () => {
    const { answers, pipeline } = await answersTo(voted(), { a: label(1), b: label(2), c: label(2) }, [x(0)]);
    expect(answers).toEqual([{ kind: 'completed', output: { winner: fp32([], 2) } }]);
    expect(pipeline.ready).toBe(true);
    expect(Object.keys(pipeline.stageCounts())).toEqual(voters);
    const b: ItemScript = () => new AppError('STAGE_FAILED', 'refused');
    const tie = await answersTo(voted(), { a: label(1), b, c: label(2) }, [x(0)]);
    expect(tie.answers).toEqual([{ kind: 'completed', output: { winner: fp32([], 1) }, missing: ['b'] }]);
  });

  it('answers each request once while the plan omits a member and takes it back', async () => {
    const clock = new ManualClock();
    const feedback = { maxRequests: 1, maxAgeMs: 1 };
    const { pipeline } = bench(voted({ feedback }), clock, { a: label(1), b: label(2), c: label(2) });
    const policy = { maxBatchSize: 1, maxBatchWaitMs: 0, remainingMs: 0 };
    const answers = [];
    for (const isOmitted of [false, true, false]) {
      pipeline.setPolicy(stageId('b'), { ...policy, isOmitted });
      answers.push(pipeline.submit(x(0)), pipeline.submit(x(0)));
      await clock.advanceTo(clock.nowMs() + 50);
    }
    const outcomes = await Promise.all(answers);
    expect(outcomes).toMatchObject([2, 2, 1, 1, 2, 2].map((winner) => ({ output: { winner: fp32([], winner) } })));
    expect(outcomes.map(({ choice }) => choice?.[stageId('b')])).toEqual(['v', 'v', 'omitted', 'omitted', 'v', 'v']);
  });

  it('answers a request with the members of the plan under which it entered, and names them', async () => {
    const clock = new ManualClock();
    const feedback = { maxRequests: 1, maxAgeMs: 1 };
    const { pipeline } = bench(voted({ feedback }), clock, { a: label(1), b: label(2), c: label(2) });
    const policy = { maxBatchSize: 1, maxBatchWaitMs: 0, remainingMs: 0 };
    const answers = [];
    for (const isOmitted of [false, true, false]) {
      pipeline.setPolicy(stageId('b'), { ...policy, isOmitted });
      answers.push(pipeline.submit(x(0)));
    }
    await clock.advanceTo(400);
    const outcomes = await Promise.all(answers);
    expect(outcomes).toMatchObject([2, 1, 2].map((winner) => ({ output: { winner: fp32([], winner) } })));
    expect(outcomes.map(({ choice }) => choice?.[stageId('b')])).toEqual(['v', 'omitted', 'v']);
  });

  it('names stages that only an omitted one leads to as omitted, too', async () => {
    const clock = new ManualClock();
    const spec = servingSpec(['a', 'p', 'b'], {
      sources: [{ name: 'input', to: ['a', 'p'].map(stageId), tensors: [] }],
      combines: [{ id: stageId('vote'), method: 'vote', tensor: 'label', output: 'winner' }],
      edges: [edge('a', 'vote'), edge('p', 'b'), edge('b', 'vote')],
      outputs: [{ from: stageId('vote') }],
      feedback: { maxRequests: 1, maxAgeMs: 1 },
    });
    const { pipeline } = bench(spec, clock, { a: label(1), p: echo, b: label(2) });
    pipeline.setPolicy(stageId('p'), { maxBatchSize: 1, maxBatchWaitMs: 0, remainingMs: 0, isOmitted: true });
    const outcome = pipeline.submit(x(0));
    await clock.advanceTo(100);
    expect(await outcome).toMatchObject({ choice: { a: 'v', p: 'omitted', b: 'omitted' } });
  });

  it('gives no batch to a replica of an omitted member that is lost while a request still needs it', async () => {
    const clock = new ManualClock();
    const spec = servingSpec(['head', ...voters], {
      combines: [{ id: stageId('vote'), method: 'vote', tensor: 'label', output: 'winner' }],
      edges: voters.flatMap((voter) => [edge('head', voter), edge(voter, 'vote', { onMissing: 'partial' })]),
      outputs: [{ from: stageId('vote') }],
    });
    const pipeline = new PipelineRunner({ spec, hostCores: 8, clock });
    const runnerOf = (script: ItemScript) => new ScriptedRunner(script, () => clock.sleep(10));
    const b = runnerOf(label(2));
    const id = serve(pipeline, 'b', b);
    for (const [stage, script] of Object.entries({ head: echo, a: label(1), c: label(3) }))
      serve(pipeline, stage, runnerOf(script));
    const outcome = pipeline.submit(x(0), { timeoutMs: 100 });
    pipeline.setPolicy(stageId('b'), { maxBatchSize: 1, maxBatchWaitMs: 0, remainingMs: 0, isOmitted: true });
    const drained = pipeline.drainReplica(stageId('b'), id);
    await clock.advanceTo(5);
    b.lose(new AppError('REPLICA_LOST', 'gone', { retryable: true }), false);
    await drained;
    await clock.advanceTo(200);
    expect(await outcome).toEqual({ kind: 'completed', output: { winner: fp32([], 1) }, missing: ['b'] });
    expect(b.batches).toEqual([]);
  });

  it('waits for the quorum of the plan: new requests only, and their choice names it', async () => {
    const clock = new ManualClock();
    const listed = { join: { quorum: 2, quorums: [2, 3] } };
    const spec = voted({
      feedback: { maxRequests: 1, maxAgeMs: 1 },
      edges: voters.map((voter) => edge(voter, 'vote', listed)),
    });
    const { pipeline } = bench(spec, clock, { a: label(1), b: label(2), c: label(2) });
    const answers: ReturnType<typeof pipeline.submit>[] = [];
    for (const quorum of [2, 3, 2]) {
      pipeline.setBatching(stageId('a'), { maxBatchSize: 1, maxBatchWaitMs: 0, quorum });
      answers.push(pipeline.submit(x(0)));
    }
    await clock.advanceTo(400);
    const outcomes = await Promise.all(answers);
    // Of the first two members, the earlier one wins.
    expect(outcomes).toMatchObject([1, 2, 1].map((winner) => ({ output: { winner: fp32([], winner) } })));
    expect(outcomes.map(({ choice }) => choice?.[stageId('a')])).toEqual([2, 3, 2].map((k) => `v with quorum ${k}`));
  });

  it('is skipped, as the stages behind it, by a request without items', async () => {
    const inputs = [{ name: 'best', output: 'winner' }] as const;
    const spec = voted({
      sources: [{ name: 'input', to: [stageId('a')], tensors: [] }],
      edges: [
        edge('a', 'b', { fanOut: { expected: 2 } }),
        edge('b', 'vote', { join: 'all' }),
        edge('vote', 'c', { inputs }),
      ],
      outputs: [{ from: stageId('c') }],
    });
    const { answers } = await answersTo(spec, { a: echo, b: label(3), c: echo }, [
      { x: fp32([0]) },
      { x: fp32([2], 1, 2) },
    ]);
    expect(answers).toEqual([
      { kind: 'completed', output: {} },
      { kind: 'completed', output: { best: fp32([], 3) } },
    ]);
  });

  it('fails its request alone if a member lacks the tensor', async () => {
    const a: ItemScript = (item) => (firstValue(item) > 0 ? { lable: fp32([], 1) } : { label: fp32([], 1) });
    const { answers } = await answersTo(voted(), { a, b: label(1), c: label(1) }, [x(1), x(0)]);
    expect(answers).toMatchObject([
      { kind: 'failed', failure: { code: 'STAGE_FAILED', message: /Stage vote: .*tensor label, but a gave lable/ } },
      { kind: 'completed' },
    ]);
  });
});

it('a partial answer has the items that came, and says which did not', async () => {
  const spec = servingSpec(['split', 'work', 'end'], {
    edges: [
      edge('split', 'work', { fanOut: { expected: 3 } }),
      edge('work', 'end', { join: 'all', onMissing: 'partial' }),
    ],
  });
  const bad = new AppError('STAGE_FAILED', 'bad item');
  const work: ItemScript = (item) => (firstValue(item) === 2 ? bad : item);
  const items = { x: fp32([3, 1], 1, 2, 3) };
  const none = { x: fp32([1, 1], 2) };
  const { answers } = await answersTo(spec, { split: echo, work, end: echo }, [items, none, { x: fp32([1, 1], 7) }]);
  expect(answers).toMatchObject([
    { kind: 'completed', output: { x: fp32([2, 1], 1, 3) }, missing: ['work[1]'] },
    { kind: 'failed', failure: { code: 'STAGE_FAILED' } },
    { kind: 'completed', output: { x: fp32([1, 1], 7) } },
  ]);
  expect(Object.keys(answers[2] ?? {})).toEqual(['kind', 'output']);
});

it('a part that several joins lack is named once', async () => {
  const members = ['a', 'b'];
  const joins = ['c', 'd'].flatMap((to) => members.map((from) => edge(from, to, { onMissing: 'partial' })));
  const spec = servingSpec(['in', 'a', 'b', 'c', 'd'], {
    edges: [...members.map((to) => edge('in', to)), ...joins],
    outputs: [{ from: stageId('c') }, { from: stageId('d') }],
  });
  const bad: ItemScript = () => new AppError('STAGE_FAILED', 'bad item');
  const { answers } = await answersTo(spec, { in: echo, a: bad, b: echo, c: echo, d: echo }, [x(1)]);
  expect(answers).toMatchObject([{ kind: 'completed', missing: ['a'] }]);
});
