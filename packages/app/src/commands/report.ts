/** `equipoise report`: a page about a run, from a server, its decision log, or a saved run. */
import { existsSync, statSync } from 'node:fs';
import { extname, resolve } from 'node:path';
import { AppError, type DecisionRecord } from '@equipoise/core/model';
import { adminAnswers, type LogSelection, type RecordedLog, readDecisionLog } from '@equipoise/runtime';
import pc from 'picocolors';
import { type AdminAccess, askAdmin, otherForm, pipelineNamed, serverNowMs } from '../compose/admin-client.js';
import { outputFile } from '../report/output-file.js';
import { htmlPage } from '../report/page/html-page.js';
import { savePlots } from '../report/page/save-plots.js';
import { logOutcomes, logPoints } from '../report/run/log-points.js';
import { isAdvice } from '../report/run/plan-change.js';
import { runPage } from '../report/run/run-page.js';
import type { RunRecord } from '../report/run/run-record.js';
import {
  ALL_TIME,
  emptyWindow,
  isEmpty,
  isWithin,
  type RunWindow,
  type WindowFlags,
  windowOf,
  within,
} from '../report/run/run-window.js';
import { isSavedRun, runOfSaved, type SavedRun, savedRun } from '../report/run/saved-run.js';
import { counted } from '../terminal/counted.js';
import type { CommandResult } from '../terminal/run-command.js';
import { newestText } from './explain.js';

