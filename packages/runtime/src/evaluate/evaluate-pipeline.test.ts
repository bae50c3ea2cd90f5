import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PipelineSpec, StageSpec, TensorMap, VariantSpec } from '@equipoise/core/model';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  FakeLauncher,
  type FakeStage,
  int32,
  numbersOf,
  pipeline,
  stage,
  variant,
  WorkClock,
} from '../profiling/profile-pipeline.test-support.js';
import type { WorkProgress } from '../progress-meter.js';
import { type Evaluation, type EvaluationRequest, evaluatePipeline } from './evaluate-pipeline.js';
import { type EvaluationModule, evaluationModule } from './evaluation-module.js';
import { AnswersFile } from './kept-answers.js';
import { variantCombinations } from './variant-combinations.js';

const accurate = (name: string, value: number) => variant(name, { accuracy: { value, metric: 'accuracy' } });

/** Stages decode a scene of items 1…k, find and read the items, and sum their values. */
const sumPipeline: PipelineSpec = (() => {
  const stages = [
    stage('decode', [variant('only')]),
    stage('detect', [accurate('exact', 0.9), accurate('lossy', 0.6)]),
    stage('read', [accurate('right', 0.9), accurate('off', 0.6)]),
    stage('sum', [variant('only')]),
  ];
  const [decode, detect, read, sum] = stages.map(({ id }) => id) as [never, never, never, never];
  return pipeline(stages, {
    edges: [
      { from: decode, to: detect },
      { from: detect, to: read, fanOut: { expected: 2 } },
      { from: read, to: sum, join: 'all' },
    ],
  });
})();

const inMs = (run: NonNullable<FakeStage['run']>): FakeStage => ({ serviceMs: () => 1, run });
const one = (tensors: TensorMap): number => numbersOf(tensors, 'x')[0] ?? 0;

const fakes: Readonly<Record<string, FakeStage>> = {
  decode: inMs((_, input) => input),
  detect: inMs(({ variant: { id } }, input) => {
    const k = one(input);
    const found = id === 'lossy' && k > 0 && k % 2 === 0 ? k - 1 : k;
    return { x: int32([found], ...Array.from({ length: found }, (_, index) => index + 1)) };
  }),
  read: inMs(({ variant: { id } }, input) => ({
    x: int32([], one(input) + (id === 'off' && one(input) === 3 ? 1 : 0)),
  })),
  sum: inMs((_, input) => ({
    total: int32(
      [],
      numbersOf(input, 'x').reduce((sum, value) => sum + value, 0),
    ),
    unused: int32([], 0),
  })),
};

const scenes: EvaluationModule = {
  loadSamples: async () => [5, 0, 4, 1, 3, 2].map((k) => ({ inputs: { x: int32([], k) }, label: (k * (k + 1)) / 2 })),
  score: (samples) =>
    samples.filter(({ outputs, label }) => numbersOf(outputs, 'total')[0] === label).length / samples.length,
};

function bench(over: Partial<EvaluationRequest> = {}, stages = fakes) {
  const clock = new WorkClock();
  const launcher = new FakeLauncher(clock, stages);
  const evaluate = (): Promise<Evaluation> =>
    evaluatePipeline({ spec: sumPipeline, launcher, module: scenes, dataDir: '/data', clock, ...over });
  return { launcher, evaluate };
}

const failing = (): number => {
  throw new Error('no such tensor');
};

const chosen = ({ table }: Evaluation) =>
  table.combinations.map(({ variants, accuracy }) => [Object.values(variants).join(' '), accuracy]);

