/**
 * A log of decisions as a file: the state file of a server, or JSON lines exported from one. Each line is `{kind:
 * "setup", digest, setup}` or `{kind: "decision", pipeline, record}`, setups first.
 */
import { closeSync, createReadStream, existsSync, openSync, readSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { AppError, type DecisionRecord } from '@equipoise/core/model';
import { readStateFile } from '../store/read-state-file.js';
import type { SqlitePlanStore } from '../store/sqlite-plan-store.js';
import type { PlanningSetup } from './planning-session.js';
import type { LoggedDecision, RecordedLog } from './replay-log.js';

export interface LogSelection {
  readonly pipelineName?: string;
  /** Number of decisions of each pipeline, of those up to `toEpochMs`. */
  readonly newest?: number;
  readonly toEpochMs?: number;
  readonly id?: number;
}

const SQLITE_HEAD = 'SQLite format 3\0';
const PAGE = 500;
/** The latest time of JavaScript's dates. */
const LATEST_EPOCH_MS = 8.64e15;

/** Rejects with AppError FILE_NOT_FOUND, FILE_UNREADABLE with the line, or STORE_FAILED. */
export async function readDecisionLog(path: string, selection: LogSelection = {}): Promise<RecordedLog> {
  const filePath = resolve(path);
  if (!existsSync(filePath)) {
    const message = `There is no log ${path}. The log of a server is .equipoise/state.db next to the pipeline file: name this path.`;
    throw new AppError('FILE_NOT_FOUND', message, { details: { path: filePath } });
  }
  if (statSync(filePath).isDirectory()) {
    const inside = basename(filePath) === '.equipoise' ? 'state.db' : join('.equipoise', 'state.db');
    const message = `${path} is a folder. A server that runs there has its log in ${join(path, inside)}: name that path.`;
    throw new AppError('FILE_UNREADABLE', message, { details: { path: filePath } });
  }
  return isStateFile(filePath)
    ? readStateFile(filePath, (store) => logOf(store, selection))
    : readLines(filePath, selection);
}

export function* logLines({ setups, decisions }: RecordedLog): Generator<string> {
  for (const [digest, setup] of setups) yield JSON.stringify({ kind: 'setup', digest, setup });
  for (const { pipelineName, record } of decisions)
    yield JSON.stringify({ kind: 'decision', pipeline: pipelineName, record });
}

function isStateFile(path: string): boolean {
  const head = Buffer.alloc(SQLITE_HEAD.length);
  const file = openSync(path, 'r');
  try {
    readSync(file, head, 0, head.length, 0);
  } finally {
    closeSync(file);
  }
  return head.toString('latin1') === SQLITE_HEAD;
}

async function logOf(store: SqlitePlanStore, { pipelineName, ...which }: LogSelection): Promise<RecordedLog> {
  const names = (await store.pipelineNames()).filter((name) => name === (pipelineName ?? name));
  const decisions: LoggedDecision[] = [];
  for (const name of names) decisions.push(...(await decisionsOf(store, name, which)));
  const digests = new Set(decisions.flatMap(({ record }) => record.setupDigest ?? []));
  const setups = new Map<string, PlanningSetup>();
  for (const digest of digests) {
    const setup = await store.setup(digest);
    if (setup !== undefined) setups.set(digest, setupOf(setup));
  }
  return { setups, decisions };
}

async function decisionsOf(
  store: SqlitePlanStore,
  pipelineName: string,
  { newest = Number.MAX_SAFE_INTEGER, toEpochMs = Number.POSITIVE_INFINITY, id }: Omit<LogSelection, 'pipelineName'>,
): Promise<readonly LoggedDecision[]> {
  if (id !== undefined) {
    const record = await store.decision(pipelineName, id);
    return record === undefined ? [] : [{ pipelineName, record }];
  }
  const found: DecisionRecord[] = [];
  let beforeId: number | undefined;
  while (found.length < newest) {
    const limit = Math.min(PAGE, newest - found.length);
    const page = await store.decisions(pipelineName, { limit, ...(beforeId !== undefined && { beforeId }) });
    found.push(...page.filter(({ atEpochMs }) => atEpochMs <= toEpochMs));
    if (page.length < limit) break;
    beforeId = page.at(-1)?.id;
  }
  return found.toReversed().map((record) => ({ pipelineName, record }));
}

/** JSON has no Infinity, the value for unbounded host cores. */
function setupOf(setup: object): PlanningSetup {
  const kept = setup as PlanningSetup & { readonly hostCores: number | null };
  return { ...kept, hostCores: kept.hostCores ?? Number.POSITIVE_INFINITY };
}

async function readLines(path: string, selection: LogSelection): Promise<RecordedLog> {
  const { pipelineName, newest, toEpochMs = Number.POSITIVE_INFINITY, id } = selection;
  const setups = new Map<string, PlanningSetup>();
  const decisions: LoggedDecision[] = [];
  let line = 0;
  for await (const text of linesOf(path)) {
    line += 1;
    if (text.trim() === '') continue;
    const entry = entryOf(text, path, line);
    if (entry.kind === 'setup') setups.set(entry.digest, setupOf(entry.setup));
    else if (
      entry.pipeline === (pipelineName ?? entry.pipeline) &&
      entry.record.id === (id ?? entry.record.id) &&
      entry.record.atEpochMs <= toEpochMs
    )
      decisions.push({ pipelineName: entry.pipeline, record: entry.record });
  }
  return { setups, decisions: newestOf(decisions, newest) };
}

/** `node:readline` of Node 24 also ends lines at U+2028 and U+2029, which JSON may contain. */
async function* linesOf(path: string): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of createReadStream(path, 'utf8')) {
    const lines = `${rest}${chunk}`.split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
  yield rest;
}

