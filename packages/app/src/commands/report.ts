/** `equipoise report`: a page about a run, from a server, its decision log, or a saved run. */
import { resolve } from 'node:path';
import { AppError, type DecisionRecord } from '@equipoise/core/model';
import { type RecordedLog, readDecisionLog } from '@equipoise/runtime';
import pc from 'picocolors';
import { type AdminAccess, askAdmin, pipelineNamed } from '../compose/admin-client.js';
import { outputFile } from '../report/output-file.js';
import { htmlPage } from '../report/page/html-page.js';
import { savePlots } from '../report/page/save-plots.js';
import { logPoints } from '../report/run/log-points.js';
import { isAdvice } from '../report/run/plan-change.js';
import { runPage } from '../report/run/run-page.js';
import type { RunRecord } from '../report/run/run-record.js';
import { isSavedRun, runOfSaved, type SavedRun, savedRun } from '../report/run/saved-run.js';
import { counted } from '../terminal/counted.js';
import type { CommandResult } from '../terminal/run-command.js';
import { newestText } from './explain.js';

export interface ReportOptions extends Partial<AdminAccess> {
  readonly pipeline?: string;
  /** Times in ms since 1970. */
  readonly from?: number;
  readonly to?: number;
  /** Length of the window in ms, up to `to` or now. */
  readonly last?: number;
  readonly out: string;
  readonly save?: string;
  readonly plots?: string;
}

const DEFAULT_LOG = '.equipoise/state.db';
/** Decisions of a report, the newest ones. */
const MOST_DECISIONS = 5000;
/** Changes of the plan that are read in full from a server. */
const MOST_FULL = 100;
const PAGE = 200;

export async function report(source: string | undefined, options: ReportOptions): Promise<CommandResult> {
  checkFlags(source, options);
  const output = await outputFile(options.out);
  const save = options.save === undefined ? undefined : await outputFile(options.save);
  const saved = options.admin === undefined ? undefined : await servedRun({ ...options, admin: options.admin });
  if (saved !== undefined) await save?.writeText(`${JSON.stringify(saved)}\n`);
  const run =
    saved === undefined ? await fileRun(source ?? DEFAULT_LOG, options) : runOfSaved(saved, `Server ${options.admin}`);
  const page = runPage(run);
  await output.writeText(htmlPage(page));
  const plots = options.plots === undefined ? [] : await savePlots(page, options.plots);
  const path = resolve(options.out);
  const text = [
    `${run.pipeline}: ${counted(run.points.length, 'point')}, ${counted(run.decisions.length, 'decision')}`,
    ...[path, ...(save === undefined ? [] : [resolve(options.save ?? '')])].map((file) => pc.dim(`written to ${file}`)),
    ...(plots.length === 0 ? [] : [pc.dim(`${counted(plots.length, 'plot')} in ${resolve(options.plots ?? '')}`)]),
  ];
  const json = {
    pipeline: run.pipeline,
    points: run.points.length,
    decisions: run.decisions.length,
    report: path,
    plots,
  };
  return { json, text: text.join('\n') };
}

function checkFlags(source: string | undefined, { admin, from, last, save }: ReportOptions): void {
  if (from !== undefined && last !== undefined)
    throw new AppError('WRONG_USAGE', '--last and --from exclude each other.');
  if (admin !== undefined && source !== undefined)
    throw new AppError('WRONG_USAGE', `A report is of a server or of a file: omit --admin or ${source}.`);
  if (admin === undefined && save !== undefined)
    throw new AppError('WRONG_USAGE', '--save saves the run of a server: name its admin port with --admin URL.');
}

interface Window {
  readonly fromEpochMs: number;
  readonly toEpochMs: number;
}

function windowOf({ from, to, last }: ReportOptions): Window {
  const end = to ?? (last === undefined ? Number.POSITIVE_INFINITY : Date.now());
  const start = from ?? (last === undefined ? Number.NEGATIVE_INFINITY : end - last);
  if (start >= end) throw new AppError('WRONG_USAGE', 'The window ends before it begins: correct --from or --to.');
  return { fromEpochMs: start, toEpochMs: end };
}

const isWithin = ({ fromEpochMs, toEpochMs }: Window, atEpochMs: number): boolean =>
  atEpochMs > fromEpochMs && atEpochMs <= toEpochMs;

async function servedRun(options: ReportOptions & AdminAccess): Promise<SavedRun> {
  const pipeline = await pipelineNamed(options, options.pipeline);
  const path = `/admin/pipelines/${encodeURIComponent(pipeline)}`;
  const window = windowOf(options);
  const range = Object.entries(window).filter(([, epochMs]) => Number.isFinite(epochMs));
  const query = range.map(([name, epochMs]) => `${name}=${epochMs}`).join('&');
  const [{ slo }, history] = (await Promise.all([
    askAdmin(options, path),
    askAdmin(options, `${path}/history?${query}`),
  ])) as [Pick<SavedRun, 'slo'>, SavedRun['history']];
  const { stepMs, points, latencies = [] } = history;
  return {
    kind: 'run',
    pipeline,
    slo,
    history: { stepMs, points, latencies },
    decisions: await servedDecisions(options, path, shownWindow(window, history)),
  };
}

