/** Arrival rates of the past, for a controller that starts. Gaps stay gaps: no sample is not the same as no request. */
import type { PrometheusApi, RangeWindow, Series } from '../api/prometheus-api.js';
import { queriesOf } from '../series/query-table.js';
import type { WatchedPipeline } from '../series/watched-pipeline.js';
import { queryTimes, type ReadOptions } from './read-figures.js';

/** Rates of the first source that has any, in order of time. Rejects with AppError UNREACHABLE. */
export async function readArrivalHistory(
  api: PrometheusApi,
  pipeline: WatchedPipeline,
  options: RangeWindow & Pick<ReadOptions, 'scrapeIntervalMs'>,
): Promise<Series['points']> {
  const times = queryTimes({ ...options, percentile: 99 });
  const rates = queriesOf(pipeline).filter(({ figure, subject }) => figure === 'arrivalRps' && subject === 'pipeline');
  for (const query of rates) {
    const [series] = await api.queryRange(query.expression(query.scope(pipeline, times)), options);
    if (series !== undefined && series.points.length > 0) return series.points;
  }
  return [];
}
