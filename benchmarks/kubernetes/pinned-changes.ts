/** The operator on a real node: changes of replicas, batch size and variant by pins, while clients send requests. */
import { setTimeout as sleep } from 'node:timers/promises';
import { SeededRng } from '@equipoise/core/model';
import { eventually } from '../../packages/adapter-kubernetes/src/test-cluster/cluster-objects.test-support.js';
import { type NodeQuestion, type OperatedPipeline, type PipelineObject, withOperator } from './node-operator.js';
import { RouterLoad } from './router-load.js';
import { countsOf } from './routers.js';
import { WORKING_STAGE } from './working-pipeline.js';

export interface PinnedChangesFigures {
  readonly arrivalRps: number;
  readonly sloMs: number;
  /** Seconds from a changed pin until the plan runs. */
  readonly changeS: readonly number[];
  /** The same for changes of variant, which are canaries. */
  readonly canaryS: readonly number[];
  /** Seconds from the pin of the variant that fails until it is rolled back. */
  readonly rolledBackS: number;
  readonly sent: number;
  readonly lost: number;
  readonly refused: number;
  readonly withinSlo: number;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  readonly problems: readonly string[];
}

interface PinnedQuestion extends NodeQuestion {
  readonly changes: number;
  /** Canaries of good variants; one of a failing variant follows. */
  readonly canaries: number;
}

interface Pins {
  readonly variant?: string;
  readonly replicas?: number;
  readonly maxBatchSize?: number;
}

const ARRIVAL_RPS = 10;
const SLO_MS = 1_000;
const WORK = { blocks: 100, cpuCores: [0.15], budgetCpuCores: 0.9 };
const PIPELINE = { name: 'pinned', ...WORK, sloMs: SLO_MS, hasFailingVariant: true };
const GOOD = ['few-words', 'many-words'] as const;
const FAILING = 'failing';
const LIMIT_MS = 300_000;
const SETTLING_MS = 10_000;

export function measurePinnedChanges(question: PinnedQuestion): Promise<PinnedChangesFigures> {
  const operated = { namespace: 'pinned', pipeline: PIPELINE, arrivalRps: ARRIVAL_RPS };
  return withOperator(question, operated, (pipeline, first) => underLoad(pipeline, first, question));
}

async function underLoad(
  pipeline: OperatedPipeline,
  first: PipelineObject,
  { changes, canaries, seed, onProgress = () => {} }: PinnedQuestion,
): Promise<PinnedChangesFigures> {
  const url = await pipeline.workload.url();
  const load = new RouterLoad({ url, arrivalRps: ARRIVAL_RPS, rng: new SeededRng(seed), hasOwnConnections: true });
  let requests: Awaited<ReturnType<RouterLoad['stop']>> = [];
  const secondsOf = async (name: string, change: () => Promise<void>): Promise<number> => {
    const beganMs = performance.now();
    await change();
    const seconds = (performance.now() - beganMs) / 1000;
    onProgress(`${name}: ${seconds.toFixed(1)} s, ${load.sent} requests`);
    return seconds;
  };
  const [changeS, canaryS]: [number[], number[]] = [[], []];
  let rolledBackS = Number.NaN;
  try {
    await sleep(SETTLING_MS);
    for (let change = 0; change < changes; change++) {
      const pins = { variant: GOOD[1], replicas: 1 + ((change + 1) % 2), maxBatchSize: change % 4 < 2 ? 1 : 2 };
      changeS.push(await secondsOf(JSON.stringify(pins), () => pinned(pipeline, first, pins)));
    }
    for (let canary = 0; canary < canaries; canary++) {
      const pins = { variant: GOOD[canary % 2] ?? GOOD[0] };
      canaryS.push(await secondsOf(JSON.stringify(pins), () => pinned(pipeline, first, pins)));
    }
    rolledBackS = await secondsOf(FAILING, () => rolledBack(pipeline, first));
  } finally {
    requests = await load.stop();
  }
  const { sent, lost, refused, p50Ms, p99Ms, problems } = countsOf(requests);
  const withinSlo = requests.filter(({ kind, latencyMs }) => kind === 'answered' && latencyMs <= SLO_MS).length;
  const counts = { sent, lost, refused, withinSlo, p50Ms, p99Ms, problems };
  return { arrivalRps: ARRIVAL_RPS, sloMs: SLO_MS, changeS, canaryS, rolledBackS, ...counts };
}

async function pin(pipeline: OperatedPipeline, { spec, ...rest }: PipelineObject, pins: Pins): Promise<void> {
  const stages = spec.stages.map((stage) => (stage.name === WORKING_STAGE ? { ...stage, pins } : stage));
  await pipeline.apply({ ...rest, spec: { ...spec, stages } });
}

/** Pins choices of the stage; resolves when a plan with them runs. */
async function pinned(pipeline: OperatedPipeline, first: PipelineObject, pins: Pins): Promise<void> {
  await pin(pipeline, first, pins);
  await eventually(async () => {
    const { metadata, status = {} } = await pipeline.read();
    const ready = status.conditions?.find(({ type }) => type === 'Ready');
    const [part, ...others] = status.plan?.stages[WORKING_STAGE] ?? [];
    const isPlanned =
      part !== undefined &&
      others.length === 0 &&
      part.variantId === (pins.variant ?? part.variantId) &&
      part.replicas === (pins.replicas ?? part.replicas);
    return isPlanned && ready?.status === 'True' && ready.observedGeneration === metadata.generation;
  }, LIMIT_MS);
}

/** Pins the variant that fails in pods; resolves when it has been rolled back. */
async function rolledBack(pipeline: OperatedPipeline, first: PipelineObject): Promise<void> {
  await pin(pipeline, first, { variant: FAILING });
  await eventually(async () => {
    const { workloads = [] } = (await pipeline.read()).status?.rollback ?? {};
    return workloads.some((name) => name.endsWith(`--${FAILING}`));
  }, LIMIT_MS);
}
