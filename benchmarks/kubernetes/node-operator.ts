/** `equipoise operator` next to a real node, for a pipeline in a namespace of its own. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  ChildProgram,
  readyWithin,
} from '../../packages/adapter-kubernetes/src/test-cluster/child-program.test-support.js';
import { outputOf, runToEnd } from '../../packages/testkit/src/run-to-end.js';
import { NodeWorkload } from './node-workload.js';
import type { RoutersQuestion } from './routers.js';
import { WORKING_IMAGE, workingPipeline } from './working-pipeline.js';

export type NodeQuestion = Pick<RoutersQuestion, 'kubeconfig' | 'seed' | 'onProgress'>;

/** The pipeline as an object of the cluster. */
export interface PipelineObject {
  readonly metadata: {
    readonly name: string;
    readonly generation?: number;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec: { readonly stages: readonly { readonly name: string }[] };
  readonly status?: {
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly observedGeneration?: number;
    }[];
    readonly plan?: {
      readonly stages: Readonly<Record<string, readonly { readonly variantId: string; readonly replicas: number }[]>>;
    };
    readonly rollback?: { readonly workloads: readonly string[] };
  };
}

export interface OperatedPipeline {
  readonly workload: NodeWorkload;
  /** Applies an object of the pipeline. */
  apply(object: PipelineObject): Promise<void>;
  read(): Promise<PipelineObject>;
}

interface Operated {
  readonly namespace: string;
  readonly pipeline: Parameters<typeof workingPipeline>[0];
  /** Load that the object names. */
  readonly arrivalRps: number;
  /** Further flags of the operator; default none. */
  readonly flags?: readonly string[];
}

const OPERATOR_PORT = 18_483;
const LIMIT_MS = 120_000;

const repository = fileURLToPath(new URL('../..', import.meta.url));
const equipoise = join(repository, 'packages', 'app', 'bin', 'equipoise');
const definition = join(repository, 'deploy', 'kubernetes-definition');

/** Calls `measure` once the pipeline runs; then removes everything. */
export async function withOperator<Result>(
  { kubeconfig, onProgress = () => {} }: NodeQuestion,
  { namespace, pipeline, arrivalRps, flags = [] }: Operated,
  measure: (operated: OperatedPipeline, first: PipelineObject) => Promise<Result>,
): Promise<Result> {
  const file = workingPipeline(pipeline);
  const workload = new NodeWorkload({ kubeconfig, namespace, pipeline: file, image: WORKING_IMAGE });
  const folder = mkdtempSync(join(tmpdir(), 'equipoise-operated-'));
  let operator: ChildProgram | undefined;
  try {
    await workload.kube('apply', '--server-side', '--kustomize', definition);
    await workload.kube('wait', '--for=condition=Established', 'crd/inferencepipelines.equipoise.dev');
    await workload.create();
    const scope = ['--kubeconfig', kubeconfig, '--namespace', namespace, '--lease-namespace', namespace];
    const usual = ['--least-cpu-cores', String(Math.min(...pipeline.cpuCores)), '--port', String(OPERATOR_PORT)];
    const command = ['operator', ...scope, ...usual, ...flags];
    const started = new ChildProgram(equipoise, command, join(folder, 'operator.log'));
    operator = started;
    await readyWithin(LIMIT_MS, started, async () => (await fetch(`http://127.0.0.1:${OPERATOR_PORT}/readyz`)).ok);
    const object = ['--arrival-rps', String(arrivalRps), '--image', WORKING_IMAGE, '--namespace', namespace, '--json'];
    const first = JSON.parse(
      await outputOf(runToEnd(equipoise, ['k8s', 'pipeline', file, ...object])),
    ) as PipelineObject;
    const operated = operatedOn(workload, first.metadata.name);
    await operated.apply(first);
    await workload.planRuns();
    return await measure(operated, first);
  } finally {
    if (operator !== undefined) onProgress(operator.lastWords);
    await operator?.stop();
    await workload.remove();
    rmSync(folder, { recursive: true, force: true });
  }
}

function operatedOn(workload: NodeWorkload, name: string): OperatedPipeline {
  return {
    workload,
    apply: async (object) => {
      await outputOf(workload.send(object, 'apply', '--server-side', '--force-conflicts', '--filename', '-'));
    },
    read: async () =>
      JSON.parse(await workload.kube('get', 'inferencepipeline', name, '--output', 'json')) as PipelineObject,
  };
}
