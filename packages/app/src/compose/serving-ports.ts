import { randomInt } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { AppError, invariant, SeededRng, type Slo } from '@equipoise/core/model';
import {
  type KedaScalerOptions,
  type PipelineMonitor,
  parseTenantFile,
  type RunningKedaScaler,
  type RunningProbeServer,
  type RunningServer,
  type ServerOptions,
  sharePatienceMs,
  startHealthPort,
  startKedaScaler,
  startServer,
  type TenantEntry,
  Tenants,
  TlsIdentity,
} from '@equipoise/runtime';
import { fileLimit } from '../terminal/file-limit.js';
import { log } from '../terminal/log.js';
import type { AdminOptions } from './admin-port.js';
import { mostConnections } from './most-connections.js';
import { logReload, type Reloads } from './reloads.js';
import type { RunningPipeline } from './start-pipeline.js';

const LEAST_DRAIN_MS = 30_000;

export interface ServingPortOptions {
  readonly host: string;
  readonly port: number;
  readonly grpcPort?: number | undefined;
  readonly healthPort?: number | undefined;
  readonly maxBodyBytes: number;
  readonly maxInboundBytes?: number | undefined;
  readonly maxJsonBytes: number;
  readonly maxConnections: number;
  readonly maxStreams: number;
  readonly tokenFile?: string | undefined;
  readonly tlsCert?: string | undefined;
  readonly tlsKey?: string | undefined;
  /** Port at which KEDA requests the wanted number of replicas. */
  readonly kedaPort?: number | undefined;
  readonly kedaHost?: string | undefined;
  /** URL of another server that gets the fraction `share` of the requests. */
  readonly shareWith?: string | undefined;
  readonly share?: number | undefined;
}

type FixedOptions = Omit<ServerOptions, 'runners' | 'stageTypes' | 'starting'>;

type FixedPorts = Pick<
  ServerOptions,
  | 'host'
  | 'port'
  | 'grpcPort'
  | 'maxBodyBytes'
  | 'maxInboundBytes'
  | 'maxJsonBytes'
  | 'maxConnections'
  | 'maxStreams'
  | 'tenants'
  | 'share'
>;

/** Ports, opened before the pipeline starts. */
export class ServingPorts {
  readonly #options: FixedOptions;
  readonly #healthPort: number | undefined;
  #server: RunningServer | undefined;
  #health: RunningProbeServer | undefined;

  constructor(options: FixedOptions, healthPort?: number) {
    this.#options = options;
    this.#healthPort = healthPort;
  }

