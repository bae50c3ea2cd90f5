/**
 * The packages that the release needs, from the `node_modules` of this repository: those of package-lock.json, which the
 * tests ran with. Nothing is downloaded.
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { type ImageEntry, tree } from './image-entry.js';

export interface PackageManifest {
  readonly name: string;
  readonly version: string;
  readonly license?: string;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
  readonly libc?: readonly string[];
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly bundleDependencies?: readonly string[];
}

/** `place`: path below the root of the repository, such as `node_modules/a/node_modules/b`. */
export interface NeededPackage {
  readonly place: string;
  readonly manifest: PackageManifest;
}

/** Packages that the release loads, also indirectly, in the order of their places. */
export function neededPackages(root: string, release: PackageManifest): readonly NeededPackage[] {
  const found = new Map<string, NeededPackage>();
  const visit = (name: string, from: string, isOptional: boolean): void => {
    const place = placeOf(root, name, from);
    if (place === undefined) {
      if (isOptional) return;
      throw new Error(`${name} is not installed: run npm ci.`);
    }
    const manifest = manifestAt(join(root, place));
    if (found.has(place) || (isOptional && !isForThisMachine(manifest))) return;
    found.set(place, { place, manifest });
    for (const each of dependenciesOf(manifest)) visit(each.name, place, each.isOptional);
  };
  const bundled = new Set(release.bundleDependencies);
  for (const { name, isOptional } of dependenciesOf(release)) if (!bundled.has(name)) visit(name, '', isOptional);
  return [...found.values()].sort((a, b) => (a.place < b.place ? -1 : 1));
}

function* dependenciesOf({ dependencies = {}, optionalDependencies = {} }: PackageManifest) {
  for (const name of Object.keys({ ...dependencies, ...optionalDependencies }))
    yield { name, isOptional: Object.hasOwn(optionalDependencies, name) };
}

/** As Node looks packages up: next to the package, then further out. */
function placeOf(root: string, name: string, from: string): string | undefined {
  for (let folder = from; ; folder = dirname(folder)) {
    const place = join(folder === '.' ? '' : folder, 'node_modules', name);
    if (existsSync(join(root, place, 'package.json'))) return place;
    if (folder === '' || folder === '.') return undefined;
  }
}

const manifestAt = (folder: string): PackageManifest => JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));

const isForThisMachine = ({ os, cpu, libc }: PackageManifest): boolean =>
  (os === undefined || os.includes(process.platform)) &&
  (cpu === undefined || cpu.includes(process.arch)) &&
  (libc === undefined || libc.includes('glibc'));

/** Types, maps of sources, and programs of other systems. */
const LEFT_OUT = /(\.map|\.d\.[cm]?ts|\/\.package-lock\.json|\/node_modules)$/;
const OF_A_SYSTEM = /\/onnxruntime-node\/bin\/napi-v\d+\/(\w+)(?:\/(\w+))?$/;

function isLeftOut(path: string): boolean {
  const [, system = process.platform, arch = process.arch] = OF_A_SYSTEM.exec(path) ?? [];
  return LEFT_OUT.test(path) || system !== process.platform || arch !== process.arch;
}

/** The files of packages below `target`, at the same places as in the repository. */
export function packageFiles(root: string, target: string, packages: readonly NeededPackage[]): readonly ImageEntry[] {
  return packages.flatMap(({ place }) => tree(`${target}/${place}`, join(root, place), isLeftOut));
}

/** Programs and libraries among the files, which may load libraries of the system. */
export const nativeFiles = (root: string, packages: readonly NeededPackage[]): readonly string[] =>
  packages.flatMap(({ place }) =>
    tree(relative(root, join(root, place)), join(root, place), isLeftOut)
      .filter(({ path, content }) => content.kind === 'file' && /\.node$|\.so(\.[\d.]+)?$/.test(path))
      .map(({ path }) => join(root, path)),
  );
