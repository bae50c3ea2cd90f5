/**
 * Outcomes in one file, a line each, named by the digest of their input. A cell of a sweep takes milliseconds, so a file
 * for each would take longer than the simulation. A checksum tells a damaged or edited line, even if it is still JSON.
 */
import { createHash } from 'node:crypto';
import { appendFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { AppError } from '@equipoise/core/model';
import { makeFolder } from '@equipoise/runtime/make-folder';
import { fileLines } from './file-lines.js';
import { writeWhole } from './write-whole.js';

/** A larger file is rewritten with the outcomes of this sweep only. */
const MOST_BYTES = 256 * 1024 ** 2;

export class KeptOutcomes<Outcome> {
  readonly #path: string;
  readonly #flag: string;
  readonly #outcomes = new Map<string, Outcome>();

  /** Reads the outcomes of `digests`. `flag`: names the folder. Throws STORE_FAILED. */
  constructor(path: string, digests: ReadonlySet<string>, flag = '--out') {
    this.#path = path;
    this.#flag = flag;
    try {
      makeFolder(dirname(path));
      // A file that cannot be written fails before the work.
      appendFileSync(path, '');
      const isLarge = statSync(path).size > MOST_BYTES;
      let last = '';
      for (const line of fileLines(path)) {
        this.#read(line, digests);
        last = line;
      }
      // An interrupted write leaves the start of a line.
      if (isLarge) writeWhole(path, [...this.#outcomes].map(([digest, outcome]) => lineOf(digest, outcome)).join(''));
      else if (last !== '') appendFileSync(path, '\n');
    } catch (cause) {
      throw this.#failure(cause);
    }
  }

  find(digest: string): Outcome | undefined {
    return this.#outcomes.get(digest);
  }

  keep(digest: string, outcome: Outcome): void {
    this.#outcomes.set(digest, outcome);
    try {
      appendFileSync(this.#path, lineOf(digest, outcome));
    } catch (cause) {
      throw this.#failure(cause);
    }
  }

  /** A damaged line is ignored, so its cell is simulated again. */
  #read(line: string, digests: ReadonlySet<string>): void {
    const [, digest = '', checksum, text = ''] = LINE.exec(line) ?? [];
    if (!digests.has(digest) || checksum !== checksumOf(digest, text)) return;
    this.#outcomes.set(digest, JSON.parse(text) as Outcome);
  }

  #failure(cause: unknown): AppError {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const message = `The results cannot be saved in ${this.#path}: ${reason}. Name another folder with ${this.#flag}.`;
    return new AppError('STORE_FAILED', message, { cause });
  }
}

const LINE = /^\{"digest":"([0-9a-f]{32})","checksum":"([0-9a-f]{16})","outcome":(.*)\}$/s;

function lineOf(digest: string, outcome: unknown): string {
  const text = JSON.stringify(outcome);
  return `{"digest":"${digest}","checksum":"${checksumOf(digest, text)}","outcome":${text}}\n`;
}

const checksumOf = (digest: string, text: string): string =>
  createHash('sha256').update(digest).update(text).digest('hex').slice(0, 16);
