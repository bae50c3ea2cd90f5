import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { documentOf, syntheticPipeline, TestFolder } from '../equipoise.test-support.js';
import { equipoiseHere } from '../run-here.test-support.js';

const folder = new TestFolder();
const evaluate = (...args: string[]) => equipoiseHere(folder.path, 'evaluate', ...args);

const pipeline = (evaluation: string) => `apiVersion: equipoise.dev/v1alpha1
kind: InferencePipeline
metadata: { name: parity }
spec:
  slo: { latencyMs: 100 }
  ${evaluation}
  stages:
    - name: parity
      module: ./parity.mjs
      variants:
        - { name: even, accuracy: { value: 0.5 }, parameters: { answer: 0 } }
        - { name: odd, accuracy: { value: 0.5 }, parameters: { answer: 1 } }
    - { name: same, kind: transform, module: ./parity.mjs, variants: [{ name: only }] }
`;

const PARITY = `export const load = ({ parameters: { answer } }) => ({
  run: (batch) => batch.map((item) => (answer === undefined ? item : { parity: { datatype: 'INT32', shape: [1], data: Int32Array.of(answer) } })),
});`;

/** One sample in four is even. */
const SCORE = `import { parityOf, type Labelled } from './part.js';
console.log('a line of the owner');
export const loadSamples = (dataDir: string) => [1, 2, 3, 5].map((n) => ({
  inputs: { n: { datatype: 'INT32', shape: [1], data: Int32Array.of(n) } }, label: parityOf(n),
}));
export const score = (samples: Labelled[]): number =>
  samples.filter(({ outputs, label }) => outputs['parity']?.data[0] === label).length / samples.length;`;

const PART = `export interface Labelled { outputs: Record<string, { data: Int32Array }>; label: number }
export const parityOf = (n: number): number => n % 2;`;

beforeAll(() => {
  mkdirSync(join(folder.path, 'data'));
  folder.write('pipeline.yaml', pipeline('evaluation: { module: ./score.ts, data: ./data }'));
  folder.write('parity.mjs', PARITY);
  folder.write('score.ts', SCORE);
  folder.write('part.ts', PART);
});

afterAll(() => folder.remove());

