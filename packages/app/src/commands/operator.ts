/** `equipoise operator`: looks after the pipelines of a cluster until it is told to stop. Of several of them one acts. */
import { randomInt, randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { askRouter, FollowedPlans, LeaseElector, Operator } from '@equipoise/adapter-kubernetes';
import { type Decision, SeededRng } from '@equipoise/core';
import { monotonicClock, OperatorMonitor, startProbeServer } from '@equipoise/runtime';
import { type Cluster, withCluster } from '../compose/cluster.js';
import { pipelineImages } from '../compose/pipeline-images.js';
import { ThreadPlanner } from '../compose/thread-planner.js';
import { logLine } from '../terminal/json-log.js';
import type { CommandResult } from '../terminal/run-command.js';
import { endWithin, stopSignal } from '../terminal/stop-signal.js';
import { VERSION } from '../version.js';

/** Flags of the command. */
export interface OperatorOptions {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly namespace?: string;
  readonly allNamespaces?: boolean;
  readonly image?: string;
  readonly leaderElection: boolean;
  readonly leaseName: string;
  readonly leaseNamespace?: string;
  readonly host: string;
  readonly port: number;
}

const END_MS = 10_000;

/** Runs until SIGINT or SIGTERM, then gives the lease back. */
export function operator(options: OperatorOptions): Promise<CommandResult | undefined> {
  const { kubeconfig, context } = options;
  const where = { ...(kubeconfig !== undefined && { kubeconfig }), ...(context !== undefined && { context }) };
  return withCluster(where, async (cluster) => {
    const stop = stopSignal();
    const watch = new OperatorWatch();
    const probes = await startProbeServer({
      ...{ host: options.host, port: options.port },
      ...{ isReady: () => watch.isReady, metrics: watch.monitor.page },
    });
    const scope = options.allNamespaces === true ? undefined : (options.namespace ?? cluster.namespace);
    logLine('info', 'started', { version: VERSION, namespace: scope ?? 'all', url: probes.url });
    const abort = new AbortController();
    const running = run(cluster, { options, scope, watch }, abort.signal);
    await Promise.race([stop, running]);
    logLine('info', 'stopping');
    abort.abort();
    await endWithin(END_MS, Promise.all([running, probes.close()]), () => 'a call to the API server has not ended');
    logLine('info', 'stopped');
    return undefined;
  });
}

interface Running {
  readonly options: OperatorOptions;
  readonly scope: string | undefined;
  readonly watch: OperatorWatch;
}

async function run(cluster: Cluster, { options, scope, watch }: Running, signal: AbortSignal): Promise<void> {
  const { api, namespace } = cluster;
  const base = { api, clock: monotonicClock, rng: new SeededRng(randomInt(2 ** 31)), nowEpochMs: Date.now };
  const lead = async (leading: AbortSignal): Promise<void> => {
    watch.leads(true);
    const plans = new FollowedPlans({
      ...base,
      ask: askRouter,
      plannerFor: (spec) => new ThreadPlanner(spec),
      report: (key, decision) => watch.decided(key, decision),
    });
    watch.monitor.pipelines = () => plans.count;
    const usual = options.image ?? `equipoise:${VERSION}`;
    try {
      await new Operator({
        ...base,
        source: plans,
        imagesOf: (pipeline) => pipelineImages(pipeline, usual),
        failed: (what, error) => watch.failed(what.includes('/') ? 'pass' : 'watch', what, error),
        ...(scope !== undefined && { namespace: scope }),
      }).run(leading);
    } finally {
      await plans.close();
      watch.leads(false);
    }
  };
  if (!options.leaderElection) return lead(signal);
  const identity = `${hostname()}_${randomUUID()}`;
  const candidacy = { namespace: options.leaseNamespace ?? namespace, name: options.leaseName, identity };
  await new LeaseElector(base, candidacy).run(
    {
      lead,
      observed: (holder) => watch.observed(holder, identity),
      failed: (error) => watch.failed('lease', candidacy.name, error),
    },
    signal,
  );
}

/** What is told of an operator: log and metrics. */
class OperatorWatch {
  readonly monitor = new OperatorMonitor({ version: VERSION });
  /** Whether the API server has answered. */
  isReady = false;

  leads(isLeader: boolean): void {
    this.isReady ||= isLeader;
    this.monitor.leads(isLeader);
    logLine('info', isLeader ? 'leads' : 'leads no more');
  }

  observed(holder: string, own: string): void {
    this.isReady = true;
    if (holder !== own) logLine('info', 'another leads', { holder });
  }

  decided(pipeline: string, { kind, reason, evidence }: Decision): void {
    this.monitor.decided(kind);
    const { meanRps, upperRps } = evidence.forecast;
    const facts = { pipeline, kind, reason, meanRps, upperRps };
    // What is left as it is belongs to the metrics: one line a pipeline every ten seconds says nothing.
    if (kind === 'apply') logLine('info', 'decided', facts);
  }

  failed(of: 'pass' | 'watch' | 'lease', what: string, error: unknown): void {
    this.monitor.failed(of);
    logLine('error', 'failed and is tried again', {
      what,
      error: error instanceof Error ? error.message : String(error),
    });
  }
}
