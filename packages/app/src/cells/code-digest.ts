import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { VERSION } from '../version.js';

/** Packages whose code decides the figures of a cell, simulated or served. */
const PACKAGES = ['@equipoise/core', '@equipoise/runtime', '@equipoise/adapter-embedded'];
/** Folders of this package that do so, too. */
const FOLDERS = ['cells', 'compose', 'experiment', 'recommend', 'sweep'];

const CODE = /\.[jt]s$/;
const NO_CODE = /\.d\.ts$|\.test(-support)?\.[jt]s$/;

/** Files of the code that decides the figures of a cell. */
export function decidingFiles(): readonly string[] {
  const packages = PACKAGES.map(folderOf);
  const own = FOLDERS.map((name) => fileURLToPath(new URL(`../${name}`, import.meta.url)));
  return [...packages, ...own].flatMap(codeIn);
}

/** Files of the code that decides the figures of a cell on a cluster, in addition. */
export const operatorFiles = (): readonly string[] => codeIn(folderOf('@equipoise/adapter-kubernetes'));

const folderOf = (name: string): string => dirname(fileURLToPath(import.meta.resolve(name)));

function codeIn(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => CODE.test(file) && !NO_CODE.test(file))
    .sort()
    .map((file) => join(folder, file));
}

/** Digest of the version and the deciding code: cells of another version are not reused. */
export function codeDigest(files = decidingFiles()): string {
  const hash = createHash('sha256').update(VERSION);
  for (const file of files) hash.update(readFileSync(file));
  return hash.digest('hex');
}
