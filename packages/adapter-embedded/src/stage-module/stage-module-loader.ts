/**
 * Resolves the `module:` of a stage to its `load`. The launcher finds and compiles the module; each replica
 * imports it. `npm:package/export` follows Node's import rules from the pipeline's folder, or else from Equipoise's.
 */
import { readFile } from 'node:fs/promises';
import { dirname, extname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { AppError } from '@equipoise/core/model';
import type { StageModule } from '@equipoise/core/ports';
import type { ModuleCompiler } from './compile-module.js';
import { existingFile, isInstalledFor, packageFolder, packageReference } from './stage-artifact.js';

/** Location of a module: a file, or a package from the first folder that has it. */
export type ModuleLocation =
  | { readonly kind: 'file'; readonly url: string }
  | { readonly kind: 'package'; readonly specifier: string; readonly fromUrls: readonly string[] };

const importable = new Set(['.js', '.mjs', '.cjs']);
const compilable = new Set(['.ts', '.mts']);

export const isPython = (module: string): boolean => extname(module) === '.py';

function checkLanguage(module: string): void {
  const extension = extname(module);
  if (importable.has(extension) || compilable.has(extension)) return;
  const message = isPython(module)
    ? `The module ${module} is written in Python; here one in JavaScript or TypeScript is needed.`
    : `The module ${module} is none of .js, .mjs, .cjs, .ts, .mts, .py or npm:package/export.`;
  throw new AppError('MODULE_INVALID', message);
}

/** Returns the absolute path; throws FILE_NOT_FOUND. */
export const existingModuleFile = (module: string, baseDir: string): string =>
  existingFile('module', module, resolve(baseDir, module));

/** Imports of Equipoise's packages and of files in JavaScript modules. */
const IMPORT = /\b(?:from|import)\s*\(?\s*["'](?:(@equipoise\/[\w-]+)|(\.{1,2}\/[^"']+))/g;

/**
 * True for TypeScript, and for a module that imports a missing package of Equipoise, directly or in a file that it
 * imports. CommonJS stays as it is: compiled, it would lack `require` and `__dirname`.
 */
async function needsCompiler(source: string, baseDir: string, seen = new Set<string>()): Promise<boolean> {
  if (compilable.has(extname(source))) return true;
  if (extname(source) === '.cjs' || seen.has(source)) return false;
  seen.add(source);
  // The import itself reports a file that is missing.
  const text = await readFile(source, 'utf8').catch(() => '');
  for (const [, packageName, file] of text.matchAll(IMPORT)) {
    if (packageName !== undefined && !isInstalledFor(packageName, baseDir)) return true;
    if (file !== undefined && (await needsCompiler(resolve(dirname(source), file), baseDir, seen))) return true;
  }
  return false;
}

/** URL of a module file, compiled if necessary. Rejects with the errors of locateStageModule. */
export async function moduleFileUrl(module: string, baseDir: string, compiler: ModuleCompiler): Promise<string> {
  checkLanguage(module);
  const source = existingModuleFile(module, baseDir);
  const path = (await needsCompiler(source, baseDir)) ? await compiler.compile(source, baseDir) : source;
  return pathToFileURL(path).href;
}

/** Finds a module. FILE_NOT_FOUND names the tried path or package, MODULE_INVALID the problem. */
export async function locateStageModule(
  module: string,
  baseDir: string,
  compiler: ModuleCompiler,
): Promise<ModuleLocation> {
  if (module.startsWith('npm:')) {
    const specifier = module.slice('npm:'.length);
    packageFolder(packageReference(specifier).packageName, baseDir);
    return {
      kind: 'package',
      specifier,
      fromUrls: [pathToFileURL(join(baseDir, 'package.json')).href, import.meta.url],
    };
  }
  return { kind: 'file', url: await moduleFileUrl(module, baseDir, compiler) };
}

function packageUrl(specifier: string, fromUrls: readonly string[]): string {
  const failures: unknown[] = [];
  for (const fromUrl of fromUrls) {
    try {
      return import.meta.resolve(specifier, fromUrl);
    } catch (error) {
      failures.push(error);
    }
  }
  throw failures[0];
}

export function importError(url: string, error: unknown): AppError {
  const message = error instanceof Error ? error.message : String(error);
  return new AppError('MODULE_INVALID', `The module ${url} cannot be imported: ${message}`, { cause: error });
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;

function loadOf(exported: Readonly<Record<string, unknown>>): StageModule['load'] | undefined {
  const fallback = isRecord(exported['default']) ? exported['default']['load'] : undefined;
  const load = exported['load'] ?? fallback;
  return typeof load === 'function' ? (load as StageModule['load']) : undefined;
}

/**
 * Imports a module; the thread must run with `--experimental-import-meta-resolve`. MODULE_INVALID if the import fails
 * or the module exports no `load` (by name or in the default export).
 */
export async function importStageModule(location: ModuleLocation): Promise<StageModule> {
  let exported: Readonly<Record<string, unknown>>;
  let url = location.kind === 'file' ? location.url : location.specifier;
  try {
    if (location.kind === 'package') url = packageUrl(location.specifier, location.fromUrls);
    exported = await import(url);
  } catch (error) {
    throw importError(url, error);
  }
  const load = loadOf(exported);
  if (load === undefined) {
    const found = Object.keys(exported).join(', ') || 'nothing';
    throw new AppError(
      'MODULE_INVALID',
      `The stage module ${url} does not export a function load; it exports ${found}.`,
    );
  }
  return { load };
}
