/** The pipeline of `equipoise init`, with a generous deadline, and its image. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const PIPELINE_NAME = 'language';
/** Several pods start at once on few cores, and requests wait for it. */
export const ROUTED_SLO_MS = 2_000;
export const ROUTERS_IMAGE = 'equipoise:0.1.0';

const repository = fileURLToPath(new URL('../..', import.meta.url));
const folder = join(tmpdir(), 'equipoise-bench-routers');
const equipoise = join(repository, 'packages', 'app', 'bin', 'equipoise');
/** Requested, without limits: a node of two cores has room for three routers of half a core. */
const STAGE_CPU_CORES = 0.05;

/** Pipeline file with its profile; made once. */
export function routedPipeline(): string {
  const file = join(folder, PIPELINE_NAME, 'pipeline.yaml');
  if (existsSync(file)) return file;
  mkdirSync(folder, { recursive: true });
  const run = (...args: readonly string[]) => execFileSync(equipoise, args, { cwd: folder, stdio: 'pipe' });
  run('init', PIPELINE_NAME);
  const text = readFileSync(file, 'utf8')
    .replace(/latencyMs: \d+/, `latencyMs: ${ROUTED_SLO_MS}`)
    .replace(/budget: \{[^}]*\}/, 'budget: { cpuCores: 4 }')
    .replaceAll(/cpuCores: \[[^\]]*\]/g, `cpuCores: [${STAGE_CPU_CORES}], memoryBytes: 134217728`);
  writeFileSync(file, text);
  run('profile', file, '--quick');
  return file;
}

/** The same pipeline for nodes with a label. */
export function placedPipeline(label: string): string {
  const file = join(routedPipeline(), '..', 'placed.yaml');
  const text = readFileSync(routedPipeline(), 'utf8');
  writeFileSync(file, text.replace('spec:', `spec:\n  placement: { nodeSelector: { ${label}: "yes" } }`));
  return file;
}

/** Image with Equipoise and the pipeline; prints nothing. Returns its archive. */
export function buildRoutersImage(): string {
  const pipeline = join(routedPipeline(), '..');
  const archive = join(folder, 'image.tar');
  const places = ['--out', archive, '--name', ROUTERS_IMAGE, '--pipeline', pipeline];
  execFileSync('npx', ['--no-install', 'tsx', 'scripts/build-image.ts', ...places], { cwd: repository, stdio: 'pipe' });
  return archive;
}
