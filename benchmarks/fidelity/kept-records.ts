/** Keeps recordings of served plans in `served/`. `-- --again` tries another correction on them. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { gunzipSync, gzipSync } from 'node:zlib';
import type { RecordedPlan } from '../../packages/app/src/calibrate/calibrate-plan.js';

const folder = new URL('served/', import.meta.url);
const fileOf = (number: number): URL => new URL(`${number}.json.gz`, folder);

export function writeRecord(number: number, recorded: RecordedPlan): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(fileOf(number), gzipSync(JSON.stringify(recorded)));
}

/** Undefined if the plan was not served here. */
export function readRecord(number: number): RecordedPlan | undefined {
  try {
    const recorded: RecordedPlan = JSON.parse(gunzipSync(readFileSync(fileOf(number))).toString());
    // JSON has no Infinity.
    return { ...recorded, hostCores: recorded.hostCores ?? Number.POSITIVE_INFINITY };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
