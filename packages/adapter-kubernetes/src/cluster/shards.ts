/**
 * Shards of the pipelines. Each pipeline has one shard, which follows from its key alone, so all operators of a set
 * agree without a table.
 */
import { createHash } from 'node:crypto';

/** `by`: all pipelines of a namespace share a shard, or each pipeline has its own. */
export interface ShardSet {
  readonly count: number;
  readonly by: 'pipeline' | 'namespace';
}

/** Shard (0 … `count` − 1) of a key `NAMESPACE/NAME`: the digest modulo the count. */
export function shardOf(key: string, { count, by }: ShardSet): number {
  if (count === 1) return 0;
  const [namespace = ''] = key.split('/');
  const digest = createHash('sha256').update(by === 'namespace' ? namespace : key);
  return digest.digest().readUInt32BE(0) % count;
}

/** Lease of a shard. The set itself holds the lease `base`. */
export const shardLeaseName = (base: string, shard: number): string => `${base}-shard-${shard}`;

/** Identity that all operators of a set share: the holder of the lease `base`. */
export const setIdentity = ({ count, by }: ShardSet): string => `shards:${count}-by-${by}`;

/** The set that a lease names by its holder; undefined for the lease of one operator. */
export function setNamedBy(identity: string): ShardSet | undefined {
  const [, count, by] = /^shards:(\d{1,4})-by-(pipeline|namespace)$/.exec(identity) ?? [];
  return count === undefined || Number(count) < 1 ? undefined : { count: Number(count), by: by as ShardSet['by'] };
}
