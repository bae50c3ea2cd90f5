/** `equipoise recommend`: one or two free quantities, with and without simulation. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Plan, Slo } from '@equipoise/core/model';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { documentOf, syntheticPipeline, TestFolder } from '../equipoise.test-support.js';
import { equipoiseHere } from '../run-here.test-support.js';

interface Answer {
  readonly free: string;
  readonly kind: string;
  readonly value: number;
  readonly at?: { readonly free: string; readonly value: number };
  readonly slo: Slo;
  readonly plan: Plan;
  readonly verdict?: string;
  readonly certificate?: { readonly claim: string; readonly optimal: boolean };
  readonly result?: string;
  readonly proven?: boolean;
}

interface Routed {
  readonly plan: Plan;
  readonly figures: object;
}

const folder = new TestFolder();
const run = (...args: string[]) => equipoiseHere(folder.path, ...args);
const recommend = (...flags: string[]) => run('recommend', 'pipeline.yaml', ...flags);

/** Answers by the estimate alone. */
async function answersOf(...flags: string[]): Promise<readonly Answer[]> {
  const ended = await recommend('--no-verify', '--json', ...flags);
  return (documentOf(ended) as { answers: readonly Answer[] }).answers;
}

beforeAll(() => {
  folder.write('pipeline.yaml', syntheticPipeline());
});

afterAll(() => folder.remove());

