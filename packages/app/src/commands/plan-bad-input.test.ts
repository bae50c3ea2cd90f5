import { afterAll, describe, expect, it } from 'vitest';
import { type SyntheticPipeline, syntheticPipeline, TestFolder } from '../equipoise.test-support.js';
import { planned } from './plan.test-support.js';

const folder = new TestFolder();
/** CPU time does not depend on other load. */
const PROMPT_CPU_MS = 5_000;

interface Case {
  readonly over?: SyntheticPipeline;
  readonly replace?: readonly [string, string];
  readonly flags?: readonly string[];
}

async function answerTo({ over, replace = ['', ''], flags = [] }: Case) {
  folder.write('pipeline.yaml', syntheticPipeline(over).replaceAll(...replace));
  const started = process.cpuUsage();
  const answer = await planned(folder.path, ['pipeline.yaml'], '--arrival-rps', '10', ...flags);
  expect(process.cpuUsage(started).user / 1000).toBeLessThan(PROMPT_CPU_MS);
  return answer;
}

afterAll(() => folder.remove());

describe('plan, asked the impossible, says what is wrong', () => {
  const PROFILE = 'profile: [{ cpuCores: 1, batchSize: 1, meanMs: 4, p99Ms: 5 }]';
  const first = (fields: string): readonly [string, string] => [
    PROFILE,
    `profile: [{ cpuCores: 1, batchSize: 1, ${fields} }]`,
  ];

  it.each([
    ['a variant without profile', { replace: [PROFILE, ''] }, 'INVALID_PIPELINE', 'profile'],
    ['a mean that is no number', { replace: first('meanMs: .nan') }, 'INVALID_PIPELINE', 'meanMs'],
    ['an infinite mean', { replace: first('meanMs: .inf') }, 'INVALID_PIPELINE', 'meanMs'],
    ['a negative mean', { replace: first('meanMs: -4') }, 'INVALID_PIPELINE', 'meanMs'],
    ['a mean of 0', { replace: first('meanMs: 0') }, 'INVALID_PIPELINE', 'meanMs'],
    ['a p99 below the mean', { replace: first('meanMs: 5, p99Ms: 4') }, 'INVALID_PIPELINE', 'p99Ms'],
    ['a negative accuracy', { replace: ['value: 0.8', 'value: -0.8'] }, 'INVALID_PIPELINE', 'accuracy'],
    ['a negative budget', { over: { cpuCores: -1 } }, 'INVALID_PIPELINE', 'cpuCores'],
    ['an SLO of 0', { over: { latencyMs: 0 } }, 'INVALID_PIPELINE', 'latencyMs'],
  ] as readonly [string, Case, string, string][])('%s', async (_, bad, code, field) => {
    const answer = await answerTo(bad);
    expect(answer).toMatchObject({ exitCode: 1, document: { error: { code } }, text: expect.stringContaining(field) });
  });

  it.each([
    ['no load', '--arrival-rps', '0'],
    ['a negative load', '--arrival-rps', '-1'],
    ['a load that is no number', '--arrival-rps', 'NaN'],
    ['an infinite load', '--arrival-rps', 'Infinity'],
    ['no budget at all', '--budget-cores', '0'],
    ['a negative SLO', '--slo-ms', '-3'],
  ])('%s', async (_, ...flags) => {
    expect(await answerTo({ flags })).toMatchObject({
      exitCode: 2,
      document: { error: { code: 'WRONG_USAGE' } },
      text: expect.stringContaining('Expected a number'),
    });
  });
});

describe('plan, asked too much, says what would help', () => {
  it('a budget of 0 in the file', async () => {
    const { exitCode, document } = await answerTo({ over: { cpuCores: 0 } });
    expect(exitCode).toBe(1);
    expect(JSON.stringify(document)).toMatch(/cpuCores/);
  });

  it('a budget that is too small for one replica a stage', async () => {
    expect(await answerTo({ flags: ['--budget-cores', '0.05'] })).toMatchObject({
      exitCode: 1,
      document: { kind: 'infeasible', proven: true, bindingConstraint: 'budget', fixes: { budget: { cpuCores: 2 } } },
    });
  });

  it('an SLO below the fastest service time', async () => {
    expect(await answerTo({ flags: ['--slo-ms', '1'] })).toMatchObject({
      exitCode: 1,
      document: {
        kind: 'infeasible',
        proven: true,
        bindingConstraint: 'slo',
        fixes: { slo: { latencyMs: expect.any(Number) } },
      },
    });
  });

  it('an SLO and a budget that are both too tight', async () => {
    const { exitCode, document, text } = await answerTo({ flags: ['--slo-ms', '1', '--budget-cores', '0.05'] });
    expect(exitCode).toBe(1);
    expect(document).toMatchObject({ kind: 'infeasible', bindingConstraint: 'several-limits', fixes: {} });
    expect(text).toContain('several limits together are too tight');
    expect(text).toContain('change the latency target, the budget and any accuracy floor together');
    expect(text).not.toContain('allow more replicas');
  });

  it('a load that nothing carries', async () => {
    const { exitCode, document, text } = await answerTo({ flags: ['--arrival-rps', '1e9'] });
    expect(exitCode).toBe(1);
    expect(document).toMatchObject({
      kind: 'infeasible',
      proven: true,
      bindingConstraint: 'capacity',
      bestEffort: { predicted: { latencyMs: null, capacityRps: expect.any(Number) } },
    });
    expect(text).toContain('the allowed replicas cannot carry the load');
    expect(text).toMatch(
      /allow more replicas \(bounds\.replicas\.max\).* or plan for less than the \d+\.\d rps that the plan/,
    );
  });

  it('hardly any load gets the smallest plan', async () => {
    expect(await answerTo({ flags: ['--arrival-rps', '1e-9'] })).toMatchObject({
      exitCode: 0,
      document: { kind: 'feasible', plan: { predicted: { cpuCores: 2 } } },
    });
  });
});
