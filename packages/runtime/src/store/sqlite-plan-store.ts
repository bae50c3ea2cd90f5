/**
 * Plan store in one SQLite file (libsql), `<baseDir>/.equipoise/state.db`.
 *
 * Durability: write-ahead log with synchronous = FULL, so a returned call survives a power cut. It costs one disk flush
 * per call, 0.2 to 4 ms as measured; NORMAL (0.05 ms) may lose the last commits. Waits up to 2 s for other processes. A
 * damaged file is never deleted.
 *
 * Calls block on the file, so a server uses `ThreadedPlanStore`.
 */
import { isUtf8 } from 'node:buffer';
import {
  AppError,
  type DecisionRecord,
  type DecisionSummary,
  decisionSummary,
  type LaterFacts,
  type Plan,
} from '@equipoise/core/model';
import type { DecisionPage, GoodPlan, KeptName, PlanStore } from '@equipoise/core/ports';
import type Database from 'libsql';
import { attempt, checkPages, inTransaction, isDamaged, openStateFile, setAside } from './state-file.js';
import { migrate, type StateStatements, stateStatements } from './state-schema.js';

/** Retention per pipeline, and the file limit. */
const KEPT_PLANS = 20;
/** More than a day of decisions, one every 10 s. */
const KEPT_DECISIONS = 10_000;
const KEPT_DECISION_MS = 30 * 86_400_000;
const FEW_DECISIONS = 1000;
const SPARE_SETUP_MS = 86_400_000;
const MOST_BYTES = 512 * 1024 ** 2;
/** Number of decisions deleted first to free space. Each further attempt deletes `FORGOTTEN_MORE` times as many. */
const FORGOTTEN_AT_FIRST = 16;
const FORGOTTEN_MORE = 4;

/** libsql returns a Buffer for a single row, and an ArrayBuffer for each of several rows. */
type StoredText = Buffer | ArrayBuffer;

interface DecisionRow {
  readonly id: number;
  readonly record: StoredText;
  readonly outcome: StoredText | null;
  readonly observed: StoredText | null;
}

interface PlanRow {
  readonly plan: StoredText;
  readonly at_epoch_ms: number;
  readonly spec_digest: StoredText;
}

/** Crash-safe. Several processes may share a file. */
export class SqlitePlanStore implements PlanStore {
  readonly #path: string;
  readonly #database: Database.Database;
  readonly #statements: StateStatements;
  #closed = false;

