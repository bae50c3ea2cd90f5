import { existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadPipelineFile } from '@equipoise/pipeline-file';
import { labelledFiles, loadPipelineSamples } from '@equipoise/runtime';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { documentOf, type Ended, TestFolder } from '../../equipoise.test-support.js';
import { equipoiseHere } from '../../run-here.test-support.js';
import { shellWord } from '../../terminal/own-command.js';
import { type FoundModel, modelPipeline } from './model-pipeline.js';

const folder = new TestFolder();
const run = (...args: string[]) => equipoiseHere(folder.path, ...args);
const program = fileURLToPath(new URL('../../../bin/equipoise', import.meta.url));
const command = shellWord(program);
const number = expect.any(Number);
const interval = [number, number];

afterAll(() => folder.remove());

describe('equipoise init', () => {
  let written: Ended;

  beforeEach(() => {
    vi.stubEnv('PATH', '');
  });

  afterEach(() => {
    vi.unstubAllEnvs();
  });

  beforeAll(async () => {
    vi.stubEnv('PATH', '');
    written = await run('init', 'mine', '--json');
  });

  it('writes a pipeline and says what comes next', () => {
    expect(written).toMatchObject({ exitCode: 0, stderr: '' });
    const { files } = documentOf(written) as { readonly files: readonly string[] };
    expect(documentOf(written)).toEqual({
      folder: join(folder.path, 'mine'),
      files,
      next: [
        `${command} profile mine/pipeline.yaml --quick`,
        `${command} plan mine/pipeline.yaml --arrival-rps 50`,
        `${command} serve mine/pipeline.yaml`,
        expect.stringMatching(/^curl .* http:\/\/127\.0\.0\.1:8080\/v1\/pipelines\/language\/run$/),
      ],
    });
    expect(files).toContain('pipeline.yaml');
    for (const file of files) expect(existsSync(join(folder.path, 'mine', file))).toBe(true);
  });

  it('names a command that runs where the user is: by its path, or by npx if it is installed there', async () => {
    const header = (path: string) => readFileSync(join(folder.path, path, 'pipeline.yaml'), 'utf8').split('\n')[1];
    expect(existsSync(program)).toBe(true);
    expect(header('mine')).toContain(`#   ${command} profile pipeline.yaml --quick `);
    const bin = join(folder.path, 'project', 'node_modules', '.bin');
    mkdirSync(bin, { recursive: true });
    symlinkSync(program, join(bin, 'equipoise'));
    const firstOf = async (cwd: string, name: string) => {
      const { next } = documentOf(await equipoiseHere(cwd, 'init', name, '--json')) as { readonly next: string[] };
      return next[0];
    };
    expect(await firstOf(join(folder.path, 'project'), 'own')).toBe('npx equipoise profile own/pipeline.yaml --quick');
    vi.stubEnv('PATH', bin);
    expect(await firstOf(folder.path, 'by-npx')).toBe(`${command} profile by-npx/pipeline.yaml --quick`);
    symlinkSync(program, join(folder.path, 'equipoise'));
    vi.stubEnv('PATH', folder.path);
    expect(await firstOf(folder.path, 'on-path')).toBe('equipoise profile on-path/pipeline.yaml --quick');
    expect(header('project/own')).toContain('#   npx equipoise profile pipeline.yaml --quick ');
  });

  it.each([
    ['/opt/equipoise/bin/equipoise', '/opt/equipoise/bin/equipoise'],
    ['/my tools/equipoise', "'/my tools/equipoise'"],
    ["/Ann's tools/equipoise", "'/Ann'\\''s tools/equipoise'"],
  ])('quotes paths for a shell: %s', (path, word) => {
    expect(shellWord(path)).toBe(word);
  });

  it('quotes the folder', async () => {
    const { next } = documentOf(await run('init', 'my pipeline', '--json')) as { readonly next: string[] };
    expect(next[2]).toMatch(/ serve 'my pipeline\/pipeline\.yaml'$/);
  });

  it('overwrites nothing', async () => {
    const ended = await run('init', 'mine', '--json');
    expect(ended.exitCode).toBe(2);
    expect(documentOf(ended)).toMatchObject({
      error: { code: 'WRONG_USAGE', message: expect.stringMatching(/mine is not empty; .*init mine-2/) },
    });
  });

  it('--python writes the pipeline of the example with a stage in Python', async () => {
    const { files, next } = documentOf(await run('init', 'py', '--python', '--json')) as Record<
      'files' | 'next',
      string[]
    >;
    expect(files).toContain('stages/mood.py');
    expect(next[3]).toContain("--data 'not good' http://127.0.0.1:8080/v1/pipelines/mood/run");
    const read = await loadPipelineFile(join(folder.path, 'py/pipeline.yaml'));
    expect(read).toMatchObject({ kind: 'valid', spec: { name: 'mood' } });
    expect((await run('init', 'both', '--python', '--server', 'http://x')).exitCode).toBe(2);
  });

  it('says what is wrong with a folder that is a file', async () => {
    folder.write('file', '');
    const ended = await run('init', 'file', '--json');
    expect(ended.exitCode).toBe(3);
    expect(documentOf(ended)).toMatchObject({
      error: { code: 'STORE_FAILED', message: expect.stringContaining('file') },
    });
  });
});

