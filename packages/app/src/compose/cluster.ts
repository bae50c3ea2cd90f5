/** The cluster that a command speaks to: the one that `kubectl` would, unless flags say otherwise. */
import { HttpKubeApi, type KubeApi, type KubeConfigSource, kubeConnection } from '@equipoise/adapter-kubernetes';

/** Flags that choose a cluster and a namespace in it. */
export interface ClusterOptions {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly namespace?: string;
}

/** A cluster with the namespace that is meant. */
export interface Cluster {
  readonly api: KubeApi;
  readonly namespace: string;
}

/** Does something with the cluster and lets go of it; AppError WRONG_USAGE where no kubeconfig names one, FILE_NOT_FOUND where that is not there. */
export async function withCluster<Result>(
  { kubeconfig, context, namespace }: ClusterOptions,
  action: (cluster: Cluster) => Promise<Result>,
): Promise<Result> {
  const chosen = context === undefined ? {} : { context };
  const source: KubeConfigSource =
    kubeconfig === undefined ? { kind: 'default', ...chosen } : { kind: 'file', path: kubeconfig, ...chosen };
  const connection = await kubeConnection(source, { nowMs: () => performance.now() });
  try {
    return await action({ api: new HttpKubeApi(connection), namespace: namespace ?? connection.namespace });
  } finally {
    connection.close();
  }
}
