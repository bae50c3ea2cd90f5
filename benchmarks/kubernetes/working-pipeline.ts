/** The pipeline of `equipoise init` with a stage that works for some milliseconds, and its image. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PIPELINE_NAME } from './routers-pipeline.js';

export const WORKING_IMAGE = 'equipoise-working:0.1.0';
/** The stage that works, and the other one. */
export const WORKING_STAGE = 'language';
export const OTHER_STAGE = 'words';

interface WorkingPipeline {
  /** Name of its file. */
  readonly name: string;
  /** Blocks of 64 KiB that each request hashes, some 0.04 ms each. */
  readonly blocks: number;
  readonly cpuCores: readonly number[];
  readonly budgetCpuCores: number;
  readonly sloMs: number;
  /** Adds a variant that fails in pods, but not on this machine. */
  readonly hasFailingVariant?: boolean;
}

const repository = fileURLToPath(new URL('../..', import.meta.url));
const folder = join(tmpdir(), 'equipoise-bench-working');
const equipoise = join(repository, 'packages', 'app', 'bin', 'equipoise');

/** Native code, which takes as long in the first request as later. */
const WORK = `
import { createHash } from 'node:crypto';
const block = Buffer.alloc(65536, 7);
function work({ blocks, failsInPods }) {
  if (failsInPods && process.env.KUBERNETES_SERVICE_HOST !== undefined) throw new Error('this variant fails in pods');
  const hash = createHash('sha256');
  for (let done = 0; done < blocks; done++) hash.update(block);
  return hash.digest('hex');
}
`;
const ANSWER = 'answer(words.data, known)';
const WORKING_ANSWER = 'answer([...words.data, work(variant.parameters)], known)';

function run(...args: readonly string[]): void {
  execFileSync(equipoise, args, { cwd: folder, stdio: 'pipe' });
}

/** Folder with the code of the stages; made once. */
function workingFolder(): string {
  const place = join(folder, PIPELINE_NAME);
  if (existsSync(place)) return place;
  mkdirSync(folder, { recursive: true });
  run('init', PIPELINE_NAME);
  const module = join(place, 'stages', `${WORKING_STAGE}.js`);
  const code = readFileSync(module, 'utf8');
  if (!code.includes(ANSWER)) throw new Error(`${module} has no ${ANSWER}`);
  writeFileSync(module, code.replace(ANSWER, WORKING_ANSWER) + WORK);
  return place;
}

const failingVariant = ({ blocks, cpuCores }: WorkingPipeline): string => `        - name: failing
          accuracy: { value: 0.9, metric: accuracy }
          resources: { cpuCores: [${cpuCores.join(', ')}], memoryBytes: 134217728 }
          parameters: { blocks: ${blocks}, failsInPods: true, wordsPerLanguage: 16 }
`;

/** Pipeline file with its profile; a profile that exists, or a part of it, is kept. */
export function workingPipeline(pipeline: WorkingPipeline): string {
  const { name, blocks, cpuCores, budgetCpuCores, sloMs, hasFailingVariant = false } = pipeline;
  const place = workingFolder();
  const file = join(place, `${name}.yaml`);
  const text = readFileSync(join(place, 'pipeline.yaml'), 'utf8')
    .replace(/latencyMs: \d+/, `latencyMs: ${sloMs}`)
    .replace(/budget: \{[^}]*\}/, `budget: { cpuCores: ${budgetCpuCores} }\n  control: { mode: auto }`)
    .replaceAll(/cpuCores: \[[^\]]*\]/g, `cpuCores: [${cpuCores.join(', ')}], memoryBytes: 134217728`)
    .replaceAll('parameters: { ', `parameters: { blocks: ${blocks}, `);
  writeFileSync(file, hasFailingVariant ? text.replace(/^(?= {2}evaluation:)/m, failingVariant(pipeline)) : text);
  run('profile', file, '--quick');
  return file;
}

/** Image with Equipoise and the code; prints nothing. Returns its archive. */
export function buildWorkingImage(): string {
  const archive = join(folder, 'image.tar');
  const places = ['--out', archive, '--name', WORKING_IMAGE, '--pipeline', workingFolder()];
  execFileSync('npx', ['--no-install', 'tsx', 'scripts/build-image.ts', ...places], { cwd: repository, stdio: 'pipe' });
  return archive;
}
