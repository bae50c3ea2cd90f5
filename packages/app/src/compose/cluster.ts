import {
  accessThrough,
  directAccess,
  HttpKubeApi,
  type KubeApi,
  type KubeConfigSource,
  kubeConnection,
  type PodAccount,
  type RouterAccess,
} from '@equipoise/adapter-kubernetes';

export interface ClusterOptions {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly namespace?: string;
  /** How an operator reaches routers; default `pods`. */
  readonly routersThrough?: 'pods' | 'api-server';
}

export interface Cluster {
  readonly api: KubeApi;
  readonly namespace: string;
  /** Account of this pod, if it is that of the connection. */
  readonly account?: PodAccount | undefined;
  readonly routers: RouterAccess;
}

/**
 * Runs `action` on `kubectl`'s cluster, unless flags name another. Throws WRONG_USAGE if no kubeconfig names a cluster,
 * FILE_NOT_FOUND for a missing kubeconfig.
 */
export async function withCluster<Result>(
  { kubeconfig, context, namespace, routersThrough }: ClusterOptions,
  action: (cluster: Cluster) => Promise<Result>,
): Promise<Result> {
  const chosen = context === undefined ? {} : { context };
  const source: KubeConfigSource =
    kubeconfig === undefined ? { kind: 'default', ...chosen } : { kind: 'file', path: kubeconfig, ...chosen };
  const connection = await kubeConnection(source, { nowMs: () => performance.now() });
  try {
    const { account } = connection;
    const routers = routersThrough === 'api-server' ? accessThrough(connection) : directAccess;
    const api = new HttpKubeApi(connection);
    return await action({ api, namespace: namespace ?? connection.namespace, account, routers });
  } finally {
    connection.close();
  }
}
