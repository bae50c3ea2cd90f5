/**
 * Compares Equipoise with MLServer and Ray Serve on the same processors. The chains are two no-op stages, and two ONNX
 * models. First measures the saturation throughput of each server, in turns. Then measures their latencies at the same
 * load, half the slowest server's capacity. All servers run all the time, because Ray takes minutes to start; idle
 * servers use some processor time.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { closedLoad } from './load/h2load.js';
import { median, openLoad, quantileMs } from './load/open-load.js';
import { writeModels } from './peers/models.js';
import { type Chain, type Peer, peerServers } from './peers/peer-servers.js';
import { type ServerProcess, startServerProcess } from './router/server-process.js';

/** Figures of one server on one chain: medians over the rounds. */
export interface PeerFigures {
  readonly name: string;
  /** Chains per second at saturation. */
  readonly rps: number;
  readonly roundRps: readonly number[];
  /** Latency at the common load. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Fraction of requests at the common load without status 200. */
  readonly failedFraction: number;
}

/** All servers on one chain. */
export interface ChainFigures {
  readonly chain: Chain;
  readonly equalLoadRps: number;
  readonly peers: readonly PeerFigures[];
}

/** The comparison; `failures` has the reason for each server that could not take part. */
export interface PeerComparison {
  readonly chains: readonly ChainFigures[];
  readonly failures: Readonly<Record<string, string>>;
}

const IN_FLIGHT = 32;
const WARM_UP_S = 3;
const CLIENT_PROCESSOR = 1;
const chains: readonly Chain[] = ['no-op', 'onnx'];

/** In each round, each server gets `seconds` at saturation and `seconds` at the common load. */
export async function measurePeers({
  rounds,
  seconds,
}: {
  readonly rounds: number;
  readonly seconds: number;
}): Promise<PeerComparison> {
  const folder = mkdtempSync(join(tmpdir(), 'equipoise-peers-'));
  writeModels(join(folder, 'models'));
  const servers: ServerProcess[] = [];
  const running: Peer[] = [];
  const failures: Record<string, string> = {};
  try {
    for (const peer of await peerServers(folder)) {
      try {
        servers.push((await startServerProcess(peer.command)).server);
        running.push(peer);
      } catch (error) {
        failures[peer.name] = String(error).slice(0, 2000);
      }
    }
    const figures: ChainFigures[] = [];
    for (const chain of chains) {
      const peers = running.filter(({ steps }) => steps[chain].length > 0);
      figures.push(await onChain(chain, peers, { rounds, seconds }));
    }
    return { chains: figures, failures };
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
    rmSync(folder, { recursive: true, force: true });
  }
}

async function onChain(
  chain: Chain,
  peers: readonly Peer[],
  { rounds, seconds }: { readonly rounds: number; readonly seconds: number },
): Promise<ChainFigures> {
  const saturated = peers.map(() => [] as number[]);
  for (const peer of peers) await saturationRps(peer, chain, WARM_UP_S);
  for (let round = 0; round < rounds; round++) {
    for (const [index, peer] of peers.entries()) saturated[index]?.push(await saturationRps(peer, chain, seconds));
  }
  const equalLoadRps = Math.floor(Math.min(...saturated.map(median)) / 2);
  const latencies = peers.map(() => ({ p50Ms: [] as number[], p99Ms: [] as number[], failed: [] as number[] }));
  for (let round = 0; round < rounds; round++) {
    for (const [index, { url, steps }] of peers.entries()) {
      const load = { url, steps: steps[chain], arrivalRps: equalLoadRps, durationMs: seconds * 1000, seed: round };
      const { latencyMs, status } = await openLoad({ ...load, processor: CLIENT_PROCESSOR });
      latencies[index]?.p50Ms.push(quantileMs(latencyMs, 0.5));
      latencies[index]?.p99Ms.push(quantileMs(latencyMs, 0.99));
      latencies[index]?.failed.push(status.filter((one) => one !== 200).length / status.length);
    }
  }
  return {
    ...{ chain, equalLoadRps },
    peers: peers.map(({ name }, index) => {
      const { p50Ms = [], p99Ms = [], failed = [] } = latencies[index] ?? {};
      const roundRps = saturated[index] ?? [];
      return {
        ...{ name, rps: median(roundRps), roundRps },
        ...{ p50Ms: median(p50Ms), p99Ms: median(p99Ms), failedFraction: Math.max(...failed) },
      };
    }),
  };
}

/** Chains per second. A client that calls the models itself sends one request per model. */
async function saturationRps({ name, url, steps }: Peer, chain: Chain, durationS: number): Promise<number> {
  const [first, ...rest] = steps[chain].map(({ path }) => url + path);
  const body = Buffer.from(steps[chain][0]?.body ?? '');
  const { rps, unsuccessful, succeeded } = await closedLoad({
    ...{ urls: [first as string, ...rest], body, headers: ['content-type: application/json'], protocol: 'h1' },
    ...{ inFlight: IN_FLIGHT, durationS, processor: CLIENT_PROCESSOR },
  });
  if (unsuccessful > 0.01 * succeeded)
    throw new Error(`${name}: ${unsuccessful} of ${succeeded} requests had no success`);
  return rps / steps[chain].length;
}
