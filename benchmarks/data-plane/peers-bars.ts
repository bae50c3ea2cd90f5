/** Bars of the comparison with other servers. Figures without a bar are only shown. */
import { atLeast, type Bar, told } from './bar.js';
import type { PeerComparison, PeerFigures } from './peers-run.js';

const leastRatios: Readonly<Record<string, number>> = { 'Ray Serve': 3, MLServer: 1 };

/** Equipoise's throughput ÷ that of each other server, and the latencies of all servers at the same load. */
export function peerBars({ chains, failures }: PeerComparison): readonly Bar[] {
  return [
    ...Object.entries(failures).map(([name, why]) => told(`${name} did not run`, why.split('\n')[0] ?? '')),
    ...chains.flatMap(({ chain, equalLoadRps, peers }) => [
      ...peers.map((peer) =>
        told(
          `${chain}: ${peer.name}, chains per second at saturation; p50, p99 at ${equalLoadRps} rps, ms`,
          figuresOf(peer),
        ),
      ),
      ...ratios(chain, peers),
    ]),
  ];
}

function ratios(chain: string, peers: readonly PeerFigures[]): readonly Bar[] {
  const own = peers.find(({ name }) => name === 'Equipoise');
  return peers
    .filter(({ name }) => name in leastRatios)
    .map(({ name, rps }) =>
      atLeast(`${chain}: throughput ÷ that of ${name}`, (own?.rps ?? 0) / rps, 2, leastRatios[name] as number),
    );
}

function figuresOf({ rps, roundRps, p50Ms, p99Ms, failedFraction }: PeerFigures): string {
  const rounds = roundRps.map((one) => one.toFixed(0)).join(', ');
  const failed = failedFraction === 0 ? '' : `; ${(100 * failedFraction).toFixed(1)} % without a 200`;
  return `${rps.toFixed(0)} (${rounds}); ${p50Ms.toFixed(1)}, ${p99Ms.toFixed(1)}${failed}`;
}
