/** Renders a plan for an engine that walks the graph itself. There is no router of ours. */
import { AppError, defaultRunTimeoutMs, type PipelineSpec, type StageId } from '@equipoise/core/model';
import type { KubeObject } from '../../api/kube-object.js';
import { labelsOf, objectName, selectorOf } from '../../cluster/object-names.js';
import type { Container, NetworkPolicy } from '../manifest-types.js';
import { stagePolicy } from '../network-policies.js';
import { podTemplate } from '../pod-template.js';
import type { RenderRequest } from '../render-request.js';
import { serviceAccountName } from '../router.js';
import { chosenVariants } from '../router-spec.js';
import { isMlServerCommand, portName, type StageWorkload, stageWorkload } from '../stage-workload.js';
import { configOf, disruptionBudgetOf, serviceOf } from '../workload-objects.js';
import { engineLimits } from './engine-limits.js';
import { inferenceServiceOf } from './kserve.js';
import { inferenceGraph } from './kserve-graph.js';
import { seldonGraphDeployment } from './seldon-graph.js';
import { seldonPipeline } from './seldon-pipeline.js';
import { withPauseCommand } from './seldon-v1.js';
import { modelObjects } from './seldon-v2.js';
import type { GraphEngine } from './targets.js';

/** Objects of a plan; AppError INVALID_PIPELINE with the words of `equipoise validate --target` if the engine cannot run it. */
export function graphObjects(request: RenderRequest, engine: GraphEngine): readonly KubeObject[] {
  const { refused } = engineLimits(request.spec, request.target);
  if (refused.length > 0)
    throw new AppError('INVALID_PIPELINE', refused.map(({ message }) => message).join('\n'), {
      details: { target: request.target, problems: refused.map(({ path, message }) => ({ path, message })) },
    });
  const workloads = chosenVariants(request)
    .map((chosen) => stageWorkload(chosen, { ...request, router: 0 }))
    .filter((workload) => workload !== undefined)
    .map(withOwnBatches);
  return renderers[engine](request, workloads);
}

/** Longest time (ms) that a stage may run. */
const runTimeoutOf = ({ stages }: PipelineSpec): number =>
  Math.max(...stages.map(({ runTimeoutMs = defaultRunTimeoutMs }) => runTimeoutMs));

/** Time (s) in which MLServer collects a batch, if the plan has none: without a time, it forms no batches. */
const LEAST_COLLECT_S = 0.002;

/** Without our router, MLServer forms the batches of the plan itself. */
function withOwnBatches(workload: StageWorkload): StageWorkload {
  const { variant, plan, container } = workload;
  if (!isMlServerCommand(variant.server?.command)) return workload;
  const batching = batchingOf(plan);
  const env = (container.env ?? []).filter(({ name }) => !(name in batching));
  const own = Object.entries(batching).map(([name, value]) => ({ name, value }));
  return { ...workload, container: { ...container, env: [...env, ...own] } };
}

function batchingOf({ maxBatchSize, maxBatchWaitMs }: StageWorkload['plan']): Readonly<Record<string, string>> {
  const collectS = maxBatchSize > 1 ? Math.max(LEAST_COLLECT_S, maxBatchWaitMs / 1000) : 0;
  return { MLSERVER_MODEL_MAX_BATCH_SIZE: String(maxBatchSize), MLSERVER_MODEL_MAX_BATCH_TIME: String(collectS) };
}

type GraphRenderer = (request: RenderRequest, workloads: readonly StageWorkload[]) => readonly KubeObject[];

const renderers: Readonly<Record<GraphEngine, GraphRenderer>> = {
  kserve: (request, workloads) => {
    const { spec } = request;
    const urls = new Map<StageId, string>(
      workloads.map(({ stage, name, port, reach: { path, model } }) => [
        stage.id,
        `http://${name}:${port}${path}/v2/models/${model}/infer`,
      ]),
    );
    return [
      accountOf(spec.name),
      ...workloads.flatMap((workload) => [
        ...configObjects(workload),
        serviceOf(workload, { number: workload.port, name: portName('http') }, false),
        inferenceServiceOf(workload, request, { 'serving.kserve.io/autoscalerClass': 'none' }),
        disruptionBudgetOf(workload),
        graphPolicy(
          spec.name,
          workload,
          (['router', 'next'] as const).map((kind) => selectorOf(spec.name, { kind })),
        ),
      ]),
      inferenceGraph({ spec, urlOf: (id) => urls.get(id) ?? '', runTimeoutMs: runTimeoutOf(spec) }),
    ];
  },
  'seldon-v1': (request, workloads) => {
    const { spec } = request;
    const models = new Map(workloads.map((workload) => [workload.stage.id, nodeModel(workload)]));
    const orchestrator = { 'seldon-deployment-id': objectName(spec.name) };
    return [
      accountOf(spec.name),
      ...workloads.flatMap((workload) => [
        ...configObjects(workload),
        disruptionBudgetOf(workload),
        graphPolicy(spec.name, workload, [orchestrator]),
      ]),
      seldonGraphDeployment({
        spec,
        runTimeoutMs: runTimeoutOf(spec),
        components: workloads.map((workload) => componentOf(workload, request)),
        modelOf: (id) => models.get(id) ?? { name: id, port: 0 },
      }),
    ];
  },
  'seldon-v2': (request, workloads) => {
    const { spec } = request;
    const models = new Map(workloads.map(({ stage, name }) => [stage.id, name]));
    return [
      ...workloads.flatMap((workload) => modelObjects(workload, request, batchingOf(workload.plan))),
      seldonPipeline(spec, (id) => models.get(id) ?? id),
    ];
  },
};

function accountOf(pipeline: string): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name: serviceAccountName(pipeline), labels: labelsOf(pipeline) },
    automountServiceAccountToken: false,
  } as KubeObject;
}

const configObjects = (workload: StageWorkload): readonly KubeObject[] =>
  workload.pipelineFile === undefined ? [] : [configOf(workload, workload.pipelineFile).object];

/** Only the pods that walk the graph may call a stage. */
function graphPolicy(
  pipeline: string,
  workload: StageWorkload,
  callers: readonly Readonly<Record<string, string>>[],
): NetworkPolicy {
  const policy = stagePolicy(pipeline, workload);
  const [first, ...others] = policy.spec.ingress;
  const from = callers.map((matchLabels) => ({ podSelector: { matchLabels } }));
  return { ...policy, spec: { ...policy.spec, ingress: [{ ...first, from }, ...others] } };
}

/** The orchestrator calls a model by the name of its node. */
const nodeModel = ({ reach: { model }, port }: StageWorkload) => ({ name: model, port });

function componentOf(workload: StageWorkload, { spec }: RenderRequest) {
  const { labels, selector, runTimeoutMs, pipelineFile, placement, plan, reach } = workload;
  const container: Container = { ...workload.container, name: reach.model };
  const pod = podTemplate({
    labels,
    selector,
    container,
    drainMs: runTimeoutMs,
    serviceAccount: serviceAccountName(spec.name),
    config: pipelineFile === undefined ? undefined : configOf(workload, pipelineFile).config,
    placement,
  });
  return {
    ...pod,
    spec: { ...pod.spec, containers: pod.spec.containers.map(withPauseCommand) },
    replicas: plan.replicas,
  };
}
