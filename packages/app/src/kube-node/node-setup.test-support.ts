/** Global setup of the node tier: one Kubernetes node per run, with an image of Equipoise and a new user's pipeline. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';

/** `missing`: why this machine has no node. */
export type KubeNode = { readonly missing: string } | RunningNode;

export interface RunningNode {
  readonly missing?: never;
  readonly kubeconfig: string;
  readonly kubectl: string;
  /** Image with Equipoise and the pipeline in /pipeline. */
  readonly image: string;
  /** Pipeline file on this machine, with its profile. */
  readonly pipeline: string;
}

declare module 'vitest' {
  interface ProvidedContext {
    readonly kubeNode: KubeNode;
  }
}

const repository = fileURLToPath(new URL('../../../..', import.meta.url));
const script = (name: string): string => join(repository, 'scripts', 'kube-node', name);
/** Name that the shipped manifests use. */
const IMAGE = 'equipoise:0.1.0';
/** A request with this word makes the stage exceed its memory limit. */
export const EATING_WORD = 'elephantine';
const UNSUPPORTED = 3;
const UP_MS = 600_000;
const OTHER_RUN_MS = 120_000;

const folder = join(tmpdir(), 'equipoise-node');
/** False while the node is that of another run. */
let isOurs = false;
let starting: ChildProcess | undefined;
let work: string | undefined;

/** Before the first suite. */
export async function setup(project: TestProject): Promise<void> {
  await takeDownLeftOver();
  isOurs = true;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'owner'), String(process.pid));
  process.once('exit', takeDown);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1));
  const missing = await up();
  if (missing !== undefined) {
    if (required()) throw new Error(`EQUIPOISE_REQUIRE names real-node, but this machine has none: ${missing}`);
    project.provide('kubeNode', { missing });
    return;
  }
  const binaries = readFileSync(join(folder, 'binaries'), 'utf8').trim();
  project.provide('kubeNode', {
    kubeconfig: join(folder, 'kubeconfig'),
    kubectl: join(binaries, 'kubectl'),
    image: IMAGE,
    pipeline: buildImage(),
  });
}

/** After the last suite. */
export function teardown(): void {
  const left = takeDown();
  if (left !== undefined) throw new Error(`The node was not taken down completely.\n${left}`);
}

const required = (): boolean =>
  (process.env['EQUIPOISE_REQUIRE'] ?? '').split(',').some((name) => name.trim() === 'real-node');

/** A run that was killed leaves its node. Another run that is ending gets time. */
async function takeDownLeftOver(): Promise<void> {
  const untilMs = performance.now() + OTHER_RUN_MS;
  while (existsSync(join(folder, 'binaries'))) {
    const owner = readFileSync(join(folder, 'owner'), { encoding: 'utf8', flag: 'a+' }).trim();
    if (owner === '' || !existsSync(`/proc/${owner}`)) {
      spawnSync(script('down'), [folder], { stdio: 'inherit' });
      return;
    }
    if (performance.now() > untilMs)
      throw new Error(`The process ${owner} uses the node in ${folder}, and only one node fits on a machine.`);
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

/** Starts the node; returns the reason if the machine cannot run it. */
async function up(): Promise<string | undefined> {
  let said = '';
  starting = spawn(script('up'), [folder], { stdio: ['ignore', 'ignore', 'pipe'], timeout: UP_MS });
  starting.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const [code] = (await once(starting, 'close')) as [number | null];
  starting = undefined;
  if (code === 0) return undefined;
  if (code === UNSUPPORTED)
    return (
      said
        .trim()
        .split('\n')
        .at(-1)
        ?.replace(/^.*unsupported: /, '') ?? 'unknown'
    );
  throw new Error(`scripts/kube-node/up ended with ${code}:\n${said}`);
}

/** Ends the node; returns what is left of it. */
function takeDown(): string | undefined {
  if (work !== undefined) rmSync(work, { recursive: true, force: true });
  if (starting?.pid !== undefined) starting.kill('SIGTERM');
  if (!isOurs || !existsSync(join(folder, 'binaries'))) return undefined;
  const { status, stderr } = spawnSync(script('down'), [folder], { encoding: 'utf8' });
  return status === 0 ? undefined : stderr;
}

/** Makes and profiles a pipeline as a new user does, builds an image of both and imports it. */
function buildImage(): string {
  work = mkdtempSync(join(tmpdir(), 'equipoise-image-'));
  const run = (cwd: string, command: string, ...args: readonly string[]): string =>
    execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 1 << 26 });
  const equipoise = join(repository, 'packages', 'app', 'bin', 'equipoise');
  run(work, equipoise, 'init', 'language');
  const pipeline = join(work, 'language', 'pipeline.yaml');
  // Suites count requests and observe states. The deadline is generous, and a quota of 50 m starts in a minute.
  rewrite(pipeline, /latencyMs: \d+/, 'latencyMs: 20000');
  rewrite(pipeline, /objective: max-accuracy/, 'objective: max-accuracy\n  control: { mode: auto }');
  rewrite(pipeline, /cpuCores: \[[^\]]*\]/g, 'cpuCores: [0.2], memoryBytes: 134217728');
  const eat = `if (words.includes('${EATING_WORD}')) for (const eaten = []; ; ) eaten.push(Buffer.alloc(1 << 26, 1));`;
  rewrite(join(work, 'language', 'stages', 'language.js'), /(function answer.*)/, `$1\n  ${eat}`);
  run(work, equipoise, 'profile', 'language/pipeline.yaml', '--quick');
  const archive = join(work, 'image.tar');
  const places = ['--out', archive, '--name', IMAGE, '--pipeline', join(work, 'language')];
  run(repository, 'npx', '--no-install', 'tsx', 'scripts/build-image.ts', ...places);
  run(repository, script('import'), folder, archive);
  return pipeline;
}

function rewrite(file: string, pattern: RegExp, replacement: string): void {
  const before = readFileSync(file, 'utf8');
  const after = before.replace(pattern, replacement);
  if (after === before) throw new Error(`${file} has no ${pattern}`);
  writeFileSync(file, after);
}
