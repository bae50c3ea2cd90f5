/**
 * Where the file of a variant is: a path relative to the pipeline file, or `npm:package/path` for a file inside an installed
 * package. The package is found as Node finds it from the pipeline's folder, and else from where Equipoise is installed;
 * its `exports` do not matter, because a model file is data and is never imported.
 */
import { access, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { AppError } from '@equipoise/core';

/** A reference into an installed package: its name and the path after it. */
export interface PackageReference {
  readonly packageName: string;
  readonly path: string;
}

/** Reads what follows `npm:`; a scope belongs to the name. */
export function packageReference(reference: string): PackageReference {
  const parts = reference.split('/');
  const nameParts = reference.startsWith('@') ? 2 : 1;
  return { packageName: parts.slice(0, nameParts).join('/'), path: parts.slice(nameParts).join('/') };
}

const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );

/** The folder of an installed package, or FILE_NOT_FOUND with what to install. */
export async function packageFolder(packageName: string, baseDir: string): Promise<string> {
  const places = [join(baseDir, 'package.json'), import.meta.url].flatMap(
    (from) => createRequire(from).resolve.paths(packageName) ?? [],
  );
  for (const place of places) {
    const folder = join(place, packageName);
    if (await isFolder(folder)) return folder;
  }
  throw new AppError(
    'FILE_NOT_FOUND',
    `The package ${packageName} is not installed where ${baseDir} can find it; run \`npm install ${packageName}\` there.`,
    { details: { packageName, baseDir } },
  );
}

async function artifactFile(artifact: string, baseDir: string): Promise<string> {
  if (!artifact.startsWith('npm:')) return resolve(baseDir, artifact);
  const { packageName, path } = packageReference(artifact.slice('npm:'.length));
  return join(await packageFolder(packageName, baseDir), path);
}

/**
 * The absolute path of an artifact, which exists; FILE_NOT_FOUND names the path that was tried, MODEL_LOAD_FAILED a kind of
 * address that cannot be fetched.
 */
export async function resolveArtifact(artifact: string, baseDir: string): Promise<string> {
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(artifact)?.[1];
  if (scheme !== undefined && scheme !== 'npm') {
    throw new AppError(
      'MODEL_LOAD_FAILED',
      `The artifact ${artifact} cannot be fetched: this version reads local paths and npm:package/path, not ${scheme}:.`,
    );
  }
  const path = await artifactFile(artifact, baseDir);
  await access(path).catch((error: unknown) => {
    throw new AppError('FILE_NOT_FOUND', `The artifact ${artifact} is not there: no file ${path}.`, {
      details: { path },
      cause: error,
    });
  });
  return path;
}
