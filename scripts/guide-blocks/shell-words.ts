/** Commands of a shell block as words: enough of the shell's grammar for the pages, checked by `bash -n` as a whole. */

const KEYWORDS: ReadonlySet<string> = new Set(['do', 'then', 'else', 'if', 'while', 'until', '!', '{', 'sudo', 'exec']);
const REDIRECTION = /^\d*(>>|>|<)&?/;

export type ShellCommand = readonly string[];

interface Scan {
  readonly commands: string[][];
  words: string[];
  word: string | undefined;
}

/** Words without quotes, redirections, assignments and keywords before the program. */
export function shellCommands(text: string): readonly ShellCommand[] {
  const scan: Scan = { commands: [], words: [], word: undefined };
  for (let at = 0; at < text.length; ) at = step(text, at, scan);
  endCommand(scan);
  return scan.commands.map(withoutPrefix).filter((words) => words.length > 0);
}

/** Characters that end a command; `&` only outside a redirection such as `2>&1`. */
function endsCommand(char: string, word: string | undefined): boolean {
  return /[\n;|()]/.test(char) || (char === '&' && !/[<>]$/.test(word ?? ''));
}

/** Handles the character at `at`; returns the position after it. */
function step(text: string, at: number, scan: Scan): number {
  const char = text[at] as string;
  if (char === '\\') return escaped(text, at, scan);
  if (char === "'" || char === '"') return quoted(text, at, scan);
  if (char === '#' && scan.word === undefined) return endOfLine(text, at);
  if (endsCommand(char, scan.word)) endCommand(scan);
  else if (/\s/.test(char)) endWord(scan);
  else scan.word = `${scan.word ?? ''}${char}`;
  return at + 1;
}

function escaped(text: string, at: number, scan: Scan): number {
  if (text[at + 1] !== '\n') scan.word = `${scan.word ?? ''}${text[at + 1] ?? ''}`;
  return at + 2;
}

function endOfLine(text: string, at: number): number {
  const end = text.indexOf('\n', at);
  return end < 0 ? text.length : end;
}

function quoted(text: string, at: number, scan: Scan): number {
  const quote = text[at] as string;
  let end = at + 1;
  while (end < text.length && text[end] !== quote) end += quote === '"' && text[end] === '\\' ? 2 : 1;
  scan.word = `${scan.word ?? ''}${text.slice(at + 1, end)}`;
  return end + 1;
}

function endWord(scan: Scan): void {
  if (scan.word !== undefined) scan.words.push(scan.word);
  scan.word = undefined;
}

function endCommand(scan: Scan): void {
  endWord(scan);
  if (scan.words.length > 0) scan.commands.push(scan.words);
  scan.words = [];
}

function withoutPrefix(words: readonly string[]): ShellCommand {
  const first = words.findIndex((word) => !KEYWORDS.has(word) && !/^[A-Za-z_]\w*=/.test(word));
  return first < 0 ? [] : withoutRedirections(words.slice(first));
}

function withoutRedirections(words: readonly string[]): ShellCommand {
  const kept: string[] = [];
  for (let at = 0; at < words.length; at++) {
    const word = words[at] as string;
    const [sign] = REDIRECTION.exec(word) ?? [];
    if (sign === undefined) kept.push(word);
    else if (sign === word) at++;
  }
  return kept;
}
