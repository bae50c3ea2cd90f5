/**
 * Files of a model: a file with the external weights of ONNX next to it, or the files of a folder. Hidden files and
 * caches of Python are no part of a model.
 */
import { readdirSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { sha256, sha256OfFile } from '../digest.js';
import { isFile } from './module-sources.js';

/** Ends of the names under which exporters write external weights. */
const WEIGHTS = ['.data', '_data'];

const isPart = (name: string): boolean => name.split(sep).every((part) => !/^(\.|__pycache__$)/.test(part));

function modelFiles(path: string): readonly string[] {
  if (isFile(path)) return [path, ...WEIGHTS.map((end) => path + end).filter(isFile)];
  return filesBelow(path)
    .filter(isPart)
    .map((name) => join(path, name))
    .filter(isFile)
    .sort();
}

/** Names relative to `folder`; none if it is no folder. */
function filesBelow(folder: string): readonly string[] {
  try {
    return readdirSync(folder, { recursive: true, encoding: 'utf8' });
  } catch {
    return [];
  }
}

/** Digest of the files of a model; undefined if there are none. */
export function modelDigest(path: string): string | undefined {
  const files = modelFiles(path);
  if (files.length === 0) return undefined;
  if (files.length === 1 && files[0] === path) return sha256OfFile(path);
  return sha256(...files.flatMap((file) => [relative(dirname(path), file), sha256OfFile(file)]));
}
