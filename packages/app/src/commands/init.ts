import { existsSync, realpathSync } from 'node:fs';
import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AppError } from '@equipoise/core/model';
import pc from 'picocolors';
import { counted } from '../terminal/counted.js';
import type { CommandResult } from '../terminal/run-command.js';

const TEMPLATE = fileURLToPath(new URL('../../templates/language', import.meta.url));
const COMMAND = fileURLToPath(new URL('../../bin/equipoise', import.meta.url));
const BY_NPX = 'npx equipoise';

/** `equipoise init`: writes a small working pipeline into a new or empty folder. */
export async function init(folder: string): Promise<CommandResult> {
  const target = resolve(folder);
  await mkdir(target, { recursive: true }).catch((cause: Error) => {
    throw new AppError('STORE_FAILED', `${target} cannot be made: ${cause.message}`, {
      details: { path: target },
      cause,
    });
  });
  if ((await readdir(target)).length > 0) {
    throw new AppError(
      'WRONG_USAGE',
      `${target} is not empty; name a new folder, for example \`equipoise init ${folder}-2\`.`,
    );
  }
  for (const name of await readdir(TEMPLATE)) {
    await cp(join(TEMPLATE, name), join(target, name), { recursive: true, errorOnExist: true, force: false });
  }
  const file = join(target, 'pipeline.yaml');
  await writeFile(
    file,
    (await readFile(file, 'utf8')).replaceAll(BY_NPX, () => commandIn(target)),
  );
  const files = (await readdir(target, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  const written = files.map((entry) => relative(target, join(entry.parentPath, entry.name))).sort();
  const pipeline = shellWord(join(folder, 'pipeline.yaml'));
  const command = commandIn(process.cwd());
  const next = [
    `${command} profile ${pipeline} --quick`,
    `${command} plan ${pipeline} --arrival-rps 50`,
    `${command} serve ${pipeline}`,
    "curl -H 'content-type: text/plain' --data 'the cat is on the mat' http://127.0.0.1:8080/v1/pipelines/language/run",
  ];
  const text = [
    `${pc.green('written')} ${counted(written.length, 'file')} into ${target}`,
    'Next (the last command in a second terminal, after `serve` prints "ready"):',
    ...next.map((line) => `  ${line}`),
  ].join('\n');
  return { json: { folder: target, files: written, next }, text };
}

/**
 * Command that runs this program in a folder. `npx` would ask the registry if the program is not installed there, or in
 * a folder above.
 */
function commandIn(folder: string): string {
  for (let at = folder, below = ''; at !== below; [at, below] = [dirname(at), at])
    if (existsSync(join(at, 'node_modules', '.bin', 'equipoise'))) return BY_NPX;
  // A running npx adds folders to PATH that the user's shell does not have.
  const isOnPath = (process.env['PATH'] ?? '')
    .split(delimiter)
    .some((entry) => !entry.includes('node_modules') && isThisCommand(join(entry, 'equipoise')));
  if (isOnPath) return 'equipoise';
  return shellWord(COMMAND);
}

export function shellWord(path: string): string {
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}

function isThisCommand(path: string): boolean {
  return existsSync(path) && realpathSync(path) === realpathSync(COMMAND);
}
