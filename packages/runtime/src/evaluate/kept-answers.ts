/**
 * Answers of an evaluation in a file, so that a later one resumes it. A key changes with the sample, with code, model and
 * parameters of every variant, and with the times that decide the members of quorums. So changed parts run again.
 */
import { rmSync } from 'node:fs';
import { deserialize, serialize } from 'node:v8';
import { OMITTED, type PipelineSpec, type TensorMap, type VariantId, variantOfChoice } from '@equipoise/core/model';
import type Database from 'libsql';
import { canonicalJson, sha256 } from '../digest.js';
import { CodeDigests, type LocateFile, tensorsDigest } from '../profiling/profile-identity.js';
import { attempt, checkPages, inTransaction, openStateFile } from '../store/state-file.js';
import type { CombinationAnswer, SampleAnswers, SampleResult } from './sample-answers.js';
import type { VariantChoice } from './variant-combinations.js';

const MOST_BYTES = 4 * 2 ** 30;

const TABLE =
  'CREATE TABLE IF NOT EXISTS answers (sample TEXT, combination TEXT, answer BLOB, PRIMARY KEY (sample, combination))';

/** Texts are read as bytes: libsql ends the process if a damaged file has a text that is not UTF-8. */
const ANSWERS = 'SELECT CAST(combination AS BLOB) AS combination, answer FROM answers WHERE sample = ?';

/** Kept answers to one sample, by key of the combination. */
type KnownAnswers = ReadonlyMap<string, CombinationAnswer>;

export class AnswersFile {
  readonly path: string;
  readonly #database: Database.Database;

  /** Throws STORE_FAILED if the file is damaged or cannot be written. */
  constructor(path: string) {
    this.path = path;
    this.#database = attempt(path, () => {
      const database = openStateFile(path, MOST_BYTES);
      checkPages(database);
      database.exec(TABLE);
      return database;
    });
  }

  of(sample: string): KnownAnswers {
    return attempt(this.path, () => {
      const rows = this.#database.prepare(ANSWERS).all(sample);
      const answers = (rows as { readonly combination: Buffer; readonly answer: Buffer }[]).map(
        ({ combination, answer }) =>
          [Buffer.from(combination).toString(), deserialize(Buffer.from(answer)) as CombinationAnswer] as const,
      );
      return new Map(answers);
    });
  }

  /** Adds answers to those of the sample. */
  add(sample: string, answers: KnownAnswers): void {
    attempt(this.path, () =>
      inTransaction(this.#database, () => {
        const answer = this.#database.prepare('INSERT OR REPLACE INTO answers VALUES (?, ?, ?)');
        for (const [combination, each] of answers) answer.run(sample, combination, serialize(each));
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
 * Takes answers from a file and runs the rest. Counts the stage runs behind all answers that it gives, so a resumed
 * evaluation ends where an uninterrupted one does.
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
    const { memberTimes } = runner;
    this.#graph = canonicalJson({
      ...{ edges, outputs, combines, stages: stages.map(({ id }) => id) },
      ...(memberTimes !== undefined && { memberTimes }),
    });
  }

  /** `number` tells equal samples apart. */
  async answer(number: number, inputs: TensorMap, choices: readonly VariantChoice[]): Promise<SampleResult> {
    const sample = sha256(String(number), tensorsDigest(inputs));
    const keys = choices.map((choice) => this.#keyOf(choice));
    const known = new Map(this.#file.of(sample));
    const missing = choices.filter((_, index) => !known.has(keys[index] as string));
    if (missing.length > 0) {
      const added = await this.#runner.answer(inputs, missing);
      const found = missing.map(
        (choice, index) => [this.#keyOf(choice), added.answers[index] as CombinationAnswer] as const,
      );
      this.#file.add(sample, new Map(found));
      for (const [key, answer] of found) known.set(key, answer);
    }
    const answers = keys.map((key) => known.get(key) as CombinationAnswer);
    return { answers, stageRuns: this.#runner.stageRunsOf(choices, answers) };
  }

  #keyOf(choice: VariantChoice): string {
    const code = this.#spec.stages.map((stage) => {
      const chosen = choice[stage.id] as VariantId;
      const variant = stage.variants.find(({ id }) => id === variantOfChoice(chosen));
      return canonicalJson(variant === undefined ? OMITTED : { id: chosen, ...this.#code.of(stage, variant) });
    });
    return sha256(this.#graph, ...code);
  }
}
