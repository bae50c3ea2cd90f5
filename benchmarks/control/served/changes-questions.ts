/** Pipelines for random changes: the synthetic one, and the example with its real models. */
import { fileURLToPath } from 'node:url';
import { EmbeddedActuator, SyntheticReplicaLauncher } from '@equipoise/adapter-embedded';
import { diffPlans } from '@equipoise/core/control';
import { type PipelineSpec, type Plan, SeededRng, type StagePlan, type TensorMap } from '@equipoise/core/model';
import { drawMs, requireCurves } from '@equipoise/core/plan';
import { loadPipelineFile } from '@equipoise/pipeline-file';
import { copyTensors, loadPipelineSamples, PipelineRunner } from '@equipoise/runtime';
import { embeddedLauncher } from '../../../packages/app/src/compose/embedded-launcher.js';
import { servedPipeline } from './pipeline.js';
import type { ChangesQuestion } from './random-changes.js';
import type { Content } from './served-load.js';

/** Short load time: the new replicas of a change are ready within a second. */
const SYNTHETIC_LOAD_MS = 60;
/** Long time-out, so that only a change can lose a request. */
const PATIENCE_MS = 60_000;

/** `changes` random changes of the synthetic pipeline at 40 rps. */
export function syntheticChanges(changes: number, seed = 1): ChangesQuestion {
  const plain = servedPipeline();
  const stages = plain.stages.map((stage) => ({
    ...stage,
    variants: stage.variants.map((variant) => ({ ...variant, loadMs: SYNTHETIC_LOAD_MS })),
  }));
  const spec: PipelineSpec = { ...plain, stages, budget: { cpuCores: 16 } };
  const curves = requireCurves(spec, []);
  const rng = new SeededRng(seed);
  const launcher = new SyntheticReplicaLauncher({
    rng: rng.fork('service'),
    serviceMs: ({ stage, variant, resources }, batchSize, own) => {
      const curve = curves.curve(stage.id, variant.id, resources.cpuCores);
      return curve === undefined ? 0 : drawMs(curve.law(batchSize), own);
    },
  });
  return {
    ...{ spec, curves, launcher, hostCores: Number.POSITIVE_INFINITY, changes, rng },
    ...{ arrivalRps: 40, leastRps: 60, mostReplicas: 8, timeoutMs: PATIENCE_MS },
  };
}

const EXAMPLE = fileURLToPath(new URL('../../../examples/shelf-scan/pipeline.yaml', import.meta.url));
/** Time of the smallest variant, used only to compare capacities. Larger variants take longer. */
const REAL_ITEM_MS = 20;
const SAMPLES = 4;

/**
 * `changes` random changes of the example with its real models at 8 rps, on the cores of this machine. At this rate
 * several requests run during each change.
 */
export async function realChanges(changes: number, seed = 1): Promise<ChangesQuestion> {
  const parsed = await loadPipelineFile(EXAMPLE);
  if (parsed.kind === 'invalid') throw new Error(JSON.stringify(parsed.problems));
  const stages = parsed.spec.stages.map((stage) => ({
    ...stage,
    variants: stage.variants.map((variant, i) => ({ ...variant, profile: profileOf(variant.cpuCores, i) })),
  }));
  const slo = { latencyMs: PATIENCE_MS, percentile: 99 };
  const spec: PipelineSpec = { ...parsed.spec, stages, slo, budget: { cpuCores: 4 } };
  const launcher = embeddedLauncher(spec);
  return {
    ...{ spec, launcher, curves: requireCurves(spec, []), hostCores: 2, changes, rng: new SeededRng(seed) },
    ...{ arrivalRps: 8, leastRps: 2, mostReplicas: 2, timeoutMs: PATIENCE_MS },
    content: await samplesOf(spec, launcher),
  };
}

function profileOf(cores: readonly number[], variant: number) {
  return cores.flatMap((cpuCores) =>
    [1, 2, 4, 8].map((batchSize) => {
      const meanMs = (REAL_ITEM_MS * (variant + 1) * batchSize) / cpuCores;
      return { cpuCores, batchSize, meanMs, p99Ms: 1.3 * meanMs };
    }),
  );
}

/**
 * Images in turn. An answer belongs to an image if a combination of variants gives it for this image, and none for
 * another image. The answers of all combinations are measured beforehand, one by one.
 */
async function samplesOf(spec: PipelineSpec, launcher: ChangesQuestion['launcher']): Promise<Content> {
  const images = loadPipelineSamples(spec)
    .samples.slice(0, SAMPLES)
    .map(({ inputs }) => inputs);
  const answers: readonly Set<string>[] = images.map(() => new Set());
  const runner = new PipelineRunner({ spec, hostCores: 2 });
  const actuator = new EmbeddedActuator(spec, { pool: runner, launcher });
  for (const plan of combinations(spec)) {
    for (const change of diffPlans(actuator.runningPlan(), plan, spec)) await actuator.apply(change);
    for (const [i, image] of images.entries()) {
      const outcome = await runner.submit(copyTensors(image));
      if (outcome.kind === 'completed') answers[i]?.add(textOf(outcome.output));
    }
  }
  runner.beginDraining();
  await runner.drained;
  await actuator.close();
  const shared = (text: string) => answers.filter((own) => own.has(text)).length > 1;
  const telling = answers.map((own) => new Set([...own].filter((text) => !shared(text))));
  const usable = images.flatMap((image, i) =>
    telling[i]?.size === answers[i]?.size ? [{ image, own: telling[i] as Set<string> }] : [],
  );
  if (usable.length < 2) throw new Error('there are no two images whose answers always differ');
  const at = (number: number) => usable[number % usable.length] as (typeof usable)[number];
  return {
    inputs: (number) => copyTensors(at(number).image),
    isOwn: (number, output) => at(number).own.has(textOf(output)),
  };
}

const textOf = (tensors: TensorMap): string =>
  JSON.stringify(
    Object.entries(tensors).map(([name, { shape, data }]) => [
      name,
      shape,
      Array.from(data as Iterable<unknown>, String),
    ]),
  );

/** One plan per combination of variants, with one replica per stage. */
function combinations({ stages, slo }: PipelineSpec): readonly Plan[] {
  const predicted = { latencyMs: 0, percentile: slo.percentile, pas: 1, capacityRps: 0, cpuCores: 0, costPerHour: 0 };
  let plans: readonly Plan['stages'][] = [{}];
  for (const { id, variants } of stages) {
    plans = plans.flatMap((before) =>
      variants.map((variant) => {
        const resources = { cpuCores: variant.cpuCores.at(-1) ?? 1, memoryBytes: 0, gpus: 0 };
        const own: StagePlan = {
          ...{ variantId: variant.id, resources, maxBatchSize: 1, maxBatchWaitMs: 0, replicas: 1, trafficFraction: 1 },
        };
        return { ...before, [id]: [own] };
      }),
    );
  }
  return plans.map((of) => ({ stages: of, predicted }));
}
