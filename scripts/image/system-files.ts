/**
 * Node and a shell with the libraries that they and the packages load, as this machine has them. The shell runs only
 * the scripts of the command. Debian's package names and versions are for the list of components.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { file, folder, type ImageEntry, link, text } from './image-entry.js';

/** A package of Debian that owns a library. */
export interface SystemPackage {
  readonly name: string;
  readonly version: string;
}

const USER = 'equipoise:x:1000:1000:equipoise:/tmp:/usr/local/bin/node\n';
const NODE = '/usr/local/bin/node';
const SHELL = '/bin/sh';

/** The pause of pods whose engine knows no `preStop.sleep`. */
const SLEEP = `#!${NODE}\nsetTimeout(() => undefined, 1000 * process.argv[2]);\n`;

/** Files of the system. `programs`: further files that load libraries. `command`: the script of the command. */
export function systemFiles(programs: readonly string[], command: string): readonly ImageEntry[] {
  const node = process.execPath;
  return [
    ...['bin', 'lib', 'lib64', 'sbin'].flatMap((name) => [folder(`usr/${name}`), link(name, `usr/${name}`)]),
    ...['dev', 'pipeline', 'proc', 'sys', 'tmp', 'var/lib/equipoise'].map(folder),
    text('etc/passwd', `root:x:0:0:root:/root:/sbin/nologin\n${USER}`),
    text('etc/group', 'root:x:0:\nequipoise:x:1000:\n'),
    text('etc/nsswitch.conf', 'hosts: files dns\n'),
    file(NODE.slice(1), node),
    file('usr/bin/sh', SHELL),
    text('usr/local/bin/equipoise', command, 0o755),
    text('usr/local/bin/sleep', SLEEP, 0o755),
    ...librariesOf([node, SHELL, ...programs]).map((path) => file(placeOf(path), path)),
  ];
}

/** /lib and /lib64 are links to folders in /usr. */
const placeOf = (path: string): string => path.replace(/^\/(lib\w*)\//, 'usr/$1/').replace(/^\//, '');

/** Libraries outside the packages, by `ldd`. Programs of other systems have none. */
function librariesOf(programs: readonly string[]): readonly string[] {
  const { stdout } = spawnSync('ldd', [...programs], { encoding: 'utf8' });
  const found = stdout.matchAll(/(?:=> |^\s+)(\/(?:usr\/)?lib\S*) \(0x/gm);
  return [...new Set([...found].map(([, path = '']) => path))].filter((path) => existsSync(path)).sort();
}

/** Packages of the libraries; empty where dpkg is missing. */
export function systemPackages(programs: readonly string[]): readonly SystemPackage[] {
  const files = [realpathSync(SHELL), ...librariesOf([process.execPath, SHELL, ...programs])];
  const owners = files.flatMap((path) => ownersOf(path).slice(0, 1));
  return [...new Set(owners)].sort().map((name) => ({ name, version: dpkg(['--show', name]).split('\t')[1] ?? '' }));
}

const ownersOf = (path: string): readonly string[] =>
  [path, path.replace(/^\/usr/, ''), `/usr${path}`].flatMap((each) =>
    dpkg(['--search', each])
      .split('\n')
      .flatMap((line) => line.match(/^([^:\s]+)(?=[:,])/)?.[0] ?? []),
  );

function dpkg(args: readonly string[]): string {
  try {
    return execFileSync('dpkg-query', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return '';
  }
}
