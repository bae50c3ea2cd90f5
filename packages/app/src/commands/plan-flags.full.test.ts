import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Plan, PlanResult, Slo } from '@equipoise/core/model';
import type { PlanExplanation } from '@equipoise/core/plan';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { documentOf, syntheticPipeline, TestFolder } from '../equipoise.test-support.js';
import { equipoiseHere } from '../run-here.test-support.js';
import { planned } from './plan.test-support.js';

const folder = new TestFolder();
const verifiedPlan = (...flags: string[]) => planned(folder.path, ['pipeline.yaml'], '--arrival-rps', '10', ...flags);
/** Skips the simulation of plans, which takes most of the time. */
const plan = (...flags: string[]) => verifiedPlan('--no-verify', ...flags);
const path = (name: string) => join(folder.path, name);
const written = (name: string) => readFileSync(path(name), 'utf8');

type Infeasible = Exclude<PlanResult, { kind: 'feasible' }>;

/** Variant by stage of an answer. */
function choiceOf(document: unknown): Readonly<Record<string, string | undefined>> {
  const result = document as PlanResult;
  const stages = result.kind === 'feasible' ? Object.entries(result.plan.stages) : [];
  return Object.fromEntries(stages.map(([id, [part]]) => [id, part?.variantId]));
}

beforeAll(() => {
  folder.write('pipeline.yaml', syntheticPipeline());
  folder.write('other.yaml', syntheticPipeline({ name: 'other', latencyMs: 8 }));
  folder.write(
    'loading.yaml',
    syntheticPipeline().replaceAll('- name: large', '- name: large\n          loadMs: 100000'),
  );
});

afterAll(() => folder.remove());

describe('plan --routers', () => {
  const routersOf = (document: unknown) => {
    const { plan: found, split } = document as { plan: Plan; split?: unknown };
    const replicas = Object.values(found.stages).map(([part]) => part?.replicas ?? 0);
    return { routers: found.routers, split, replicas, cpuCores: found.predicted.cpuCores };
  };

  it('plans equal shares for the router with the most load, and leaves the plan of one router alone', async () => {
    const [one, named, two] = [await plan(), await plan('--routers', '1'), await plan('--routers', '2')];
    expect(routersOf(one.document)).toMatchObject({ routers: undefined, split: undefined });
    expect(routersOf(named.document)).toEqual(routersOf(one.document));
    expect(two.exitCode).toBe(1);
    const wide = await plan('--routers', '2', '--budget-cores', '8');
    expect(routersOf(wide.document)).toMatchObject({
      routers: 2,
      split: { count: 2, unevenFraction: 0.2, spreads: 'connections' },
    });
    expect(routersOf(wide.document).replicas.every((replicas) => replicas % 2 === 0)).toBe(true);
    expect(wide.text).toContain(
      'planned for 2 routers: each has 1/2 of the replicas and gets at most 60.0 % of the load',
    );
    const frontier = await plan('--routers', '2', '--budget-cores', '8', '--frontier');
    const { points } = frontier.document as { points: readonly { cpuCores: number; plan: Plan }[] };
    expect(points.every(({ cpuCores, plan: { routers } }) => routers === 2 && cpuCores >= 4)).toBe(true);
  });

  it('reads the number from the file, derives the load from connections, and says when another router pays', async () => {
    folder.write('routed.yaml', syntheticPipeline({ spec: 'routers: 4', cpuCores: 16 }));
    const routed = (...flags: string[]) =>
      planned(folder.path, ['routed.yaml'], '--no-verify', '--arrival-rps', '10', ...flags);
    expect(routersOf((await routed('--connections', '100')).document)).toMatchObject({
      routers: 4,
      split: { count: 4, unevenFraction: expect.closeTo(0.388, 2) },
    });
    const { text } = await planned(folder.path, ['pipeline.yaml'], '--no-verify', '--arrival-rps', '9000');
    expect(text).toContain('this load needs 2: --routers 2');
    const auto = await planned(
      folder.path,
      ['pipeline.yaml'],
      '--no-verify',
      '--arrival-rps',
      '9',
      '--routers',
      'auto',
    );
    expect(routersOf(auto.document).routers).toBeUndefined();
  });

  it('refuses more routers than the bounds of a stage allow', async () => {
    const detect = 'bounds: { replicas: { min: 1, max: 2 } }';
    folder.write('bounded.yaml', syntheticPipeline({ detect }));
    const flags = ['bounded.yaml', '--arrival-rps', '10', '--routers', '3'];
    const refused = await equipoiseHere(folder.path, 'plan', ...flags);
    expect(refused.exitCode).toBe(2);
    expect(refused.stderr).toContain('3 routers need a multiple of 3 replicas of detect, found none from 1 to 2');
  });

  it.each([
    [['--routers', '65'], 'whole number from 1 to 64'],
    [['--routers', 'two'], 'auto or a whole number'],
    [['--uneven', '0.1'], 'add --routers'],
    [['--routers', '2', '--explain'], 'add --routers 1'],
    [['--routers', '2', '--uneven', '0.1', '--connections', '9'], 'cannot be used with'],
  ])('refuses %j', async (flags, message) => {
    const refused = await equipoiseHere(folder.path, 'plan', 'pipeline.yaml', '--arrival-rps', '10', ...flags);
    expect(refused.exitCode).toBe(2);
    expect(refused.stderr).toContain(message);
  });
});

