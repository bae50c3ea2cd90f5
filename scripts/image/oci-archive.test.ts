/** Archives of a few files: equal bytes for equal files, and the problems that refuse an image. */
import { once } from 'node:events';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { folder, type ImageEntry, link, text, tree } from './image-entry.js';
import { fullName, type Image, writeArchive } from './oci-archive.js';
import { scanArchive } from './scan-archive.js';

let work: string;

beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), 'equipoise-archive-'));
});
afterEach(() => rmSync(work, { recursive: true, force: true }));

const config: Image['config'] = {
  ...{ Entrypoint: ['equipoise'], Cmd: [], Env: [], User: '1000:1000', WorkingDir: '/' },
  ...{ ExposedPorts: {}, Labels: {} },
};

async function archiveOf(entries: readonly ImageEntry[], file: string) {
  const archive = join(work, file);
  const digest = await writeArchive({ name: 'equipoise:1', layers: [entries], config }, archive, work);
  return { archive, digest };
}

/** A folder with files in it, made with these times. */
function folderOf(name: string, times: Date): string {
  const path = join(work, name);
  mkdirSync(join(path, 'stages'), { recursive: true });
  for (const file of times.getTime() % 2 === 0 ? ['a.js', 'b.js'] : ['b.js', 'a.js']) {
    writeFileSync(join(path, 'stages', file), file);
    utimesSync(join(path, 'stages', file), times, times);
  }
  chmodSync(join(path, 'stages', 'a.js'), times.getTime() % 2 === 0 ? 0o640 : 0o664);
  return path;
}

const all = () => false;

it('has the same bytes for the same files, whatever their order, times and group rights', async () => {
  const [first, second] = [folderOf('one', new Date(1000)), folderOf('two', new Date(2001))];
  const one = await archiveOf([...tree('pipeline', first, all), text('etc/passwd', 'x')], 'one.tar');
  const two = await archiveOf([text('etc/passwd', 'x'), ...tree('pipeline', second, all)], 'two.tar');
  expect(two.digest).toBe(one.digest);
  expect(readFileSync(two.archive).equals(readFileSync(one.archive))).toBe(true);
  const other = await archiveOf([text('etc/passwd', 'y')], 'other.tar');
  expect(other.digest).not.toBe(one.digest);
  expect(await scanArchive(one.archive)).toEqual([]);
});

it('is refused with a planted set-uid program and files that all may write', async () => {
  const path = folderOf('planted', new Date(1000));
  chmodSync(join(path, 'stages', 'a.js'), 0o4755);
  chmodSync(join(path, 'stages', 'b.js'), 0o666);
  chmodSync(join(path, 'stages'), 0o1777);
  const { archive } = await archiveOf(tree('pipeline', path, all), 'planted.tar');
  expect(await scanArchive(archive)).toEqual([
    '/pipeline/stages/: sticky: a folder for all to write',
    '/pipeline/stages/: writable by others than its owner',
    '/pipeline/stages/a.js: set-uid: it would run with the rights of its owner',
    '/pipeline/stages/b.js: writable by others than its owner',
  ]);
});

it('is refused with a link out of the image', async () => {
  const path = folderOf('linked', new Date(1000));
  symlinkSync('../../../etc/shadow', join(path, 'out'));
  symlinkSync('stages/a.js', join(path, 'in'));
  symlinkSync('/data/model.onnx', join(path, 'machine'));
  symlinkSync('/pipeline/stages/', join(path, 'own'));
  const { archive } = await archiveOf(tree('pipeline', path, all), 'linked.tar');
  expect(await scanArchive(archive)).toEqual([
    '/pipeline/out: a link out of the image: ../../../etc/shadow',
    '/pipeline/machine: a link out of the image: /data/model.onnx',
  ]);
});

it('has no socket, which cannot be read', async () => {
  const path = folderOf('odd', new Date(1000));
  const server = createServer().listen(join(path, 'socket'));
  await once(server, 'listening');
  expect(() => tree('pipeline', path, all)).toThrow(/odd\/socket: expected a file, folder or link/);
  server.close();
});

it('has the folders that lead to a file, and the last of two entries of a path', async () => {
  const { archive } = await archiveOf(
    [text('a/b/c', 'first'), link('lib', 'usr/lib'), folder('usr/lib'), text('a/b/c', 'second', 0o777)],
    'last.tar',
  );
  expect(await scanArchive(archive)).toEqual(['/a/b/c: writable by others than its owner']);
});

it.each([
  ['equipoise:1', 'docker.io/library/equipoise:1'],
  ['team/equipoise:1', 'docker.io/team/equipoise:1'],
  ['registry.example.org/equipoise:1', 'registry.example.org/equipoise:1'],
  ['localhost:5000/equipoise:1', 'localhost:5000/equipoise:1'],
])('%s is imported as %s', (name, full) => {
  expect(fullName(name)).toBe(full);
});
