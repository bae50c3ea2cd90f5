/**
 * `equipoise operator`: reconciles a cluster's pipelines until stopped. One of several operators is active for a pipeline:
 * for all of them, or for a shard of them.
 */
import {
  boundedApi,
  fencedApi,
  LeaseElector,
  Operator,
  RequestSlots,
  ServerContact,
  ShardedElection,
  type ShardSet,
  shardOf,
} from '@equipoise/adapter-kubernetes';
import type { Decision, Observation } from '@equipoise/core/model';
import { EventFeed, monotonicClock, OperatorMonitor, type PlannerPool, startProbeServer } from '@equipoise/runtime';
import { type AdminOptions, checkAdminPlace } from '../compose/admin-port.js';
import { type Cluster, withCluster } from '../compose/cluster.js';
import {
  candidacyOf,
  clusterOf,
  logFailure,
  type OperatorFlags,
  operatorDeps,
  plannerThreads,
  plansFor,
  reconcileOptions,
  scopeOf,
  shardSetOf,
} from '../compose/operator-deps.js';
import { startClusterAdmin } from '../operator-page/cluster-admin.js';
import { ClusterBoard } from '../operator-page/cluster-board.js';
import { logLine } from '../terminal/log.js';
import type { CommandResult } from '../terminal/run-command.js';
import { endWithin, stopSignal } from '../terminal/stop-signal.js';
import { VERSION } from '../version.js';

export interface OperatorOptions extends OperatorFlags, AdminOptions {
  readonly host: string;
  readonly port: number;
}

const END_MS = 10_000;
/** Requests of this process to the API server at a time, besides watches and leases. */
const MOST_REQUESTS = 12;

