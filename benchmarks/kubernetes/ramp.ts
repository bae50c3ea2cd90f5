/** The operator on a real node: a pipeline whose load rises and falls, by open-loop clients of its Service. */
import { setTimeout as sleep } from 'node:timers/promises';
import { SeededRng } from '@equipoise/core/model';
import { type NodeQuestion, type OperatedPipeline, withOperator } from './node-operator.js';
import { isReady, stagePods } from './node-workload.js';
import { REQUEST_TEXT, RIGHT_ANSWER } from './router-load.js';
import { type LoadFigures, type LoadStage, loadFigures, loadText, StagedLoad } from './staged-load.js';
import { OTHER_STAGE, WORKING_STAGE } from './working-pipeline.js';

export interface RampFigures extends LoadFigures {
  readonly load: string;
  /** Ready pods of both stages at the end of each plateau. */
  readonly replicas: readonly (readonly number[])[];
}

/**
 * Some 4 ms of work, and as much for the server in the pod: a replica of 0.15 cores answers up to 20 requests per second.
 * Next to a router and its successor (0.5 cores each) the node has room for six.
 */
const PIPELINE = { name: 'ramp', blocks: 100, cpuCores: [0.15], budgetCpuCores: 0.9, sloMs: 1_000 } as const;
const RAMP: readonly LoadStage[] = [
  { seconds: 60, fromRps: 5, toRps: 5 },
  { seconds: 90, fromRps: 5, toRps: 40 },
  { seconds: 90, fromRps: 40, toRps: 40 },
  { seconds: 60, fromRps: 40, toRps: 5 },
  { seconds: 120, fromRps: 5, toRps: 5 },
];

export function measureRamp(question: NodeQuestion): Promise<RampFigures> {
  const operated = { namespace: 'ramp', pipeline: PIPELINE, arrivalRps: 5 };
  return withOperator(question, operated, (pipeline) => followed(pipeline, question));
}

async function followed(
  { workload }: OperatedPipeline,
  { seed, onProgress = () => {} }: NodeQuestion,
): Promise<RampFigures> {
  const load = new StagedLoad({
    url: await workload.url(),
    headers: { 'content-type': 'text/plain' },
    stages: RAMP,
    rng: new SeededRng(seed),
    body: () => REQUEST_TEXT,
    isOwn: (_, answer) => answer.includes(RIGHT_ANSWER),
  });
  const replicasOf = async (): Promise<readonly number[]> => {
    const pods = [OTHER_STAGE, WORKING_STAGE].map((stage) => workload.pods(stagePods(stage)));
    return (await Promise.all(pods)).map((all) => all.filter(isReady).length);
  };
  const replicas: (readonly number[])[] = [];
  try {
    for (const { seconds, fromRps, toRps } of RAMP) {
      const untilMs = performance.now() + 1000 * seconds;
      while (performance.now() < untilMs) {
        await sleep(Math.min(10_000, Math.max(0, untilMs - performance.now())));
        onProgress(`${fromRps} → ${toRps} rps, ${(await replicasOf()).join(' ')} replicas, ${load.sent} sent`);
      }
      if (fromRps === toRps) replicas.push(await replicasOf());
    }
  } finally {
    load.stop();
  }
  return { ...loadFigures(await load.ended, PIPELINE.sloMs), load: loadText(RAMP), replicas };
}
