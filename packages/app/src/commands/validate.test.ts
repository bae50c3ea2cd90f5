import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '@equipoise/core/model';
import { loadPipelineFile } from '@equipoise/pipeline-file';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { documentOf, syntheticPipeline, TestFolder } from '../equipoise.test-support.js';
import { equipoiseHere } from '../run-here.test-support.js';
import { unusableFiles } from './unusable-files.js';

const FIVE_MISTAKES = `apiVersion: equipoise.dev/v1alpha1
kind: InferencePipeline
metadata: { name: five }
spec:
  slo: { latencyMs: -5 }
  budgets: { cpuCores: 3 }
  objective: max-acuracy
  stages:
    - name: detect
      pins: { variant: smal }
      module: ./detect.js
      variants:
        - name: small
          accuracy: { value: 61 }
`;

const MISSING_FILES = `apiVersion: equipoise.dev/v1alpha1
kind: InferencePipeline
metadata: { name: missing-files }
spec:
  slo: { latencyMs: 500 }
  budget: { cpuCores: 3 }
  sources: [{ name: photo, datatype: UINT8, shape: [-1], samples: ./photos }]
  accuracyTable: ./accuracy.json
  evaluation: { module: ./evaluate.ts, data: ./labelled }
  stages:
    - name: detect
      module: ./detcet.ts
      variants:
        - { name: small, artifact: ./detect.js, accuracy: { value: 0.6 } }
        - { name: large, artifact: ./large.onnx, accuracy: { value: 0.7 } }
        - { name: remote, artifact: https://models.example/remote.onnx, accuracy: { value: 0.7 } }
    - name: classify
      module: npm:not-installed-stages/classify
      variants: [{ name: only, accuracy: { value: 0.6 } }]
`;

const UNUSABLE_FILES = `apiVersion: equipoise.dev/v1alpha1
kind: InferencePipeline
metadata: { name: unusable }
spec:
  slo: { latencyMs: 500 }
  sources: [{ name: text, datatype: BYTES, shape: [1], samples: ./texts }]
  evaluation: { module: ./score.mjs, data: ./labels }
  stages:
    - name: first
      module: ./picky.mjs
      variants: [{ name: good, artifact: ./good.bin, accuracy: { value: 0.6 } },
        { name: bad, artifact: ./bad.bin, accuracy: { value: 0.7 } }]
    - name: second
      module: ./nothing.mjs
      variants: [{ name: one, accuracy: { value: 0.6 } }, { name: two, accuracy: { value: 0.7 } }]
`;

const folder = new TestFolder();
const validate = (...args: string[]) => equipoiseHere(folder.path, 'validate', ...args);

beforeAll(() => {
  folder.write('five.yaml', FIVE_MISTAKES);
  folder.write('detect.js', '');
  folder.write('missing-files.yaml', MISSING_FILES);
  folder.write('valid.yaml', syntheticPipeline());
  folder.write('pins.yaml', syntheticPipeline({ detect: 'pins: { variant: lrage }' }));
});

afterAll(() => folder.remove());

