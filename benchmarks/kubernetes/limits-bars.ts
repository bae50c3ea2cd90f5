import { type Bar, told, zero } from './bar-rows.js';
import type { LimitCell, LimitsFigures } from './limits.js';

const MOST_P50_ERROR = 0.15;
const MOST_P99_ERROR = 0.25;

export function limitsBars({ requests, workMs, cells }: LimitsFigures): readonly Bar[] {
  return [
    told('work of the stage, by its profile; requests at each limit and load', `${workMs.toFixed(1)} ms; ${requests}`),
    ...cells.flatMap(cellBars),
    zero(
      'lost and refused requests',
      cells.reduce((sum, { lost, refused }) => sum + lost + refused, 0),
    ),
  ];
}

function cellBars({ cpuCores, loadFraction, arrivalRps, served, simulated }: LimitCell): readonly Bar[] {
  const load = `${arrivalRps.toFixed(1)} rps, ${Math.round(100 * loadFraction)} % of the limit`;
  const bar = (name: string, at: 'p50Ms' | 'p99Ms', most: number): Bar => {
    const error = simulated[at] / served[at] - 1;
    const percents = `${error < 0 ? '−' : '+'}${Math.abs(100 * error).toFixed(1)} %`;
    return {
      claim: `limit ${Math.round(1000 * cpuCores)}m, ${load}: ${name} served; simulated`,
      figure: `${served[at].toFixed(0)} ms; ${simulated[at].toFixed(0)} ms (${percents})`,
      ...{ bar: `± ${100 * most} %`, met: Math.abs(error) <= most },
    };
  };
  return [bar('median', 'p50Ms', MOST_P50_ERROR), bar('99th percentile', 'p99Ms', MOST_P99_ERROR)];
}
