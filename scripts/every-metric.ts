/** All metrics that a served pipeline and an operator have, found by watching them. */
import { type PipelineSpec, SeededRng } from '@equipoise/core/model';
import { parsePipelineFile } from '@equipoise/pipeline-file';
import {
  DesiredReplicas,
  type MetricDescription,
  monotonicClock,
  OperatorMonitor,
  PipelineMonitor,
  PipelineRunner,
  ShadowReplicas,
} from '@equipoise/runtime';

/** Every metric of a served pipeline, in the order of the page. */
export function everyMetric(): readonly MetricDescription[] {
  const monitor = new PipelineMonitor({ pipelineName: 'any', version: '0', desired: new DesiredReplicas() });
  const spec = anySpec();
  const shadows = new ShadowReplicas(spec, {
    launcher: { launch: () => Promise.reject(new Error('nothing runs')) },
    clock: monotonicClock,
    rng: new SeededRng(1),
    onProblem: () => {},
  });
  const runner = new PipelineRunner({ spec, hostCores: 1, shadows });
  monitor.watch({ runner, runningPlan: () => ({ stages: {} }) });
  return monitor.describe();
}

export const operatorMetrics = (): readonly MetricDescription[] => new OperatorMonitor({ version: '0' }).describe();

function anySpec(): PipelineSpec {
  const text = `apiVersion: equipoise.dev/v1alpha1
kind: InferencePipeline
metadata: { name: any }
spec:
  slo: { latencyMs: 100 }
  budget: { cpuCores: 1 }
  objective: max-accuracy
  feedback: {}
  stages:
    - name: only
      variants:
        - { name: one, accuracy: { value: 1 }, profile: [{ cpuCores: 1, batchSize: 1, meanMs: 1 }] }
`;
  const parsed = parsePipelineFile(text, { fileName: 'any.yaml', baseDir: '.' });
  if (parsed.kind === 'invalid') throw new Error(JSON.stringify(parsed.problems));
  return parsed.spec;
}

/** Names of nonexistent Equipoise metrics in a text of queries. Names of histogram parts count as existing. */
export function unknownMetrics(queries: string): readonly string[] {
  const known = new Set([...everyMetric(), ...operatorMetrics()].map(({ name }) => name));
  const named = new Set(queries.match(/\bequipoise_\w+/g));
  return [...named].filter((name) => !known.has(name) && !known.has(name.replace(/_(bucket|sum|count)$/, '')));
}
