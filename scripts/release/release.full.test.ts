/** The tarballs for users, installed in empty folders. Only their dependencies come from the registry. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describeWithTool, type Tool } from '@equipoise/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildImage } from '../image/build-image.js';

const REPOSITORY = join(import.meta.dirname, '..', '..');
/** The port answers before the pipeline does. */
const READY = /(?<=ready )http:\/\/127\.0\.0\.1:\d+/;
/** Runs from its profile, without a module. */
const SYNTHETIC = `apiVersion: equipoise.dev/v1alpha1
kind: InferencePipeline
metadata: { name: tiny }
spec:
  slo: { latencyMs: 500, percentile: 99 }
  budget: { cpuCores: 2 }
  objective: max-accuracy
  stages:
    - { name: a, variants: [{ name: v, accuracy: { value: 0.9 }, resources: { cpuCores: [1] }, profile: [{ cpuCores: 1, batchSize: 1, meanMs: 5 }] }] }
`;

// Without access to the GPU libraries, the install script of onnxruntime-node would fail. The CPU libraries are in its
// package.
const env = { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'skip', npm_config_audit: 'false', npm_config_fund: 'false' };

const registry: Tool = {
  name: 'registry',
  missing: 'npm has no registry',
  isPresent: () => spawnSync('npm', ['ping'], { stdio: 'ignore', timeout: 60_000 }).status === 0,
};

