/** The operator that leads a pipeline, by the leases: that of the set names the number of shards. */
import { AppError } from '@equipoise/core/model';
import type { KubeApi } from '../api/kube-api.js';
import { type Lease, leases } from './lease-elector.js';
import { setNamedBy, shardLeaseName, shardOf } from './shards.js';

export interface LeaderQuestion {
  /** Key of the pipeline. */
  readonly key: string;
  /** Lease of the operators, looked for in these namespaces in order. */
  readonly lease: { readonly name: string; readonly namespaces: readonly string[] };
  readonly nowEpochMs: number;
}

/** `holder` is missing without a leader, `ageS` if the lease was never renewed; `isExpired`: longer ago than it holds. */
export interface PipelineLeader {
  readonly lease: string;
  readonly namespace: string;
  /** Missing if one operator leads all pipelines. */
  readonly shard?: number;
  readonly shards?: number;
  readonly holder?: string;
  /** Seconds since the last renewal, by the clock of the holder. */
  readonly ageS?: number;
  readonly isExpired: boolean;
}

/** Undefined without such a lease, or without the right to read it. */
export async function leaderOf(api: KubeApi, question: LeaderQuestion): Promise<PipelineLeader | undefined> {
  const { key, lease, nowEpochMs } = question;
  for (const namespace of lease.namespaces) {
    const whole = await readLease(api, namespace, lease.name);
    if (whole === undefined) continue;
    const set = setNamedBy(whole.spec.holderIdentity ?? '');
    if (set === undefined) return stateOf(whole, nowEpochMs);
    const shard = shardOf(key, set);
    const name = shardLeaseName(lease.name, shard);
    const found = await readLease(api, namespace, name);
    const of = { lease: name, namespace, shard, shards: set.count };
    return found === undefined ? { ...of, isExpired: true } : { ...of, ...stateOf(found, nowEpochMs) };
  }
  return undefined;
}

function stateOf({ metadata: { name, namespace = '' }, spec }: Lease, nowEpochMs: number): PipelineLeader {
  const { holderIdentity: holder = '', renewTime, leaseDurationSeconds = 0 } = spec;
  const renewedAtMs = Date.parse(renewTime ?? '');
  const ageS = Number.isNaN(renewedAtMs) ? undefined : Math.max(0, Math.round((nowEpochMs - renewedAtMs) / 1000));
  return {
    ...{ lease: name, namespace },
    ...(holder !== '' && { holder }),
    ...(ageS !== undefined && { ageS }),
    isExpired: holder === '' || ageS === undefined || ageS > leaseDurationSeconds,
  };
}

async function readLease(api: KubeApi, namespace: string, name: string): Promise<Lease | undefined> {
  try {
    return await api.get({ type: leases, namespace, name });
  } catch (error) {
    if (error instanceof AppError && error.details['httpStatus'] === 403) return undefined;
    throw error;
  }
}