  async open({ runner, stageTypes }: Pick<RunningPipeline, 'runner' | 'stageTypes'>): Promise<void> {
    const served = { runners: [runner], stageTypes: new Map([[runner.spec.name, stageTypes]]), starting: true };
    const server = await startServer({ ...this.#options, ...served });
    this.#server = server;
    if (this.#healthPort !== undefined) {
      const place = { host: this.#options.host ?? '127.0.0.1', port: this.#healthPort };
      this.#health = await startHealthPort(place, () => server.isReady);
      log(`health port ${this.#health.url}`);
    }
    log(`listening on ${server.url}; requests wait while the pipeline starts`);
  }

  /** Also ends the hold of requests. */
  beginServing(): RunningServer {
    const server = this.#server;
    invariant(server !== undefined, 'a pipeline that has started has its ports');
    server.beginServing();
    return server;
  }

  async drain(withinMs: number): Promise<void> {
    await this.#server?.drain(withinMs);
  }

  /** Closes the ports; waits at most `timeoutMs` for running requests. */
  async close(timeoutMs: number): Promise<void> {
    await this.#server?.close({ timeoutMs });
    await this.#health?.close();
  }
}

export interface ServingPortDeps {
  /** Reloads TLS files and tenants. */
  readonly reloads: Reloads;
  /** Without it, shared requests are not counted. */
  readonly monitor: PipelineMonitor | undefined;
  /** Maximum open files; default: that of this process. */
  readonly mostFiles?: number;
}

/** Options of the ports, with as many connections as there are file descriptors for. */
export function servingPortOptions(
  options: ServingPortOptions & Pick<AdminOptions, 'adminPort'>,
  { reloads, monitor, mostFiles = fileLimit() }: ServingPortDeps,
): FixedPorts & { readonly maxConnections: number; readonly tls?: TlsIdentity } {
  const { host, port, grpcPort, maxBodyBytes, maxInboundBytes, maxJsonBytes, maxStreams } = options;
  const small = [options.healthPort, options.kedaPort].filter((each) => each !== undefined).length;
  const ports = { serving: grpcPort === undefined ? 1 : 2, small: small + (options.adminPort === false ? 0 : 1) };
  const tls = tlsOf(options, reloads);
  const tenants = tenantsOf(options, reloads);
  const share = shareOf(options, monitor);
  return {
    host,
    port,
    maxBodyBytes,
    maxJsonBytes,
    maxConnections: mostConnections(options.maxConnections, ports, mostFiles),
    maxStreams,
    ...(grpcPort !== undefined && { grpcPort }),
    ...(maxInboundBytes !== undefined && { maxInboundBytes }),
    ...(tls && { tls }),
    ...(tenants && { tenants }),
    ...(share && { share }),
  };
}

/** Drain deadline (ms): the SLO's latency, plus the wait for a server that shares requests; at least 30 s. */
export function drainDeadlineMs({ latencyMs }: Pick<Slo, 'latencyMs'>, shares: boolean): number {
  return Math.max(LEAST_DRAIN_MS, latencyMs + (shares ? sharePatienceMs(latencyMs) : 0));
}

export async function startScaler(
  { kedaPort, kedaHost = '127.0.0.1' }: ServingPortOptions,
  scaled: Omit<KedaScalerOptions, 'host' | 'port'>,
): Promise<RunningKedaScaler | undefined> {
  if (kedaPort === undefined) return undefined;
  const scaler = await startKedaScaler({ ...scaled, host: kedaHost, port: kedaPort });
  log(`KEDA scaler on ${scaler.address}: externalscaler.ExternalScaler`);
  return scaler;
}

function tlsOf({ tlsCert, tlsKey }: ServingPortOptions, reloads: Reloads): TlsIdentity | undefined {
  if (tlsCert === undefined && tlsKey === undefined) return undefined;
  if (tlsCert === undefined || tlsKey === undefined) {
    throw new AppError('WRONG_USAGE', '--tls-cert and --tls-key belong together.');
  }
  const tls = new TlsIdentity({ certPath: tlsCert, keyPath: tlsKey });
  const what = 'the certificate';
  tls.watch((outcome) => {
    if ('error' in outcome) logReload({ what, kind: 'refused', error: outcome.error });
    else if (outcome.changed) logReload({ what, kind: 'changed' });
  });
  reloads.add(what, () => tls.reload());
  return tls;
}

/** Tenants; undefined without a token file. Throws FILE_NOT_FOUND, or WRONG_USAGE for an invalid file. */
function tenantsOf({ tokenFile }: ServingPortOptions, reloads: Reloads): Tenants | undefined {
  if (tokenFile === undefined) return undefined;
  const tenants = new Tenants(entriesIn(tokenFile));
  reloads.add('the token file', () => tenants.replace(entriesIn(tokenFile)));
  return tenants;
}

function entriesIn(path: string): readonly TenantEntry[] {
  if (!existsSync(path)) throw new AppError('FILE_NOT_FOUND', `There is no token file ${path}.`, { details: { path } });
  return parseTenantFile(readFileSync(path, 'utf8'), path);
}

function shareOf(
  { shareWith, share }: ServingPortOptions,
  monitor: PipelineMonitor | undefined,
): ServerOptions['share'] {
  if (shareWith === undefined && share === undefined) return undefined;
  if (shareWith === undefined || share === undefined) {
    throw new AppError('WRONG_USAGE', '--share-with and --share belong together.');
  }
  const shared = { url: shareWith, fraction: share, rng: new SeededRng(randomInt(2 ** 31)) };
  return monitor === undefined ? shared : { ...shared, onShared: (outcome) => monitor.shared(outcome) };
}
