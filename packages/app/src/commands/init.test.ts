import { existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { documentOf, type Ended, TestFolder } from '../equipoise.test-support.js';
import { equipoiseHere } from '../run-here.test-support.js';
import { shellWord } from './init.js';

const folder = new TestFolder();
const run = (...args: string[]) => equipoiseHere(folder.path, ...args);
const program = fileURLToPath(new URL('../../bin/equipoise', import.meta.url));
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
    expect(evaluated.stderr).toMatch(/^evaluating \d+\/20, \d+ s left: /);
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
          confidence95: [1, 1],
          samples: 20,
          measured: true,
        },
      ],
    };
    expect(documentOf(evaluated)).toEqual(table);
    expect(readJson('fresh/accuracy.json')).toEqual(table);

    const text = readFileSync(join(folder.path, pipeline), 'utf8');
    folder.write('fresh/measured.yaml', text.replace('\nspec:\n', '\nspec:\n  accuracyTable: ./accuracy.json\n'));
    expect(documentOf(await run('validate', 'fresh/measured.yaml', '--json'))).toEqual({ valid: true, problems: [] });
  });
});
