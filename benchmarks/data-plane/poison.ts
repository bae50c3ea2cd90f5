/**
 * Inputs that cost too much. `hangs`: four replicas at 60 % of their capacity; one input in a hundred blocks a replica
 * forever. `bombs`: the example pipeline with its real models. Every second it gets an image of a few kilobytes that
 * would take seconds to decode.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { crc32, deflateSync } from 'node:zlib';
import { EmbeddedActuator, ThreadReplicaLauncher } from '@equipoise/adapter-embedded';
import { diffPlans } from '@equipoise/core/control';
import { invariant, type PipelineSpec, type TensorMap } from '@equipoise/core/model';
import { requireCurves } from '@equipoise/core/plan';
import { ServingPolicies } from '@equipoise/core/simulate';
import { loadPipelineFile } from '@equipoise/pipeline-file';
import { PipelineRunner } from '@equipoise/runtime';
import { type BenchStage, benchRequest, nominalRps, startBenchPipeline } from './bench-pipeline.js';
import { type Answers, openLoop } from './open-loop.js';

/** Good and bad inputs with their outcomes. */
export interface PoisonFigures {
  readonly good: number;
  readonly goodCompleted: number;
  readonly bad: number;
  /** Number of bad inputs by error code or drop reason. */
  readonly badEnds: Readonly<Record<string, number>>;
  readonly goodLosses: Readonly<Record<string, number>>;
  readonly goodP99Ms: number;
  readonly hungReplicas: number;
}

const TIMEOUT_MS = 4_000;
const LOAD_FRACTION = 0.6;
const BAD_EVERY = 100;
const stages: readonly BenchStage[] = [
  { name: 'sleep', baseMs: 15, itemMs: 10, maxBatchSize: 2, replicas: 4, loads: { isolation: 'thread', loadMs: 50 } },
];

export async function measureHangs(durationMs: number): Promise<PoisonFigures> {
  const { runner, close } = await startBenchPipeline(stages, TIMEOUT_MS);
  const isBad = (sequence: number): boolean => sequence % BAD_EVERY === BAD_EVERY / 2;
  const request = (sequence: number): TensorMap => {
    const input = benchRequest();
    const data = input['x']?.data as Float32Array;
    [data[0], data[1]] = [isBad(sequence) ? -1 : 0, sequence];
    return input;
  };
  const load = { arrivalRps: LOAD_FRACTION * nominalRps(stages), durationMs, seed: 1, request };
  const answers = await openLoop(runner, load);
  const figures = figuresOf(answers, isBad, runner);
  await close();
  return figures;
}

const IMAGE_RPS = 8;
const example = fileURLToPath(new URL('../../examples/shelf-scan/', import.meta.url));

/** Served variants with their mean times (ms) on a busy core. */
const served = { decode: ['jpeg', 3], detect: ['s', 2], classify: ['s', 1], count: ['tally', 0.5] } as const;

export async function measureBombs(durationMs: number): Promise<PoisonFigures> {
  const spec = await exampleSpec();
  const runner = new PipelineRunner({ spec, hostCores: Number.POSITIVE_INFINITY });
  const policies = new ServingPolicies(spec, requireCurves(spec, []), (id, policy) => runner.setPolicy(id, policy));
  const launcher = new ThreadReplicaLauncher();
  const adopt: ServingPolicies['adopt'] = (id, to) => policies.adopt(id, to);
  const actuator = new EmbeddedActuator(spec, { pool: runner, launcher, adopt });
  for (const change of diffPlans(actuator.runningPlan(), planOf(spec), spec)) await actuator.apply(change);
  const samples = readdirSync(`${example}samples`).map((name) => readFileSync(`${example}samples/${name}`));
  const bombs = [png(39_999_999, 1), png(1, 39_999_999), png(8_192, 4_882), png(2_048, 2_048)];
  const isBad = (sequence: number): boolean => sequence % IMAGE_RPS === IMAGE_RPS / 2;
  const request = (sequence: number): TensorMap => {
    const files = isBad(sequence) ? bombs : samples;
    const data = new Uint8Array(
      files[Math.floor(sequence / (isBad(sequence) ? IMAGE_RPS : 1)) % files.length] as Buffer,
    );
    return { image: { datatype: 'UINT8', shape: [data.length], data } };
  };
  const answers = await openLoop(runner, { arrivalRps: IMAGE_RPS, durationMs, seed: 1, request });
  const figures = figuresOf(answers, isBad, runner);
  await actuator.close();
  return figures;
}

async function exampleSpec(): Promise<PipelineSpec> {
  const parsed = await loadPipelineFile(`${example}pipeline.yaml`);
  invariant(parsed.kind !== 'invalid', 'the example is valid');
  const { stages: all, ...rest } = parsed.spec;
  return {
    ...rest,
    stages: all.map((stage) => ({
      ...stage,
      variants: stage.variants.map((variant) => {
        const [, meanMs] = served[stage.id as keyof typeof served];
        return { ...variant, cpuCores: [1], profile: [{ cpuCores: 1, batchSize: 1, meanMs, p99Ms: 4 * meanMs }] };
      }),
    })),
  };
}

function planOf({ stages: all }: PipelineSpec) {
  const plans = all.map(({ id, variants }) => {
    const variant = variants.find((one) => one.id === served[id as keyof typeof served][0]);
    invariant(variant !== undefined, 'the example has the variant');
    const resources = { cpuCores: 1, memoryBytes: 0, gpus: 0 };
    const plan = { maxBatchSize: 1, maxBatchWaitMs: 0, replicas: 1, trafficFraction: 1 };
    return [id, [{ variantId: variant.id, resources, ...plan }]] as const;
  });
  return {
    stages: Object.fromEntries(plans),
    predicted: { latencyMs: 0, percentile: 99, pas: 0, capacityRps: 0, cpuCores: 0, costPerHour: 0 },
  };
}

/** A black PNG. */
function png(width: number, height: number): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header[8] = 8;
  const rows = deflateSync(Buffer.alloc((width + 1) * height), { level: 9 });
  const signature = Buffer.from('89504e470d0a1a0a', 'hex');
  return Buffer.concat([signature, chunk('IHDR', header), chunk('IDAT', rows), chunk('IEND', Buffer.alloc(0))]);
}

function chunk(type: string, data: Buffer): Buffer {
  const content = Buffer.concat([Buffer.from(type), data]);
  const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  check.writeUInt32BE(crc32(content));
  return Buffer.concat([length, content, check]);
}

function figuresOf(
  { sequence, kind, reason, latencyMs }: Answers,
  isBad: (sequence: number) => boolean,
  runner: PipelineRunner,
): PoisonFigures {
  const badEnds: Record<string, number> = {};
  const goodLosses: Record<string, number> = {};
  const goodMs: number[] = [];
  let bad = 0;
  for (const [i, number] of sequence.entries()) {
    const end = reason[i] ?? 'completed';
    if (isBad(number)) {
      bad += 1;
      badEnds[end] = (badEnds[end] ?? 0) + 1;
    } else if (kind[i] === 'completed') goodMs.push(latencyMs[i] as number);
    else goodLosses[end] = (goodLosses[end] ?? 0) + 1;
  }
  goodMs.sort((a, b) => a - b);
  const counts = Object.values(runner.stageCounts());
  return {
    ...{ good: sequence.length - bad, goodCompleted: goodMs.length, bad, badEnds, goodLosses },
    goodP99Ms: goodMs[Math.ceil(0.99 * goodMs.length) - 1] ?? Number.NaN,
    hungReplicas: counts.reduce((sum, { troubles }) => sum + troubles.hung, 0),
  };
}