describe('equipoise validate', () => {
  it('lists all mistakes of a file with line, column and suggestion', async () => {
    const ended = await validate('five.yaml', '--json');
    expect(ended).toMatchObject({ exitCode: 1, stderr: '' });
    const message = expect.any(String);
    expect(documentOf(ended)).toEqual({
      valid: false,
      problems: [
        { path: 'spec.slo.latencyMs', line: 5, column: 21, message },
        { path: 'spec.budgets', line: 6, column: 3, message, suggestion: 'budget' },
        { path: 'spec.objective', line: 7, column: 14, message, suggestion: 'max-accuracy' },
        { path: 'spec.stages[0].pins.variant', line: 10, column: 24, message, suggestion: 'small' },
        { path: 'spec.stages[0].variants[0].accuracy.value', line: 14, column: 30, message, suggestion: '0.61' },
      ],
    });
  });

  it('tells people the same, one line each', async () => {
    const { exitCode, stdout } = await validate('five.yaml');
    expect(exitCode).toBe(1);
    const lines = stdout.trimEnd().split('\n');
    expect(lines.map((line) => /^five\.yaml:\d+:\d+/.exec(line)?.[0])).toEqual([
      'five.yaml:5:21',
      'five.yaml:6:3',
      'five.yaml:7:14',
      'five.yaml:10:24',
      'five.yaml:14:30',
      undefined,
    ]);
    expect(lines[3]).toMatch(/unknown variant "smal".*; did you mean small\?$/);
    expect(lines.at(-1)).toBe('5 problems');
  });

  it('lists files and folders that do not exist', async () => {
    const [json, text] = await Promise.all([validate('missing-files.yaml', '--json'), validate('missing-files.yaml')]);
    const [photos, table, module, artifact] = ['photos', 'accuracy.json', 'detcet.ts', 'large.onnx'].map((name) =>
      join(folder.path, name),
    );
    const problem = (path: string, [line, column]: readonly [number, number], message: string) => ({
      path: `spec.${path}`,
      line,
      column,
      message,
    });
    expect(documentOf(json)).toEqual({
      valid: false,
      problems: [
        problem(
          'sources[0].samples',
          [7, 67],
          `The samples folder ./photos is not there: no file ${photos}. Create it or correct the path.`,
        ),
        problem(
          'accuracyTable',
          [8, 18],
          `The accuracy table ./accuracy.json is not there: no file ${table}. Create it or correct the path.`,
        ),
        problem(
          'evaluation.module',
          [9, 25],
          expect.stringMatching(/^The evaluation module \.\/evaluate\.ts is not there/),
        ),
        problem('evaluation.data', [9, 46], expect.stringMatching(/^The data folder \.\/labelled is not there/)),
        problem(
          'stages[0].module',
          [12, 15],
          `The module ./detcet.ts is not there: no file ${module}. Create it or correct the path.`,
        ),
        problem(
          'stages[0].variants[1].artifact',
          [15, 36],
          `The artifact ./large.onnx is not there: no file ${artifact}. Create it or correct the path.`,
        ),
        problem(
          'stages[1].module',
          [18, 15],
          `The package not-installed-stages is not installed where ${folder.path} can find it; run \`npm install not-installed-stages\` there.`,
        ),
      ],
    });
    expect(text).toMatchObject({ exitCode: 1, stdout: expect.stringMatching(/7 problems$/m) });
  });

  it('accepts a valid file', async () => {
    const [json, text] = await Promise.all([validate('valid.yaml', '--json'), validate('valid.yaml')]);
    expect(json).toMatchObject({ exitCode: 0, stderr: '' });
    expect(documentOf(json)).toEqual({ valid: true, problems: [] });
    expect(text).toMatchObject({ exitCode: 0, stdout: 'valid: pipeline synthetic with 2 stages and 3 variants\n' });
  });

  it('suggests the nearest name for an unknown variant, to every command that reads the file', async () => {
    const [checked, planned] = await Promise.all([
      validate('pins.yaml', '--json'),
      equipoiseHere(folder.path, 'plan', 'pins.yaml', '--arrival-rps', '1', '--json'),
    ]);
    const problem = expect.objectContaining({ path: 'spec.stages[0].pins.variant', suggestion: 'large' });
    expect(checked.exitCode).toBe(1);
    expect(documentOf(checked)).toEqual({ valid: false, problems: [problem] });
    expect(planned.exitCode).toBe(1);
    expect(documentOf(planned)).toMatchObject({
      error: { code: 'INVALID_PIPELINE', details: { problems: [problem] } },
    });
  });

  it('lists files that exist but cannot be used, each with its place and the fix', async () => {
    folder.write('unusable.yaml', UNUSABLE_FILES);
    for (const part of ['texts', 'labels']) mkdirSync(join(folder.path, part));
    folder.write('texts/one.json', '{"other": ["a"]}');
    folder.write('score.mjs', "process.stdout.write('noise'); process.exitCode = 7; export const score = () => 1;");
    folder.write('nothing.mjs', 'export const run = 1;');
    folder.write('good.bin', '');
    folder.write('bad.bin', '');
    const load =
      "if (artifactPath.endsWith('bad.bin')) throw new Error('no weights'); return { run: (batch) => batch };";
    folder.write('picky.mjs', `export const load = ({ artifactPath }) => { ${load} };`);
    const ended = await validate('unusable.yaml', '--json');
    expect(ended.exitCode).toBe(1);
    const problem = (path: string, line: number, message: RegExp) =>
      expect.objectContaining({ path: `spec.${path}`, line, message: expect.stringMatching(message) });
    expect(documentOf(ended)).toEqual({
      valid: false,
      problems: [
        problem('sources[0].samples', 6, /one\.json: its JSON has no tensor text.*\. Check the path/),
        problem('evaluation.module', 7, /does not export loadSamples; it needs/),
        problem('stages[0].variants[1].artifact', 12, /no weights.*\. Check that the artifact of the variant is valid/),
        problem('stages[1].module', 14, /nothing\.mjs does not export a function load; it exports run\./),
      ],
    });
  });

  it('reads the labels of an evaluation without a module', async () => {
    mkdirSync(join(folder.path, 'unlabelled'));
    const text = UNUSABLE_FILES.replace(/module: \.\/score\.mjs, data: .* }/, 'metric: accuracy, data: ./unlabelled }');
    folder.write('unlabelled.yaml', text.replace(', samples: ./texts', '').replace(/ {4}- name: second.*/s, ''));
    const found = documentOf(await validate('unlabelled.yaml', '--json')) as { problems: unknown[] };
    expect(found.problems[0]).toMatchObject({
      path: 'spec.evaluation.data',
      message: expect.stringMatching(/has neither labels\.json nor labels\.csv.*Check the path/),
    });
  });

  it('ends at the first variant that does not load in time', async () => {
    folder.write('slow.yaml', UNUSABLE_FILES.replace(/^ {2}(sources|evaluation):.*\n/gm, ''));
    const read = await loadPipelineFile(join(folder.path, 'slow.yaml'));
    if (read.kind === 'invalid') throw new Error(JSON.stringify(read.problems));
    const launch = vi.fn(async () => {
      throw new AppError('MODEL_LOAD_FAILED', 'late', { details: { launchTimeoutMs: 1 } });
    });
    const path = ['spec', 'stages', 0, 'variants', 0, 'artifact'];
    expect(await unusableFiles(read.spec, { launch })).toEqual([
      expect.objectContaining({
        path,
        message: expect.stringMatching(/^late\. .* The variants after it were not loaded/),
      }),
    ]);
    expect(launch).toHaveBeenCalledTimes(1);
  });

  it('exits with 3 if a compiled module cannot be written', async () => {
    mkdirSync(join(folder.path, 'full'));
    folder.write('full/.equipoise', 'no folder');
    folder.write('full/stage.ts', 'export const load = () => ({ run: (batch: unknown) => batch });');
    const stages = UNUSABLE_FILES.replace(/^ {2}(sources|evaluation):.*\n/gm, '').replace(/ {4}- name: second.*/s, '');
    folder.write('full/pipeline.yaml', stages.replace('picky.mjs', 'stage.ts').replace(/artifact: \S+/g, ''));
    const ended = await validate('full/pipeline.yaml', '--json');
    expect(ended.exitCode).toBe(3);
    expect(documentOf(ended)).toMatchObject({ error: { code: 'STORE_FAILED' } });
  });

  it('draws a pipeline as text, as a Mermaid diagram and as a picture', async () => {
    const page = readFileSync(new URL('../../../../docs/guide/branches.md', import.meta.url), 'utf8');
    const cascade = /```yaml\n(apiVersion.*?)```/s.exec(page)?.[1]?.replace(/\.\/\w+\.ts/g, './stage.mjs') ?? '';
    folder.write('stage.mjs', 'export const load = () => ({ run: (batch) => batch });');
    folder.write('cascade.yaml', cascade);
    const text = await validate('cascade.yaml', '--graph', 'text');
    expect(text.stdout.split('\n')).toEqual([
      'pipeline cascade',
      '  source image: image UINT8 [112, 112]',
      '    → small',
      '  stage small: tiny 0.81',
      '    → large: if output.confidence < 0.8 (30 %)',
      '    → answer: label; unless large ran',
      '  stage large: deep 0.93',
      '    → answer: label',
      '',
    ]);
    const mermaid = documentOf(await validate('cascade.yaml', '--graph', 'mermaid', '--json'));
    expect(mermaid).toMatchObject({
      valid: true,
      problems: [],
      graph: expect.stringContaining('n1["small<br/>tiny 0.81"]\n'),
    });
    expect(mermaid).toMatchObject({
      graph: expect.stringContaining('n1 -->|"if output.confidence #60; 0.8 (30 %)"| n2'),
    });
    const drawn = await validate('cascade.yaml', '--graph', 'svg', '--out', 'cascade.svg');
    expect(drawn.stdout).toMatch(/^valid: .*\ndrawn in cascade\.svg\n$/);
    const svg = readFileSync(join(folder.path, 'cascade.svg'), 'utf8');
    expect(svg.match(/<rect x=/g)).toHaveLength(4);
    expect(svg).toContain('>if output.confidence &#60; 0.8 (30 %)</text>');
    expect((await validate('cascade.yaml', '--out', 'x.svg')).exitCode).toBe(2);
    const constant = 'constant: { datatype: FP32, shape: [], data: [0.5] }';
    const inputs = `inputs: [{ name: crop }, { name: photo, from: source.image }, { name: least, ${constant} }]`;
    folder.write('inputs.yaml', cascade.replace('      when:', `      ${inputs}\n      when:`));
    expect((await validate('inputs.yaml', '--graph', 'text')).stdout).toContain(
      '→ large: if output.confidence < 0.8 (30 %); passes crop, source.image as photo, least (constant)',
    );
  });

  it('draws and counts a combine stage', async () => {
    const member = (name: string) =>
      `    - { name: ${name}, variants: [{ name: v, accuracy: { value: 0.5 }, profile: [{ cpuCores: 1, batchSize: 1, meanMs: 5 }] }] }\n`;
    const head = 'apiVersion: equipoise.dev/v1alpha1\nkind: InferencePipeline\nmetadata: { name: vote }\n';
    const spec = `spec:\n  slo: { latencyMs: 50 }\n  sources: [{ name: x, datatype: FP32, shape: [1] }]\n  stages:\n${member('a')}${member('b')}`;
    const combine = '    - { name: both, combine: { method: concatenation, tensor: x, output: y } }\n';
    folder.write('vote.yaml', `${head}${spec}${combine}  edges: [{ from: a, to: both }, { from: b, to: both }]\n`);
    const text = await validate('vote.yaml', '--graph', 'text');
    expect(text.stdout).toContain('    → both\n  combine both: concatenation of x as y\n    → answer\n');
    const mermaid = await validate('vote.yaml', '--graph', 'mermaid');
    expect(mermaid.stdout).toContain('n3{{"both<br/>concatenation of x as y"}}');
    expect((await validate('vote.yaml')).stdout).toBe('valid: pipeline vote with 3 stages and 2 variants\n');
  });

  it('draws line breaks and control characters in names as spaces', async () => {
    const source = 'sources: [{ name: in, tensors: [{ name: "a\\n\\x01b", datatype: FP32, shape: [1] }] }]';
    folder.write('breaks.yaml', syntheticPipeline().replace('  stages:', `  ${source}\n  stages:`));
    for (const format of ['text', 'mermaid', 'svg'])
      expect((await validate('breaks.yaml', '--graph', format)).stdout).toContain('a b FP32 [1]');
  });

  it('prints a drawing alone on stdout: warnings and problems go to stderr', async () => {
    folder.write(
      'warned.yaml',
      syntheticPipeline().replace('{ value: 0.8 }', '$&\n          resources: { cpuCores: [1, 2] }'),
    );
    const warning = expect.stringMatching(/^warning warned\.yaml:\d+:\d+ spec.*: no profile point for 2 cores.*\n$/);
    const [drawn, checked, wrong] = await Promise.all([
      validate('warned.yaml', '--graph', 'svg'),
      validate('warned.yaml'),
      validate('five.yaml', '--graph', 'svg'),
    ]);
    expect(drawn).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^<svg /), stderr: warning });
    expect(checked).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^valid: .*\n$/), stderr: warning });
    expect(wrong).toMatchObject({ exitCode: 1, stdout: '', stderr: expect.stringMatching(/5 problems\n$/) });
  });

  it('names the path of a missing file', async () => {
    const path = join(folder.path, 'missing.yaml');
    const [json, text] = await Promise.all([validate('missing.yaml', '--json'), validate('missing.yaml')]);
    expect(json).toMatchObject({ exitCode: 3, stderr: '' });
    expect(documentOf(json)).toEqual({
      error: {
        code: 'FILE_NOT_FOUND',
        message: `pipeline file not found: ${path}`,
        details: { path },
        docs: 'docs/reference/errors.md#file_not_found',
      },
    });
    expect(text).toMatchObject({ exitCode: 3, stdout: '' });
    expect(text.stderr).toContain(path);
    expect(text.stderr).toContain('Check the path');
  });
});