/** A folder in which one tarball is installed. */
class Home {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
    mkdirSync(path);
    writeFileSync(join(path, 'package.json'), '{ "private": true }');
  }

  run(command: string, ...args: readonly string[]): string {
    return execFileSync(command, args, { cwd: this.path, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  }

  equipoise(...args: readonly string[]): string {
    return this.run(join('node_modules', '.bin', 'equipoise'), ...args);
  }

  /** Error that a command reports. */
  refusal(...args: readonly string[]) {
    const bin = join(this.path, 'node_modules', '.bin', 'equipoise');
    return JSON.parse(spawnSync(bin, [...args, '--json'], { cwd: this.path, env, encoding: 'utf8' }).stdout).error;
  }

  /** Installed packages of others, and the bytes of all files. */
  get size(): { readonly packages: number; readonly bytes: number } {
    const lock = JSON.parse(readFileSync(join(this.path, 'node_modules', '.package-lock.json'), 'utf8'));
    const others = Object.keys(lock.packages).filter((path) => !path.includes('node_modules/@equipoise/'));
    return { packages: others.length, bytes: bytesIn(join(this.path, 'node_modules')) };
  }

  /** Serves a pipeline file until `ask` has asked. Resolves with the exit code. */
  async serve(file: string, ask: (url: string) => Promise<void>): Promise<number | null> {
    const args = ['serve', file, '--port', '0', '--no-admin-port'];
    const bin = join(this.path, 'node_modules', '.bin', 'equipoise');
    const child = spawn(bin, args, { cwd: this.path, env, stdio: ['ignore', 'ignore', 'pipe'] });
    const closed = new Promise<number | null>((resolve) => child.once('close', resolve));
    try {
      await ask(await firstMatch(child, READY));
    } finally {
      child.kill('SIGINT');
    }
    return closed;
  }
}

function bytesIn(folder: string): number {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return files.map((path) => lstatSync(join(folder, path))).reduce((sum, { size }) => sum + size, 0);
}

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

const MIB = 1024 ** 2;

describeWithTool(registry, 'the tarballs for users', () => {
  const folder = mkdtempSync(join(tmpdir(), 'equipoise-installed-'));
  let tarball = '';
  const complete = new Home(join(folder, 'complete'));
  const server = new Home(join(folder, 'server'));

  beforeAll(() => {
    const packed = execFileSync('npx', ['--no-install', 'tsx', 'scripts/pack-release.ts', folder], {
      cwd: REPOSITORY,
      encoding: 'utf8',
    });
    const [ofAll = '', ofServer = ''] = packed.trim().split('\n');
    tarball = ofAll;
    complete.run('npm', 'install', '--prefer-offline', ofAll);
    server.run('npm', 'install', '--prefer-offline', ofServer);
  }, 900_000);

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('bring the command, with the version of its package', () => {
    const { version } = JSON.parse(
      readFileSync(join(complete.path, 'node_modules', 'equipoise', 'package.json'), 'utf8'),
    );
    expect([complete, server].map((home) => home.equipoise('--version').trim())).toEqual([version, version]);
  });

  it('make an image with the same digest twice, and list its components', async () => {
    const request = { root: REPOSITORY, release: tarball, name: 'equipoise:test' };
    const one = await buildImage({ ...request, archive: join(folder, 'one.tar') });
    const two = await buildImage({ ...request, archive: join(folder, 'two.tar') });
    expect(two.digest).toBe(one.digest);
    const names = readFileSync(one.components, 'utf8').matchAll(/"purl": "pkg:(.*)@/g);
    const listed = [...names].map(([, name]) => name);
    expect(listed).toEqual(expect.arrayContaining(['npm/equipoise', 'generic/node', 'npm/%40kubernetes/client-node']));
    const unwanted = listed.filter((name) => /vitest|biome|typescript|cyclonedx/.test(name ?? ''));
    expect(unwanted).toEqual([]);
  }, 300_000);

  it('bring the page of the admin port', () => {
    const page = join(complete.path, 'node_modules/equipoise/node_modules/@equipoise/dashboard/dist/page');
    const [, script = ''] = /src="(\/assets\/[^"]+\.js)"/.exec(readFileSync(join(page, 'index.html'), 'utf8')) ?? [];
    expect(readFileSync(join(page, script), 'utf8').length).toBeGreaterThan(10_000);
    expect(readFileSync(join(page, 'licenses.md'), 'utf8')).toContain('preact');
    const assets = readdirSync(join(page, 'assets')).map((name) => readFileSync(join(page, 'assets', name)));
    const gzipped = assets.reduce((sum, file) => sum + gzipSync(file).length, 0);
    expect(gzipped).toBeLessThanOrEqual(200 * 1024);
  });

  it('make, profile, plan and serve a pipeline', async () => {
    complete.equipoise('init', 'mine');
    complete.equipoise('profile', 'mine/pipeline.yaml', '--quick');
    const plan = JSON.parse(complete.equipoise('plan', 'mine/pipeline.yaml', '--arrival-rps', '5', '--json'));
    expect(plan).toMatchObject({ kind: 'feasible' });
    const exitCode = await complete.serve('mine/pipeline.yaml', async (url) => {
      const answer = await fetch(`${url}/v1/pipelines/language/run`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: readFileSync(join(complete.path, 'mine', 'samples', 'text-1.json')),
      });
      expect(answer.status).toBe(200);
    });
    expect(exitCode).toBe(0);
  });

  it('bring ONNX models and what a stage module in TypeScript imports', () => {
    const file = 'node_modules/equipoise/node_modules/@equipoise/example-shelf-scan/pipeline.yaml';
    expect(JSON.parse(complete.equipoise('validate', file, '--json'))).toMatchObject({ valid: true });
  });

  it('install a server of at most 150 packages and 60 MB, which names what a command lacks', async () => {
    const { packages, bytes } = server.size;
    expect(packages).toBeLessThanOrEqual(150);
    expect(bytes).toBeLessThanOrEqual(60 * MIB);
    writeFileSync(join(server.path, 'pipeline.yaml'), SYNTHETIC);
    writeFileSync(
      join(server.path, 'double.ts'),
      'export const load = () => ({ run: (batch: unknown[]) => batch });\n',
    );
    const plan = ['plan', 'pipeline.yaml', '--arrival-rps', '5', '--frontier'];
    server.equipoise(...plan, '--svg', 'f.svg');
    expect(readFileSync(join(server.path, 'f.svg'), 'utf8')).toMatch(/^<svg/);
    expect(server.refusal('demo')).toMatchObject({ code: 'PACKAGE_MISSING' });
    const exitCode = await server.serve('pipeline.yaml', async (url) => {
      const answer = await fetch(`${url}/v1/pipelines/tiny/run`, { method: 'POST', body: 'x' });
      expect(answer.status).toBe(200);
    });
    expect(exitCode).toBe(0);
  });

  it('profile and serve an ONNX file with the server, once its runtime is installed', async () => {
    copyFileSync(join(REPOSITORY, 'packages/adapter-embedded/src/fixtures/affine.onnx'), join(server.path, 'own.onnx'));
    const init = ['init', 'onnx', '--from-onnx', 'own.onnx'];
    const { message = '' } = server.refusal(...init);
    const [, runtime = ''] = /npm install (onnxruntime-node@[\d.]+\d)/.exec(message) ?? [];
    server.run('npm', 'install', '--prefer-offline', runtime);
    server.equipoise(...init);
    const file = join(server.path, 'onnx', 'pipeline.yaml');
    // One batch size, so that the profile takes a few seconds.
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.replace('      variants:', '      bounds: { batchSizes: [1] }\n      variants:'));
    server.equipoise('profile', 'onnx/pipeline.yaml', '--quick');
    const exitCode = await server.serve('onnx/pipeline.yaml', async (url) => {
      const answer = await fetch(`${url}/v1/pipelines/onnx/run`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ features: [1, 2, 3] }),
      });
      expect(await answer.json()).toMatchObject({ outputs: { scores: [14, 25] } });
    });
    expect(exitCode).toBe(0);
  });
});
