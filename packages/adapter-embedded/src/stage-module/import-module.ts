/**
 * Imports a module of the pipeline's owner, such as a scorer, into this process. It is found and compiled like a stage
 * module. It must not be in a package: only threads with a special flag resolve packages from another folder.
 */
import { AppError } from '@equipoise/core/model';
import { ModuleCompiler } from './compile-module.js';
import { importError, moduleFileUrl } from './stage-module-loader.js';

/**
 * Exports of `module` (.js, .mjs, .cjs, .ts or .mts; relative to `baseDir`). Throws FILE_NOT_FOUND or MODULE_INVALID.
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
