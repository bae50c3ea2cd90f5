/** The published loads that the shipped ones are fitted to; they are found through EQUIPOISE_REFERENCE_DIR and never copied. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseLoadFile } from '../../packages/runtime/src/load/load-file.js';
import { type LoadStatistics, loadStatistics } from './load-statistics.js';

/** Counts per second of a published load. */
export function publishedCounts(referenceDir: string, name: string): readonly number[] {
  const file = join(referenceDir, 'workloads', `workload_${name}.csv`);
  return parseLoadFile(readFileSync(file, 'utf8'), file);
}

/** Figures of a published load. */
export function publishedStatistics(referenceDir: string, name: string): LoadStatistics {
  return loadStatistics(publishedCounts(referenceDir, name));
}
