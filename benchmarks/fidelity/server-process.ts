/** Server process: profiles with pinned replicas, then serves one plan over HTTP and records it. */
import { ThreadReplicaLauncher } from '@equipoise/adapter-embedded';
import { launchRules } from '@equipoise/adapter-embedded/launch-rules';
import type { PipelineSpec, ProfileSet, StageId, StagePlan, VariantSpec } from '@equipoise/core/model';
import { requireCurves } from '@equipoise/core/plan';
import { batchPolicies } from '@equipoise/core/simulate';
import {
  copyTensors,
  loadPipelineSamples,
  PipelineRunner,
  profilePipeline,
  type RequestEnd,
  type RunningServer,
  startServer,
} from '@equipoise/runtime';
import { BatchTimes } from './batch-times.js';
import { planOf, replicaOf } from './combinations.js';
import type { FromServer, ServedRequests, ToServer } from './messages.js';
import { pinned, pinServer } from './pinning.js';
import { threadTimes, timesBetween } from './thread-times.js';

pinServer();
const launcher = pinned(new ThreadReplicaLauncher());
const times = new BatchTimes();

const fansOut = (spec: PipelineSpec, stage: StageId): boolean =>
  spec.edges.some(({ from, fanOut }) => from === stage && fanOut !== undefined);

interface Serving {
  readonly server: RunningServer;
  readonly close: () => Promise<void>;
}

let serving: Serving | undefined;
let ends: RequestEnd[] = [];
let cpu = process.cpuUsage();
let threads = threadTimes();

async function serve(spec: PipelineSpec, profiles: ProfileSet): Promise<Serving> {
  const runner = new PipelineRunner({ spec, hostCores: 1, clock: times.clock });
  const plan = planOf(spec);
  const policies = batchPolicies(spec, plan, requireCurves(spec, profiles));
  const closing: (() => Promise<void>)[] = [];
  for (const [index, stage] of spec.stages.entries()) {
    const [variant] = stage.variants as readonly [VariantSpec];
    const [{ resources }] = plan.stages[stage.id] as readonly [StagePlan];
    const launched = await launcher.launch({ stage, variant, resources, baseDir: spec.baseDir });
    closing.push(() => launched.runner.close());
    runner.addReplica(stage.id, {
      replicaId: replicaOf(stage.id),
      variantId: variant.id,
      resources,
      runner: times.timed(launched.runner, stage.id, fansOut(spec, stage.id)),
    });
    runner.setPolicy(stage.id, policies[index] as never);
  }
  for (const { inputs } of loadPipelineSamples(spec).samples)
    await runner.submit(copyTensors(inputs), { timeoutMs: 10_000 });
  runner.onRequestEnd((end) => ends.push(end));
  const server = await startServer({ runners: [runner], version: 'bench', port: 0 });
  const close = async () => {
    await server.close();
    runner.beginDraining();
    await runner.drained;
    for (const closeOne of closing) await closeOne();
  };
  return { server, close };
}

function record(): FromServer['record'] {
  const { user, system } = process.cpuUsage(cpu);
  const requests: ServedRequests = {
    arrivedAtMs: ends.map(({ arrivedAtMs }) => arrivedAtMs),
    latencyMs: ends.map((end) => (end.kind === 'completed' ? end.latencyMs : null)),
  };
  const threadsNow = threadTimes();
  const cpuMs = (user + system) / 1000;
  const recorded = { requests, ...times.take(), cpuMs, threads: timesBetween(threads, threadsNow) };
  ends = [];
  cpu = process.cpuUsage();
  threads = threadsNow;
  return recorded;
}

async function answer(message: ToServer): Promise<FromServer[ToServer['kind']]> {
  switch (message.kind) {
    case 'profile': {
      const { spec, quick } = message;
      const clock = { nowMs: () => performance.now() };
      return (await profilePipeline({ spec, launcher, options: { quick }, clock, rules: launchRules })).variants;
    }
    case 'serve':
      serving = await serve(message.spec, message.profiles);
      record();
      return { url: `${serving.server.url}/v1/pipelines/${message.spec.name}/run` };
    case 'record':
      return record();
    case 'stop':
      await serving?.close();
      serving = undefined;
      return null;
  }
}

process.on('message', async (message: ToServer) => {
  process.send?.((await answer(message)) as object);
});