export interface ReportOptions extends Partial<AdminAccess>, WindowFlags {
  readonly pipeline?: string;
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
  checkOutputs(source ?? DEFAULT_LOG, options);
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

/** A page must not replace the log or the run that it is made from. */
function checkOutputs(source: string, { admin, out, save }: ReportOptions): void {
  const inputs = admin === undefined ? [source] : [];
  const taken = [...inputs, ...(save === undefined ? [] : [save])].find((path) => isSameFile(path, out));
  if (taken !== undefined) throw new AppError('WRONG_USAGE', `--out would replace ${taken}: name another file.`);
}

function isSameFile(one: string, other: string): boolean {
  if (resolve(one) === resolve(other)) return true;
  const [a, b] = [one, other].map((path) => statSync(path, { throwIfNoEntry: false }));
  return a !== undefined && b !== undefined && a.isFile() && a.dev === b.dev && a.ino === b.ino;
}

async function servedRun(options: ReportOptions & AdminAccess): Promise<SavedRun> {
  const pipeline = await pipelineNamed(options, options.pipeline);
  const countsBack = options.last !== undefined && options.to === undefined;
  const window = windowOf(options, countsBack ? await serverNowMs(options, pipeline) : Date.now());
  const path = `/admin/pipelines/${encodeURIComponent(pipeline)}`;
  const [{ slo }, history] = await Promise.all([
    askAdmin(options, path) as Promise<Pick<SavedRun, 'slo'>>,
    servedHistory(options, path, window),
  ]);
  const { stepMs, points, latencies = [] } = history;
  const decisions = await servedDecisions(options, path, shownWindow(window, history));
  if (isEmpty({ points, decisions })) throw await nothingServed({ options, pipeline, path, window });
  return { kind: 'run', pipeline, slo, history: { stepMs, points, latencies }, decisions };
}

async function servedHistory(options: AdminAccess, path: string, window: RunWindow): Promise<SavedRun['history']> {
  const range = Object.entries(window).filter(([, epochMs]) => Number.isFinite(epochMs));
  const query = range.map(([name, epochMs]) => `${name}=${epochMs}`).join('&');
  const answer = await askAdmin(options, `${path}/history?${query}`);
  const { success, data } = adminAnswers.history.safeParse(answer);
  if (!success) throw otherForm(`${options.admin}${path}/history`);
  return data as SavedRun['history'];
}

interface EmptyAnswer {
  readonly options: ReportOptions & AdminAccess;
  readonly pipeline: string;
  readonly path: string;
  readonly window: RunWindow;
}

async function nothingServed({ options, pipeline, path, window }: EmptyAnswer): Promise<AppError> {
  const { points } = await servedHistory(options, path, ALL_TIME);
  const place = `${pipeline} at ${options.admin}`;
  return points.length === 0
    ? new AppError('CONFLICT', `${place} has recorded nothing yet. Repeat the command in a few seconds.`)
    : emptyWindow(place, { points, decisions: [] }, { window, flags: options });
}

/** Without a beginning, the window begins with the history that the server still has. */
function shownWindow({ fromEpochMs, toEpochMs }: RunWindow, { stepMs, points }: SavedRun['history']): RunWindow {
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
async function servedDecisions(
  options: AdminAccess,
  path: string,
  window: RunWindow,
): Promise<readonly DecisionRecord[]> {
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
  const window = windowOf(options, Date.now());
  const readRun = isSavedRun(path) ? savedFileRun : logRun;
  if (extname(path) === '.json' && !existsSync(path)) {
    const message = `There is no saved run ${path}. Save one with report --admin URL --save FILE.`;
    throw new AppError('FILE_NOT_FOUND', message, { details: { path: resolve(path) } });
  }
  const recorded = await readRun(path, options, window);
  if (isEmpty(recorded)) throw new AppError('NOT_FOUND', `${path} is of a run in which nothing was recorded.`);
  const run = within(recorded, window);
  if (isEmpty(run)) throw emptyWindow(path, await readRun(path, options, ALL_TIME), { window, flags: options });
  return run;
}

async function savedFileRun(path: string, { pipeline }: ReportOptions): Promise<RunRecord> {
  const saved = await savedRun(path);
  if (pipeline !== undefined && pipeline !== saved.pipeline)
    throw new AppError('NOT_FOUND', `${path} is of the pipeline ${saved.pipeline}.`);
  return runOfSaved(saved, `Saved run ${path}`);
}

/** Decisions up to the end of the window, or the newest of all if there are none. */
async function logRun(path: string, { pipeline: wanted }: ReportOptions, { toEpochMs }: RunWindow): Promise<RunRecord> {
  const selection = { newest: MOST_DECISIONS, ...(wanted !== undefined && { pipelineName: wanted }) };
  const inWindow = await decisionsIn(path, { ...selection, toEpochMs });
  const log = inWindow.decisions.length === 0 ? await decisionsIn(path, selection) : inWindow;
  const { setups, decisions } = log;
  const names = [...new Set(decisions.map(({ pipelineName }) => pipelineName))];
  const [pipeline, ...others] = names;
  if (pipeline === undefined) {
    const of = wanted === undefined ? '' : ` of a pipeline ${wanted}`;
    throw new AppError('NOT_FOUND', `${path} has no decisions${of}; ${await newestText(path)}.`);
  }
  if (others.length > 0)
    throw new AppError('WRONG_USAGE', `${path} has decisions of ${names.join(', ')}; say which with --pipeline.`);
  const records = decisions.map(({ record }) => record);
  const digest = records.findLast(({ setupDigest }) => setupDigest !== undefined)?.setupDigest;
  const slo = digest === undefined ? undefined : setups.get(digest)?.spec.slo;
  const origin = `Decision log ${path}, which has what each decision saw, and no latencies of single requests`;
  const percentile = slo?.percentile ?? 99;
  const [points, outcomes] = [logPoints(records), logOutcomes(records)];
  return { pipeline, origin, slo, percentile, points, outcomes, latencies: [], decisions: records };
}

/** Reads a decision log. The error of a file without even one line of a log names what a report draws. */
async function decisionsIn(path: string, selection: LogSelection): Promise<RecordedLog> {
  try {
    return await readDecisionLog(path, selection);
  } catch (error) {
    if (!(error instanceof AppError) || error.details['line'] !== 1) throw error;
    const message = `${path} is neither a decision log nor a saved run. A report draws the state file of a server (.equipoise/state.db), a log exported from one, or a run that report --admin URL --save FILE saved.`;
    throw new AppError(error.code, message, { details: error.details, cause: error });
  }
}
