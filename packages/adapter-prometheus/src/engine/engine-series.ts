/**
 * Series of engines that walk the graph themselves: requests of a graph with their latencies, and requests of each
 * workload with their total time. KServe's router has no latencies, so those of the mesh count.
 */
import type { EngineMetricsQuestion } from '@equipoise/core/ports';
import { anyOf, matcher } from '../series/watched-pipeline.js';

export interface GraphSeries {
  /** Histogram of the latency of ended requests. */
  readonly histogram: string;
  readonly selector: string;
  /** Label with the name of the graph. */
  readonly nameLabel: string;
  readonly codeLabel: string;
  readonly isSuccess: (code: string) => boolean;
  /** Length of the histogram's unit. */
  readonly unitS: number;
}

export interface WorkloadSeries {
  readonly requests: string;
  /** Total duration (s) of these requests. */
  readonly duration: string;
  readonly selector: string;
  workloadOf(labels: Readonly<Record<string, string>>): string | undefined;
}

const isOk = (code: string): boolean => code === '200' || code === 'OK';

export function graphSeries({ engine, namespace, graphs }: EngineMetricsQuestion): GraphSeries {
  const inNamespace = matcher('namespace', '=', namespace);
  const names = anyOf(graphs);
  if (engine === 'seldon-v2') {
    return {
      histogram: 'seldon_pipeline_infer_api_seconds',
      selector: `${inNamespace},${matcher('pipeline', '=~', names)}`,
      ...{ nameLabel: 'pipeline', codeLabel: 'code', isSuccess: isOk, unitS: 1 },
    };
  }
  if (engine === 'seldon-v1') {
    return {
      histogram: 'seldon_api_executor_server_requests_seconds',
      selector: `${inNamespace},${matcher('deployment_name', '=~', names)},service=~"predictions|.*/(Predict|ModelInfer)"`,
      ...{ nameLabel: 'deployment_name', codeLabel: 'code', isSuccess: isOk, unitS: 1 },
    };
  }
  const selector = [
    'reporter=~"destination|waypoint"',
    matcher('destination_workload_namespace', '=', namespace),
    matcher('destination_workload', '=~', names),
  ].join(',');
  return {
    histogram: 'istio_request_duration_milliseconds',
    selector,
    ...{ nameLabel: 'destination_workload', codeLabel: 'response_code', unitS: 0.001 },
    isSuccess: (code) => /^[123]/.test(code),
  };
}

/** Candidates; of those with samples, the first counts. */
export function workloadSeries({
  engine,
  namespace,
  graphs,
  stages,
}: EngineMetricsQuestion): readonly WorkloadSeries[] {
  const inNamespace = matcher('namespace', '=', namespace);
  const workloads = stages.map(({ workload }) => workload);
  if (engine === 'seldon-v2') {
    return [
      {
        requests: 'seldon_model_infer_total',
        duration: 'seldon_model_infer_seconds_total',
        selector: `${inNamespace},${matcher('model', '=~', anyOf(workloads))}`,
        workloadOf: ({ model }) => model,
      },
    ];
  }
  const longest = workloads.toSorted((a, b) => b.length - a.length);
  const ofPods = {
    selector: `${inNamespace},${matcher('pod', '=~', `(${anyOf(longest)})-.+`)}`,
    workloadOf: ({ pod = '' }: Readonly<Record<string, string>>) => longest.find((name) => pod.startsWith(`${name}-`)),
  };
  const mlserver = {
    ...ofPods,
    requests: 'model_infer_request_duration_count',
    duration: 'model_infer_request_duration_sum',
  };
  if (engine === 'kserve') {
    const predict = 'request_predict_seconds';
    return [{ ...ofPods, requests: `${predict}_count`, duration: `${predict}_sum` }, mlserver];
  }
  const calls = 'seldon_api_executor_client_requests_seconds';
  const byModel = new Map(
    stages.flatMap(({ stageId, workload }) => [[workload, workload] as const, [stageId as string, workload] as const]),
  );
  return [
    {
      requests: `${calls}_count`,
      duration: `${calls}_sum`,
      selector: `${inNamespace},${matcher('deployment_name', '=~', anyOf(graphs))}`,
      workloadOf: ({ model_name: model = '' }) => byModel.get(model),
    },
    mlserver,
  ];
}
