import { policies } from '@equipoise/core/plan';
import { afterAll, describe, expect, it } from 'vitest';
import { buildProgram } from './build-program.js';
import { policyNames } from './commands/shared-flags.js';
import { documentOf, TestFolder } from './equipoise.test-support.js';
import { equipoiseHere } from './run-here.test-support.js';

const folder = new TestFolder();
const run = (...args: string[]) => equipoiseHere(folder.path, ...args);

afterAll(() => folder.remove());

describe('equipoise', () => {
  it('lists every command in its help', async () => {
    const { exitCode, stdout, stderr } = await run('--help');
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    const names = buildProgram().commands.map((command) => command.name());
    expect(names).toEqual([
      'demo',
      'init',
      'validate',
      'profile',
      'calibrate',
      'evaluate',
      'plan',
      'recommend',
      'simulate',
      'sweep',
      'experiment',
      'forecast',
      'serve',
      'k8s',
      'operator',
      'explain',
      'why',
      'report',
      'replay',
      'load',
      'completion',
    ]);
    for (const name of names) expect(stdout).toMatch(new RegExp(`^ {2}${name} `, 'm'));
  });

  it('tells the flags of a command, and the version', async () => {
    const [help, version] = await Promise.all([run('plan', '--help'), run('--version')]);
    expect(help).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/--arrival-rps <n>[^-]*\(required\)/) });
    expect(version).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
  });

  it('shows the help and leaves with 2 where no command is named', async () => {
    const { exitCode, stdout, stderr } = await run();
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toContain('Usage: equipoise');
  });

  it('offers the policies that core has', () => {
    expect([...policyNames].sort()).toEqual(Object.keys(policies).sort());
  });
});

describe('wrong usage', () => {
  it('is told on stderr with the nearest spelling and where to look', async () => {
    const { exitCode, stdout, stderr } = await run('profile', 'pipeline.yaml', '--quik');
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toBe(
      "error WRONG_USAGE: unknown option '--quik'\n(Did you mean --quick?)\nSee `equipoise profile --help`. (docs/reference/errors.md#wrong_usage)\n",
    );
  });

  it.each([
    [['profile', 'pipeline.yaml', '--quik', '--json'], "unknown option '--quik'"],
    [['validate', '--json'], "missing required argument 'file'"],
    [['validate', 'a.yaml', 'b.yaml', '--json'], 'too many arguments'],
    [['plan', 'pipeline.yaml', '--json'], "required option '--arrival-rps <n>' not specified"],
    [['plan', 'pipeline.yaml', '--json', '--arrival-rps', 'many'], 'Expected a number of requests per second above 0'],
    [['plan', 'pipeline.yaml', '--json', '--arival-rps', '5'], 'Did you mean --arrival-rps?'],
    [['plann', 'pipeline.yaml', '--json'], "unknown command 'plann'"],
    [['predict', 'pipeline.yaml', '--plan', 'plan.json', '--json'], '`equipoise simulate FILE --seeds N`'],
    [['serve', 'pipeline.yaml', '--json'], "unknown option '--json'"],
    [['--json'], "unknown option '--json'"],
  ])('is one document on stdout with --json: %j', async (args, message) => {
    const ended = await run(...args);
    expect(ended).toMatchObject({ exitCode: 2, stderr: '' });
    expect(documentOf(ended)).toEqual({
      error: {
        code: 'WRONG_USAGE',
        message: expect.stringContaining(message),
        details: { reason: expect.stringMatching(/^commander\./) },
        docs: 'docs/reference/errors.md#wrong_usage',
      },
    });
  });
});
