/** Structure figures of a checkout, by reading it. */
import path from 'node:path';
import { countWords, listComments } from './comments.js';
import { type ExportedName, findUnusedExports, listCoreExports, listNamesUsed } from './core-exports.js';
import { type Crumb, findCrumbs } from './crumbs.js';
import { depthOf, type FolderArrow, findBackArrows, listArrows } from './folder-arrows.js';
import { countSpreads, listFunctions, quantile } from './functions.js';
import { groupBy } from './group-by.js';
import { listImports, readEntries } from './import-graph.js';
import { findProseProblems, type ProseProblem } from './prose-rules.js';
import { countLines, type ParsedFile, readFilesOutsideCore, readProductionFiles } from './source-files.js';

/** All figures. Figures that should be small come with their places. */
export interface Figures {
  readonly files: number;
  readonly lines: number;
  readonly commentWords: number;
  readonly prose: readonly (ProseProblem & { readonly file: string })[];
  readonly crumbs: readonly Crumb[];
  readonly fullestFolders: readonly Count[];
  readonly backArrows: readonly FolderArrow[];
  readonly core: {
    readonly names: number;
    readonly byWildcard: number;
    readonly wildcards: readonly string[];
    readonly unused: readonly ExportedName[];
    /** Exports that only tests, benchmarks, scripts or examples use. */
    readonly testsOnly: readonly ExportedName[];
  };
  readonly shape: Shape;
  readonly packages: readonly PackageFigures[];
}

/** A name with a number. */
export interface Count {
  readonly name: string;
  readonly count: number;
}

/** Sizes of files and functions. */
export interface Shape {
  readonly functions: number;
  readonly functionsPerFile: number;
  readonly functionLines: Quantiles;
  readonly fileLines: Quantiles;
  readonly literalSpreads: number;
  readonly conditionalSpreads: number;
}

/** Quantiles in lines. */
export interface Quantiles {
  readonly p50: number;
  readonly p90: number;
  readonly longest: number;
}

/** Size of one package. */
export interface PackageFigures {
  readonly name: string;
  readonly files: number;
  readonly lines: number;
  readonly commentWords: number;
}

const FULLEST = 5;
const HELPS_ONLY = /^(packages\/testkit|examples|benchmarks|scripts)\/|\/test-cluster\/|\.test(-support)?\.ts$/;

/** Measures the checkout in a folder. */
export function measureFigures(root: string): Figures {
  const files = readProductionFiles(root);
  const imports = listImports(files);
  const comments = files.map((parsed) => ({ file: parsed.file, comments: listComments(parsed) }));
  const wordsOf = new Map(comments.map((each) => [each.file, sum(each.comments.map(({ text }) => countWords(text)))]));
  return {
    files: files.length,
    lines: sum(files.map(({ text }) => countLines(text))),
    commentWords: sum([...wordsOf.values()]),
    prose: comments.flatMap((each) =>
      findProseProblems(each.comments).map((problem) => ({ ...problem, file: each.file })),
    ),
    crumbs: findCrumbs(files, imports),
    fullestFolders: fullestFolders(files),
    backArrows: findBackArrows(listArrows(imports)),
    core: coreFigures(root, files),
    shape: measureShape(files),
    packages: packageFigures(files, wordsOf),
  };
}

/** Separates arrows between top folders of a package from deeper ones. */
export function splitByDepth(arrows: readonly FolderArrow[]): { top: FolderArrow[]; deeper: FolderArrow[] } {
  return {
    top: arrows.filter(({ from }) => depthOf(from) === 1),
    deeper: arrows.filter(({ from }) => depthOf(from) > 1),
  };
}

function coreFigures(root: string, files: readonly ParsedFile[]): Figures['core'] {
  const exported = listCoreExports(readEntries(root, 'core'), files);
  const entries = [...exported.entryFiles.keys()];
  const users = readFilesOutsideCore(root);
  const unused = findUnusedExports(exported, listNamesUsed(users, entries));
  const production = users.filter(({ file }) => !HELPS_ONLY.test(file));
  const notInProduction = findUnusedExports(exported, listNamesUsed(production, entries));
  return {
    names: new Set(exported.names.map(({ declaration }) => declaration)).size,
    byWildcard: exported.names.filter(({ isWildcard }) => isWildcard).length,
    wildcards: exported.wildcards,
    unused,
    testsOnly: notInProduction.filter((name) => !unused.includes(name)),
  };
}

function measureShape(files: readonly ParsedFile[]): Shape {
  const functionLines = files.flatMap(listFunctions).map(({ lines }) => lines);
  const spreads = files.map(countSpreads);
  return {
    functions: functionLines.length,
    functionsPerFile: functionLines.length / Math.max(1, files.length),
    functionLines: quantilesOf(functionLines),
    fileLines: quantilesOf(files.map(({ text }) => countLines(text))),
    literalSpreads: sum(spreads.map(({ literal }) => literal)),
    conditionalSpreads: sum(spreads.map(({ conditional }) => conditional)),
  };
}

function quantilesOf(values: readonly number[]): Quantiles {
  return { p50: quantile(values, 0.5), p90: quantile(values, 0.9), longest: Math.max(0, ...values) };
}

function fullestFolders(files: readonly ParsedFile[]): Count[] {
  const byFolder = groupBy(files, ({ file }) => path.posix.dirname(file));
  return [...byFolder]
    .map(([name, { length }]) => ({ name, count: length }))
    .toSorted((one, other) => other.count - one.count)
    .slice(0, FULLEST);
}

function packageFigures(files: readonly ParsedFile[], wordsOf: ReadonlyMap<string, number>): PackageFigures[] {
  const byPackage = groupBy(files, ({ file }) => file.split('/')[1] ?? '');
  return [...byPackage].map(([name, own]) => ({
    name,
    files: own.length,
    lines: sum(own.map(({ text }) => countLines(text))),
    commentWords: sum(own.map(({ file }) => wordsOf.get(file) ?? 0)),
  }));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
