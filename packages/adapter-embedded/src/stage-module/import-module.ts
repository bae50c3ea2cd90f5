/**
 * Imports a module of the pipeline's owner into this process, such as the one that scores answers, found and compiled
 * like stage modules. It cannot be a package: only threads with a special flag resolve packages from another folder.
 */
import { AppError } from '@equipoise/core/model';
import { ModuleCompiler } from './compile-module.js';
import { importError, moduleFileUrl } from './stage-module-loader.js';

/**
 * Exports of the file `module` (.js, .mjs, .cjs, .ts or .mts; relative to `baseDir`). FILE_NOT_FOUND names the path
 * that was tried, MODULE_INVALID why it does not compile or import.
 */
export async function importModule(module: string, baseDir: string): Promise<Readonly<Record<string, unknown>>> {
  if (module.startsWith('npm:')) {
    throw new AppError(
      'MODULE_INVALID',
      `Expected a file, found ${module}; let a file of yours export what it exports.`,
    );
  }
  const url = await moduleFileUrl(module, baseDir, new ModuleCompiler());
  try {
    return await import(url);
  } catch (error) {
    throw importError(url, error);
  }
}
