/** Code blocks of Markdown pages. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));

/** A block; `line` is that of its first line of code. */
export interface CodeBlock {
  readonly page: string;
  readonly line: number;
  readonly language: string;
  readonly text: string;
}

const FENCE = /^( *)(`{3,})(\w*)\s*$/;

export function codeBlocksIn(page: string, markdown: string): readonly CodeBlock[] {
  const blocks: CodeBlock[] = [];
  const lines = markdown.split('\n');
  for (let at = 0; at < lines.length; at++) {
    const [, indent = '', fence, language = ''] = FENCE.exec(lines[at] ?? '') ?? [];
    if (fence === undefined) continue;
    const end = lines.findIndex((line, index) => index > at && line.trim() === fence);
    const last = end < 0 ? lines.length : end;
    const code = lines.slice(at + 1, last).map((line) => line.slice(Math.min(indent.length, leadingSpaces(line))));
    blocks.push({ page, line: at + 2, language, text: code.join('\n') });
    at = last;
  }
  return blocks;
}

const leadingSpaces = (line: string): number => line.length - line.trimStart().length;

/** Pages relative to the repository. */
export function pagesOfRepository(): readonly string[] {
  const below = (folder: string, isPage: (name: string) => boolean): readonly string[] =>
    readdirSync(path.join(REPOSITORY, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => isPage(name) && !name.split(path.sep).includes('node_modules'))
      .map((name) => path.posix.join(folder, name));
  const readmes = (name: string): boolean => path.basename(name) === 'README.md';
  return [
    'README.md',
    'CONTRIBUTING.md',
    ...below('docs', (name) => name.endsWith('.md')),
    ...below('deploy', readmes),
    ...below('examples', readmes),
  ].sort();
}

export const blocksOfRepository = (): readonly CodeBlock[] =>
  pagesOfRepository().flatMap((page) => codeBlocksIn(page, readFileSync(path.join(REPOSITORY, page), 'utf8')));

export const isShell = ({ language }: CodeBlock): boolean => language === 'sh' || language === 'bash';
