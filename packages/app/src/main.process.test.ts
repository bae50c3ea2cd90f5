/** The compiled command as a process: stdout, stderr and exit code of a result, an error and wrong usage. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, describe, expect, it } from 'vitest';
import { BIN, documentOf, equipoise, RunningCommand, syntheticPipeline, TestFolder } from './equipoise.test-support.js';

const folder = new TestFolder();
folder.write('pipeline.yaml', syntheticPipeline());
const run = (...args: string[]) => equipoise(folder.path, ...args);

afterAll(() => folder.remove());

describe('the process of equipoise', () => {
  it.each([
    [['--help'], 0, /^Usage: equipoise/, /^$/],
    [['--version'], 0, /^\d+\.\d+\.\d+\n$/, /^$/],
    [['validate', 'pipeline.yaml'], 0, /^valid: pipeline synthetic/, /^$/],
    // A slow machine shows progress on stderr.
    [['plan', 'pipeline.yaml', '--arrival-rps', '400'], 1, /^No plan meets the SLO/, /^/],
    [['plan', 'pipeline.yaml', '--arrival-rps', '10', '--quik'], 2, /^$/, /unknown option '--quik'/],
    [['validate', 'missing.yaml'], 3, /^$/, /error FILE_NOT_FOUND/],
  ])('runs %j and leaves with %i', async (args, exitCode, stdout, stderr) => {
    expect(await run(...args)).toEqual({
      ...{ exitCode, signal: null },
      stdout: expect.stringMatching(stdout),
      stderr: expect.stringMatching(stderr),
    });
  });

  it.each([24, 32, 63])('says what to do where only %d files may be open', async (most) => {
    const command = `exec node "${BIN}" serve pipeline.yaml --port 0 --no-admin-port`;
    const child = spawn('sh', ['-c', `ulimit -n ${most} && ${command}`], {
      cwd: folder.path,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    const [exitCode] = await once(child, 'close');
    expect([exitCode, stderr]).toEqual([
      3,
      expect.stringMatching(/(^|\n)error: too many open files\. Raise .*ulimit -n 4096.*\n$/),
    ]);
  });

  it('gives the same bytes for the same seed as another process', async () => {
    const args = [
      'simulate',
      'pipeline.yaml',
      '--policy',
      'ipa',
      '--arrival-rps',
      '20',
      '--duration-s',
      '60',
      '--json',
    ];
    const figures = async () => {
      const { elapsedMs: _, ...rest } = documentOf(await run(...args)) as { readonly elapsedMs: number };
      return JSON.stringify(rest);
    };
    expect(await figures()).toBe(await figures());
  });

  it.each([
    ['0', false],
    ['1', true],
  ])('colors with FORCE_COLOR=%s: %s', async (value, colored) => {
    const { NO_COLOR: _, ...env } = process.env;
    const child = spawn(process.execPath, [BIN, 'validate', 'missing.yaml'], {
      cwd: folder.path,
      env: { ...env, FORCE_COLOR: value, NODE_OPTIONS: '' },
    });
    let text = '';
    child.stderr.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    await once(child, 'close');
    expect(text).toContain('missing.yaml');
    expect(text.includes('\u001b[')).toBe(colored);
  });

  it('does not mind a reader that has seen enough', async () => {
    const command = new RunningCommand(folder.path, ['--help']);
    command.stopReading();
    expect(await command.ended).toMatchObject({ exitCode: 0, stdout: '', stderr: '' });
  });
});
