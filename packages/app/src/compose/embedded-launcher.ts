import { FetchingLauncher } from '@equipoise/adapter-artifacts';
import {
  launcherFor,
  ProcessReplicaLauncher,
  PythonReplicaLauncher,
  SyntheticReplicaLauncher,
  ThreadReplicaLauncher,
} from '@equipoise/adapter-embedded';
import {
  type AnswerDecoder,
  CommandReplicaLauncher,
  clientDefaults,
  RemoteReplicaLauncher,
  type ResolveName,
} from '@equipoise/adapter-open-inference';
import { invariant, type PipelineSpec, SeededRng } from '@equipoise/core/model';
import { curvesOf, drawMs } from '@equipoise/core/plan';
import type { LaunchRequest, ReplicaLauncher } from '@equipoise/core/ports';
import { ThreadedDecoder } from '@equipoise/runtime';
import { artifactCache, stageRules } from './artifacts.js';

/** Launches all kinds of replicas. `seed` fixes synthetic service times; `resolve` finds the addresses of servers. */
export function embeddedLauncher(spec: PipelineSpec, seed = 1, resolve?: ResolveName): ReplicaLauncher {
  const synthetic = new SyntheticReplicaLauncher({
    rng: new SeededRng(seed),
    serviceMs: (request, batchSize, rng) => drawMs(curveFor(request).law(batchSize), rng),
    cpuFraction: (request) => Math.min(1, request.resources.cpuCores / curveFor(request).dispatchCores),
  });
  const syntheticStages = spec.stages.filter(({ module }) => module === undefined);
  let curves: ReturnType<typeof curvesOf> | undefined;
  const inlineCurves = () => {
    curves ??= curvesOf({ ...spec, stages: syntheticStages }, []);
    return curves;
  };
  const curveFor = ({ stage, variant, resources }: LaunchRequest) => {
    const curves = inlineCurves();
    const curve = curves.kind === 'curves' ? curves.curve(stage.id, variant.id, resources.cpuCores) : undefined;
    invariant(curve !== undefined, `synthetic stage ${stage.id} has a profile for ${resources.cpuCores} cores`);
    return curve;
  };
  const decoder = new ThreadedDecoder(clientDefaults.maxAnswerBytes);
  const decodeLarge: AnswerDecoder = (body) => decoder.decode('answer', body);
  const launcher = launcherFor({
    thread: new ThreadReplicaLauncher(),
    process: new ProcessReplicaLauncher(),
    python: new PythonReplicaLauncher(),
    synthetic,
    remote: new RemoteReplicaLauncher({ decodeLarge }, resolve),
    command: new CommandReplicaLauncher({ decodeLarge }),
  });
  return new FetchingLauncher(launcher, { cache: artifactCache, locate: stageRules.locate });
}
