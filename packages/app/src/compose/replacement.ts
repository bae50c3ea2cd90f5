/**
 * A terminating pod of a stage serves on until another pod of its Service is ready, if it is in use. Before SIGTERM the
 * kubelet has paused, and cluster DNS has left the pod out, but the router is still connected to it. A pod that no
 * longer gets requests, such as that of an old variant, leaves at once.
 */
import { lookup } from 'node:dns/promises';
import { get } from 'node:http';
import { isIPv6 } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import type { PipelineRunner } from '@equipoise/runtime';

/** URL of the headless Service of the pods, and the longest wait for another pod. */
export interface Replacement {
  readonly peersUrl: string;
  readonly longestMs: number;
}

/** The wait that a rendered pod asks for in its environment; undefined elsewhere. */
export function replacementOf(environment: NodeJS.ProcessEnv): Replacement | undefined {
  const { EQUIPOISE_PEERS_URL: peersUrl, EQUIPOISE_PEERS_WAIT_S: waitS } = environment;
  const longestMs = 1000 * Number(waitS);
  return peersUrl !== undefined && URL.canParse(peersUrl) && longestMs > 0 ? { peersUrl, longestMs } : undefined;
}

/** A pod without a request for this time is not in use. */
const UNUSED_MS = 10_000;

export function isInUse({ statistics, nowMs }: Pick<PipelineRunner, 'statistics' | 'nowMs'>): boolean {
  const { latestArrivalAtMs } = statistics;
  return latestArrivalAtMs !== undefined && nowMs - latestArrivalAtMs < UNUSED_MS;
}

const LOOK_MS = 500;
const ANSWER_MS = 1_000;
/** Looks in a row that find the replacement, because name servers have caches of their own. */
const LOOKS_IN_A_ROW = 3;

/** `ownUrl` is that of this server. */
export interface ReplacementDeps {
  readonly ownUrl: string;
  readonly isInUse: () => boolean;
  /** Addresses of a name; none if it has none. */
  readonly resolve?: (name: string) => Promise<readonly string[]>;
  /** Called before the first pause. */
  readonly onWait?: () => void;
  /** Time between two looks; default 500 ms. */
  readonly lookMs?: number;
}

/** Resolves when another pod is ready, when this one is not in use, or after the longest wait. */
export async function awaitReplacement(
  { peersUrl, longestMs }: Replacement,
  { ownUrl, isInUse: isUsed, resolve = resolveName, onWait, lookMs = LOOK_MS }: ReplacementDeps,
): Promise<void> {
  const deadlineMs = performance.now() + longestMs;
  const own = await readyInstance(new URL('/readyz', ownUrl));
  const hasPeer = async (): Promise<boolean> => {
    const { host, hostname } = new URL(peersUrl);
    const found = await Promise.all(
      (await resolve(hostname)).map((address) => readyInstance(urlAt(peersUrl, address), host)),
    );
    return found.some((instance) => instance !== undefined && instance !== own);
  };
  // A replacement that is there already has been seen by the name servers during the pause before SIGTERM.
  if (!isUsed() || (await hasPeer())) return;
  onWait?.();
  let looks = 0;
  while (looks < LOOKS_IN_A_ROW && isUsed() && performance.now() < deadlineMs) {
    await setTimeout(lookMs);
    looks = (await hasPeer()) ? looks + 1 : 0;
  }
}

const resolveName = async (name: string): Promise<readonly string[]> => {
  const addresses = await lookup(name, { all: true }).catch(() => []);
  return addresses.map(({ address }) => address);
};

function urlAt(peersUrl: string, address: string): URL {
  const url = new URL('/readyz', peersUrl);
  url.hostname = isIPv6(address) ? `[${address}]` : address;
  return url;
}

/** Instance of the server at a URL, empty for an older server; undefined if it is not ready. `host`: Host header. */
function readyInstance(url: URL, host = url.host): Promise<string | undefined> {
  return new Promise((resolve) => {
    const request = get(url, { agent: false, timeout: ANSWER_MS, headers: { host } }, ({ statusCode, headers }) => {
      const { 'x-equipoise-instance': instance } = headers;
      resolve(statusCode === 200 ? String(instance ?? '') : undefined);
      request.destroy();
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(undefined));
    request.on('close', () => resolve(undefined));
  });
}
