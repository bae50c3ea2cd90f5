import {
  HttpKubeApi,
  type KubeApi,
  type KubeConfigSource,
  kubeConnection,
  type PodAccount,
} from '@equipoise/adapter-kubernetes';

export interface ClusterOptions {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly namespace?: string;
}

export interface Cluster {
  readonly api: KubeApi;
  readonly namespace: string;
  /** Account of this pod, if it is that of the connection. */
  readonly account?: PodAccount | undefined;
}

/**
 * Runs `action` on `kubectl`'s cluster, unless flags name another. Throws WRONG_USAGE if no kubeconfig names a cluster,
 * FILE_NOT_FOUND for a missing kubeconfig.
 */
export async function withCluster<Result>(
  { kubeconfig, context, namespace }: ClusterOptions,
  action: (cluster: Cluster) => Promise<Result>,
): Promise<Result> {
  const chosen = context === undefined ? {} : { context };
  const source: KubeConfigSource =
    kubeconfig === undefined ? { kind: 'default', ...chosen } : { kind: 'file', path: kubeconfig, ...chosen };
  const connection = await kubeConnection(source, { nowMs: () => performance.now() });
  try {
    const { account } = connection;
    return await action({ api: new HttpKubeApi(connection), namespace: namespace ?? connection.namespace, account });
  } finally {
    connection.close();
  }
}
