/**
 * Builds the folder of `equipoise`, the only package for users. It bundles the packages of this repository, so that
 * none of them has to be in a registry. Other packages are dependencies at their exact versions. The variant `server`
 * has the same code and installs only what `serve` always needs. A command that needs more names the package to install.
 */
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';

/** The parts of a package.json that are read here. */
interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly license: string;
  readonly type: string;
  readonly bin?: Readonly<Record<string, string>>;
  readonly exports?: Readonly<Record<string, unknown>>;
  readonly dependencies?: Readonly<Record<string, string>>;
}

/** A package of this repository: its folder below the root, its manifest, and the folders and files that users need. */
interface OwnPackage {
  readonly folder: string;
  readonly manifest: Manifest;
}

/** Files that are not needed to run: sources, tests and their leftovers. */
const LEFT_OUT =
  /(^|\/)(src|node_modules|training|\.equipoise|__pycache__|dist\/types|public|tsconfig\.json|vite\.config\.ts|\.tsbuildinfo|[^/]*\.test(-support)?\.ts|[^/]*\.map)$/;

/**
 * Packages with native parts for some machines only: if such a package cannot be installed, all else works, and its use
 * reports that it is missing.
 */
const OPTIONAL = ['onnxruntime-node', 'sharp'];

/** Packages that only some commands or stages load. The variant `server` does not install them. */
const LOADED_BY_SOME = [...OPTIONAL, 'esbuild', '@kubernetes/client-node'];
/** Packages of this repository that only such commands need. */
const EXAMPLE = '@equipoise/example-shelf-scan';

export type Variant = 'complete' | 'server';

const SCOPE = '@equipoise/';

const readManifest = (root: string, folder: string): Manifest =>
  JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));

const folderOf = (name: string): string => {
  const own = name.slice(SCOPE.length);
  return own.startsWith('example-') ? join('examples', own.slice('example-'.length)) : join('packages', own);
};

/** The packages of this repository that the variant needs, `app` first. */
function ownPackages(root: string, variant: Variant): readonly OwnPackage[] {
  const found = new Map<string, OwnPackage>();
  const visit = (folder: string): void => {
    if (found.has(folder)) return;
    const manifest = readManifest(root, folder);
    found.set(folder, { folder, manifest });
    for (const name of Object.keys(manifest.dependencies ?? {}))
      if (name.startsWith(SCOPE) && (variant === 'complete' || name !== EXAMPLE)) visit(folderOf(name));
  };
  visit(join('packages', 'app'));
  return [...found.values()];
}

const isOurs = ([name]: readonly [string, string]): boolean => name.startsWith(SCOPE);

function releaseManifest(
  { manifest }: OwnPackage,
  bundled: readonly OwnPackage[],
  { workspace, variant }: { workspace: Pick<Manifest, 'description'> & { engines: unknown }; variant: Variant },
) {
  const { name, version, license, type, bin, exports } = manifest;
  const all = [manifest, ...bundled.map((each) => each.manifest)].flatMap((each) =>
    Object.entries(each.dependencies ?? {}),
  );
  const others = all.filter((entry) => !isOurs(entry)).sort(([a], [b]) => (a < b ? -1 : 1));
  const isOptional = ([other]: readonly [string, string]) =>
    (variant === 'server' ? LOADED_BY_SOME : OPTIONAL).includes(other);
  const optional = others.filter(isOptional);
  return {
    name,
    version,
    description: workspace.description,
    license,
    type,
    engines: workspace.engines,
    bin,
    exports,
    dependencies: Object.fromEntries([
      ...bundled.map((each) => [each.manifest.name, each.manifest.version]),
      ...others.filter((entry) => !isOptional(entry)),
    ]),
    ...(variant === 'complete'
      ? { optionalDependencies: Object.fromEntries(optional) }
      : {
          peerDependencies: Object.fromEntries(optional),
          peerDependenciesMeta: Object.fromEntries(optional.map(([other]) => [other, { optional: true }])),
        }),
    bundleDependencies: bundled.map((each) => each.manifest.name),
  };
}

function copyPackage(root: string, folder: string, target: string): void {
  cpSync(join(root, folder), target, {
    recursive: true,
    filter: (path) => !LEFT_OUT.test(path.slice(join(root, folder).length)),
  });
}

/**
 * Manifest of a bundled package. It omits paths to sources, which are not packed, and dependencies, which the outer
 * package has.
 */
function bundledManifest({ name, version, license, type, exports }: Manifest) {
  const packed = Object.entries(exports ?? {}).map(([path, target]) => {
    if (typeof target !== 'object' || target === null) return [path, target];
    const { 'equipoise-source': _, ...rest } = target as Record<string, string>;
    return [path, rest];
  });
  return { name, version, license, type, ...(exports === undefined ? {} : { exports: Object.fromEntries(packed) }) };
}

const writeJson = (path: string, value: unknown): void => writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`);

/** Replaces the folder `target` by a new one from the built packages of the repository at `root`. */
export function writeReleaseTree(root: string, target: string, variant: Variant = 'complete'): void {
  const [app, ...bundled] = ownPackages(root, variant) as [OwnPackage, ...OwnPackage[]];
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  copyPackage(root, app.folder, target);
  for (const { folder, manifest } of bundled) {
    const place = join(target, 'node_modules', manifest.name);
    copyPackage(root, folder, place);
    writeJson(join(place, 'package.json'), bundledManifest(manifest));
  }
  const workspace = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  writeJson(join(target, 'package.json'), releaseManifest(app, bundled, { workspace, variant }));
  for (const file of ['LICENSE', 'README.md', 'CHANGELOG.md']) cpSync(join(root, file), join(target, basename(file)));
}