describe('evaluatePipeline', () => {
  it('gives the known accuracy of every combination through fan-out and join', async () => {
    const evaluation = await bench().evaluate();
    expect(chosen(evaluation)).toEqual([
      ['only exact right only', 1],
      ['only exact off only', 3 / 6],
      ['only lossy right only', 4 / 6],
      ['only lossy off only', 2 / 6],
    ]);
    expect(evaluation.leftOut).toBeUndefined();
    const [best, half] = evaluation.table.combinations;
    expect(best).toEqual({
      variants: { decode: 'only', detect: 'exact', read: 'right', sum: 'only' },
      accuracy: 1,
      // Wilson: 6/(6 + 1.96²)
      confidence95: [expect.closeTo(0.61, 3), 1],
      samples: 6,
      measured: true,
    });
    expect(half?.confidence95[0]).toBeLessThan(0.5);
    expect(half?.confidence95[1]).toBeGreaterThan(0.5);
  });

  it('gives a stage the tensors that its edge passes on', async () => {
    const inputs = [
      { name: 'found', output: 'x' },
      { name: 'wanted', source: 'x' },
    ];
    const edges = sumPipeline.edges.map((edge) => (edge.join === undefined ? edge : { ...edge, inputs }));
    const sum = inMs((_, input) => ({
      missing: int32([], (numbersOf(input, 'wanted')[0] ?? Number.NaN) - numbersOf(input, 'found').length),
    }));
    const score: EvaluationModule['score'] = (samples) =>
      samples.filter(({ outputs }) => numbersOf(outputs, 'missing')[0] === 0).length / samples.length;
    const request = { spec: { ...sumPipeline, edges }, module: { ...scenes, score } };
    const { table } = await bench(request, { ...fakes, sum }).evaluate();
    expect(table.combinations.map(({ accuracy }) => accuracy)).toEqual([1, 1, 4 / 6, 4 / 6]);
  });

  it('gives the shares of edges behind each variant, with each sample once', async () => {
    const { table } = await bench().evaluate();
    const of = { from: 'detect', to: 'read', outputs: 6 };
    expect(table.shares).toEqual([
      { ...of, variant: 'exact', expected: expect.closeTo(15 / 6, 9) },
      { ...of, variant: 'lossy', expected: expect.closeTo(13 / 6, 9) },
    ]);
  });

  it('gives the agreement of variants with the shadow of their stage', async () => {
    const metric = { kind: 'mae', scale: 10, output: 'total' } as const;
    const stages = [
      stage('first', [accurate('low', 0.5), accurate('same', 0.5), accurate('best', 0.9)]),
      stage('last', [accurate('one', 0.9), accurate('two', 0.9)]),
    ].map((each, index) =>
      index > 0 ? each : { ...each, shadow: { variantId: 'best' as never, fraction: 1, cpuCores: 1, metric } },
    );
    const [first, last] = stages.map(({ id }) => id) as [never, never];
    const spec = pipeline(stages, { edges: [{ from: first, to: last }], outputs: [{ from: last }] });
    const number = inMs(({ variant: { id } }, input) => {
      const value = id === 'low' ? Math.max(0, one(input) - 1) : one(input);
      return { x: int32([], value), total: int32([], value) };
    });
    const module: EvaluationModule = {
      loadSamples: async () => [0, 1, 2, 3, 4].map((k) => ({ inputs: { x: int32([], k) }, label: k })),
      score: () => 1,
    };
    const { table } = await bench({ spec, module }, { first: number, last: number }).evaluate();
    const of = { stage: 'first', shadow: 'best', items: 5 };
    // Four of five numbers differ by 1, each a loss of 0.1.
    expect(table.agreements).toEqual([
      { ...of, variant: 'low', agreement: expect.closeTo(0.92, 9), confidence95: expect.anything() },
      { ...of, variant: 'same', agreement: 1, confidence95: [expect.closeTo(0.566, 2), 1] },
    ]);
    const [low = 0, high = 0] = table.agreements?.[0]?.confidence95 ?? [];
    expect(low).toBeLessThan(0.92);
    expect(high).toBeGreaterThan(0.92);
  });

  it('gives the shares behind each variant of an earlier stage if they differ', async () => {
    const stages = [
      stage('detect', [accurate('coarse', 0.6), accurate('fine', 0.8)]),
      stage('first', [accurate('small', 0.6)]),
      stage('second', [accurate('best', 0.9)]),
    ];
    const [detect, first, second] = stages.map(({ id }) => id) as [never, never, never];
    const spec = pipeline(stages, {
      edges: [
        { from: detect, to: first },
        { from: first, to: second, when: { condition: 'output.x < 2', probability: 0.5 } },
      ],
      outputs: [{ from: first, unless: second }, { from: second }],
    });
    const x = (value: number) => ({ x: int32([], value), total: int32([], value) });
    const module: EvaluationModule = {
      loadSamples: async () => Array.from({ length: 40 }, (_, k) => ({ inputs: { x: int32([], k % 4) }, label: 0 })),
      score: () => 1,
    };
    const detecting = (isFine: (id: string) => boolean) =>
      inMs(({ variant: { id } }, input) => x(isFine(id) ? one(input) + 1 : one(input)));
    const echo = inMs((_, input) => x(one(input)));
    const measure = async (isFine: (id: string) => boolean) =>
      (await bench({ spec, module }, { detect: detecting(isFine), first: echo, second: echo }).evaluate()).table.shares;
    const of = { from: 'first', to: 'second', variant: 'small', outputs: 40 };
    expect(await measure((id) => id === 'fine')).toEqual([
      { ...of, probability: expect.closeTo(0.375, 9) },
      { ...of, upstream: { detect: 'coarse' }, probability: expect.closeTo(0.5, 9) },
      { ...of, upstream: { detect: 'fine' }, probability: expect.closeTo(0.25, 9) },
    ]);
    expect(await measure(() => false)).toEqual([{ ...of, probability: expect.closeTo(0.5, 9) }]);
  });

  it('measures with and without optional members, each of which runs once', async () => {
    const optional = (of: StageSpec): StageSpec => ({ ...of, optional: true });
    const stages = [
      stage('split', [variant('only')]),
      stage('left', [accurate('right', 0.9), accurate('off', 0.6)]),
      optional(stage('middle', [accurate('only', 0.9)])),
      optional(stage('last', [accurate('only', 0.9)])),
    ];
    const [split, ...members] = stages.map(({ id }) => id) as [never, never, never, never];
    const mean = 'mean' as never;
    const spec = pipeline(stages, {
      combines: [{ id: mean, method: 'median', tensor: 'x', output: 'total' }],
      edges: members.flatMap((member) => [
        { from: split, to: member },
        { from: member, to: mean },
      ]),
      outputs: [{ from: mean }],
    });
    const module: EvaluationModule = {
      loadSamples: async () => [5, 0, 4, 1, 3, 2].map((k) => ({ inputs: { x: int32([], k) }, label: k })),
      score: scenes.score,
    };
    const echo = inMs((_, input) => ({ x: int32([], one(input)) }));
    const left = inMs(({ variant: { id } }, input) => ({
      x: int32([], one(input) + (id === 'off' ? one(input) % 2 : 0)),
    }));
    const request = { spec, module };
    const evaluation = await bench(request, { split: echo, left, middle: echo, last: echo }).evaluate();
    expect(chosen(evaluation)).toEqual([
      ['only right only only', 1],
      ['only right only omitted', 1],
      ['only right omitted only', 1],
      ['only right omitted omitted', 1],
      ['only off only only', 1],
      ['only off only omitted', 3 / 6],
      ['only off omitted only', 3 / 6],
      ['only off omitted omitted', 3 / 6],
    ]);
    expect(evaluation.stageRuns).toBe(5 * 6);
  });

  it('measures all thresholds from one run of each stage, with their shares', async () => {
    const stages = [
      stage('first', [accurate('rough', 0.6), accurate('fine', 0.8)]),
      stage('second', [accurate('best', 0.9)]),
    ];
    const [first, second] = stages.map(({ id }) => id) as [never, never];
    const thresholds = [2, 4];
    const spec = pipeline(stages, {
      edges: [{ from: first, to: second, when: { condition: 'output.x < threshold', thresholds, probability: 0.5 } }],
      outputs: [{ from: first, unless: second }, { from: second }],
    });
    // `rough` reads 0, 1 and 2 as one more, `fine` 0; the second stage reads all right.
    const read = inMs(({ variant: { id } }, input) => {
      const wrong = id === 'rough' ? one(input) < 3 : one(input) < 1;
      return { x: int32([], one(input)), total: int32([], one(input) + (wrong ? 1 : 0)) };
    });
    const again = inMs((_, input) => ({ total: int32([], one(input)) }));
    const module: EvaluationModule = {
      loadSamples: async () => [5, 0, 4, 1, 3, 2].map((k) => ({ inputs: { x: int32([], k) }, label: k })),
      score: scenes.score,
    };
    const { launcher, evaluate } = bench({ spec, module }, { first: read, second: again });
    const evaluation = await evaluate();
    expect(chosen(evaluation)).toEqual([
      ['rough at 2 best', 5 / 6],
      ['rough at 4 best', 1],
      ['fine at 2 best', 1],
      ['fine at 4 best', 1],
    ]);
    const share = (variant: string, taken: number) =>
      expect.objectContaining({ variant, outputs: 6, probability: expect.closeTo(taken / 6, 9) });
    expect(evaluation.table.shares).toEqual([
      share('rough at 2', 2),
      share('rough at 4', 4),
      share('fine at 2', 2),
      share('fine at 4', 4),
    ]);
    // Of the four inputs at the highest threshold, two differ between the first variants. None runs again per threshold.
    const runs = (name: string) => launcher.batches.filter(({ replica }) => replica.startsWith(name)).length;
    expect({ rough: runs('first/rough'), fine: runs('first/fine'), best: runs('second') }).toEqual({
      rough: 6,
      fine: 6,
      best: 6,
    });
    expect(evaluation.stageRuns).toBe(18);
  });

  it('measures all quorums of a vote from one run of each member', async () => {
    const stages = ['decode', 'first', 'second', 'third'].map((name) => stage(name, [variant('only')]));
    const [decode, ...members] = stages.map(({ id }) => id) as [never, never, never, never];
    const vote = 'vote' as never;
    const listed = { join: { quorum: 2, quorums: [2, 3] } };
    const spec = pipeline(stages, {
      combines: [{ id: vote, method: 'vote', tensor: 'total', output: 'total' }],
      edges: [
        ...members.map((to) => ({ from: decode, to })),
        ...members.map((from) => ({ from, to: vote, ...listed })),
      ],
      outputs: [{ from: vote }],
    });
    const reads = (wrongFrom: number) =>
      inMs((_, input) => ({ total: int32([], one(input) + (one(input) >= wrongFrom ? 1 : 0)) }));
    const module: EvaluationModule = {
      loadSamples: async () => [5, 0, 4, 1, 3, 2].map((k) => ({ inputs: { x: int32([], k) }, label: k })),
      score: scenes.score,
    };
    const fakeMembers = { decode: inMs((_, input) => input), first: reads(4), second: reads(9), third: reads(9) };
    const evaluation = await bench({ spec, module }, fakeMembers).evaluate();
    // With two votes that differ, the first member wins.
    expect(chosen(evaluation)).toEqual([
      ['only only with quorum 2 only only', 4 / 6],
      ['only only with quorum 3 only only', 1],
    ]);
    expect(evaluation.stageRuns).toBe(4 * 6);
  });

  it('takes the members of a quorum that finish first by their profiles, as often as these say', async () => {
    const timed = (meanMs: number, p99Ms: number) =>
      variant('only', { profile: [{ cpuCores: 1, batchSize: 1, meanMs, p99Ms }] });
    const decode = stage('decode', [timed(1, 1)]);
    const early = { join: 'any' } as const;
    const accuracyOf = async (first: VariantSpec, second: VariantSpec) => {
      const members = [stage('first', [first]), stage('second', [second])];
      const spec = pipeline([decode, ...members, stage('sum', [timed(1, 1)])], {
        edges: members.flatMap(({ id }) => [
          { from: decode.id, to: id },
          { from: id, to: 'sum' as never, ...early },
        ]),
      });
      const read = (wrong: number) => inMs((_, input) => ({ total: int32([], one(input) + wrong) }));
      const module: EvaluationModule = {
        loadSamples: async () => Array.from({ length: 200 }, (_, k) => ({ inputs: { x: int32([], k) }, label: k })),
        score: scenes.score,
      };
      const pass = inMs((_, input) => input);
      const fakeStages = { decode: pass, first: read(0), second: read(1), sum: pass };
      const { table } = await bench({ spec, module }, fakeStages).evaluate();
      return table.combinations[0]?.accuracy;
    };
    expect(await accuracyOf(timed(5, 5), timed(9, 9))).toBe(1);
    expect(await accuracyOf(timed(9, 9), timed(5, 5))).toBe(0);
    // Without a profile of all variants, in file order.
    expect(await accuracyOf(timed(9, 9), variant('only'))).toBe(1);
    // Of two members with equal laws that vary, each is first half of the time.
    const even = await accuracyOf(timed(5, 20), timed(5, 20));
    expect(even).toBeGreaterThan(0.4);
    expect(even).toBeLessThan(0.6);
  });

  it('does the work of each stage once for all combinations that agree on what is before it', async () => {
    const { launcher, evaluate } = bench();
    await evaluate();
    const runs = (name: string) => launcher.batches.filter(({ replica }) => replica.startsWith(name)).length;
    expect({
      decode: runs('decode'),
      exact: runs('detect/exact'),
      lossy: runs('detect/lossy'),
      right: runs('read/right'),
      sum: runs('sum'),
    }).toEqual({ decode: 6, exact: 6, lossy: 6, right: 15 + 13, sum: 24 });
    expect(launcher.launches).toHaveLength(6);
    expect(launcher.open).toBe(0);
    expect(launcher.batches.every(({ inputs }) => inputs.length === 1)).toBe(true);
  });

  it('gives the same figures with a cache too small for all prefixes, with more work', async () => {
    const expected = await bench().evaluate();
    for (const [cacheBytes, decoded] of [
      [0, 24],
      [24, 17],
    ] as const) {
      const { launcher, evaluate } = bench({ cacheBytes });
      const { table, stageRuns } = await evaluate();
      expect(table).toEqual(expected.table);
      expect(launcher.batches).toHaveLength(stageRuns);
      expect(launcher.batches.filter(({ replica }) => replica.startsWith('decode'))).toHaveLength(decoded);
      expect(stageRuns).toBeGreaterThan(expected.stageRuns);
    }
  });

  it('gives one replica one batch at a time, and the same figures whichever sample is done first', async () => {
    let running = 0;
    let most = 0;
    const { launcher, evaluate } = bench();
    const { launch } = launcher;
    launcher.launch = async (request) => {
      const { runner, loadMs } = await launch.call(launcher, request);
      const run: typeof runner.run = async (batch) => {
        if (request.stage.id === 'decode') most = Math.max(most, ++running);
        const turns = one(batch[0] ?? {}) % 3;
        for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
        if (request.stage.id === 'decode') running -= 1;
        return runner.run(batch);
      };
      return { runner: { ...runner, run }, loadMs };
    };
    expect(chosen(await evaluate())).toEqual(chosen(await bench().evaluate()));
    expect(most).toBe(1);
  });

  it('takes the first samples, and picks the tensors that the outputs name', async () => {
    const seen: string[][] = [];
    const module: EvaluationModule = {
      ...scenes,
      score: (samples) => {
        seen.push(samples.flatMap(({ outputs }) => Object.keys(outputs)));
        return 1;
      },
    };
    const sum = sumPipeline.stages[3] as StageSpec;
    const spec = { ...sumPipeline, outputs: [{ from: sum.id, tensors: ['total'] }] };
    const { table } = await bench({ spec, module, maxSamples: 2 }).evaluate();
    expect(table.combinations[0]?.samples).toBe(2);
    expect(seen.at(-1)).toEqual(['total', 'total']);
  });

  it('scores the answers to the first sample alone, so that a wrong score fails early', async () => {
    const sizes: number[] = [];
    const score = (samples: readonly unknown[]): number => {
      sizes.push(samples.length);
      return failing();
    };
    await expect(bench({ module: { ...scenes, score } }).evaluate()).rejects.toMatchObject({ code: 'MODULE_INVALID' });
    expect(sizes).toEqual([1]);
  });

  it('names the sample whose answer has no score', async () => {
    const score: EvaluationModule['score'] = (samples) => (samples.some(({ label }) => label === 10) ? failing() : 1);
    await expect(bench({ module: { ...scenes, score } }).evaluate()).rejects.toMatchObject({
      code: 'MODULE_INVALID',
      message: expect.stringMatching(/^Sample 3: /),
    });
  });

  it('names a metric that is undefined on all samples', async () => {
    const module = { ...scenes, score: () => Number.NaN };
    const spec: PipelineSpec = { ...sumPipeline, evaluation: { dataPath: '/data', metric: { kind: 'f1' } } };
    await expect(bench({ spec, module }).evaluate()).rejects.toMatchObject({
      code: 'INVALID_PIPELINE',
      message: expect.stringMatching(/The metric f1 is undefined on all 6 samples/),
    });
  });

  it('keeps even combinations beyond the limit and says what is left out', async () => {
    const { launcher, evaluate } = bench({ maxCombinations: 3 });
    const evaluation = await evaluate();
    expect(chosen(evaluation).map(([names]) => names)).toEqual([
      'only exact right only',
      'only exact off only',
      'only lossy off only',
    ]);
    expect(chosen(await bench({ maxCombinations: 1 }).evaluate())).toEqual([['only exact right only', 1]]);
    expect(evaluation.leftOut).toEqual({ combinations: 1, reason: expect.stringContaining('of 4 combinations the 3') });
    expect(launcher.launches).toHaveLength(6);
  });

  it('reports progress by samples', async () => {
    const seen: WorkProgress[] = [];
    await bench({ onProgress: (progress) => seen.push(progress) }).evaluate();
    expect(seen.map(({ doneUnits }) => doneUnits)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(seen.at(-1)).toMatchObject({ totalUnits: 6, etaMs: 0 });
  });

  it('names sample, stage and variant of a failure and closes what it started', async () => {
    const { launcher, evaluate } = bench({}, { ...fakes, read: { ...(fakes['read'] as FakeStage), mostItems: 0 } });
    await expect(evaluate()).rejects.toMatchObject({
      code: 'STAGE_FAILED',
      message: expect.stringMatching(/^Sample 1: Stage read, variant right failed: a batch of 1/),
    });
    expect(launcher.open).toBe(0);
    const unstartable = bench({}, { decode: fakes['decode'] as FakeStage });
    await expect(unstartable.evaluate()).rejects.toMatchObject({ code: 'MODULE_INVALID' });
    expect(unstartable.launcher.open).toBe(0);
  });

  it.each([
    ['a score above 1', { ...scenes, score: () => 61 }, 'MODULE_INVALID', /is 61; it has to be a fraction/],
    ['a score that is none', { ...scenes, score: () => Number.NaN }, 'MODULE_INVALID', /is NaN on all 6 samples;/],
    ['a score that throws', { ...scenes, score: failing }, 'MODULE_INVALID', /failed: no such tensor/],
    ['no samples', { ...scenes, loadSamples: () => [] }, 'FILE_NOT_FOUND', /no samples in \/data/],
    [
      'samples that cannot be loaded',
      { ...scenes, loadSamples: () => Promise.reject(new Error('no labels.json')) },
      'FILE_UNREADABLE',
      /no labels\.json/,
    ],
  ])('refuses a module with %s', async (_, module, code, message) => {
    await expect(bench({ module }).evaluate()).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });

  it('says what a module lacks', () => {
    expect(evaluationModule(scenes)).toBe(scenes);
    expect(() => evaluationModule({ score: () => 1 })).toThrow(/does not export loadSamples;/);
    expect(() => evaluationModule(undefined)).toThrow(/loadSamples and score/);
    const { loadSamples } = scenes;
    expect(evaluationModule({ loadSamples }, scenes.score)).toEqual(scenes);
    expect(() => evaluationModule({}, scenes.score)).toThrow(/export loadSamples; it needs loadSamples\(dataDir\)\.$/);
  });
});

/** `lossy` costs less than `exact`, and `off` less than `right`. */
const costsMs: Readonly<Record<string, number>> = { only: 1, exact: 9, lossy: 3, right: 5, off: 4 };
const priced: PipelineSpec = {
  ...sumPipeline,
  budget: { cpuCores: 4 },
  stages: sumPipeline.stages.map((each) => ({
    ...each,
    variants: each.variants.map((of) => {
      const meanMs = costsMs[of.id] ?? 1;
      return { ...of, profile: [{ cpuCores: 1, batchSize: 1, meanMs, p99Ms: meanMs }] };
    }),
  })),
};
const many: EvaluationModule = {
  ...scenes,
  loadSamples: async () => (await Promise.all(Array.from({ length: 20 }, () => scenes.loadSamples('')))).flat(),
};

describe('a search', () => {
  const searching = (search: Partial<EvaluationRequest['search']> = {}) =>
    bench({ spec: priced, module: many, search: { profiles: [], ...search } });

  it('runs fewer stages than all combinations on all samples, and says what it dropped after how many', async () => {
    const { launcher, evaluate } = searching();
    const { table, stageRuns } = await evaluate();
    expect(launcher.batches).toHaveLength(stageRuns);
    // The six scenes take 98 runs for all combinations, see above.
    expect(stageRuns).toBeLessThan(0.8 * 20 * 98);
    const [best, , dropped] = table.combinations;
    expect(best).toMatchObject({ verdict: 'kept', accuracy: 1 });
    expect(table.combinations.map(({ verdict }) => verdict)).toEqual(['kept', 'dropped', 'kept', 'kept']);
    expect(table.combinations[1]?.droppedFor).toEqual(dropped?.variants);
    expect(table.combinations[1]?.samples).toBeLessThan(120);
  });

  it('ends with the sample that reaches the budget, however many samples run at once', async () => {
    const { table, stageRuns } = await searching({ budgetRuns: 500 }).evaluate();
    expect(stageRuns).toBeGreaterThanOrEqual(500);
    expect(stageRuns).toBeLessThan(530);
    expect(table.combinations.some(({ verdict }) => verdict === 'undecided')).toBe(true);
    await expect(searching({ budgetRuns: 20 }).evaluate()).rejects.toMatchObject({
      code: 'WRONG_USAGE',
      message: expect.stringMatching(/^A budget of 20 stage runs is too small .* takes about \d{3}\.$/),
    });
  });

  it('takes a score that some sets of samples do not have', async () => {
    const module: EvaluationModule = {
      loadSamples: async () => {
        const all = await many.loadSamples('');
        const rare = all.filter(({ label }) => label === 15);
        return [...all.filter((sample) => !rare.includes(sample)), ...rare.slice(0, 2)];
      },
      score: (samples) => scenes.score(samples.filter(({ label }) => label === 15)),
    };
    for (const search of [undefined, { profiles: [] }]) {
      const { table } = await bench({ spec: priced, module, ...(search && { search }) }).evaluate();
      expect(table.combinations.map(({ accuracy }) => accuracy)).toEqual([1, 0, 1, 0]);
    }
  });

  it('leaves out what cannot serve the arrival rates', async () => {
    const { table, leftOut } = await searching({ rates: { leastRps: 220, mostRps: 250 } }).evaluate();
    expect(table.combinations.map(({ variants }) => variants['detect' as never])).toEqual(['lossy', 'lossy']);
    expect(leftOut).toEqual({ combinations: 2, reason: expect.stringContaining('2 cannot serve the arrival rates') });
    await expect(searching({ rates: { leastRps: 900, mostRps: 900 } }).evaluate()).rejects.toMatchObject({
      code: 'WRONG_USAGE',
    });
  });
});

describe('combinations that are not measured', () => {
  const wide = (stages: readonly StageSpec[], accuracy: number): PipelineSpec => ({
    ...sumPipeline,
    stages: stages.map((each) =>
      each.id === 'detect'
        ? { ...each, variants: [...each.variants, accurate('third', accuracy)] as unknown as StageSpec['variants'] }
        : each,
    ),
  });

  it('get a computed accuracy, with the error of the computation and of the product', async () => {
    const computed = async (maxCombinations: number) =>
      (await bench({ maxCombinations, spec: wide(sumPipeline.stages, 0.8) }).evaluate()).computed;
    const found = await computed(5);
    expect(found?.combinations).toMatchObject([{ measured: false, accuracy: expect.any(Number) }]);
    const { modelError = 1, productError = 0 } = found ?? {};
    expect(modelError).toBeLessThan(productError);
    expect(await computed(6)).toBeUndefined();
    expect(await computed(3)).toEqual({ combinations: [], productError: expect.any(Number) });
  });

  it('have their product if it is closer to what was measured', async () => {
    const known: Readonly<Record<string, number>> = { lossy: 2 / 3, off: 1 / 2 };
    const right = sumPipeline.stages.map((each) => ({
      ...each,
      variants: each.variants.map(({ id }) => accurate(id, known[id] ?? 1)),
    })) as unknown as readonly StageSpec[];
    const { computed } = await bench({ maxCombinations: 5, spec: wide(right, 1) }).evaluate();
    expect(computed?.combinations).toEqual([]);
    expect(computed?.productError).toBeLessThan(computed?.modelError ?? 0);
  });
});

describe('an evaluation that keeps its answers', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'equipoise-answers-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  /** Evaluates with the file; returns also the batches that it ran. */
  async function keeping(over: Partial<EvaluationRequest> = {}, stages = fakes) {
    const file = new AnswersFile(join(folder, 'accuracy.json.answers'));
    const { launcher, evaluate } = bench({ kept: { file, locate: () => undefined }, ...over }, stages);
    try {
      const ended = await evaluate().catch((error: unknown) => error);
      return { ended, ran: launcher.batches.length };
    } finally {
      file.close({ remove: false });
    }
  }

  it('resumes after a larger budget, and ends as if it were not interrupted', async () => {
    const over = { spec: priced, module: many };
    const search = { profiles: [] };
    const whole = await bench({ ...over, search }).evaluate();
    const first = await keeping({ ...over, search: { ...search, budgetRuns: 500 } });
    const second = await keeping({ ...over, search });
    expect(second.ended).toEqual(whole);
    expect(first.ran).toBeGreaterThanOrEqual(500);
    expect(first.ran + second.ran).toBe(whole.stageRuns);
  });

  it('resumes after a failure, and runs again what changed', async () => {
    const whole = await bench().evaluate();
    let left = 40;
    const run: NonNullable<FakeStage['run']> = (...args) => {
      if (--left < 0) failing();
      return (fakes['read'] as Required<FakeStage>).run(...args);
    };
    const failed = await keeping({}, { ...fakes, read: inMs(run) });
    expect(failed.ended).toBeInstanceOf(Error);
    const repaired = await keeping();
    expect(repaired.ended).toEqual(whole);
    expect(repaired.ran).toBeLessThan(whole.stageRuns);
    expect((await keeping()).ran).toBe(0);
    const stages = sumPipeline.stages.map((each) =>
      each.id === 'read'
        ? { ...each, variants: [each.variants[0], accurate('new', 0.5)] as StageSpec['variants'] }
        : each,
    );
    const changed = await keeping({ spec: { ...sumPipeline, stages } });
    // Only the combinations with the new variant run.
    const alone = await bench({
      spec: {
        ...sumPipeline,
        stages: stages.map((each) => ({ ...each, variants: each.variants.filter(({ id }) => id !== 'right') })),
      },
    }).evaluate();
    expect(changed.ran).toBe(alone.stageRuns);
    // Runs of answers that changed do not count.
    expect(changed.ended).toEqual(await bench({ spec: { ...sumPipeline, stages } }).evaluate());
  });
});

describe('variantCombinations', () => {
  it('refuses a product too large to look at', () => {
    const ten = Array.from({ length: 10 }, (_, index) => variant(`v${index}`));
    const stages = Array.from({ length: 6 }, (_, index) => stage(`s${index}`, ten));
    expect(() => variantCombinations(pipeline(stages), 64)).toThrow(/1000000 combinations/);
  });

  it('lists the product in the order of the file', () => {
    const { kept } = variantCombinations(sumPipeline, 64);
    expect(kept.map((choice) => Object.values(choice).slice(1, 3).join(' '))).toEqual([
      'exact right',
      'exact off',
      'lossy right',
      'lossy off',
    ]);
  });
});
