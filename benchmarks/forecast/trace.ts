/** Published trace for forecasters: requests per second over 14 days. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { parseLoadFile } from '@equipoise/runtime';

const FILE = 'workloads/twitter_14_days_per_second.csv.gz';

export const DAY_S = 86_400;
/** The following four days are the test part. */
export const TRAIN_DAYS = 10;
/** As in the literature. */
export const SCALE = 1 / 8;

/** Undefined without reference data. */
export function referenceCounts(directory: string): readonly number[] | undefined {
  const file = join(directory, FILE);
  if (directory === '' || !existsSync(file)) return undefined;
  return parseLoadFile(gunzipSync(readFileSync(file)).toString('utf8'), FILE);
}
