/**
 * The operator on a real node: faults of pods while clients send requests, and the time until the status of the pipeline
 * names each of them.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { SeededRng } from '@equipoise/core/model';
import { eventually } from '../../packages/adapter-kubernetes/src/test-cluster/cluster-objects.test-support.js';
import { type NodeQuestion, type OperatedPipeline, type PipelineObject, withOperator } from './node-operator.js';
import { isReady, type NodeWorkload, type Pod, stagePods } from './node-workload.js';
import { RouterLoad } from './router-load.js';
import { type FaultsFigures, underFaults } from './routers.js';
import { WORKING_STAGE } from './working-pipeline.js';

export interface NamedFaultsFigures extends FaultsFigures {
  /** Seconds from the fault until the status names it, by fault; null: never within `LIMIT_MS`. */
  readonly namedS: Readonly<Record<string, readonly (number | null)[]>>;
  /** Seconds from the restart of the kubelet with a higher threshold until the node reports its pressure. */
  readonly pressureS: readonly number[];
  /** Seconds from this report until the status also names an evicted pod; null: never within `LIMIT_MS`. */
  readonly evictedS?: readonly (number | null)[];
}

interface NamedFaultsQuestion extends NodeQuestion {
  /** Repetitions of each fault. */
  readonly rounds: number;
}

type Conditions = readonly { readonly type: string; readonly reason: string; readonly message: string }[];
type IsNamed = (conditions: Conditions) => boolean;

interface NamedFault {
  readonly isNamed: IsNamed;
  /** Resolves with the time of the fault, if it is not that of the call. */
  readonly happen: () => Promise<number | undefined>;
  readonly undo?: () => Promise<void>;
}

const ARRIVAL_RPS = 6;
const SLO_MS = 2_000;
const PIPELINE = { name: 'faults', blocks: 100, cpuCores: [0.15], budgetCpuCores: 0.9, sloMs: SLO_MS } as const;
/** Of each stage. */
const REPLICAS = 2;
const ABSENT_IMAGE = 'local/absent:1';
const IMAGES = 'equipoise.dev/images';
const LIMIT_MS = 120_000;
const READY_LIMIT_MS = 300_000;
/** Little enough that the node keeps memory for the requests of its pods. */
const ABOVE_AVAILABLE_BYTES = 1 << 29;

/** True if reason and message of a condition have all these words. */
const says = (conditions: Conditions, wanted: string, ...words: readonly string[]): boolean =>
  conditions.some(
    ({ type, reason, message }) =>
      type === wanted && words.every((word) => reason.includes(word) || message.includes(word)),
  );

const killOf = (conditions: Conditions): string | undefined =>
  conditions.map(({ message }) => /killed at its memory limit at (\S+)/.exec(message)?.[1]).find(Boolean);

export function measureNamedFaults(question: NamedFaultsQuestion): Promise<NamedFaultsFigures> {
  const operated = { namespace: 'faults', pipeline: PIPELINE, arrivalRps: ARRIVAL_RPS, flags: ['--watch-nodes'] };
  return withOperator(question, operated, async (pipeline, { spec, ...rest }) => {
    const stages = spec.stages.map((stage) => ({ ...stage, pins: { replicas: REPLICAS } }));
    const object = { ...rest, spec: { ...spec, stages } };
    await pipeline.apply(object);
    await isReadyAgain(pipeline);
    const status = new StatusWatch(pipeline.workload, rest.metadata.name);
    try {
      return await measured(pipeline, object, status, question);
    } finally {
      status.stop();
    }
  });
}

async function measured(
  pipeline: OperatedPipeline,
  object: PipelineObject,
  status: StatusWatch,
  { seed, rounds, onProgress = () => {} }: NamedFaultsQuestion,
): Promise<NamedFaultsFigures> {
  const namedS: Record<string, (number | null)[]> = {};
  const pressures: Pressures = { pressureS: [], evictedS: [] };
  const happenNamed = async (name: string, { isNamed, happen, undo }: NamedFault): Promise<void> => {
    await eventually(async () => !isNamed(status.conditions), LIMIT_MS);
    const calledMs = performance.now();
    const seen = status.first(isNamed, LIMIT_MS);
    try {
      const faultMs = (await happen()) ?? calledMs;
      const seconds = secondsBetween(faultMs, await seen);
      namedS[name] = [...(namedS[name] ?? []), seconds];
      onProgress(`${name}: named after ${seconds?.toFixed(1)} s: ${JSON.stringify(status.conditions)}`);
    } finally {
      await undo?.();
    }
    await isReadyAgain(pipeline);
  };
  const faults = Object.entries(faultsOf(pipeline, object, status, pressures)).map(([name, prepare]) => ({
    name,
    happen: async () => happenNamed(name, await prepare()),
  }));
  const url = await pipeline.workload.url();
  const load = new RouterLoad({ url, arrivalRps: ARRIVAL_RPS, rng: new SeededRng(seed), hasOwnConnections: true });
  const question = { arrivalRps: ARRIVAL_RPS, sloMs: SLO_MS, rounds, onProgress };
  return { ...(await underFaults(load, faults, question)), namedS, ...pressures };
}

/** Figures of node pressure, one for each round. */
interface Pressures {
  readonly pressureS: number[];
  readonly evictedS: (number | null)[];
}

const secondsBetween = (faultMs: number, seenMs: number | undefined): number | null =>
  seenMs === undefined ? null : Math.max(0, seenMs - faultMs) / 1000;

