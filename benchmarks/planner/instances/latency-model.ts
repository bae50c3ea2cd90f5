/**
 * Latency of a whole plan from the latencies of its stages, composed as if they were independent. Guides the reference
 * search; a plan counts only after its simulation.
 */
import { SeededRng } from '@equipoise/core/model';
import type { Flow } from './draw-graph.js';

export type LatenciesOf = (stage: string) => Float64Array;

export class LatencyModel {
  readonly #flow: Flow;
  readonly #chances: Float64Array;
  /** Simulated ÷ composed latencies seen so far. */
  readonly #ratios: number[] = [];
  #correction = 1;

  constructor(flow: Flow, samples: number) {
    this.#flow = flow;
    const rng = new SeededRng(13);
    this.#chances = Float64Array.from({ length: samples }, () => rng.next());
  }

  /** Fraction of requests above `limitMs`, corrected by the simulations. */
  misses(latenciesOf: LatenciesOf, limitMs: number): number {
    const composed = this.#compose(this.#flow, latenciesOf);
    const limit = limitMs / this.#correction;
    let above = 0;
    for (const ms of composed) if (ms > limit) above++;
    return above / composed.length;
  }

  /** Composed quantile (ms) without the correction. */
  quantileMs(latenciesOf: LatenciesOf, fraction: number): number {
    const sorted = this.#compose(this.#flow, latenciesOf).slice().sort();
    return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * fraction))] as number;
  }

  /** Learns from a simulated plan. */
  learn(latenciesOf: LatenciesOf, fraction: number, simulatedMs: number): void {
    const composedMs = this.quantileMs(latenciesOf, fraction);
    if (!(composedMs > 0 && Number.isFinite(simulatedMs))) return;
    this.#ratios.push(Math.min(3, Math.max(0.3, simulatedMs / composedMs)));
    const recent = this.#ratios.slice(-15).sort((a, b) => a - b);
    this.#correction = recent[Math.floor(recent.length / 2)] as number;
  }

  #compose(flow: Flow, latenciesOf: LatenciesOf): Float64Array {
    switch (flow.kind) {
      case 'stage':
        return latenciesOf(flow.stage);
      case 'series':
        return combined(
          flow.parts.map((part) => this.#compose(part, latenciesOf)),
          (a, b) => a + b,
        );
      case 'parallel':
        return combined(
          flow.parts.map((part) => this.#compose(part, latenciesOf)),
          Math.max,
        );
      case 'chosen': {
        const taken = this.#compose(flow.taken, latenciesOf);
        const otherwise = flow.otherwise && this.#compose(flow.otherwise, latenciesOf);
        const isTaken = (i: number): boolean => (this.#chances[i] as number) < flow.probability;
        return taken.map((ms, i) => (isTaken(i) ? ms : (otherwise?.[i] ?? 0)));
      }
    }
  }
}

function combined(parts: readonly Float64Array[], join: (a: number, b: number) => number): Float64Array {
  const [first, ...rest] = parts as [Float64Array, ...Float64Array[]];
  if (rest.length === 0) return first;
  const sum = first.slice();
  for (const part of rest) for (let i = 0; i < sum.length; i++) sum[i] = join(sum[i] as number, part[i] as number);
  return sum;
}
