/** results.json: the finished plans, each with its commit and scale. */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { CalibrationMethod } from '../../packages/app/src/calibrate/calibrate-plan.js';
import type { MeasuredPlan, PlanResult } from './plan-result.js';

export interface FidelityResults {
  readonly method: CalibrationMethod;
  readonly plans: readonly MeasuredPlan[];
}

/** An older file has the machine and the scale of all its plans at the top. */
interface ResultsFile {
  readonly method: CalibrationMethod;
  readonly machine?: string;
  readonly scale?: number;
  readonly plans: readonly (PlanResult & Partial<Pick<MeasuredPlan, 'machine' | 'scale'>>)[];
}

/** Undefined without a file. */
export function readResults(file: URL): FidelityResults | undefined {
  if (!existsSync(file)) return undefined;
  const {
    method,
    machine = 'unknown machine',
    scale = 1,
    plans,
  } = JSON.parse(readFileSync(file, 'utf8')) as ResultsFile;
  return { method, plans: plans.map((plan) => ({ machine, scale, ...plan })) };
}

/** Throws if plans of this method and scale cannot be added. */
export function checkResumable(found: FidelityResults, method: CalibrationMethod, scale: number): void {
  if (JSON.stringify(found.method) !== JSON.stringify(method))
    throw new Error('The results are of another method. Run without --resume.');
  const other = found.plans.find((plan) => plan.scale !== scale);
  if (other !== undefined)
    throw new Error(`The results have plans of --scale ${other.scale}. Use the same scale, or run without --resume.`);
}

/** An interruption leaves the file as it was. */
export function writeResults(file: URL, results: FidelityResults): void {
  const part = new URL(`${file.href}.part`);
  writeFileSync(part, `${JSON.stringify(results, null, 1)}\n`);
  renameSync(part, file);
}
