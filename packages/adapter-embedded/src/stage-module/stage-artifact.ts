/**
 * Finds the file of a variant: a path relative to the pipeline file, or `npm:package/path`. Node's rules find the
 * package from the pipeline's folder, or else from Equipoise's. The package's `exports` do not matter, because a model
 * file is data.
 */
import { existsSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { AppError } from '@equipoise/core/model';

export interface PackageReference {
  readonly packageName: string;
  readonly path: string;
}

/** Parses the text after `npm:`; a scope is part of the name. */
export function packageReference(reference: string): PackageReference {
  const parts = reference.split('/');
  const nameParts = reference.startsWith('@') ? 2 : 1;
  return { packageName: parts.slice(0, nameParts).join('/'), path: parts.slice(nameParts).join('/') };
}

const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;

function folderFrom(from: string, packageName: string): string | undefined {
  const places = createRequire(from).resolve.paths(packageName) ?? [];
  return places.map((place) => join(place, packageName)).find(isFolder);
}

const ownFolder = (packageName: string, baseDir: string): string | undefined =>
  folderFrom(join(baseDir, 'package.json'), packageName);

const installedFolder = (packageName: string, baseDir: string): string | undefined =>
  ownFolder(packageName, baseDir) ?? folderFrom(import.meta.url, packageName);

export const isInstalledFor = (packageName: string, baseDir: string): boolean =>
  ownFolder(packageName, baseDir) !== undefined;

const notInstalled = (packageName: string, baseDir: string): string =>
  `The package ${packageName} is not installed where ${baseDir} can find it; run \`npm install ${packageName}\` there.`;

/** Folder of a package; throws FILE_NOT_FOUND, which says what to install. */
export function packageFolder(packageName: string, baseDir: string): string {
  const folder = installedFolder(packageName, baseDir);
  if (folder !== undefined) return folder;
  throw new AppError('FILE_NOT_FOUND', notInstalled(packageName, baseDir), { details: { packageName, baseDir } });
}

const schemeOf = (reference: string): string | undefined => /^([a-z][a-z0-9+.-]+):/i.exec(reference)?.[1];

/** Path of the file, which may not exist; undefined for a missing package or a remote address. */
export function locateFile(reference: string, baseDir: string): string | undefined {
  const scheme = schemeOf(reference);
  if (scheme === undefined) return resolve(baseDir, reference);
  if (scheme !== 'npm') return undefined;
  const { packageName, path } = packageReference(reference.slice('npm:'.length));
  const folder = installedFolder(packageName, baseDir);
  return folder === undefined ? undefined : join(folder, path);
}

const noFile = (what: string, reference: string, path: string): string =>
  `The ${what} ${reference} is not there: no file ${path}.`;

/** Message about a file or package that this machine lacks; undefined if it exists or has a remote address. */
export function missingReference(
  what: 'accuracy table' | 'artifact' | 'data folder' | 'evaluation module' | 'module' | 'samples folder',
  reference: string,
  baseDir: string,
): string | undefined {
  const isPath = what === 'accuracy table';
  const scheme = isPath ? undefined : schemeOf(reference);
  if (scheme !== undefined && scheme !== 'npm') return undefined;
  const path = isPath ? resolve(baseDir, reference) : locateFile(reference, baseDir);
  if (path === undefined) return notInstalled(packageReference(reference.slice('npm:'.length)).packageName, baseDir);
  // The `exports` of a package map the path of a module to another file.
  const isExport = scheme === 'npm' && what === 'module';
  return isExport || existsSync(path) ? undefined : `${noFile(what, reference, path)} Create it or correct the path.`;
}

/** Returns `path`; throws FILE_NOT_FOUND if it does not exist. */
export function existingFile(what: string, reference: string, path: string): string {
  if (existsSync(path)) return path;
  throw new AppError('FILE_NOT_FOUND', noFile(what, reference, path), { details: { path } });
}

/** Absolute path of a file. FILE_NOT_FOUND names the tried path, MODEL_LOAD_FAILED an unsupported address. */
export function resolveArtifact(artifact: string, baseDir: string): string {
  const scheme = schemeOf(artifact);
  if (scheme !== undefined && scheme !== 'npm') {
    throw new AppError(
      'MODEL_LOAD_FAILED',
      `The artifact ${artifact} cannot be fetched: this version reads local paths and npm:package/path, not ${scheme}:.`,
    );
  }
  if (scheme === 'npm') packageFolder(packageReference(artifact.slice('npm:'.length)).packageName, baseDir);
  return existingFile('artifact', artifact, locateFile(artifact, baseDir) as string);
}
