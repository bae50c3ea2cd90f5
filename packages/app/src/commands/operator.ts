/** `equipoise operator`: reconciles a cluster's pipelines until stopped. Only one of several operators is active. */
import { LeaseElector, Operator, ServerContact } from '@equipoise/adapter-kubernetes';
import type { Decision } from '@equipoise/core/model';
import { OperatorMonitor, startProbeServer } from '@equipoise/runtime';
import { type Cluster, withCluster } from '../compose/cluster.js';
import {
  candidacyOf,
  clusterOf,
  logFailure,
  type OperatorFlags,
  operatorDeps,
  plansFor,
  reconcileOptions,
  scopeOf,
} from '../compose/operator-deps.js';
import { logLine } from '../terminal/log.js';
import type { CommandResult } from '../terminal/run-command.js';
import { endWithin, stopSignal } from '../terminal/stop-signal.js';
import { VERSION } from '../version.js';

export interface OperatorOptions extends OperatorFlags {
  readonly host: string;
  readonly port: number;
}

const END_MS = 10_000;

/** Runs until SIGINT or SIGTERM, then releases the lease. */
export function operator(options: OperatorOptions): Promise<CommandResult | undefined> {
  return withCluster(clusterOf(options), async (cluster) => {
    const stop = stopSignal();
    const watch = new OperatorWatch();
    const scope = scopeOf(options, cluster);
    const contact = new ServerContact(operatorDeps(cluster), scope);
    const probes = await startProbeServer({
      host: options.host,
      port: options.port,
      isReady: () => watch.isReady && contact.isFresh,
      notReady: 'the API server does not answer',
      metrics: watch.monitor.page,
    });
    logLine('info', 'started', { version: VERSION, namespace: scope ?? 'all', url: probes.url });
    const abort = new AbortController();
    const asking = contact.run(abort.signal);
    const running = run(cluster, { options, scope, watch }, abort.signal);
    await Promise.race([stop, running]);
    logLine('info', 'stopping');
    abort.abort();
    await endWithin(
      END_MS,
      Promise.all([running, asking, probes.close()]),
      () => 'a call to the API server has not ended',
    );
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
  const base = operatorDeps(cluster);
  const lead = async (leading: AbortSignal): Promise<void> => {
    watch.leads(true);
    const plans = await plansFor(cluster, options, (key, decision) => watch.decided(key, decision));
    watch.monitor.pipelines = () => plans.count;
    const failed = (what: string, error: unknown): void =>
      watch.failed(what.includes('/') ? 'pass' : 'watch', what, error);
    try {
      await new Operator({
        ...base,
        ...reconcileOptions(options, scope),
        source: plans,
        onFailure: failed,
        onPass: (key, { status }) => watch.passed(key, status),
        onGone: (key) => watch.monitor.gone(key),
      }).run(leading);
    } finally {
      await plans.close();
      watch.leads(false);
    }
  };
  if (!options.leaderElection) return lead(signal);
  const candidacy = candidacyOf(options, cluster);
  await new LeaseElector(base, candidacy).run(
    {
      lead,
      onHolder: (holder) => watch.observed(holder, candidacy.identity),
      onFailure: (error) => watch.failed('lease', candidacy.name, error),
    },
    signal,
  );
}

interface CanaryStatus {
  readonly observed?: { readonly networkMs?: Readonly<Record<string, number>> };
  readonly shift?: object;
  readonly rollback?: {
    readonly at: string;
    readonly until: string;
    readonly message: string;
    readonly failures: number;
  };
}

class OperatorWatch {
  readonly monitor = new OperatorMonitor({ version: VERSION });
  isReady = false;

  leads(isLeader: boolean): void {
    this.isReady ||= isLeader;
    this.monitor.leads(isLeader);
    logLine('info', isLeader ? 'leads' : 'no longer leads');
  }

  observed(holder: string, own: string): void {
    this.isReady = true;
    if (holder !== own) logLine('info', 'another leads', { holder });
  }

  decided(pipeline: string, { kind, reason, evidence }: Decision): void {
    this.monitor.decided(kind);
    const { meanRps, upperRps } = evidence.forecast;
    const facts = { pipeline, kind, reason, meanRps, upperRps };
    // A hold is not logged: a line every ten seconds would be noise.
    if (kind === 'apply') logLine('info', 'decided', facts);
  }

  passed(pipeline: string, { shift, rollback, observed }: CanaryStatus): void {
    const isShifting = shift !== undefined;
    const told = { isShifting, networkMs: observed?.networkMs, ...(rollback && { rolledBackAt: rollback.at }) };
    if (!this.monitor.passed(pipeline, told) || rollback === undefined) return;
    const { message, until, failures } = rollback;
    logLine('info', 'taken back', { pipeline, why: message, until, failures });
  }

  failed(of: 'pass' | 'watch' | 'lease', what: string, cause: unknown): void {
    this.monitor.failed(of);
    logFailure(what, cause);
  }
}
