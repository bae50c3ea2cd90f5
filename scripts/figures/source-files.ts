/** Production source of a checkout: every TypeScript file under `packages/<name>/src` that ships and is written by hand. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';

/** One parsed file. `file` is the path from the root of the checkout, with slashes. */
export interface ParsedFile {
  readonly file: string;
  readonly text: string;
  readonly tree: ts.SourceFile;
}

const FOLDERS_APART = new Set(['node_modules', 'dist', 'test-cluster', '.equipoise']);
const TEST = /\.test(-support)?\.ts$/;
const GENERATED = /\.gen\.ts$/;

/** Packages of the checkout, including those for tests. */
function listPackages(root: string): string[] {
  return listFolder(path.join(root, 'packages')).filter((name) =>
    existsSync(path.join(root, 'packages', name, 'package.json')),
  );
}

/** The files that the figures count, sorted by path. */
export function readProductionFiles(root: string): ParsedFile[] {
  return listPackages(root)
    .filter((name) => name !== 'testkit')
    .flatMap((name) => listTypeScript(root, `packages/${name}/src`))
    .filter((file) => !TEST.test(file) && !GENERATED.test(file))
    .map((file) => parseFile(root, file));
}

/** Every TypeScript file of the checkout outside `packages/core`, tests and benchmarks included. */
export function readFilesOutsideCore(root: string): ParsedFile[] {
  const packages = listPackages(root).filter((name) => name !== 'core');
  return [...packages.map((name) => `packages/${name}`), 'examples', 'benchmarks', 'scripts']
    .flatMap((folder) => listTypeScript(root, folder, new Set(['node_modules', 'dist', '.equipoise'])))
    .map((file) => parseFile(root, file));
}

/** Reads and parses one file, without types. */
function parseFile(root: string, file: string): ParsedFile {
  return parseText(file, readFileSync(path.join(root, file), 'utf8'));
}

/** Parses a text as the file of that name. */
export function parseText(file: string, text: string): ParsedFile {
  return { file, text, tree: ts.createSourceFile(file, text, ts.ScriptTarget.ES2023, true) };
}

/** Number of lines, including a last line without a line break. */
export function countLines(text: string): number {
  return text.split('\n').length - (text.endsWith('\n') ? 1 : 0);
}

function listTypeScript(root: string, folder: string, apart: ReadonlySet<string> = FOLDERS_APART): string[] {
  const absolute = path.join(root, folder);
  if (!existsSync(absolute)) return [];
  return readdirSync(absolute, { withFileTypes: true })
    .toSorted((one, other) => (one.name < other.name ? -1 : 1))
    .flatMap((entry) => {
      const file = `${folder}/${entry.name}`;
      if (entry.isDirectory()) return apart.has(entry.name) ? [] : listTypeScript(root, file, apart);
      return entry.name.endsWith('.ts') ? [file] : [];
    });
}

function listFolder(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder).toSorted() : [];
}
