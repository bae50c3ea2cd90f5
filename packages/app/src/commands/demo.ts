/** `equipoise demo`: profiles, plans, serves, adapts, compares and reports on the example pipeline. */
import { writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { cpus } from 'node:os';
import { dirname, relative, resolve } from 'node:path';
import { AppError, type PipelineSpec, type Plan, type ProfileSet } from '@equipoise/core/model';
import type { PolicyName } from '@equipoise/core/plan';
import { makeFolder } from '@equipoise/runtime/make-folder';
import pc from 'picocolors';
import { measureMachineUse } from '../calibrate/machine-use.js';
import { loadSpec } from '../compose/load-spec.js';
import { measureProfile } from '../compose/measure-profile.js';
import { servingSpec } from '../compose/served-spec.js';
import { fixedPlan, simulateFixed } from '../demo/compare-policies.js';
import { overheadFraction } from '../demo/cpu-meter.js';
import { demoChecks } from '../demo/demo-checks.js';
import { demoLoad, peakRps } from '../demo/demo-load.js';
import { type ComparedRun, type DemoOutcome, demoPage } from '../demo/demo-page.js';
import { type RunTotals, totalsOf } from '../demo/demo-record.js';
import { type DemoRun, runDemo } from '../demo/demo-run.js';
import { busyDemoText, demoText, ladderText, planLadder, riseText } from '../demo/demo-text.js';
import { type LiveState, liveLine, liveView } from '../demo/live-view.js';
import { htmlPage } from '../report/page/html-page.js';
import { counted } from '../terminal/counted.js';
import { commandIn, shellWord } from '../terminal/own-command.js';
import { doubtText } from '../terminal/plan-table.js';
import type { CommandResult } from '../terminal/run-command.js';
import { Screen } from '../terminal/screen.js';

export interface DemoOptions {
  readonly policy: PolicyName;
  readonly report?: string;
}

const EXAMPLE_PACKAGE = '@equipoise/example-shelf-scan';
const DURATION_S = 120;
const LINE_EVERY_S = 5;

/** Exits with 1 if policy `equipoise` fails a check. */
export async function demo(options: DemoOptions, machineUse = measureMachineUse): Promise<CommandResult> {
  const example = examplePath();
  const spec = servingSpec(await loadSpec(example));
  const machine = await machineUse();
  if (machine.isBusy) say(busyDemoText(machine));
  say(`${pc.bold('1. Profile')}: how long does each variant take on this machine?`);
  const profiles = (await measureProfile(spec, { quick: true })).variants;
  const uncertain = doubtText(profiles);
  const doubt =
    uncertain &&
    `${uncertain}. If the machine was busy, stop other programs, run \`${commandIn(process.cwd())} profile ${shellWord(relative(process.cwd(), example))} --force\` and then the demo again.`;
  if (doubt !== undefined) say(pc.yellow(doubt));
  const best = bestPlan(spec, profiles);
  const points = demoLoad(best.predicted.capacityRps, DURATION_S);
  const rates = { lowRps: points[0]?.arrivalRps ?? 1, highRps: peakRps(points) };
  say(ladderText(spec, planLadder(spec, profiles, rates)));
  say(riseText(rates.highRps));
  const frames = frameWriter();
  const run = await runDemo({
    spec,
    profiles,
    points,
    policy: options.policy,
    onFrame: frames,
    onTrouble: (text) => say(pc.yellow(text)),
  });
  const outcome = outcomeOf(spec, profiles, { run, policy: options.policy, peakRps: rates.highRps });
  const path = resolve(options.report ?? resolve(spec.baseDir, '.equipoise', 'demo-report.html'));
  makeFolder(dirname(path));
  await writeFile(path, htmlPage(demoPage(outcome)));
  const { runs, checks } = outcome;
  return {
    json: { runs, checks, plans: outcome.plans, load: run.load, report: path },
    text: demoText(outcome, path, doubt),
    answerIsNo: options.policy === 'equipoise' && !checks.every(({ met }) => met),
  };
}

/** Throws AppError PACKAGE_MISSING in the package for servers, which has no example. */
function examplePath(): string {
  try {
    return createRequire(import.meta.url).resolve(`${EXAMPLE_PACKAGE}/pipeline.yaml`);
  } catch (cause) {
    throw AppError.packageMissing('The demo', './equipoise-VERSION.tgz', cause);
  }
}

/** Plan with the most accurate variants and the largest capacity within the budget. */
function bestPlan(spec: PipelineSpec, profiles: ProfileSet): Plan {
  const plan = fixedPlan(spec, profiles, { policy: 'static-best', arrivalRps: 1e6 });
  if (plan === undefined)
    throw new AppError('INFEASIBLE', 'The most accurate variants of the example do not fit its budget.');
  return plan;
}

function outcomeOf(
  spec: PipelineSpec,
  profiles: ProfileSet,
  served: { readonly run: DemoRun; readonly policy: PolicyName; readonly peakRps: number },
): DemoOutcome {
  const { run, policy } = served;
  const totals = clientTotals(run);
  const arrivalsPerSecond = run.seconds.map(({ arrived }) => arrived);
  const fixed = (name: string, fixedPolicy: PolicyName): ComparedRun => {
    const plan = fixedPlan(spec, profiles, { policy: fixedPolicy, arrivalRps: served.peakRps });
    if (plan === undefined) throw new AppError('INFEASIBLE', `${name} does not fit the budget of the example.`);
    return simulateFixed(spec, profiles, { name, plan, arrivalsPerSecond });
  };
  const cheapest = fixed('always-cheapest', 'static-cheapest');
  const best = fixed('always-best', 'static-best');
  const own: ComparedRun = { name: policy, how: 'served', totals, variants: counted(run.plans.length, 'plan') };
  const overhead = overheadFraction(run.cpu.before, run.cpu.after, run.load.cpuS);
  const figures = {
    totals,
    plans: run.plans,
    cheapest: cheapest.totals,
    best: best.totals,
    overheadFraction: overhead,
  };
  const machine = `${cpus().length} × ${cpus()[0]?.model ?? 'CPU'}, Node ${process.version}, ${new Date().toISOString().slice(0, 10)}`;
  return {
    spec,
    record: run.record,
    plans: run.plans,
    runs: [own, cheapest, best],
    checks: demoChecks(figures),
    machine,
  };
}

/** Totals of the client, with latencies from scheduled send times. The accuracy is from the server. */
function clientTotals({ load, seconds }: DemoRun): RunTotals {
  const { sent, ok, dropped, failed, sloAttainmentFraction = 0 } = load;
  return { arrived: sent, completed: ok, dropped, failed, sloAttainmentFraction, pasMean: totalsOf(seconds).pasMean };
}

function frameWriter(): (state: LiveState) => void {
  if (process.stderr.isTTY) {
    const screen = new Screen();
    return (state) => screen.draw(liveView(state));
  }
  let shownS = -1;
  return (state) => {
    const second = state.seconds.length;
    if (second === 0 || second < shownS + LINE_EVERY_S) return;
    shownS = second;
    process.stderr.write(`${liveLine(state)}\n`);
  };
}

function say(text: string): void {
  process.stderr.write(`\n${text}\n`);
}