describe('equipoise evaluate', () => {
  // The first import of the module: the module prints while it is imported.
  it('keeps what the module prints out of the document, and takes the first samples alone', async () => {
    const ended = await evaluate('pipeline.yaml', '--samples', '1', '--json');
    expect(ended.stderr).toContain('a line of the owner\n');
    expect(documentOf(ended)).toEqual({
      stageRuns: 4,
      combinations: [
        {
          variants: { parity: 'even', same: 'only' },
          accuracy: 0,
          confidence95: [0, expect.closeTo(0.793, 3)],
          samples: 1,
          measured: true,
        },
        {
          variants: { parity: 'odd', same: 'only' },
          accuracy: 1,
          confidence95: [expect.closeTo(0.207, 3), 1],
          samples: 1,
          measured: true,
        },
      ],
    });
  });

  it('writes the shares of a branch behind each variant, and prints them', async () => {
    const cascade = `  edges: [{ from: parity, to: same, when: { condition: 'output.parity[0] == 1', probability: 0.5 } }]
  outputs: [{ from: parity, unless: same }, { from: same }]
`;
    folder.write('cascade.yaml', `${pipeline('evaluation: { module: ./score.ts, data: ./data }')}${cascade}`);
    const { stdout } = await evaluate('cascade.yaml', '--out', 'shares.json');
    expect(stdout).toContain('parity (odd) → same: taken by 1.000 of 4 outputs');
    const of = { from: 'parity', to: 'same', outputs: 4 };
    expect(JSON.parse(readFileSync(join(folder.path, 'shares.json'), 'utf8')).shares).toEqual([
      { ...of, variant: 'even', probability: 0 },
      { ...of, variant: 'odd', probability: 1 },
    ]);
  });

  it('prints the combinations, best first, by the stages that have a choice', async () => {
    const { exitCode, stdout } = await evaluate('pipeline.yaml');
    expect(exitCode).toBe(0);
    const rows = stdout.split('\n').filter((line) => line.startsWith('│'));
    expect(rows[0]).toMatch(/^│ parity +│ +accuracy +│ +95 % interval +│$/);
    expect(rows[1]).toMatch(/^│ odd +│ +0\.750 +│ 0\.2\d\d to 0\.9\d\d +│$/);
    expect(rows[2]).toMatch(/^│ even +│ +0\.250 +│ 0\.0\d\d to 0\.\d{3} +│$/);
    expect(stdout).toMatch(/\n4 samples, 16 stage runs\n$/);
  });

  it('scores files that are labelled in a list by a metric, without a module', async () => {
    const text = pipeline(
      'sources: [{ name: in, tensors: [{ name: n, datatype: INT32, shape: [1] }] }]\n  evaluation: { metric: f1, positive: odd, classes: [even, odd], data: ./listed }',
    );
    folder.write('metric.yaml', text);
    mkdirSync(join(folder.path, 'listed'));
    folder.write('listed/labels.csv', 'file,label\na.json,odd\nb.json,even\nc.json,odd\n');
    for (const [name, n] of Object.entries({ a: 1, b: 2, c: 3 })) folder.write(`listed/${name}.json`, `{"n": [${n}]}`);
    const ended = await evaluate('metric.yaml', '--json');
    // Always odd: both odd files right, one false answer. Always even: no odd file right.
    expect(documentOf(ended)).toMatchObject({ combinations: [{ accuracy: 0, samples: 3 }, { accuracy: 0.8 }] });
    folder.write('metric.yaml', text.replace('metric: f1', 'output: pairity, metric: f1'));
    expect(documentOf(await evaluate('metric.yaml', '--samples', '1', '--out', 'kept.json', '--json'))).toMatchObject({
      error: {
        code: 'INVALID_PIPELINE',
        message: 'Sample 1: The tensor of spec.evaluation.output is not in the answer, which has parity.',
      },
    });
    expect(existsSync(join(folder.path, 'kept.json.answers'))).toBe(true);
    folder.write('metric.yaml', text);
    expect((await evaluate('metric.yaml', '--samples', '1', '--out', 'kept.json')).exitCode).toBe(0);
    expect(readdirSync(folder.path).filter((name) => name.startsWith('kept'))).toEqual(['kept.json']);
  });

  it.each([
    ['', [], 'INVALID_PIPELINE', 1, 'Add the field spec.evaluation, such as evaluation: { metric:'],
    ['evaluation: { module: ./score.ts, data: ./none }', [], 'FILE_NOT_FOUND', 3, '/none. Name the folder'],
    [
      'evaluation: { module: ./score.ts, data: ./data }',
      ['--data', 'score.ts'],
      'FILE_NOT_FOUND',
      3,
      '/score.ts. Name the',
    ],
    ['evaluation: { module: ./none.ts, data: ./data }', [], 'FILE_NOT_FOUND', 3, 'The module ./none.ts is not there'],
    [
      'evaluation: { module: ./part.ts, data: ./data }',
      [],
      'MODULE_INVALID',
      3,
      'does not export loadSamples and score',
    ],
    [
      'evaluation: { module: ./score.ts, data: ./data }',
      ['--out', 'data'],
      'STORE_FAILED',
      3,
      'data cannot be written: it is',
    ],
    [
      'evaluation: { module: ./score.ts, data: ./data }',
      ['--out', 'score.ts/x.json'],
      'STORE_FAILED',
      3,
      'cannot be written',
    ],
  ])('says what is wrong: %s %j', async (evaluation, flags, code, exitCode, message) => {
    folder.write('wrong.yaml', pipeline(evaluation));
    const ended = await evaluate('wrong.yaml', ...flags, '--json');
    expect(ended.exitCode).toBe(exitCode);
    expect(documentOf(ended)).toMatchObject({ error: { code, message: expect.stringContaining(message) } });
  });

  it('searches with the costs of the profile, and says what it dropped', async () => {
    const profile = 'profile: [{ cpuCores: 1, batchSize: 1, meanMs: 1, p99Ms: 1 }]';
    const priced = pipeline('evaluation: { module: ./score.ts, data: ./data }')
      .replaceAll('parameters:', `resources: { cpuCores: 1, memoryBytes: 1 }, ${profile}, parameters:`)
      .replace('{ name: only }', `{ name: only, resources: { cpuCores: 1, memoryBytes: 1 }, ${profile} }`);
    folder.write('priced.yaml', priced);
    const ended = await evaluate('priced.yaml', '--arrival-rps', '1-2', '--confidence', '0.5', '--json');
    expect(documentOf(ended)).toMatchObject({
      combinations: [
        { verdict: 'dropped', droppedFor: { parity: 'odd', same: 'only' } },
        { verdict: 'kept', accuracy: 0.75 },
      ],
    });
    const { stdout } = await evaluate('priced.yaml', '--budget', '100', '--confidence', '0.5');
    expect(stdout).toMatch(/│ even .*│ +4 │ dropped for odd +│/);
    const unprofiled = await evaluate('pipeline.yaml', '--budget', '100', '--json');
    expect(documentOf(unprofiled)).toMatchObject({ error: { code: 'PROFILE_MISSING' } });
    expect((await evaluate('priced.yaml', '--arrival-rps', '5-2')).exitCode).toBe(2);
  });

  it('does not score stages without code', async () => {
    const spec = 'evaluation: { module: ./score.ts, data: ./data }';
    folder.write('synthetic.yaml', syntheticPipeline({ spec }));
    const ended = await evaluate('synthetic.yaml', '--json');
    expect(ended.exitCode).toBe(1);
    expect(documentOf(ended)).toMatchObject({
      error: {
        code: 'INVALID_PIPELINE',
        message: expect.stringContaining('The stage detect of synthetic.yaml has neither a module nor servers'),
      },
    });
  });

  it('writes a page of the combinations', async () => {
    expect(await evaluate('pipeline.yaml', '--report', 'page.html')).toMatchObject({ exitCode: 0 });
    const page = readFileSync(join(folder.path, 'page.html'), 'utf8');
    expect(page).toContain('<h1>Evaluation of parity</h1>');
    expect(page).toMatch(/<td>odd<\/td><td class="number"><span>0\.750<\/span>/);
  });
});
