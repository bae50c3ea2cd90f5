/**
 * Every package of the lock file with its license. Packages for other platforms are included, so the list is the same
 * on all machines. Packages of this repository are omitted; their direct dependencies are marked `direct`.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';

/** One version of one package; `development` if only tests, checks or the build use it. */
export interface InstalledPackage {
  readonly name: string;
  readonly version: string;
  readonly license: string | undefined;
  readonly direct: boolean;
  readonly development: boolean;
}

interface LockEntry {
  readonly version?: string;
  readonly license?: string;
  readonly dev?: boolean;
  readonly link?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

/** The packages of `root`/package-lock.json, sorted by name and version. */
export function readInstalledPackages(root: string): InstalledPackage[] {
  const lock: { packages: Record<string, LockEntry> } = JSON.parse(
    readFileSync(path.join(root, 'package-lock.json'), 'utf8'),
  );
  const entries = Object.entries(lock.packages);
  const direct = directVersions(entries);
  return entries
    .filter(([place, entry]) => place.includes('node_modules/') && entry.link !== true)
    .map(([place, entry]) => {
      const name = place.slice(place.lastIndexOf('node_modules/') + 'node_modules/'.length);
      const version = entry.version ?? '';
      return {
        name,
        version,
        license: entry.license,
        direct: direct.has(`${name}@${version}`),
        development: entry.dev === true,
      };
    })
    .sort((a, b) => (a.name === b.name ? compare(a.version, b.version) : compare(a.name, b.name)));
}

function directVersions(entries: readonly [string, LockEntry][]): Set<string> {
  const ours = entries.filter(([place]) => !place.includes('node_modules/'));
  return new Set(
    ours.flatMap(([, { dependencies, devDependencies }]) =>
      Object.entries({ ...dependencies, ...devDependencies }).map(([name, version]) => `${name}@${version}`),
    ),
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