describe('plan --frontier', () => {
  it('lists every best trade-off, by either name', async () => {
    const short = await verifiedPlan('--frontier', '--budget-cores', '2');
    const long = await verifiedPlan('--objective', 'frontier');
    const { points } = long.document as { points: { plan: { verified: unknown } }[] };
    expect(long.exitCode).toBe(0);
    expect(Object.keys(long.document as object)).toEqual([
      ...['points', 'complete', 'toleranceFraction', 'omittedPoints', 'arrivalRps'],
    ]);
    expect(points.map((point) => Object.keys(point))).toEqual([['pas', 'costPerHour', 'cpuCores', 'plan', 'accuracy']]);
    expect(points[0]).toMatchObject({
      pas: 0.4,
      costPerHour: 2,
      cpuCores: 2,
      plan: { verified: { conclusive: true } },
    });
    expect(short.document).toEqual(long.document);
  });

  it('shows people a plot and a table, and draws a picture', async () => {
    const flags = ['--arrival-rps', '60', '--frontier', '--svg', 'f.svg'];
    const shown = await equipoiseHere(folder.path, 'plan', 'pipeline.yaml', ...flags);
    expect(shown.exitCode).toBe(0);
    expect(shown.stdout).toMatch(/^accuracy\n.*│/);
    expect(shown.stdout.match(/●/g)).toHaveLength(2);
    expect(shown.stdout).toMatch(/│ +0\.400 │ product │ +3\.00 │ +3 │ .* │ detect=large classify=only │/);
    expect(shown.stdout).toContain('2 plans, each more accurate than every cheaper one');
    expect(shown.stdout).toContain('written to f.svg');
    expect(written('f.svg')).toMatch(/^<svg xmlns="http:\/\/www.w3.org\/2000\/svg".*synthetic at 60 rps.*<\/svg>\n$/s);
  });

  it('says why there is none', async () => {
    expect(await plan('--frontier', '--slo-ms', '8', '--svg', path('none.svg'))).toMatchObject({
      exitCode: 1,
      document: { kind: 'infeasible', bindingConstraint: 'slo' },
      text: expect.stringMatching(/^(?!.*written).*frontier: no plan meets the SLO/s),
    });
  });

  it('shows the frontier with the advised change where there is none', async () => {
    const { document, text } = await plan('--frontier', '--slo-ms', '8');
    const { fixes, relaxed } = document as Infeasible & { relaxed: { slo: Slo; points: readonly object[] } };
    expect(relaxed.slo.latencyMs).toBe(Math.ceil(fixes.slo?.latencyMs as number));
    expect(relaxed.points.length).toBeGreaterThan(0);
    expect(text).toMatch(/With an SLO of \d+ ms\n[\s\S]*│ variants/);
  });
});

describe('plan --explain', () => {
  let tight: Awaited<ReturnType<typeof verifiedPlan>>;

  beforeAll(async () => {
    tight = await verifiedPlan('--explain', '--slo-ms', '25');
  });

  it('says that there is nothing to explain', async () => {
    const { exitCode, text } = await plan('--explain', '--slo-ms', '8');
    expect({ exitCode, text }).toMatchObject({
      exitCode: 1,
      text: expect.stringMatching(/--explain: no plan to explain[\s\S]*With an SLO of \d+ ms\n[\s\S]*one more core/),
    });
  });

  it('adds the reasons to the answer', () => {
    const { explanation, ...answer } = tight.document as PlanResult & { explanation: PlanExplanation };
    expect(answer).toMatchObject({ kind: 'feasible', objectiveValue: 0.25 });
    expect(explanation).toMatchObject({
      value: 0.25,
      binding: { latency: 'detect', capacity: 'detect' },
      oneMoreCore: { value: 0.25, costPerHour: 2, changedStages: [] },
      tenMoreMs: { value: 0.4, changedStages: ['detect'] },
      stages: {
        detect: { nextBetter: { variantId: 'large', verdict: { kind: 'impossible', bindingConstraint: 'slo' } } },
        classify: { costFraction: 0.5 },
      },
    });
  });

  it('tells people', async () => {
    const { text } = tight;
    expect(text).toMatch(/│ one more core +│ +0\.250 │ +0 │ +2\.00 │ none +│/);
    expect(text).toMatch(/│ 10 ms more SLO +│ +0\.400 │ +\+0\.150 │ +\d\.00 │ detect +│/);
    expect(text).toMatch(/latency is bound by .*detect.* \(\d+\.\d % of the SLO\)/);
    expect(text).toMatch(/next better, .*large.*: no plan with it, the latency target is too tight/);
    expect((await plan('--explain')).text).toMatch(
      /next cheaper, .*small.*: the best plan with it has accuracy 0.250 instead of 0.400/,
    );
  });
});

