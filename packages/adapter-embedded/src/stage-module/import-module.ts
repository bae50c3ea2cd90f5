/**
 * Imports a module of the pipeline's owner, such as a scorer, into this process, or into a thread that lists its
 * functions. It is found and compiled like a stage module. It must not be in a package: only threads with a special flag
 * resolve packages from another folder.
 */
import { Worker } from 'node:worker_threads';
import { AppError } from '@equipoise/core/model';
import { ModuleCompiler } from './compile-module.js';
import { importError, moduleFileUrl } from './stage-module-loader.js';

/** Imports a module and posts the names of its functions. The thread then exits, whatever the module left open. */
const LOOK_CODE = `
  const { parentPort, workerData } = require('node:worker_threads');
  import(workerData).then(
    (found) => ({ functions: Object.keys(found).filter((name) => typeof found[name] === 'function') }),
    (error) => ({ problem: error instanceof Error ? error.message : String(error) }),
  ).then((answer) => {
    parentPort.postMessage(answer);
    process.exit(0);
  });
`;

type Look = { readonly functions: readonly string[] } | { readonly problem: unknown };

/**
 * Exports of `module` (.js, .mjs, .cjs, .ts or .mts; relative to `baseDir`). Throws FILE_NOT_FOUND or MODULE_INVALID.
 */
export async function importModule(module: string, baseDir: string): Promise<Readonly<Record<string, unknown>>> {
  const url = await fileUrl(module, baseDir);
  try {
    return await import(url);
  } catch (error) {
    throw importError(url, error);
  }
}

/**
 * Names of the functions that `module` exports. A thread imports it, so it can neither end nor delay this process; its
 * output goes to stderr. Throws FILE_NOT_FOUND, or MODULE_INVALID, also after the time limit.
 */
export async function exportedFunctions(
  module: string,
  baseDir: string,
  { timeoutMs = 30_000 }: { readonly timeoutMs?: number } = {},
): Promise<readonly string[]> {
  const url = await fileUrl(module, baseDir);
  const look = await lookInto(url, timeoutMs);
  if ('functions' in look) return look.functions;
  throw importError(url, look.problem);
}

function fileUrl(module: string, baseDir: string): Promise<string> {
  if (!module.startsWith('npm:')) return moduleFileUrl(module, baseDir, new ModuleCompiler());
  throw new AppError('MODULE_INVALID', `Expected a file, found ${module}; let a file of yours export what it exports.`);
}

function lookInto(url: string, timeoutMs: number): Promise<Look> {
  const thread = new Worker(LOOK_CODE, { eval: true, execArgv: [], workerData: url, stdout: true });
  thread.stdout.on('data', (chunk: Uint8Array) => process.stderr.write(chunk));
  return new Promise((resolve) => {
    const timeout = setTimeout(() => {
      resolve({ problem: `the import takes longer than ${timeoutMs / 1000} s` });
      void thread.terminate();
    }, timeoutMs);
    thread.on('message', resolve);
    thread.on('error', (problem) => resolve({ problem }));
    thread.on('exit', () => {
      clearTimeout(timeout);
      resolve({ problem: 'the module exits, or awaits something that never happens, before its import is complete' });
    });
  });
}
