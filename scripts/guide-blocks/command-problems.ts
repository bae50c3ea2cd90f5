/** Problems of the commands of a page: wrong flags of our program, and files or npm scripts that are not there. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { allCommands, buildProgram } from '../../packages/app/src/build-program.js';
import { REPOSITORY } from './code-blocks.js';
import { type ShellCommand, shellCommands } from './shell-words.js';

/** Folders of the repository whose files pages name. */
const NAMED = /^@?(deploy|examples|scripts|clients|benchmarks|packages|\.ci)\//;
/** Flags that name files which the command writes. */
const OUTPUTS: ReadonlySet<string> = new Set(['--out', '--output', '--report', '--svg', '--save-results']);
const WRITTEN = /\/(\.equipoise|node_modules|data)\//;

/** Problems of all commands of a shell block. */
export async function commandProblems(text: string): Promise<readonly string[]> {
  const problems = await Promise.all(
    shellCommands(text).map(async (words) => [
      ...(await ownProblems(words)),
      ...npmProblems(words),
      ...missingFiles(words),
    ]),
  );
  return problems.flat();
}

/** Arguments of our program; undefined for other programs. */
function ownArguments(words: ShellCommand): readonly string[] | undefined {
  const at = words[0] === 'npx' ? 1 : 0;
  if (words[at] === 'equipoise') return words.slice(at + 1);
  // `docker run … equipoise COMMAND` runs the image, whose program is ours.
  const image = words[0] === 'docker' && words[1] === 'run' ? words.indexOf('equipoise') : -1;
  return image < 0 ? undefined : words.slice(image + 1);
}

async function ownProblems(words: ShellCommand): Promise<readonly string[]> {
  const args = ownArguments(words);
  if (args === undefined) return [];
  const program = buildProgram();
  for (const { command } of allCommands(program)) {
    if (command.commands.length === 0) command.action(() => undefined);
    command.configureOutput({ writeOut: () => undefined, writeErr: () => undefined });
  }
  try {
    await program.parseAsync([...args], { from: 'user' });
    return [];
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return [`${words.join(' ')}: ${message}`];
  }
}

function npmProblems(words: ShellCommand): readonly string[] {
  if (words[0] !== 'npm' || (words[1] !== 'run' && words[1] !== 'test')) return [];
  const name = words[1] === 'test' ? 'test' : words.slice(2).find((word) => !word.startsWith('-'));
  const { scripts } = JSON.parse(readFileSync(path.join(REPOSITORY, 'package.json'), 'utf8')) as {
    readonly scripts: Readonly<Record<string, string>>;
  };
  return name !== undefined && Object.hasOwn(scripts, name) ? [] : [`${words.join(' ')}: there is no such npm script`];
}

function missingFiles(words: ShellCommand): readonly string[] {
  return words.flatMap((word, at) => {
    const [, value = word] = /^--?[\w-]+=(.+)$/.exec(word) ?? [];
    if (!NAMED.test(value) || OUTPUTS.has(words[at - 1] ?? '') || WRITTEN.test(value)) return [];
    const file = value.replace(/^@/, '').replace(/:.*$/, '');
    return existsSync(path.join(REPOSITORY, file)) ? [] : [`${words.join(' ')}: there is no file ${file}`];
  });
}