/** Runs until SIGINT or SIGTERM, then releases the lease. */
export function operator(options: OperatorOptions): Promise<CommandResult | undefined> {
  return withCluster(clusterOf(options), async (cluster) => {
    const stop = stopSignal();
    const watch = new OperatorWatch(shardSetOf(options).count);
    const scope = scopeOf(options, cluster);
    checkAdminPlace(options);
    const board = new ClusterBoard({ feed: watch.feed, nowEpochMs: Date.now });
    const contact = new ServerContact(operatorDeps(cluster), scope);
    const probes = await startProbeServer({
      host: options.host,
      port: options.port,
      isReady: () => watch.isReady && contact.isFresh,
      notReady: 'the API server does not answer',
      metrics: watch.monitor.page,
    });
    const admin = await startClusterAdmin(options, { board, feed: watch.feed });
    const page = admin && { page: `${admin.url}/` };
    logLine('info', 'started', { version: VERSION, namespace: scope ?? 'all', url: probes.url, ...page });
    const abort = new AbortController();
    const asking = contact.run(abort.signal);
    const slots = new RequestSlots(MOST_REQUESTS, {
      clock: monotonicClock,
      onSlot: (waitedMs) => watch.monitor.requestWaited(waitedMs),
    });
    const running = run(cluster, { options, scope, watch, board: admin && board, slots }, abort.signal);
    await Promise.race([stop, running]);
    logLine('info', 'stopping');
    abort.abort();
    await endWithin(
      END_MS,
      Promise.all([running, asking, probes.close(), admin?.close()]),
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
  /** Undefined without a page. */
  readonly board: ClusterBoard | undefined;
  readonly slots: RequestSlots;
}

function run(cluster: Cluster, running: Running, signal: AbortSignal): Promise<void> {
  const { options, watch } = running;
  const base = operatorDeps(cluster);
  const candidacy = candidacyOf(options, cluster);
  if (shardSetOf(options).count > 1) return runShards(cluster, running, signal);
  const leadAll = (leading: AbortSignal, mayWrite = () => true): Promise<void> =>
    lead(cluster, running, { signal: leading, mayWrite });
  if (!options.leaderElection) return leadAll(signal);
  const elector = new LeaseElector(base, candidacy);
  return elector.run(
    {
      lead: (leading) => leadAll(leading, () => elector.isHeld),
      onHolder: (holder) => watch.observed(holder, candidacy.identity),
      onFailure: (error) => watch.failed('lease', candidacy.name, error),
    },
    signal,
  );
}

function runShards(cluster: Cluster, running: Running, signal: AbortSignal): Promise<void> {
  const { options, watch } = running;
  const [candidacy, set] = [candidacyOf(options, cluster), shardSetOf(options)];
  const threads = plannerThreads();
  const election = new ShardedElection(operatorDeps(cluster), { ...candidacy, set });
  return election.run(
    {
      lead: (number, leading, mayWrite) =>
        lead(cluster, running, { signal: leading, mayWrite, shard: { number, set, threads } }),
      onOtherSet: (holder) => watch.observed(holder, candidacy.identity),
      onHolder: (shard, holder) => watch.observed(holder, candidacy.identity, shard),
      onFailure: (lease, error) => watch.failed('lease', lease, error),
    },
    signal,
  );
}

interface Leading {
  readonly signal: AbortSignal;
  /** False once another operator may lead. */
  readonly mayWrite: () => boolean;
  /** Missing for all pipelines. */
  readonly shard?: { readonly number: number; readonly set: ShardSet; readonly threads: PlannerPool };
}

async function lead(
  cluster: Cluster,
  { options, scope, watch, board, slots }: Running,
  { signal, mayWrite, shard }: Leading,
): Promise<void> {
  const report = (key: string, decision: Decision, observation: Observation): void => {
    watch.decided(key, decision);
    board?.decided(key, decision, observation);
  };
  // Charts have a point every second.
  const plans = await plansFor(cluster, options, report, {
    threads: shard?.threads,
    readsEverySecond: board !== undefined,
  });
  const stopped = watch.leads(shard?.number);
  const uncount = watch.counts(plans);
  const unfollow = board?.follow(plans);
  const failed = (what: string, error: unknown): void =>
    watch.failed(what.includes('/') ? 'pass' : 'watch', what, error);
  try {
    await new Operator({
      ...operatorDeps(cluster),
      ...reconcileOptions(options, scope),
      api: boundedApi(fencedApi(cluster.api, mayWrite), slots),
      source: plans,
      ...(shard && { owns: (key) => shardOf(key, shard.set) === shard.number }),
      onFailure: failed,
      onPass: (key, { status }) => watch.passed(key, status, shard?.number),
      onGone: (key) => watch.monitor.gone(key),
      onTiming: (timing) => watch.monitor.passTimed(timing),
    }).run(signal);
  } finally {
    unfollow?.();
    await plans.close();
    uncount();
    stopped();
  }
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
  readonly monitor: OperatorMonitor;
  readonly feed = new EventFeed(Date.now);
  isReady = false;
  readonly #plans = new Set<{ readonly count: number }>();

  constructor(shards: number) {
    this.monitor = new OperatorMonitor({ version: VERSION, shards });
    this.monitor.pipelines = () => [...this.#plans].reduce((sum, { count }) => sum + count, 0);
  }

  /** Counts the pipelines of a source until the returned function is called. */
  counts(plans: { readonly count: number }): () => void {
    this.#plans.add(plans);
    return () => this.#plans.delete(plans);
  }

  /** Notes that this operator leads all pipelines, or a shard, until the returned function is called. */
  leads(shard: number | undefined): () => void {
    this.isReady = true;
    this.monitor.leads(true, shard);
    const facts = shard === undefined ? {} : { shard };
    logLine('info', 'leads', facts);
    return () => {
      this.monitor.leads(false, shard);
      logLine('info', 'no longer leads', facts);
    };
  }

  observed(holder: string, own: string, shard?: number): void {
    this.isReady = true;
    if (holder !== own) logLine('info', 'another leads', { holder, ...(shard !== undefined && { shard }) });
  }

  decided(pipeline: string, { kind, reason, evidence }: Decision): void {
    this.monitor.decided(kind);
    const { meanRps, upperRps } = evidence.forecast;
    const facts = { pipeline, kind, reason, meanRps, upperRps };
    // A hold is not logged: a line every ten seconds would be noise.
    if (kind === 'apply') logLine('info', 'decided', facts);
  }

  passed(pipeline: string, { shift, rollback, observed }: CanaryStatus, shard: number | undefined): void {
    const isShifting = shift !== undefined;
    const told = { shard, isShifting, networkMs: observed?.networkMs, ...(rollback && { rolledBackAt: rollback.at }) };
    if (!this.monitor.passed(pipeline, told) || rollback === undefined) return;
    const { message, until, failures } = rollback;
    logLine('info', 'taken back', { pipeline, why: message, until, failures });
  }

  failed(of: 'pass' | 'watch' | 'lease', what: string, cause: unknown): void {
    this.monitor.failed(of);
    logFailure(what, cause);
  }
}
