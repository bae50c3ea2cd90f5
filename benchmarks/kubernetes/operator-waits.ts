/** Waits inside operators, from their histograms: upper ends of the buckets with the 95th percentile of a period. */
import type { OperatorCommand } from '../../packages/adapter-kubernetes/src/test-cluster/operator-command.test-support.js';

const NAMES = ['queue', 'pass', 'request_wait'] as const;
const FRACTION = 0.95;

/** Seconds: until a pass begins, of a pass, and of a request until it is sent. */
export interface OperatorWaits {
  readonly queueS: number;
  readonly passS: number;
  readonly requestWaitS: number;
}

/** Cumulative counts of all operators by upper end, by histogram. */
type Counts = ReadonlyMap<string, ReadonlyMap<number, number>>;

export async function waitCounts(operators: readonly OperatorCommand[]): Promise<Counts> {
  const pages = await Promise.all(operators.map((operator) => operator.asks('/metrics')));
  const text = pages.map((page) => page?.text ?? '').join('\n');
  return new Map(NAMES.map((name) => [name, bucketsOf(text, name)]));
}

function bucketsOf(text: string, name: string): ReadonlyMap<number, number> {
  const counts = new Map<number, number>();
  const lines = text.matchAll(new RegExp(`^equipoise_operator_${name}_seconds_bucket\\{le="([^"]+)"\\} (\\d+)$`, 'gm'));
  for (const [, end = '', count] of lines) {
    const upToS = end === '+Inf' ? Number.POSITIVE_INFINITY : Number(end);
    counts.set(upToS, (counts.get(upToS) ?? 0) + Number(count));
  }
  return counts;
}

export function waitsBetween(before: Counts, after: Counts): OperatorWaits {
  const of = (name: (typeof NAMES)[number]): number => {
    const [old, now] = [before.get(name), after.get(name)];
    const grown = [...(now ?? [])].map(([upToS, count]) => [upToS, count - (old?.get(upToS) ?? 0)] as const);
    const all = grown.find(([upToS]) => upToS === Number.POSITIVE_INFINITY)?.[1] ?? 0;
    const ends = grown.filter(([, count]) => count >= FRACTION * all).map(([upToS]) => upToS);
    return Math.min(...ends);
  };
  return { queueS: of('queue'), passS: of('pass'), requestWaitS: of('request_wait') };
}