describe('plan', () => {
  it('plans several files one by one and says no when one has no plan', async () => {
    const flags = ['--arrival-rps', '10', '--json'];
    const both = await equipoiseHere(folder.path, 'plan', 'pipeline.yaml', 'other.yaml', ...flags);
    expect(both.exitCode).toBe(1);
    expect(documentOf(both)).toMatchObject({
      plans: [
        { file: 'pipeline.yaml', kind: 'feasible' },
        { file: 'other.yaml', kind: 'infeasible', bindingConstraint: 'slo' },
      ],
    });
  });

  it('reads back what it wrote as what runs, and weighs what it costs to change it', async () => {
    const first = await plan('--slo-ms', '25', '--out', path('small.json'));
    expect(JSON.parse(written('small.json'))).toEqual(first.document);
    const loading = (...flags: string[]) =>
      planned(folder.path, ['loading.yaml'], '--arrival-rps', '10', '--weights', '1,0.1,0', ...flags);
    expect(choiceOf((await loading()).document)).toMatchObject({ detect: 'large' });
    const kept = await loading('--running-plan', path('small.json'));
    expect(choiceOf(kept.document)).toMatchObject({ detect: 'small' });
  });

  it('packs replicas on machines', async () => {
    expect(await plan('--node-cores', '0.5,0.5')).toMatchObject({ document: { kind: 'infeasible' } });
    expect(await plan('--node-cores', '1,1')).toMatchObject({ document: { kind: 'feasible' } });
  });

  it('lets a measured accuracy win', async () => {
    const table = (detect: string, accuracy: number) => ({ variants: { detect }, accuracy });
    folder.write('right.json', JSON.stringify({ combinations: [table('small', 0.9), table('large', 0.3)] }));
    expect(await plan('--accuracy-table', path('right.json'))).toMatchObject({ document: { objectiveValue: 0.9 } });
    folder.write('wrong.json', JSON.stringify({ combinations: [table('smal', 0.9)] }));
    expect(await plan('--accuracy-table', path('wrong.json'))).toMatchObject({
      exitCode: 1,
      document: { error: { code: 'INVALID_PIPELINE' } },
      text: expect.stringMatching(/wrong\.json does not fit the pipeline:\n.*did you mean small\?/),
    });
  });

  it.each([
    [['--svg', 'x.svg'], '--svg draws the frontier; add --frontier'],
    [['--frontier', '--explain'], 'leave one of them out'],
    [['--frontier', '--objective', 'min-cost'], '--objective min-cost asks for one'],
    [['--frontier', '--policy', 'ipa'], 'leave out --policy ipa'],
    [['--frontier', '--weights', '1,1,1'], '--weights belongs to the objective weights'],
    [['--frontier', '--running-plan', 'x.json'], 'leave out --running-plan'],
    [['--explain', '--policy', 'rim'], 'leave out --policy rim'],
    [['--node-cores', '4,x'], 'Expected the cores of each machine, such as 4,4,8'],
    [['--running-plan', 'none.json'], 'plan not found'],
  ])('refuses %j', async (flags, message) => {
    const ended = await plan(...flags);
    expect(ended.exitCode).toBeGreaterThan(1);
    expect(ended.text).toContain(message);
  });

  it('refuses to write several answers to one file', async () => {
    const files = ['pipeline.yaml', 'other.yaml'];
    expect(await planned(folder.path, files, '--arrival-rps', '10', '--out', path('x.json'))).toMatchObject({
      exitCode: 2,
      text: expect.stringContaining('--out belongs to one pipeline, but 2 files were given'),
    });
  });
});