/** Without a beginning, the window begins with the history that the server still has. */
function shownWindow({ fromEpochMs, toEpochMs }: Window, { stepMs, points }: SavedRun['history']): Window {
  const [first] = points;
  if (Number.isFinite(fromEpochMs) || first === undefined) return { fromEpochMs, toEpochMs };
  return { fromEpochMs: first.atEpochMs - stepMs, toEpochMs };
}

/** Line of the decision log as the admin port lists it. */
interface Summary extends Omit<DecisionRecord, 'observation' | 'decision'> {
  readonly kind?: 'apply' | 'hold';
  readonly reason?: string;
}

/** Decisions in the window, oldest first. The newest changes are read in full, at most `MOST_FULL`. */
async function servedDecisions(options: AdminAccess, path: string, window: Window): Promise<readonly DecisionRecord[]> {
  const found: DecisionRecord[] = [];
  let full = 0;
  let before: number | undefined;
  do {
    const query = `limit=${PAGE}${before === undefined ? '' : `&before=${before}`}`;
    const page = (await askAdmin(options, `${path}/decisions?${query}`)) as {
      readonly decisions: readonly Summary[];
      readonly nextBefore?: number;
    };
    for (const summary of page.decisions.filter(({ atEpochMs }) => isWithin(window, atEpochMs))) {
      const known = summarized(summary);
      const isFull = summary.kind === 'apply' && !isAdvice(known) && full < MOST_FULL;
      if (isFull) full += 1;
      found.push(isFull ? ((await askAdmin(options, `${path}/decisions/${summary.id}`)) as DecisionRecord) : known);
    }
    const isOver = page.decisions.some(({ atEpochMs }) => atEpochMs <= window.fromEpochMs);
    before = isOver ? undefined : page.nextBefore;
  } while (before !== undefined && found.length < MOST_DECISIONS);
  return found.reverse();
}

/** A decision of which only kind and reason are known. Without a plan, it has a row and no card. */
function summarized({ kind = 'hold', reason, ...entry }: Summary): DecisionRecord {
  const observation = { atMs: 0 } as DecisionRecord['observation'];
  const evidence = { forecast: { method: '', meanRps: 0, upperRps: 0 } };
  const decision = { kind, reason, evidence } as DecisionRecord['decision'];
  return { ...entry, observation, ...(reason !== undefined && decision && { decision }) };
}

async function fileRun(path: string, options: ReportOptions): Promise<RunRecord> {
  if (isSavedRun(path)) {
    const saved = await savedRun(path);
    if (options.pipeline !== undefined && options.pipeline !== saved.pipeline)
      throw new AppError('NOT_FOUND', `${path} is of the pipeline ${saved.pipeline}.`);
    return within(runOfSaved(saved, `Saved run ${path}`), windowOf(options));
  }
  const { pipeline: pipelineName } = options;
  const log = await readDecisionLog(path, {
    newest: MOST_DECISIONS,
    ...(pipelineName !== undefined && { pipelineName }),
  });
  return logRun(log, path, options);
}

const within = (run: RunRecord, window: Window): RunRecord => ({
  ...run,
  points: run.points.filter(({ atEpochMs }) => isWithin(window, atEpochMs)),
  decisions: run.decisions.filter(({ atEpochMs }) => isWithin(window, atEpochMs)),
});

async function logRun({ setups, decisions }: RecordedLog, path: string, options: ReportOptions): Promise<RunRecord> {
  const names = [...new Set(decisions.map(({ pipelineName }) => pipelineName))];
  const [pipeline, ...others] = names;
  if (pipeline === undefined) {
    const of = options.pipeline === undefined ? '' : ` of a pipeline ${options.pipeline}`;
    throw new AppError('NOT_FOUND', `${path} has no decisions${of}; ${await newestText(path)}.`);
  }
  if (others.length > 0)
    throw new AppError('WRONG_USAGE', `${path} has decisions of ${names.join(', ')}; say which with --pipeline.`);
  const records = decisions.map(({ record }) => record);
  const digest = records.findLast(({ setupDigest }) => setupDigest !== undefined)?.setupDigest;
  const slo = digest === undefined ? undefined : setups.get(digest)?.spec.slo;
  const origin = `Decision log ${path}, which has what each decision saw, and no latencies of single requests`;
  const percentile = slo?.percentile ?? 99;
  const run = {
    ...{ pipeline, origin, slo, percentile },
    points: logPoints(records),
    latencies: [],
    decisions: records,
  };
  return within(run, windowOf(options));
}
