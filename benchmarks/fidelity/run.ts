/**
 * `npm run bench:fidelity`: serves, calibrates and simulates the configurations. results.json has every finished plan.
 * `-- --again` serves nothing: it corrects and simulates the recordings of these plans. `-- --resume` keeps them,
 * `-- --minutes 30` starts no plan that would end later, `-- --report` only writes the tables again, `-- --scale 0.2` shortens the segments (a trial,
 * which leaves the tables of the docs alone).
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { calibrationOf } from '../../packages/app/src/calibrate/calibrate-plan.js';
import { benchMethod, configurations } from './configurations.js';
import { readRecord } from './kept-records.js';
import { checkResumable, type FidelityResults, readResults, writeResults } from './kept-results.js';
import type { MeasuredPlan, PlanResult } from './plan-result.js';
import { fidelityReport } from './report.js';
import { runPlan } from './run-plan.js';

const RESULTS = new URL('results.json', import.meta.url);
const TRIAL_RESULTS = new URL('trial.json', import.meta.url);
const REPORT = new URL('results.md', import.meta.url);
/** Page with the report between two marks. */
const PAGE = new URL('../../docs/explain/fidelity.md', import.meta.url);
/** First guess for the time of a plan. */
const PLAN_MS = 380_000;

const { values } = parseArgs({
  options: {
    resume: { type: 'boolean', default: false },
    report: { type: 'boolean', default: false },
    again: { type: 'boolean', default: false },
    scale: { type: 'string', default: '1' },
    minutes: { type: 'string', default: 'Infinity' },
    plans: { type: 'string', default: String(configurations.length) },
  },
});
const scale = Number(values.scale);
const isTrial = scale !== 1 || Number(values.plans) < configurations.length;
const kept = isTrial ? TRIAL_RESULTS : RESULTS;

const CORRECTED_AT = '; corrected and simulated at commit ';
const commit = (): string => execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();

function machine(): string {
  const day = new Date().toISOString().slice(0, 10);
  return `${cpus().length} cores, ${cpus()[0]?.model ?? 'unknown'}, ${process.arch}, Node ${process.version}; ${day}, commit ${commit()}`;
}

function earlier(): FidelityResults {
  const found = values.resume || values.report || values.again ? readResults(kept) : undefined;
  if (found !== undefined && values.resume) checkResumable(found, benchMethod, scale);
  return found ?? { method: benchMethod, plans: [] };
}

function correctedAgain(plan: MeasuredPlan): MeasuredPlan {
  const number = configurations.findIndex(({ pipeline, name }) => pipeline === plan.pipeline && name === plan.name);
  const recorded = readRecord(number);
  if (recorded === undefined) throw new Error(`nothing is kept of ${plan.pipeline}: ${plan.name}. Serve it first.`);
  process.stderr.write(`${plan.pipeline}: ${plan.name}\n`);
  const { loads, corrections } = calibrationOf(recorded);
  const measured = plan.machine.split(CORRECTED_AT)[0] as string;
  return { ...plan, loads, corrections, machine: `${measured}${CORRECTED_AT}${commit()}` };
}

let results = earlier();
const isDone = ({ pipeline, name }: Pick<PlanResult, 'pipeline' | 'name'>) =>
  results.plans.some((plan) => plan.pipeline === pipeline && plan.name === name);
const left =
  values.report || values.again
    ? []
    : configurations.slice(0, Number(values.plans)).flatMap((one, number) => (isDone(one) ? [] : [{ ...one, number }]));
const startedAtMs = performance.now();
for (const [index, { number, pipeline, name }] of left.entries()) {
  const planMs = index === 0 ? PLAN_MS * scale : (performance.now() - startedAtMs) / index;
  const minutes = Math.ceil(((left.length - index) * planMs) / 60_000);
  const elapsedMs = performance.now() - startedAtMs;
  if (index > 0 && elapsedMs + planMs > 60_000 * Number(values.minutes)) break;
  process.stderr.write(`[${index} of ${left.length} plans done, about ${minutes} min left] ${pipeline}: ${name}\n`);
  const measuredOn = { machine: machine(), scale };
  const plan = { ...(await runPlan(number, scale)), ...measuredOn };
  results = { method: benchMethod, plans: [...results.plans, plan] };
  writeResults(kept, results);
}
if (values.again) {
  results = { ...results, plans: results.plans.map(correctedAgain) };
  writeResults(kept, results);
}
const { text, met } = fidelityReport(results);
if (!isTrial) {
  writeFileSync(REPORT, `# Served and simulated\n\n${text}`);
  const page = readFileSync(PAGE, 'utf8');
  const parts = /(<!-- measured -->\n)[\s\S]*(\n<!-- \/measured -->)/;
  writeFileSync(
    PAGE,
    page.replace(parts, (_, before, after) => `${before}\n${text}${after}`),
  );
}
process.stdout.write(text);
process.exitCode = met ? 0 : 1;
