/** `equipoise operator --once`: reconciles until nothing is left to do, reports, and exits. */
import { LeaseElector, type PipelineRun, runOnce } from '@equipoise/adapter-kubernetes';
import { AppError } from '@equipoise/core/model';
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
  withRemedy,
} from '../compose/operator-deps.js';
import { logLine } from '../terminal/log.js';
import type { CommandResult } from '../terminal/run-command.js';
import { stopSignal } from '../terminal/stop-signal.js';
import { textTable } from '../terminal/text-table.js';

/** Maximum wait for the lease: an abandoned lease lasts 15 s and is polled every 2 to 4 s. */
const LEASE_LIMIT_MS = 25_000;
const MOST_LEASE_FAILURES = 3;

/** Exits with 1 if a pipeline is not accepted, has no plan within its SLO, is degraded, or failed to reconcile. */
export function operatorOnce(options: OperatorFlags): Promise<CommandResult> {
  return withCluster(clusterOf(options), async (cluster) => {
    const ending = new AbortController();
    void stopSignal().then(() => ending.abort());
    const pipelines = options.leaderElection
      ? await runAsLeader(cluster, options, ending)
      : await run(cluster, options, ending.signal);
    return {
      json: { pipelines: pipelines.map(withoutPlan) },
      text: textOf(pipelines),
      answerIsNo: pipelines.some(isUnhealthy),
    };
  });
}

async function run(cluster: Cluster, options: OperatorFlags, signal: AbortSignal): Promise<readonly PipelineRun[]> {
  const plans = await plansFor(cluster, options, (pipeline, { kind, reason }) =>
    logLine('info', 'decided', { pipeline, kind, reason }),
  );
  try {
    const base = { ...operatorDeps(cluster), ...reconcileOptions(options, scopeOf(options, cluster)), source: plans };
    return await runOnce({ ...base, onFailure: logFailure }, signal);
  } catch (error) {
    throw withRemedy(error);
  } finally {
    await plans.close();
  }
}

/** Throws CONFLICT if another operator is active. */
async function runAsLeader(
  cluster: Cluster,
  options: OperatorFlags,
  ending: AbortController,
): Promise<readonly PipelineRun[]> {
  const candidacy = candidacyOf(options, cluster);
  const refused = new AbortController();
  const found: { run?: Promise<readonly PipelineRun[]>; holder?: string } = {};
  const failures: unknown[] = [];
  const limit = setTimeout(() => refused.abort(), LEASE_LIMIT_MS);
  await new LeaseElector(operatorDeps(cluster), candidacy).run(
    {
      lead: async (leading) => {
        clearTimeout(limit);
        found.run = run(cluster, options, leading).finally(() => refused.abort());
        await found.run;
      },
      onHolder: (holder) => {
        if (holder !== candidacy.identity && holder !== '') found.holder = holder;
      },
      onRenewal: (holder) => {
        found.holder = holder;
        refused.abort();
      },
      onFailure: (error) => {
        // A failed run reports its own error.
        if (found.run !== undefined) return;
        logFailure(candidacy.name, error);
        if (failures.push(error) >= MOST_LEASE_FAILURES) refused.abort();
      },
    },
    AbortSignal.any([ending.signal, refused.signal]),
  );
  clearTimeout(limit);
  if (found.run !== undefined) return found.run;
  if (ending.signal.aborted) throw new AppError('INTERRUPTED', 'The run was stopped before it held the lease.');
  const { namespace, name } = candidacy;
  if (failures.length > 0) throw failures.at(-1);
  const { holder } = found;
  if (holder === undefined) throw new AppError('UNREACHABLE', `The lease ${namespace}/${name} could not be taken.`);
  throw new AppError('CONFLICT', `The operator ${holder} leads by the lease ${namespace}/${name}.`, {
    details: { holder },
  });
}

/** Run without its plan, which is in the status on the cluster. */
function withoutPlan({ status, ...run }: PipelineRun) {
  const { conditions, replicas, plannedForRps, mode } = status ?? {};
  return { ...run, ...(mode && { mode }), ...(plannedForRps !== undefined && { plannedForRps }), replicas, conditions };
}

function isUnhealthy({ status, failure }: PipelineRun): boolean {
  const is = (type: string, holds: string): boolean =>
    status?.conditions?.some((condition) => condition.type === type && condition.status === holds) ?? false;
  return failure !== undefined || is('Accepted', 'False') || is('Planned', 'False') || is('Degraded', 'True');
}

function textOf(pipelines: readonly PipelineRun[]): string {
  if (pipelines.length === 0) return 'There are no pipelines.';
  const rows = pipelines.map(({ namespace, name, status, phase = '', applied, removed }) => [
    namespace === undefined ? name : `${namespace}/${name}`,
    ...[status?.mode ?? '', phase, String(applied.length), String(removed.length)],
    `${status?.replicas?.ready ?? 0}/${status?.replicas?.desired ?? 0}`,
  ]);
  const headings = ['pipeline', 'mode', 'phase', ...['applied', 'removed', 'ready'].map((right) => ({ right }))];
  const issues = pipelines.filter(isUnhealthy).flatMap(issuesOf);
  return [textTable(headings, rows), ...issues].join('\n');
}

function issuesOf({ name, status, failure }: PipelineRun): readonly string[] {
  const unhealthy = (status?.conditions ?? []).filter(({ type, status: holds }) =>
    type === 'Degraded' ? holds === 'True' : ['Accepted', 'Planned'].includes(type) && holds === 'False',
  );
  const lines = unhealthy.map(({ type, reason, message }) => `${name}: ${type}: ${reason}, ${message}`);
  return failure === undefined ? lines : [...lines, `${name}: ${failure}`];
}
