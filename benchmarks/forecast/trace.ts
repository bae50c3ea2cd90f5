/** The published trace that forecasters are compared on: requests per second over 14 days. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { parseLoadFile } from '@equipoise/runtime';

const FILE = 'workloads/twitter_14_days_per_second.csv.gz';

export const DAY_S = 86_400;
/** Days for training; the four that follow are for testing. */
export const TRAIN_DAYS = 10;
/** Counts are divided by 8, as the literature does. */
export const SCALE = 1 / 8;

/** The counts; undefined without reference data. */
export function referenceCounts(directory: string): readonly number[] | undefined {
  const file = join(directory, FILE);
  if (directory === '' || !existsSync(file)) return undefined;
  return parseLoadFile(gunzipSync(readFileSync(file)).toString('utf8'), FILE);
}