/** The faults by name, each prepared for a round. */
function faultsOf(
  { apply, workload }: OperatedPipeline,
  object: PipelineObject,
  status: StatusWatch,
  { pressureS, evictedS }: Pressures,
): Readonly<Record<string, () => Promise<NamedFault>>> {
  const stagePod = (): Promise<Pod> => workload.pod(stagePods(WORKING_STAGE));
  return {
    'image missing': async () => ({
      isNamed: (conditions) => says(conditions, 'Degraded', ABSENT_IMAGE),
      happen: async () => {
        const { annotations } = object.metadata;
        const metadata = { ...object.metadata, annotations: { ...annotations, [IMAGES]: ABSENT_IMAGE } };
        await apply({ ...object, metadata });
        return undefined;
      },
      undo: () => apply(object),
    }),
    'stage pod evicted': async () => {
      const pod = await stagePod();
      return {
        isNamed: (conditions) => says(conditions, 'Ready', pod.metadata.name, 'Eviction'),
        happen: async () => {
          await workload.evict(pod);
          return undefined;
        },
      };
    },
    'stage pod killed for its memory': async () => {
      const pod = await stagePod();
      const before = killOf(status.conditions);
      return {
        isNamed: (conditions) =>
          says(conditions, 'Degraded', 'OutOfMemory', pod.metadata.name) && killOf(conditions) !== before,
        happen: async () => {
          await workload.exceedMemory(pod);
          return undefined;
        },
      };
    },
    'node pressure': async () => {
      const { nodeName = '' } = (await stagePod()).spec;
      const isEvicted: IsNamed = (conditions) => says(conditions, 'Degraded', 'Evicted', 'low on resource: memory');
      await eventually(async () => !isEvicted(status.conditions), LIMIT_MS);
      const evicted = status.first(isEvicted, LIMIT_MS);
      let faultMs: number | undefined;
      return {
        isNamed: (conditions) => says(conditions, 'Degraded', `node ${nodeName}: MemoryPressure=True`),
        happen: async () => {
          const calledMs = performance.now();
          faultMs = await pressed(workload);
          pressureS.push((faultMs - calledMs) / 1000);
          return faultMs;
        },
        undo: async () => {
          // The pressure lasts until a pod is evicted.
          if (faultMs !== undefined) evictedS.push(secondsBetween(faultMs, await evicted));
          await workload.setMemoryThreshold();
          // Evicted pods remain as records, whatever their exit code.
          for (const phase of ['Failed', 'Succeeded'])
            await workload.kube('delete', 'pods', '--field-selector', `status.phase=${phase}`);
        },
      };
    },
  };
}

/** Resolves when the status is Ready for this generation, and all pods are. */
async function isReadyAgain({ workload, read }: OperatedPipeline): Promise<void> {
  await eventually(async () => {
    const { metadata, spec, status = {} } = await read();
    const ready = status.conditions?.find(({ type }) => type === 'Ready');
    if (ready?.status !== 'True' || ready.observedGeneration !== metadata.generation) return false;
    const pods = await workload.pods('equipoise.dev/pipeline');
    return pods.length === spec.stages.length * REPLICAS + 1 && pods.every(isReady);
  }, READY_LIMIT_MS);
}

/** Gives the node memory pressure; resolves with the time at which it reports this, or an evicted pod. */
async function pressed(workload: NodeWorkload): Promise<number> {
  const availableBytes = await workload.availableMemoryBytes();
  let report: (atMs: number) => void = () => {};
  const reported = new Promise<number>((resolve) => {
    report = resolve;
  });
  const watch = (word: string, kind: string, path: string) =>
    workload.watch((line) => line === word && report(performance.now()), kind, '--output', `jsonpath={${path}}{"\\n"}`);
  const stops = [
    watch('True', 'nodes', '.status.conditions[?(@.type=="MemoryPressure")].status'),
    watch('Evicted', 'pods', '.status.reason'),
  ];
  try {
    await workload.setMemoryThreshold(availableBytes + ABOVE_AVAILABLE_BYTES);
    const late = sleep(LIMIT_MS, undefined, { ref: false }).then(() => {
      throw new Error('the node reports no memory pressure');
    });
    return await Promise.race([reported, late]);
  } finally {
    for (const stop of stops) stop();
  }
}

/** Conditions of a pipeline, watched by another client than the operator. Polls could miss one that passes. */
class StatusWatch {
  conditions: Conditions = [];
  readonly stop: () => void;
  readonly #listeners = new Set<() => void>();

  constructor(workload: NodeWorkload, name: string) {
    const output = ['--output', 'jsonpath={.status.conditions}{"\\n"}'];
    this.stop = workload.watch((line) => this.#see(line), 'inferencepipeline', name, ...output);
  }

  /** Time of the first change from now on with such conditions; undefined: none in time. */
  async first(has: IsNamed, limitMs: number): Promise<number | undefined> {
    let listener = (): void => {};
    const seen = new Promise<number>((resolve) => {
      listener = () => has(this.conditions) && resolve(performance.now());
    });
    this.#listeners.add(listener);
    try {
      return await Promise.race([seen, sleep(limitMs, undefined, { ref: false })]);
    } finally {
      this.#listeners.delete(listener);
    }
  }

  #see(line: string): void {
    if (line === '') return;
    this.conditions = JSON.parse(line) as Conditions;
    for (const listener of this.#listeners) listener();
  }
}