describe('recommend', () => {
  it('frees each quantity alone, and plan agrees with its answers', async () => {
    const answers = await answersOf('--arrival-rps', '20');
    expect(answers.map(({ free, kind }) => `${free} ${kind}`)).toEqual(
      ['cost', 'accuracy', 'load', 'slo', 'robustness'].map((free) => `${free} found`),
    );
    expect(answers.map(({ certificate }) => certificate?.optimal)).toEqual([
      true,
      true,
      undefined,
      undefined,
      undefined,
    ]);
    const bestOf = (asked: string) => answers.find(({ free }) => free === asked)?.value ?? Number.NaN;
    const feasibleAt = async (arrivalRps: number, ...flags: string[]) =>
      (await run('plan', 'pipeline.yaml', '--no-verify', '--arrival-rps', String(arrivalRps), '--json', ...flags))
        .exitCode === 0;
    expect(await feasibleAt(bestOf('load'))).toBe(true);
    expect(await feasibleAt(1.02 * bestOf('load'))).toBe(false);
    expect(await feasibleAt(20, '--slo-ms', String(bestOf('slo')))).toBe(true);
    expect(await feasibleAt(20, '--slo-ms', String(0.98 * bestOf('slo')))).toBe(false);
    expect(await feasibleAt(20, '--service-factor', String(bestOf('robustness')))).toBe(true);
  });

  it('gives the same answers with any number of threads', async () => {
    const asked = ['--arrival-rps', '20', '--free', 'load', 'cost'];
    expect(await answersOf(...asked, '--threads', '1')).toEqual(await answersOf(...asked, '--threads', '3'));
  });

  it('writes CSV, JSON and a page, and continues from its results', async () => {
    const files = ['answers.csv', 'answers.json', 'report.html'];
    const flags = ['--no-verify', '--arrival-rps', '20', '--free', 'load', 'cost', '--results', 'results'];
    const written = () => files.map((file) => readFileSync(join(folder.path, 'results', file), 'utf8'));
    const first = await recommend(...flags);
    expect(first.stderr).toContain('recommend');
    const [csv, , page] = written();
    expect(csv?.split('\n')).toHaveLength(8);
    expect(page).toContain('Cost by load');
    const before = written();
    const again = await recommend(...flags);
    expect(again).toMatchObject({ exitCode: 0, stderr: '', stdout: first.stdout });
    expect(written()).toEqual(before);
  });

  it('says what would make a question feasible', async () => {
    const answers = await answersOf('--arrival-rps', '20', '--budget-cores', '1');
    expect(answers.map(({ kind }) => kind)).toEqual(['found', 'none', 'none', 'none', 'none']);
    expect(answers[1]).toMatchObject({ result: 'infeasible', proven: true, bindingConstraint: 'budget' });
    expect(answers[0]?.plan.predicted.cpuCores).toBe(2);
    const tight = await answersOf('--arrival-rps', '20', '--slo-ms', '8');
    expect(tight.find(({ free }) => free === 'slo')).toMatchObject({ kind: 'found', slo: { percentile: 99 } });
    const none = await recommend('--no-verify', '--arrival-rps', '20', '--slo-ms', '8', '--free', 'accuracy');
    expect(none.exitCode).toBe(1);
    expect(none.stdout).toContain('none: the latency target is too tight');
    expect(none.stdout).toMatch(/needs an SLO of \d+ ms or more/);
  });

  it('shows the trade-off of two free quantities', async () => {
    const asked = await recommend('--no-verify', '--json', '--arrival-rps', '60', '--free', 'accuracy', 'cost');
    const { answers: front, frontier } = documentOf(asked) as { answers: readonly Answer[]; frontier: object };
    expect(frontier).toEqual({ complete: true, omittedPoints: 0, toleranceFraction: expect.any(Number) });
    expect(front.length).toBeGreaterThan(1);
    expect(front.map(({ at }) => at?.free)).toEqual(front.map(() => 'cost'));
    const loads = await answersOf('--arrival-rps', '20', '--free', 'cost', 'load');
    const costs = loads.map(({ value }) => value);
    expect(loads.map(({ at }) => at?.value)).toEqual([5, 10, 20, 30, 40, 60]);
    expect(costs).toEqual([...costs].sort((a, b) => a - b));
  });

  it('plans and simulates for the routers of the file, as `plan` and `simulate` do', async () => {
    folder.write('routers.yaml', syntheticPipeline({ cpuCores: 6, spec: 'routers: 2' }));
    const flags = ['routers.yaml', '--arrival-rps', '20', '--json'];
    const answer = async (...free: string[]) =>
      (documentOf(await run('recommend', ...flags, '--free', ...free)) as { answers: readonly Routed[] }).answers;
    const [best] = await answer('accuracy');
    const same = documentOf(await run('plan', ...flags, '--objective', 'max-accuracy')) as { plan: Plan };
    expect(best?.plan).toEqual(same.plan);
    expect(same.plan.routers).toBe(2);
    folder.write('routers.json', JSON.stringify(same));
    const load = ['--duration-s', '100', '--seeds', '5'];
    const simulated = await run('simulate', ...flags, '--plan', 'routers.json', ...load);
    expect(best?.figures).toEqual((documentOf(simulated) as Routed).figures);
    const points = await answer('accuracy', 'cost');
    expect(points.map(({ plan }) => plan.routers)).toEqual(points.map(() => 2));
  });

  it('simulates its plans, with intervals', async () => {
    const ended = await recommend('--arrival-rps', '20', '--free', 'cost', '--out', 'answer.json');
    expect(ended.exitCode).toBe(0);
    expect(ended.stdout).toMatch(/│ cheapest +│ +2\.00 per hour │[\s\S]*\(\d+\.\d\d–100\.00\)/);
    const again = await recommend('--arrival-rps', '20', '--free', 'cost', '--json');
    expect(documentOf(again)).toMatchObject({ answers: [{ free: 'cost', verdict: 'met', plan: { verified: {} } }] });
  });

  it.each([
    [[], 'Name the load: --arrival-rps N'],
    [['--free', 'slo'], 'Only --free load does without'],
    [['--arrival-rps', '1', '--free', 'cost', 'load', 'slo'], 'expected one or two of cost, accuracy'],
    [['--arrival-rps', '1', '--free', 'cost', 'cost'], 'two different quantities'],
    [['--arrival-rps', '1', '--free', 'speed'], "'speed' is invalid"],
    [['--arrival-rps', '0'], 'above 0'],
    [['--arrival-rps', '1', '--accuracy-floor', '2'], 'a fraction from 0 to 1'],
  ])('refuses %o', async (flags, message) => {
    const refused = await recommend(...flags);
    expect(refused.stderr).toContain(message);
    expect(refused.exitCode).toBe(2);
  });
});
