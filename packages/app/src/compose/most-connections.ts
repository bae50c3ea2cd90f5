/** Connections for which the process has file descriptors. Without a descriptor, Node closes each new connection at once. */
import { smallPort } from '@equipoise/runtime';

/** Descriptors for listening sockets, threads, the store and the modules. */
const OWN_FILES = 256;
/** Part of the descriptors for replicas: pipes to processes, connections to servers. */
const REPLICA_FRACTION = 1 / 8;
/** Fewer would refuse usual clients. */
const LEAST_CONNECTIONS = 32;

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
