/**
 * Address and credentials of the API server, read by @kubernetes/client-node. That package is large and optional, so it is loaded on
 * first use. Credentials are cached for a minute.
 */
import http from 'node:http';
import https from 'node:https';
import { AppError, type Clock } from '@equipoise/core/model';
import type { KubeConfig } from '@kubernetes/client-node';
import { type PodAccount, podAccount } from './pod-account.js';

/** Source of the connection. `default`: where kubectl looks, else the pod's service account. */
export type KubeConfigSource =
  | { readonly kind: 'default'; readonly context?: string }
  | { readonly kind: 'file'; readonly path: string; readonly context?: string }
  | { readonly kind: 'text'; readonly kubeconfig: string; readonly context?: string };

export interface KubeConnection {
  readonly serverUrl: URL;
  /** Namespace of the context, or `default`. */
  readonly namespace: string;
  /** Account of the connection, if it is that of this pod. */
  readonly account: PodAccount | undefined;
  requestOptions(): Promise<http.RequestOptions>;
  forgetCredentials(): void;
  /** Closes connections that no request uses. */
  dropIdle(): void;
  close(): void;
}

/** Installs the client, in the version of package.json. */
const CLIENT_PACKAGE = '@kubernetes/client-node@1.4.0';

/** Context that the client makes from the service account of a pod. */
const POD_CONTEXT = 'inClusterContext';

const credentialsKeptMs = 60_000;
/** Connections are kept, because a new one costs more than most calls. */
const keptConnections = { keepAlive: true, maxFreeSockets: 64 };

/** Rejects with FILE_NOT_FOUND, FILE_UNREADABLE, NOT_FOUND (unknown context) or WRONG_USAGE (no server named). */
export async function kubeConnection(source: KubeConfigSource, clock: Clock): Promise<KubeConnection> {
  const { KubeConfig } = await import('@kubernetes/client-node').catch((cause: unknown) => {
    throw AppError.packageMissing('A connection to Kubernetes', CLIENT_PACKAGE, cause);
  });
  const config = new KubeConfig();
  try {
    if (source.kind === 'default') config.loadFromDefault();
    else if (source.kind === 'file') config.loadFromFile(source.path);
    else config.loadFromString(source.kubeconfig);
  } catch (cause) {
    throw unreadableError(cause);
  }
  if (isDefaultConfig(config)) {
    throw new AppError('WRONG_USAGE', 'there is no kubeconfig; name one with --kubeconfig FILE or KUBECONFIG=FILE');
  }
  if (source.context !== undefined) useContext(config, source.context);
  const cluster = config.getCurrentCluster();
  if (cluster === null) throw noClusterError(config);
  // The client refuses `http:` servers unless this is set.
  if (cluster.server.startsWith('http:')) {
    config.clusters = config.clusters.map((each) => (each === cluster ? { ...each, skipTLSVerify: true } : each));
  }
  const namespace = config.getContextObject(config.getCurrentContext())?.namespace ?? 'default';
  const account = config.getCurrentContext() === POD_CONTEXT ? await podAccount() : undefined;
  const place = { serverUrl: new URL(cluster.server), namespace, account };
  return connectionTo(place, clock, async () => {
    const options: https.RequestOptions = {};
    await config.applyToHTTPSOptions(options).catch((cause: unknown) => {
      const message = `no credentials for the API server at ${cluster.server}: ${String(cause)}`;
      throw new AppError('UNREACHABLE', message, { cause, retryable: true });
    });
    const { tlsServerName: servername, skipTLSVerify, proxyUrl } = cluster;
    return {
      ...options,
      ...(servername !== undefined && { servername }),
      ...(skipTLSVerify && { rejectUnauthorized: false }),
      // Uses the client's agent only for a proxy: the client's other agents do not reuse connections.
      agent: proxyUrl === undefined ? undefined : options.agent,
    };
  });
}

function unreadableError(cause: unknown): AppError {
  const { code, path, message } = cause as NodeJS.ErrnoException;
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return new AppError('FILE_NOT_FOUND', `there is no kubeconfig ${path}`, { details: { path }, cause });
  }
  return new AppError('FILE_UNREADABLE', `the kubeconfig cannot be read: ${message}`, { cause });
}

/** True if the client found no kubeconfig: it then invents this context and server. */
const isDefaultConfig = (config: KubeConfig): boolean =>
  config.getCurrentContext() === 'loaded-context' && config.getCurrentCluster()?.server === 'http://localhost:8080';

const contextsOf = (config: KubeConfig): readonly string[] => config.getContexts().map(({ name }) => name);

function useContext(config: KubeConfig, context: string): void {
  const contexts = contextsOf(config);
  if (!contexts.includes(context)) {
    const message = `the kubeconfig has no context ${context}; it has ${contexts.join(', ') || 'none'}`;
    throw new AppError('NOT_FOUND', message, { details: { context, contexts } });
  }
  config.setCurrentContext(context);
}

function noClusterError(config: KubeConfig): AppError {
  // May be undefined or empty, despite its type.
  const context: string | undefined = config.getCurrentContext();
  const contexts = contextsOf(config).join(', ') || 'none';
  const what = context ? `no cluster for its context ${context}` : 'no current context; choose one with --context';
  return new AppError('WRONG_USAGE', `the kubeconfig has ${what}; its contexts: ${contexts}`);
}

/** A change of these options replaces the agent and all connections. */
const TLS_FIELDS = ['ca', 'cert', 'key', 'pfx', 'passphrase', 'rejectUnauthorized', 'servername'] as const;

function connectionTo(
  place: Pick<KubeConnection, 'serverUrl' | 'namespace' | 'account'>,
  clock: Clock,
  credentials: () => Promise<https.RequestOptions>,
): KubeConnection {
  const { serverUrl } = place;
  let kept: { readonly options: http.RequestOptions; readonly untilMs: number } | undefined;
  let agent: { readonly tls: string; readonly agent: http.Agent } | undefined;
  const agentFor = (options: https.RequestOptions): http.Agent => {
    const tls = Object.fromEntries(TLS_FIELDS.map((field) => [field, options[field]]));
    const text = JSON.stringify(tls);
    if (agent?.tls !== text) {
      agent?.agent.destroy();
      const made =
        serverUrl.protocol === 'https:'
          ? new https.Agent({ ...keptConnections, ...tls })
          : new http.Agent(keptConnections);
      agent = { tls: text, agent: made };
    }
    return agent.agent;
  };
  return {
    ...place,
    async requestOptions() {
      if (kept === undefined || clock.nowMs() >= kept.untilMs) {
        const options = await credentials();
        const auth = options.auth === undefined || options.auth === null ? {} : { auth: options.auth };
        kept = {
          options: { ...auth, headers: { ...options.headers }, agent: options.agent ?? agentFor(options) },
          untilMs: clock.nowMs() + credentialsKeptMs,
        };
      }
      return kept.options;
    },
    forgetCredentials() {
      kept = undefined;
    },
    dropIdle() {
      const idle = Object.values(agent?.agent.freeSockets ?? {}).flatMap((sockets) => sockets ?? []);
      for (const socket of idle) socket.destroy();
    },
    close() {
      agent?.agent.destroy();
      agent = undefined;
      kept = undefined;
    },
  };
}