  /** Opens or creates the file; throws STORE_FAILED if it is damaged, newer or not writable. */
  constructor(path: string, { mostBytes = MOST_BYTES }: { readonly mostBytes?: number } = {}) {
    this.#path = path;
    this.#database = attempt(path, () => openStateFile(path, mostBytes));
    try {
      this.#statements = attempt(path, () => {
        migrate(this.#database, path);
        checkPages(this.#database);
        return stateStatements(this.#database);
      });
    } catch (error) {
      this.#database.close();
      throw error;
    }
  }

  /**
   * Renames a damaged file to `aside` and begins a new one. Only the owner of the file may call it. Throws like the
   * constructor.
   */
  static replacingDamaged(
    path: string,
    nowEpochMs: number,
  ): { readonly store: SqlitePlanStore; readonly aside?: string } {
    try {
      return { store: new SqlitePlanStore(path) };
    } catch (error) {
      if (!isDamaged(error)) throw error;
      const aside = attempt(path, () => setAside(path, nowEpochMs));
      return { store: new SqlitePlanStore(path), aside };
    }
  }

  async saveGoodPlan(pipelineName: string, { plan, atEpochMs, specDigest }: GoodPlan): Promise<void> {
    this.#write(({ addPlan, forgetPlans }) => {
      addPlan.run(pipelineName, specDigest, JSON.stringify(plan), atEpochMs);
      forgetPlans.run(pipelineName, pipelineName, KEPT_PLANS);
    });
  }

  async goodPlans(pipelineName: string, limit: number): Promise<readonly GoodPlan[]> {
    return this.#read(({ plans }) =>
      (plans.all(pipelineName, countOf(limit)) as PlanRow[]).map(({ plan, at_epoch_ms, spec_digest }) => ({
        plan: parse(plan) as Plan,
        atEpochMs: at_epoch_ms,
        specDigest: textIn(spec_digest),
      })),
    );
  }

  async appendDecision(pipelineName: string, record: DecisionRecord): Promise<number> {
    const { id: wanted, outcome, observed, ...facts } = record;
    const { atEpochMs, setupDigest } = record;
    const [text, ...later] = [JSON.stringify(facts), textOf(outcome), textOf(observed)];
    let id = wanted;
    this.#write(({ lastId, addDecision, forgetDecisions, forgetOldDecisions }) => {
      const last = (lastId.get(pipelineName) as { readonly id: number | null }).id;
      id = last === null ? wanted : Math.max(wanted, last + 1);
      addDecision.run(pipelineName, id, atEpochMs, setupDigest ?? null, text, ...later);
      forgetDecisions.run(pipelineName, pipelineName, KEPT_DECISIONS);
      forgetOldDecisions.run(pipelineName, atEpochMs - KEPT_DECISION_MS, pipelineName, FEW_DECISIONS);
    });
    return id;
  }

  async amendDecision(pipelineName: string, id: number, { outcome, observed }: LaterFacts): Promise<void> {
    this.#write(({ amend }) => amend.run(textOf(outcome), textOf(observed), pipelineName, id));
  }

  async decisions(pipelineName: string, { limit, beforeId }: DecisionPage): Promise<readonly DecisionRecord[]> {
    return this.#read(({ decisionsBefore }) => {
      const rows = decisionsBefore.all(pipelineName, beforeId ?? Number.MAX_SAFE_INTEGER, countOf(limit));
      return (rows as DecisionRow[]).map(recordOf);
    });
  }

  async decisionSummaries(pipelineName: string, page: DecisionPage): Promise<readonly DecisionSummary[]> {
    return (await this.decisions(pipelineName, page)).map(decisionSummary);
  }

  async decision(pipelineName: string, id: number): Promise<DecisionRecord | undefined> {
    return this.#read(({ decision }) => {
      const row = decision.get(pipelineName, id) as DecisionRow | undefined;
      return row === undefined ? undefined : recordOf(row);
    });
  }

  async saveSetup(digest: string, setup: object, atEpochMs: number): Promise<void> {
    const text = JSON.stringify(setup);
    this.#write(({ addSetup, forgetSetups }) => {
      addSetup.run(digest, text, atEpochMs);
      forgetSetups.run(digest, atEpochMs - SPARE_SETUP_MS);
    });
  }

  async setup(digest: string): Promise<object | undefined> {
    return this.#read(({ setup }) => storedValue(setup.get(digest)));
  }

  async keep(pipelineName: string, name: KeptName, value: object): Promise<void> {
    const text = JSON.stringify(value);
    this.#write(({ keep }) => keep.run(pipelineName, name, text));
  }

  async kept(pipelineName: string, name: KeptName): Promise<object | undefined> {
    return this.#read(({ kept }) => storedValue(kept.get(pipelineName, name)));
  }

  async pipelineNames(): Promise<readonly string[]> {
    return this.#read(({ names }) =>
      (names.all() as { readonly pipeline: StoredText }[]).map(({ pipeline }) => textIn(pipeline)),
    );
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    try {
      // libsql releases the file later. Emptying the log here leaves everything in one file.
      attempt(this.#path, () => this.#database.pragma('wal_checkpoint(TRUNCATE)'));
    } catch (error) {
      if (isDamaged(error)) throw error;
      // The disk is full or read-only. Nothing is lost: the next start reads the log.
    } finally {
      this.#database.close();
    }
  }

  #read<Result>(work: (statements: StateStatements) => Result): Result {
    if (this.#closed) throw new AppError('STORE_FAILED', `The state file ${this.#path} is closed.`);
    return attempt(this.#path, () => work(this.#statements));
  }

  /**
   * Writes all or nothing. If the file is full, retries after deleting more and more of the oldest decisions
   * (`forgotten`). If no attempt succeeds, all decisions stay.
   */
  #write(work: (statements: StateStatements) => void, forgotten = 0): void {
    let hasMore = true;
    try {
      this.#read((statements) =>
        inTransaction(this.#database, () => {
          if (forgotten > 0) hasMore = statements.forgetOldest.run(forgotten).changes === forgotten;
          work(statements);
        }),
      );
    } catch (error) {
      if (!hasMore || (error as AppError).details['code'] !== 'SQLITE_FULL') throw error;
      this.#write(work, Math.max(FORGOTTEN_AT_FIRST, FORGOTTEN_MORE * forgotten));
    }
  }
}

const countOf = (limit: number): number => Math.max(0, Math.trunc(limit));

const textOf = (value: object | undefined): string | null => (value === undefined ? null : JSON.stringify(value));

const parse = (stored: StoredText): unknown => JSON.parse(textIn(stored));

/** Throws SyntaxError, as JSON.parse does, for text that no server wrote. */
function textIn(stored: StoredText): string {
  const bytes = Buffer.from(stored as ArrayBuffer);
  if (!isUtf8(bytes)) throw new SyntaxError('a text is not UTF-8');
  return bytes.toString();
}

function storedValue(row: unknown): object | undefined {
  return row === undefined ? undefined : (parse((row as { readonly value: StoredText }).value) as object);
}

function recordOf({ id, record, outcome, observed }: DecisionRow): DecisionRecord {
  return {
    ...(parse(record) as DecisionRecord),
    id,
    ...(outcome !== null && { outcome: parse(outcome) as never }),
    ...(observed !== null && { observed: parse(observed) as never }),
  };
}