describe('the written pipeline', () => {
  const pipeline = 'fresh/pipeline.yaml';
  const readJson = (path: string): unknown => JSON.parse(readFileSync(join(folder.path, path), 'utf8'));

  beforeAll(async () => {
    await run('init', 'fresh');
  });

  it('is valid', async () => {
    expect(documentOf(await run('validate', pipeline, '--json'))).toEqual({ valid: true, problems: [] });
  });

  it('is evaluated, and planned by what was measured', async () => {
    const evaluated = await run('evaluate', pipeline, '--data', 'fresh/data', '--out', 'fresh/accuracy.json', '--json');
    expect(evaluated.exitCode).toBe(0);
    expect(evaluated.stderr).toMatch(/^evaluating \d+\/20, \d+ s left: /m);
    const table = {
      combinations: [
        {
          variants: { words: 'split', language: 'few-words' },
          accuracy: 0.75,
          confidence95: interval,
          samples: 20,
          measured: true,
        },
        {
          variants: { words: 'split', language: 'many-words' },
          accuracy: 1,
          confidence95: [expect.closeTo(0.839, 3), 1],
          samples: 20,
          measured: true,
        },
      ],
    };
    expect(documentOf(evaluated)).toEqual({ ...table, stageRuns: 60 });
    expect(readJson('fresh/accuracy.json')).toEqual(table);

    const text = readFileSync(join(folder.path, pipeline), 'utf8');
    folder.write('fresh/measured.yaml', text.replace('\nspec:\n', '\nspec:\n  accuracyTable: ./accuracy.json\n'));
    expect(documentOf(await run('validate', 'fresh/measured.yaml', '--json'))).toEqual({ valid: true, problems: [] });
  });
});

