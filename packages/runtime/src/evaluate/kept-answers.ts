/**
 * Answers of an evaluation in a file, so that a later one resumes it. A key changes with the sample and with code, model
 * and parameters of every variant, so changed parts run again.
 */
import { rmSync } from 'node:fs';
import { deserialize, serialize } from 'node:v8';
import { OMITTED, type PipelineSpec, type TensorMap } from '@equipoise/core/model';
import type Database from 'libsql';
import { canonicalJson, sha256 } from '../digest.js';
import { CodeDigests, type LocateFile, tensorsDigest } from '../profiling/profile-identity.js';
import { attempt, checkPages, inTransaction, openStateFile } from '../store/state-file.js';
import type { CombinationAnswer, SampleAnswers, SampleResult } from './sample-answers.js';
import type { VariantChoice } from './variant-combinations.js';

const MOST_BYTES = 4 * 2 ** 30;

const TABLES = `CREATE TABLE IF NOT EXISTS answer (sample TEXT, combination TEXT, answer BLOB, PRIMARY KEY (sample, combination));
CREATE TABLE IF NOT EXISTS runs (sample TEXT PRIMARY KEY, stage_runs INTEGER)`;

/** Texts are read as bytes: libsql ends the process if a damaged file has a text that is not UTF-8. */
const ANSWERS = 'SELECT CAST(combination AS BLOB) AS combination, answer FROM answer WHERE sample = ?';

/** Kept answers to one sample, and the stage runs that they took. */
interface KnownAnswers {
  readonly answers: ReadonlyMap<string, CombinationAnswer>;
  readonly stageRuns: number;
}

export class AnswersFile {
  readonly path: string;
  readonly #database: Database.Database;

  /** Throws STORE_FAILED if the file is damaged or cannot be written. */
  constructor(path: string) {
    this.path = path;
    this.#database = attempt(path, () => {
      const database = openStateFile(path, MOST_BYTES);
      checkPages(database);
      database.exec(TABLES);
      return database;
    });
  }

  of(sample: string): KnownAnswers {
    return attempt(this.path, () => {
      const rows = this.#database.prepare(ANSWERS).all(sample);
      const runs = this.#database.prepare('SELECT stage_runs FROM runs WHERE sample = ?').get(sample);
      const answers = (rows as { readonly combination: Buffer; readonly answer: Buffer }[]).map(
        ({ combination, answer }) =>
          [Buffer.from(combination).toString(), deserialize(Buffer.from(answer)) as CombinationAnswer] as const,
      );
      return {
        answers: new Map(answers),
        stageRuns: (runs as { readonly stage_runs: number } | undefined)?.stage_runs ?? 0,
      };
    });
  }

  /** Adds answers and runs to those of the sample. */
  add(sample: string, { answers, stageRuns }: KnownAnswers): void {
    attempt(this.path, () =>
      inTransaction(this.#database, () => {
        const answer = this.#database.prepare('INSERT OR REPLACE INTO answer VALUES (?, ?, ?)');
        for (const [combination, each] of answers) answer.run(sample, combination, serialize(each));
        this.#database
          .prepare(
            'INSERT INTO runs VALUES (?, ?) ON CONFLICT DO UPDATE SET stage_runs = stage_runs + excluded.stage_runs',
          )
          .run(sample, stageRuns);
      }),
    );
  }

  close({ remove }: { readonly remove: boolean }): void {
    attempt(this.path, () => {
      this.#database.close();
      if (remove) for (const end of ['', '-wal', '-shm']) rmSync(this.path + end, { force: true });
    });
  }
}

/**
 * Takes answers from a file and runs the rest. Counts the kept runs of a sample too, so a resumed evaluation
 * ends where an uninterrupted one does.
 */
export class KeptAnswers {
  readonly #spec: PipelineSpec;
  readonly #runner: SampleAnswers;
  readonly #file: AnswersFile;
  readonly #code: CodeDigests;
  readonly #graph: string;

  constructor(
    spec: PipelineSpec,
    {
      runner,
      file,
      locate,
    }: { readonly runner: SampleAnswers; readonly file: AnswersFile; readonly locate: LocateFile },
  ) {
    this.#spec = spec;
    this.#runner = runner;
    this.#file = file;
    this.#code = new CodeDigests(spec.baseDir, locate);
    const { edges, outputs, stages, combines } = spec;
    this.#graph = canonicalJson({ edges, outputs, combines, stages: stages.map(({ id }) => id) });
  }

  /** `number` tells equal samples apart. */
  async answer(number: number, inputs: TensorMap, choices: readonly VariantChoice[]): Promise<SampleResult> {
    const sample = sha256(String(number), tensorsDigest(inputs));
    const keys = choices.map((choice) => this.#keyOf(choice));
    const known = this.#file.of(sample);
    const answers = new Map(known.answers);
    const missing = choices.filter((_, index) => !answers.has(keys[index] as string));
    let { stageRuns } = known;
    if (missing.length > 0) {
      const added = await this.#runner.answer(inputs, missing);
      const found = missing.map(
        (choice, index) => [this.#keyOf(choice), added.answers[index] as CombinationAnswer] as const,
      );
      this.#file.add(sample, { answers: new Map(found), stageRuns: added.stageRuns });
      for (const [key, answer] of found) answers.set(key, answer);
      stageRuns += added.stageRuns;
    }
    return { answers: keys.map((key) => answers.get(key) as CombinationAnswer), stageRuns };
  }

  #keyOf(choice: VariantChoice): string {
    const code = this.#spec.stages.map((stage) => {
      const variant = stage.variants.find(({ id }) => id === choice[stage.id]);
      return canonicalJson(variant === undefined ? OMITTED : { id: variant.id, ...this.#code.of(stage, variant) });
    });
    return sha256(this.#graph, ...code);
  }
}
