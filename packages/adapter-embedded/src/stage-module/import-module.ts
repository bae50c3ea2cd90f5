/**
 * A module of the pipeline's owner that runs in this process, such as the one that scores answers: found and compiled as stage
 * modules are. A package cannot be named, because only threads that run with their own flag look packages up from another folder.
 */
import { AppError } from '@equipoise/core/model';
import { ModuleCompiler } from './compile-module.js';
import { importError, moduleFileUrl } from './stage-module-loader.js';

/**
 * What the file `module` (.js, .mjs, .cjs, .ts or .mts; relative to `baseDir`) exports. FILE_NOT_FOUND names the path that was
 * tried, MODULE_INVALID why it does not compile or import.
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