describe('a pipeline for models', () => {
  const types = (text: string) =>
    text.split(' ').map((type) => {
      const [name = '', datatype, shape] = type.split(':') as [string, 'FP32' | 'INT64' | 'BOOL' | 'BYTES', string];
      return { name, datatype, shape: JSON.parse(shape) as number[] };
    });
  const model = (name: string, inputs: string, outputs: string, batches = true): FoundModel => ({
    name,
    origin: `${name}.onnx`,
    inputs: types(inputs),
    outputs: types(outputs),
    batches,
    fields: [`artifact: ./${name}.onnx`],
  });
  const detect = ['detect-s', 'detect-m'].map((name) => model(name, 'image:FP32:[1,4,4]', 'crop:FP32:[2]'));
  const label = model('label', 'crop:FP32:[-1]', 'label:BYTES:[1]', false);
  const filesOf = (...models: FoundModel[]) =>
    modelPipeline('/pipelines/my own', { models, stageFields: ['module: npm:m/stage'], anySize: 2 }).files;
  const written = async (name: string, ...models: FoundModel[]) => {
    const files = Object.entries(filesOf(...models));
    for (const part of ['samples', 'data']) mkdirSync(join(folder.path, name, part), { recursive: true });
    for (const [path, text] of files) folder.write(join(name, path), text);
    const result = await loadPipelineFile(join(folder.path, name, 'pipeline.yaml'));
    if (result.kind === 'invalid') throw new Error(JSON.stringify(result.problems));
    return result.spec;
  };

  it('has equal models as variants of a stage, and a fitting model as the next stage', async () => {
    const spec = await written('chain', ...detect, label, { ...label, origin: 'copy/label.onnx' });
    expect(spec).toMatchObject({
      name: 'my-own',
      edges: [{ from: 'detect', to: 'label' }],
      sources: [{ tensors: [{ name: 'image', datatype: 'FP32', shape: [1, 4, 4] }] }],
      outputs: [{ from: 'label', types: [{ name: 'label', datatype: 'BYTES', shape: [1] }] }],
    });
    expect(spec.stages).toMatchObject([
      { id: 'detect', module: 'npm:m/stage', variants: [{ id: 'detect-s', artifact: './detect-s.onnx' }, {}] },
      { id: 'label', bounds: { batchSizes: [1] }, variants: [{ id: 'label' }, { id: 'label-2' }] },
    ]);
    expect(loadPipelineSamples(spec).samples).toHaveLength(4);
  });

  it('has samples of every type, which are the same each time', async () => {
    const tokens = model('tokens', 'ids:INT64:[-1] mask:BOOL:[-1,3] text:BYTES:[1] scale:FP32:[]', 'y:FP32:[1]');
    const spec = await written('types', tokens);
    const { samples } = loadPipelineSamples(spec);
    expect(samples[0]?.inputs).toMatchObject({ ids: { shape: [2] }, mask: { shape: [2, 3] }, scale: { shape: [] } });
    expect(filesOf(tokens)).toEqual(filesOf(tokens));
  });

  it('reads names of models, files and tensors as text, whatever they contain', async () => {
    const output = 'y` */ " } # {';
    const x = types('x:FP32:[2]')[0] as FoundModel['inputs'][number];
    const odd = {
      ...model('odd', 'y:FP32:[2]', 'y:FP32:[2]'),
      origin: 'odd\nspec: [.onnx',
      inputs: [{ ...x, name: '__proto__' }],
      outputs: [{ ...x, name: output, shape: [-1, -1] }],
    };
    const spec = await written('odd', odd);
    expect(spec.outputs).toMatchObject([{ types: [{ name: output }] }]);
    expect(spec.evaluation).toEqual({ dataPath: './data', metric: { kind: 'accuracy', output } });
    folder.write('odd/data/one.json', '{"__proto__": [1, 2]}');
    folder.write('odd/data/labels.json', '[{ "file": "one.json", "label": 0 }]');
    const [sample] = await labelledFiles(spec, join(folder.path, 'odd/data'));
    expect(Object.entries(sample?.inputs ?? {})).toEqual([['__proto__', expect.objectContaining({ shape: [2] })]]);
  });

  it('declares the outputs of its last stage, with the dimensions and sizes that are known', async () => {
    const mixed = model('mixed', 'x:FP32:[2]', 'scores:FP32:[3] label:INT64:[]');
    const scores = { name: 'scores', datatype: 'FP32', shape: [3] };
    expect((await written('known', mixed)).outputs).toEqual([{ from: 'mixed', types: [scores] }]);
    const learned = await written('learned', { ...mixed, learnedSizes: true });
    expect(learned.outputs).toEqual([{ from: 'mixed', types: [{ ...scores, shape: [-1] }] }]);
    const { outputs } = await written('bare', model('bare', 'x:FP32:[2]', 'label:INT64:[]'));
    expect(outputs).toEqual([{ from: 'bare' }]);
  });

  it.each([
    [
      'another type',
      [...detect, model('b', 'crop:INT64:[2]', 'y:FP32:[1]')],
      /b\.onnx is neither a variant of detect-s\.onnx nor .* needs crop INT64 \[2\], but detect-s\.onnx gives crop FP32 \[2\]/,
    ],
    ['another size', [...detect, model('b', 'crop:FP32:[3]', 'y:FP32:[1]')], /needs crop FP32 \[3\]/],
    ['too many inputs', [...detect, model('b', 'crop:FP32:[2] c:BOOL:[1]', 'y:FP32:[1]')], /needs c BOOL \[1\]/],
    ['a large input', [model('a', 'x:FP32:[2048,2048]', 'y:FP32:[1]')], /4194304 elements, a sample at most/],
    [
      'size 0',
      [model('a', 'x:FP32:[0]', 'y:FP32:[1]')],
      /for a\.onnx would be invalid.*\n.*tensors\[0\]\.shape\[0\].*at least 1/,
    ],
    ['equal names', [model('a', 'x:FP32:[1] x:FP32:[1]', 'y:FP32:[1]')], /would be invalid.*\n.*tensors\[1\]/],
    ['an empty name', [model('a', ':FP32:[1]', 'y:FP32:[1]')], /would be invalid.*\n.*tensors\[0\]\.name/],
    [
      'many dimensions',
      [model('a', `x:FP32:[${Array(5000).fill(1)}]`, 'y:FP32:[1]')],
      /5000 dimensions, expected at most 16/,
    ],
    ['no outputs', [{ ...label, outputs: [] }], /label\.onnx declares no outputs/],
    ['FP16', [model('a', 'x:FP16:[1]', 'y:FP32:[1]')], /x is FP16, .* Export the model with FP32 inputs/],
  ] as const)('is refused for %s', (_, models, message) => {
    expect(() => filesOf(...models)).toThrow(expect.objectContaining({ message: expect.stringMatching(message) }));
  });
});