function newestOf(decisions: readonly LoggedDecision[], newest: number | undefined): readonly LoggedDecision[] {
  if (newest === undefined) return decisions;
  const names = [...new Set(decisions.map(({ pipelineName }) => pipelineName))];
  return names.flatMap((name) => decisions.filter(({ pipelineName }) => pipelineName === name).slice(-newest));
}

type LogEntryLine =
  | { readonly kind: 'setup'; readonly digest: string; readonly setup: object }
  | { readonly kind: 'decision'; readonly pipeline: string; readonly record: DecisionRecord };

function entryOf(text: string, path: string, line: number): LogEntryLine {
  const wrong = (why: string) =>
    new AppError('FILE_UNREADABLE', `${path}:${line} is not a line of a decision log: ${why}.`, {
      details: { path, line },
    });
  let value: Partial<Record<string, unknown>>;
  try {
    value = JSON.parse(text) as typeof value;
  } catch {
    throw wrong('it is not JSON. If the file was truncated, remove the incomplete line');
  }
  const { kind, digest, setup, pipeline, record } = value ?? {};
  if (kind === 'setup' && typeof digest === 'string' && isObject(setup)) return { kind, digest, setup };
  if (kind === 'decision' && typeof pipeline === 'string' && isRecord(record)) return { kind, pipeline, record };
  throw wrong('expected {kind: "setup", digest, setup} or {kind: "decision", pipeline, record} with a complete record');
}

/** Checks the fields that all readers of a log use. */
function isRecord(value: unknown): value is DecisionRecord {
  if (!isObject(value)) return false;
  const { id, atEpochMs, observation, decision } = value as Partial<DecisionRecord>;
  return (
    Number.isInteger(id) &&
    Math.abs(atEpochMs ?? Number.NaN) <= LATEST_EPOCH_MS &&
    Array.isArray(observation?.load?.arrivalsPerSecond) &&
    isObject(observation?.stages) &&
    isObject(observation?.runningPlan?.stages) &&
    (decision === undefined || isObject(decision?.evidence?.forecast))
  );
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
