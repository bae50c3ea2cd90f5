/**
 * From the `module:` of a stage to the `load` that a replica calls. The launcher finds the module once (and compiles
 * TypeScript); each replica imports it in its own thread. `npm:package/export` follows Node's import rules from the
 * pipeline's folder, or else from Equipoise's.
 */
import { access } from 'node:fs/promises';
import { extname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { AppError } from '@equipoise/core/model';
import type { StageModule } from '@equipoise/core/ports';
import type { ModuleCompiler } from './compile-module.js';
import { packageFolder, packageReference } from './stage-artifact.js';

/** Import of a replica: a file, or a package from the first place that has it. */
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

/** Absolute path of a module file, given relative to `baseDir`. Rejects with FILE_NOT_FOUND if it does not exist. */
export async function existingModuleFile(module: string, baseDir: string): Promise<string> {
  const source = resolve(baseDir, module);
  await access(source).catch((error: unknown) => {
    throw new AppError('FILE_NOT_FOUND', `The module ${module} is not there: no file ${source}.`, {
      details: { path: source },
      cause: error,
    });
  });
  return source;
}

/** URL to import a module file, given relative to `baseDir`; TypeScript is compiled. Rejects like locateStageModule. */
export async function moduleFileUrl(module: string, baseDir: string, compiler: ModuleCompiler): Promise<string> {
  checkLanguage(module);
  const source = await existingModuleFile(module, baseDir);
  const path = compilable.has(extname(source)) ? await compiler.compile(source, baseDir) : source;
  return pathToFileURL(path).href;
}

/** Finds the module of a stage. FILE_NOT_FOUND names the path or package that was tried; MODULE_INVALID the problem. */
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

/** Message for a module at `url` that throws during its import. */
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
 * Imports the module in the calling thread, which must run with `--experimental-import-meta-resolve`. MODULE_INVALID if
 * the import fails or exports no `load` (by name or in the default export); it lists the exports.
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
