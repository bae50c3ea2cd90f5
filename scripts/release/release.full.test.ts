/** The tarball for users, installed in an empty folder. Only its dependencies come from the registry. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const REPOSITORY = join(import.meta.dirname, '..', '..');
/** The port answers before the pipeline does. */
const READY = /(?<=ready )http:\/\/127\.0\.0\.1:\d+/;

const folder = mkdtempSync(join(tmpdir(), 'equipoise-installed-'));
const home = join(folder, 'home');
// Without access to the GPU libraries, the install script of onnxruntime-node would fail. The CPU libraries are in its
// package.
const env = { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'skip', npm_config_audit: 'false', npm_config_fund: 'false' };

const run = (command: string, ...args: readonly string[]): string =>
  execFileSync(command, args, { cwd: home, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
const equipoise = (...args: readonly string[]): string => run(join('node_modules', '.bin', 'equipoise'), ...args);

/** Reads the log until its first match. Later output is not read. */
async function firstMatch(child: ChildProcess, pattern: RegExp): Promise<string> {
  let text = '';
  for await (const chunk of child.stderr ?? []) {
    text += chunk;
    const [found] = pattern.exec(text) ?? [];
    if (found !== undefined) return found;
  }
  throw new Error(`ended without ${pattern}: ${text}`);
}

describe('the tarball for users', () => {
  beforeAll(() => {
    mkdirSync(home);
    const tarball = execFileSync('npx', ['--no-install', 'tsx', 'scripts/pack-release.ts', folder], {
      cwd: REPOSITORY,
      encoding: 'utf8',
    });
    writeFileSync(join(home, 'package.json'), '{ "private": true }');
    run('npm', 'install', '--prefer-offline', tarball.trim());
  }, 600_000);

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('brings the command, with the version of its package', () => {
    const { version } = JSON.parse(readFileSync(join(home, 'node_modules', 'equipoise', 'package.json'), 'utf8'));
    expect(equipoise('--version').trim()).toBe(version);
  });

  it('makes, profiles and plans a pipeline', () => {
    equipoise('init', 'mine');
    equipoise('profile', 'mine/pipeline.yaml', '--quick');
    const plan = JSON.parse(equipoise('plan', 'mine/pipeline.yaml', '--arrival-rps', '5', '--json'));
    expect(plan).toMatchObject({ kind: 'feasible' });
  });

  it('serves it', async () => {
    const child = spawn(
      join(home, 'node_modules', '.bin', 'equipoise'),
      ['serve', 'mine/pipeline.yaml', '--port', '0', '--no-admin-port'],
      {
        cwd: home,
        env,
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    );
    const closed = new Promise<number | null>((resolve) => child.once('close', resolve));
    try {
      const url = await firstMatch(child, READY);
      const body = readFileSync(join(home, 'mine', 'samples', 'text-1.json'));
      const answer = await fetch(`${url}/v1/pipelines/language/run`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
      });
      expect(answer.status).toBe(200);
    } finally {
      child.kill('SIGINT');
    }
    expect(await closed).toBe(0);
  });

  it('brings ONNX models and what a stage module in TypeScript imports', () => {
    const listed = JSON.parse(
      equipoise(
        'validate',
        'node_modules/equipoise/node_modules/@equipoise/example-shelf-scan/pipeline.yaml',
        '--json',
      ),
    );
    expect(listed).toMatchObject({ valid: true });
  });
});
