/**
 * Bundles a TypeScript stage module with the files that it imports by path. Packages are not bundled; they come from
 * the pipeline's packages, or else from Equipoise's. The result `<baseDir>/.equipoise/modules/<digest>.mjs` is named by
 * its content, so that versions never mix.
 */
import { createHash, randomUUID } from 'node:crypto';
import { access, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, isAbsolute, join, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { AppError } from '@equipoise/core/model';
import type { BuildFailure, BuildResult, Message, Plugin } from 'esbuild';
import { isInstalledFor, packageReference } from './stage-artifact.js';

/** Installs the compiler, in the version of package.json. */
const COMPILER_PACKAGE = 'esbuild@0.28.2';

interface Compiled {
  readonly path: string;
  readonly inputs: ReadonlyMap<string, string>;
}

/** A module older than this is removed when another module is written. */
const KEPT_MS = 30 * 24 * 3_600_000;

const digestOf = (content: Uint8Array): string => createHash('sha256').update(content).digest('hex').slice(0, 24);

const digestOfFile = (path: string): Promise<string | undefined> => readFile(path).then(digestOf, () => undefined);

async function isFresh({ path, inputs }: Compiled): Promise<boolean> {
  const unchanged = await Promise.all([...inputs].map(async ([file, digest]) => (await digestOfFile(file)) === digest));
  return unchanged.every(Boolean) && (await isThere(path));
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

function compileError(source: string, baseDir: string, errors: readonly Message[]): AppError {
  const lines = errors.map(({ text, location }) =>
    location === null
      ? text
      : `${relative(baseDir, resolve(baseDir, location.file))}:${location.line}:${location.column + 1}: ${text}`,
  );
  return new AppError('MODULE_INVALID', `The module ${source} does not compile:\n${lines.join('\n')}`);
}

/** Provides packages that only Equipoise has, so that a pipeline need not install them. */
const packagesOfOurs = (baseDir: string): Plugin => ({
  name: 'packages-of-equipoise',
  setup: ({ onResolve }) => {
    onResolve({ filter: /^[^./]/ }, ({ path, kind }) => {
      if (kind === 'entry-point' || isInstalledFor(packageReference(path).packageName, baseDir)) return undefined;
      const file = installedHere(path);
      return file === undefined ? undefined : { path: pathToFileURL(file).href, external: true };
    });
  },
});

/** Path of a package of Equipoise; undefined if it is not installed or is part of Node. */
function installedHere(specifier: string): string | undefined {
  try {
    const found = createRequire(import.meta.url).resolve(specifier);
    return isAbsolute(found) ? found : undefined;
  } catch {
    return undefined;
  }
}

async function bundle(source: string, baseDir: string): Promise<BuildResult<{ write: false; metafile: true }>> {
  const { build } = await import('esbuild').catch((cause: unknown) => {
    throw AppError.packageMissing('A stage module in TypeScript', COMPILER_PACKAGE, cause);
  });
  try {
    return await build({
      entryPoints: [source],
      // The default is the folder in which this process started, which may be gone.
      absWorkingDir: baseDir,
      bundle: true,
      packages: 'external',
      plugins: [packagesOfOurs(baseDir)],
      platform: 'node',
      format: 'esm',
      target: 'node20',
      sourcemap: 'inline',
      write: false,
      metafile: true,
      logLevel: 'silent',
      outfile: join(baseDir, '.equipoise', 'modules', 'module.mjs'),
      // A module may read files next to its source, so keep the URL of the source.
      define: {
        'import.meta.url': JSON.stringify(pathToFileURL(source).href),
        'import.meta.dirname': JSON.stringify(dirname(source)),
        'import.meta.filename': JSON.stringify(source),
      },
    });
  } catch (error) {
    const { errors } = error as Partial<BuildFailure>;
    if (errors === undefined) throw error;
    throw compileError(source, baseDir, errors);
  }
}

async function store(content: Uint8Array, baseDir: string): Promise<string> {
  const folder = join(baseDir, '.equipoise', 'modules');
  const path = join(folder, `${digestOf(content)}.mjs`);
  const draft = join(folder, `${randomUUID()}.tmp`);
  // The name is a digest of the content, so compiled modules still load from a folder that is no longer writable.
  if (await isThere(path)) return path;
  try {
    await mkdir(folder, { recursive: true });
    await writeFile(draft, content);
    await rename(draft, path);
    await removeOld(folder);
  } catch (error) {
    throw new AppError('STORE_FAILED', `The compiled module could not be written to ${path}.`, { cause: error });
  }
  return path;
}

/** Removed modules are compiled again on use. A failed removal does no harm. */
async function removeOld(folder: string): Promise<void> {
  const oldest = Date.now() - KEPT_MS;
  for (const name of await readdir(folder)) {
    const file = join(folder, name);
    const written = await stat(file).catch(() => undefined);
    if (written !== undefined && written.mtimeMs < oldest) await rm(file, { force: true }).catch(() => {});
  }
}

async function compile(source: string, baseDir: string): Promise<Compiled> {
  const { outputFiles, metafile } = await bundle(source, baseDir);
  const [output] = outputFiles;
  if (output === undefined) throw new AppError('MODULE_INVALID', `The module ${source} compiles to nothing.`);
  const files = Object.keys(metafile.inputs).map((file) => resolve(baseDir, file));
  const inputs = await Promise.all(files.map(async (file) => [file, (await digestOfFile(file)) ?? ''] as const));
  return { path: await store(output.contents, baseDir), inputs: new Map(inputs) };
}

export class ModuleCompiler {
  readonly #compiled = new Map<string, Promise<Compiled>>();

  /** Path of the compiled `source` (absolute). MODULE_INVALID lists `file:line:column: text` for each error. */
  async compile(source: string, baseDir: string): Promise<string> {
    const key = JSON.stringify([source, baseDir]);
    const known = this.#compiled.get(key);
    const fresh = known?.then(async (compiled) => ((await isFresh(compiled)) ? compiled : compile(source, baseDir)));
    const compiled = (fresh ?? compile(source, baseDir)).catch((error: unknown) => {
      this.#compiled.delete(key);
      throw error;
    });
    this.#compiled.set(key, compiled);
    return (await compiled).path;
  }
}
