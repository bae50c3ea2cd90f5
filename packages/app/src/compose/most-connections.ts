/** Connections for which the process has file descriptors. Without a descriptor, Node closes each new connection at once. */
import { readFileSync } from 'node:fs';
import { smallPort } from '@equipoise/runtime';

/** Descriptors for listening sockets, threads, the store and the modules. */
const OWN_FILES = 256;
/** Part of the descriptors for replicas: pipes to processes, connections to servers. */
const REPLICA_FRACTION = 1 / 8;
/** Fewer would refuse usual clients. */
const LEAST_CONNECTIONS = 32;
/** With fewer files, a server would end inside native code before it listens. */
const LEAST_FILES = 64;

export interface PortCounts {
  /** Ports for inference. */
  readonly serving: number;
  /** Ports for health, administration and KEDA. */
  readonly small: number;
}

/** Maximum connections of each serving port: at most `wanted`, so that idle clients never take the last of `mostFiles`. */
export function mostConnections(wanted: number, ports: PortCounts, mostFiles: number): number {
  const forClients = mostFiles * (1 - REPLICA_FRACTION) - OWN_FILES - ports.small * smallPort.mostConnections;
  return Math.min(wanted, Math.max(LEAST_CONNECTIONS, Math.floor(forClients / ports.serving)));
}

/** Throws EMFILE if this process may open too few files to serve. */
export function checkFileLimit(): void {
  if (fileLimit() < LEAST_FILES) throw Object.assign(new Error('too few files may be open'), { code: 'EMFILE' });
}

/** Maximum open files of this process. Infinity where the system does not tell. */
export function fileLimit(): number {
  try {
    const [, limit] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    return limit === undefined ? Infinity : Number(limit);
  } catch {
    return Infinity;
  }
}
